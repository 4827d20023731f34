"""The mean draw without torch is that of the generator itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from mmcgan.inference.mean_draw import MeanDraw
from mmcgan.training.config import TrainConfig
from mmcgan.training.networks import MixtureGenerator, build_generator

pytest.importorskip("openvino")

SIZES = D, E = 7, 5
CONFIG = TrainConfig.of(
    "modern", members=3, draws=6, image_units=11, noise_units=4, noise_size=3
)  # fmt: skip
FEATURES = np.random.default_rng(0).normal(size=(9, D)).astype(np.float32)


@pytest.fixture
def generator() -> MixtureGenerator:
    """A generator whose weights half precision can hold."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = build_generator(*SIZES, CONFIG)
    assert isinstance(generator, MixtureGenerator)
    return generator.half().float().eval()


def weights_of(generator: MixtureGenerator, dtype: type) -> dict[str, np.ndarray]:
    return {name: t.numpy().astype(dtype) for name, t in generator.state_dict().items()}


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("n_images", [1, 2, 9])
def test_mean_draw_is_the_mean_of_the_members_draws(generator, dtype, n_images):
    mean_draw = MeanDraw.of(weights_of(generator, dtype), SIZES, CONFIG)
    features = torch.from_numpy(FEATURES[:n_images])
    with torch.no_grad():
        centres = generator.centres(features).mean(1)
        draws = generator.sample(generator.noise(1, 60), features).mean(1)
    found = mean_draw(FEATURES[:n_images])
    assert (found.shape, found.dtype) == ((n_images, E), np.float32)
    np.testing.assert_allclose(found, centres, atol=1e-6)
    np.testing.assert_allclose(found, draws, atol=1e-5)


def test_mean_draw_is_the_same_from_several_threads(generator):
    mean_draw = MeanDraw.of(weights_of(generator, np.float16), SIZES, CONFIG)
    expected = [mean_draw(FEATURES[i : i + 1]) for i in range(9)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            found = list(pool.map(lambda i: mean_draw(FEATURES[i : i + 1]), range(9)))
            assert np.array_equal(found, expected)


def test_mean_draw_refuses_weights_that_lack_some(generator):
    weights = weights_of(generator, np.float16)
    del weights["members.2.output.weight"]
    with pytest.raises(KeyError, match=r"members\.2\.output\.weight"):
        MeanDraw.of(weights, SIZES, CONFIG)


@pytest.mark.parametrize("sizes", [(D + 1, E), (D, E + 1)])
def test_mean_draw_refuses_weights_of_other_sizes(generator, sizes):
    with pytest.raises(ValueError, match="size mismatch"):
        MeanDraw.of(weights_of(generator, np.float16), sizes, CONFIG)
