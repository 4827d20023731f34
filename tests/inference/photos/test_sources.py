"""Networks of others: what they are known by. What each library gives is in test_backbone."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from torch import nn

from mmcgan.errors import RunError
from mmcgan.inference.photos import sources
from mmcgan.inference.photos.sources import Source, hash_weights, load_source, restore_source


def network_of(weight: float) -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 3, bias=False))
    nn.init.constant_(network[0].weight, weight)
    return network


def test_hash_weights_is_known_and_stable():
    # SHA-256 of "layer.weight torch.float32 (1, 1)\n" and the four bytes of 1.0
    network = nn.Sequential()
    network.add_module("layer", nn.Linear(1, 1, bias=False))
    nn.init.constant_(network.layer.weight, 1.0)
    known = b"layer.weight torch.float32 (1, 1)\n\x00\x00\x80\x3f"
    assert hash_weights(network) == hashlib.sha256(known).hexdigest()


def test_hash_weights_tells_values_names_and_shapes_apart():
    networks = [network_of(2.0), network_of(2.0001), nn.Linear(3, 3), nn.Linear(9, 1, bias=False)]
    networks.append(network_of(2.0).to(torch.bfloat16))
    assert len({hash_weights(network) for network in networks}) == len(networks)
    channels_last = nn.Conv2d(3, 4, 2)
    plain = hash_weights(channels_last)
    assert hash_weights(channels_last.to(memory_format=torch.channels_last)) == plain
    assert hash_weights(nn.BatchNorm2d(2)) == hash_weights(nn.BatchNorm2d(2))


def source_of(weight: float) -> Source:
    return Source("tiny", network_of(weight), 6, (0.1, 0.2, 0.3), (0.5, 0.5, 0.5))


def test_restore_source_gives_the_network_of_the_facts_again(monkeypatch):
    monkeypatch.setattr(sources, "load_source", lambda name: source_of(2.0))
    facts = json.loads(json.dumps(source_of(2.0).facts)) | {"image_size": 9}
    restored = restore_source(facts)
    assert restored.facts == facts
    assert (restored.name, restored.image_size, restored.mean) == ("tiny", 9, (0.1, 0.2, 0.3))


def test_restore_source_refuses_other_weights(monkeypatch):
    monkeypatch.setattr(sources, "load_source", lambda name: source_of(3.0))
    with pytest.raises(RunError, match="weights of tiny that are installed here are not those"):
        restore_source(source_of(2.0).facts)


def test_load_source_leaves_the_random_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_source("efficientnet-lite0")
    assert torch.equal(torch.rand(1), expected)
