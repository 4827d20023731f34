"""What is kept of one pass of a network: each kind of pooling by hand, and all levels in order."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor

from mmcgan.inference.photos.pooling import (
    AllLevels,
    LastMap,
    pool_classes,
    pool_last_map,
    pool_stage,
)
from mmcgan.inference.photos.sources import load_source

SIZES = {  # D, and the channels of the stages
    "efficientnet-lite0": (3848, [16, 24, 40, 80, 112, 192, 320]),
    "efficientnet-lite1": (3848, [16, 24, 40, 80, 112, 192, 320]),
    "efficientnet-lite2": (3992, [16, 24, 48, 88, 120, 208, 352]),
}


@functools.cache  # loading takes seconds
def levels(name: str = "efficientnet-lite0") -> AllLevels:
    network = load_source(name).network.eval()
    assert isinstance(network, AllLevels)
    return network


def maps(*channels: list[float]) -> Tensor:
    """Two rows of each channel, (1, C, 2, W)."""
    return torch.tensor(channels, dtype=torch.float32).reshape(1, len(channels), 2, -1)


def test_last_map_is_the_root_of_its_mean():
    assert pool_last_map(maps([0, 0, 0, 0], [1, 3, 5, 27])).tolist() == [[0, 3]]
    assert pool_last_map(maps([-1e-7, 0, 0, 0])).tolist() == [[0]]  # not a NaN


def test_stage_is_the_mean_and_the_deviation_of_each_channel():
    found = pool_stage(maps([1, 3, 1, 3], [5, 5, 5, 5], [-4, -4, 4, 4]))
    assert found.tolist() == [[2, 5, 0, 1, 0, 4]]


def test_small_deviation_from_a_large_mean_is_not_lost():
    random = torch.Generator().manual_seed(0)
    values = 1000 + 0.01 * torch.randn((1, 1, 130, 130), generator=random, dtype=torch.float64)
    deviation = values.std(correction=0).item()
    assert pool_stage(values.float())[0, 1].item() == pytest.approx(deviation, rel=0.01)


def test_classes_are_the_roots_of_their_probabilities():
    logits = torch.tensor([[0.25, 0.25, 0.5]]).log() + 7
    torch.testing.assert_close(pool_classes(logits), torch.tensor([[0.5, 0.5, 0.5**0.5]]))


@pytest.mark.parametrize("name", SIZES)
def test_stages_end_where_the_maps_change_their_depth(name):
    network = levels(name)
    depths = [network.network._blocks[i]._block_args.output_filters for i in network.stage_ends]
    assert (network.feature_size, depths) == SIZES[name]
    assert network.n_classes == 1000


def test_all_levels_come_in_their_order_from_one_pass():
    network = levels()
    seen: list[Tensor] = []
    hooks = [
        network.network._blocks[i].register_forward_hook(lambda *call: seen.append(call[-1]))
        for i in network.stage_ends
    ]
    images = torch.randn((2, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = network(images)
        stages, last = list(seen), network.network.extract_features(images)
        logits = network.network(images)  # the package's own way, its dropout off
    for hook in hooks:
        hook.remove()
    wanted = [*map(pool_stage, stages), pool_last_map(last), pool_classes(logits)]
    assert found.shape == (2, network.feature_size)
    torch.testing.assert_close(found, torch.cat(wanted, 1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[:, -1000:].square().sum(1), torch.ones(2))


def test_convolutions_in_bfloat16_are_pooled_in_single_precision():
    images = torch.randn((1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert levels()(images).dtype == torch.float32


def test_last_map_alone_is_of_the_same_weights():
    alone = load_source("efficientnet-lite0:mean").network
    assert isinstance(alone, LastMap)
    images = torch.zeros((1, 3, 224, 224))
    with torch.no_grad():
        found, wanted = alone.eval()(images), levels()(images)[:, -2280:-1000].square()
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    assert alone.state_dict().keys() == levels().state_dict().keys()
