"""Similar photos: by hand, against a dense search, and what they weigh."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmcgan.training import neighbours as neighbours_module
from mmcgan.training.neighbours import N_NEIGHBOURS, TEMPERATURE, find_neighbours


def at(*degrees: float) -> np.ndarray:
    """Features in the plane at these angles, of different lengths."""
    angles = np.radians(degrees)
    lengths = 1 + np.arange(len(degrees))
    return (lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)).astype(np.float32)


def weights_of(features: np.ndarray, n_tagged: int, seed: int = 0) -> np.ndarray:
    """Each untagged photo's weight of every tagged photo, (N - n_tagged, n_tagged)."""
    found = find_neighbours(torch.from_numpy(features), n_tagged, seed)
    table = np.zeros((len(features) - n_tagged, n_tagged))
    for row, (photos, weights) in enumerate(zip(found.rows, found.weights, strict=True)):
        np.add.at(table[row], photos.numpy(), weights.numpy())
    return table


def plain_weights(features: np.ndarray, n_tagged: int) -> np.ndarray:
    """exp(cosine / temperature) of the N_NEIGHBOURS nearest, made to sum to 1."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    table = np.zeros((len(features) - n_tagged, n_tagged))
    for row, photo in zip(table, unit[n_tagged:], strict=True):
        cosines = [float(photo @ unit[j]) for j in range(n_tagged)]
        for j in sorted(range(n_tagged), key=lambda j: -cosines[j])[:N_NEIGHBOURS]:
            row[j] = np.exp(cosines[j] / TEMPERATURE)
    return table / table.sum(axis=1, keepdims=True)


def test_weights_worked_out_by_hand():
    # An untagged photo at 0° beside tagged ones at 60° and 90°: the cosines are 1/2 and 0.
    table = weights_of(at(60, 90, 0), 2)
    share = np.exp(0.5 / 0.1) / (np.exp(0.5 / 0.1) + 1)
    assert table == pytest.approx(np.array([[share, 1 - share]]), abs=1e-6)


@pytest.mark.parametrize(("n_photos", "n_tagged"), [(180, 130), (60, 40), (3, 2), (2, 1)])
def test_neighbours_equal_a_plain_search(n_photos, n_tagged):
    features = np.random.default_rng(n_photos).normal(size=(n_photos, 20)).astype(np.float32)
    table = weights_of(features, n_tagged)
    assert np.allclose(table, plain_weights(features, n_tagged), atol=1e-5)
    assert np.allclose(table.sum(axis=1), 1, atol=1e-5)


def test_untagged_photos_have_tagged_neighbours():
    found = find_neighbours(torch.from_numpy(at(0, 90, 10, 80)), n_tagged=2, seed=0)
    assert found.rows.shape == (2, 2)
    assert set(found.rows.flatten().tolist()) <= {0, 1}
    assert weights_of(at(0, 90, 10, 80), 2).argmax(axis=1).tolist() == [0, 1]


def test_photos_that_are_the_same_share_the_weight():
    assert weights_of(at(20, 20, 20), 2) == pytest.approx(np.full((1, 2), 0.5), abs=1e-6)


def test_features_without_a_direction_are_equally_far_from_all():
    assert weights_of(np.zeros((4, 3), np.float32), 3) == pytest.approx(np.full((1, 3), 1 / 3))


def test_of_many_photos_a_random_choice_is_searched(monkeypatch):
    monkeypatch.setattr(neighbours_module, "MAX_POOL", 10)
    features = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    pools = [set(np.flatnonzero(weights_of(features, 40, seed).any(axis=0))) for seed in (0, 0, 1)]
    assert pools[0] == pools[1] != pools[2]
    assert len(pools[0]) == 10
    assert pools[0] | pools[2] <= set(range(40))
    assert np.allclose(weights_of(features, 40).sum(axis=1), 1, atol=1e-5)


def test_neighbours_of_some_photos_are_their_rows():
    found = find_neighbours(torch.from_numpy(at(0, 60, 90, 120, 80)), 2, seed=0)
    rows, weights = (part[[2, 0]] for part in found)
    assert torch.equal(rows, found.rows[[2, 0]])
    assert torch.equal(weights, found.weights[[2, 0]])
    assert (found.rows.dtype, found.weights.dtype) == (torch.int64, torch.float32)
