"""The networks in NumPy give the vectors of the torch modules that learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.models import LINEAR, MIXTURE, make_features, random_weights

from mmcgan.inference import network as network_module
from mmcgan.inference.network import build_network
from mmcgan.inference.noise import gaussian_noise
from mmcgan.training.networks import MixtureGenerator, as_generator, as_network


@pytest.mark.parametrize("n", [16, 17, 31, 100, 4800])
@pytest.mark.parametrize("seed", [0, 1, 12345, 2**33 + 5])
def test_noise_is_what_torch_draws(seed, n):
    expected = torch.randn(n, generator=torch.Generator().manual_seed(seed)).numpy()
    np.testing.assert_allclose(gaussian_noise(seed, n), expected, atol=1e-6)


def test_noise_has_the_shape_that_is_asked_for():
    assert gaussian_noise(0, 2, 3).shape == (2, 3)
    assert gaussian_noise(0, 3, 0, 5).shape == (3, 0, 5)
    assert np.array_equal(gaussian_noise(1, 4, 20).ravel(), gaussian_noise(1, 80))


@pytest.mark.parametrize("record", [LINEAR, MIXTURE], ids=["linear", "mixture"])
@pytest.mark.parametrize("n_draws", [4, 7, 10])
def test_draws_are_those_of_the_torch_module(record, n_draws):
    network, features = build_network(record, random_weights(record)), make_features(3)
    generator = as_generator(network)
    noise = generator.noise(1, n_draws, torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = generator.sample(noise, torch.from_numpy(features)).numpy()
    found = network.draws(features, n_draws, seed=5)
    assert found.shape == (3, n_draws - n_draws % record.generators, record.vector_size)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_centres_are_those_of_the_torch_module():
    network, features = build_network(MIXTURE, random_weights(MIXTURE)), make_features(3)
    generator = as_generator(network)
    assert isinstance(generator, MixtureGenerator)
    with torch.no_grad():
        expected = generator.centres(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(network.centres(features, 4, 0), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("record", [LINEAR, MIXTURE], ids=["linear", "mixture"])
def test_network_and_torch_module_are_the_same_there_and_back(record):
    network = build_network(record, random_weights(record))
    again = as_network(as_generator(network), {})
    assert again.record == replace(record, noise_scale=1.0)  # which is fitted after the training
    assert again.weights.keys() == network.weights.keys()
    assert all(np.array_equal(again.weights[name], network.weights[name]) for name in again.weights)


@pytest.mark.parametrize("has_openvino", [True, False])
@pytest.mark.parametrize("n_images", [1, 2, 9])
def test_mean_draw_is_the_mean_of_the_draws(monkeypatch, has_openvino, n_images):
    if has_openvino:
        pytest.importorskip("openvino")
    monkeypatch.setattr(network_module, "has_openvino", lambda: has_openvino)
    network, features = build_network(MIXTURE, random_weights(MIXTURE)), make_features(n_images)
    found = network.mean_draw(features, 100, seed=0)
    assert (found.shape, found.dtype) == ((n_images, MIXTURE.vector_size), np.float32)
    draws = network.draws(features, 60, seed=0)
    np.testing.assert_allclose(found, draws.mean(axis=1), rtol=1e-4, atol=1e-4)


def test_mean_draw_of_a_linear_network_is_that_of_its_draws():
    network, features = build_network(LINEAR, random_weights(LINEAR)), make_features(2)
    draws = network.draws(features, 10, seed=3)
    np.testing.assert_allclose(network.mean_draw(features, 10, seed=3), draws.mean(axis=1))


def test_a_larger_noise_scale_spreads_the_draws_and_keeps_their_mean():
    weights, features = random_weights(MIXTURE), make_features(2)
    near, far = (
        build_network(replace(MIXTURE, noise_scale=scale), weights).draws(features, 8, seed=0)
        for scale in (0.5, 2.0)
    )
    np.testing.assert_allclose(near.mean(axis=1), far.mean(axis=1), rtol=1e-4, atol=1e-4)
    own = slice(0, 4)  # of the first generator
    spread = [draws[:, own].std(axis=1) for draws in (near, far)]
    np.testing.assert_allclose(4 * spread[0], spread[1], rtol=1e-3)
