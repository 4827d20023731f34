"""The nearest training photos: against all cosines at once, whatever the parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eval.baselines.nearest import find_nearest
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.prepared.feature_rows import StandardizedRows, fit_standardizer


def drawn(n_photos: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_photos, 6)).astype(np.float32)


@pytest.mark.parametrize("rows_at_once", [1, 3, 7, 1000])
@pytest.mark.parametrize("k", [1, 5, 40, 90])
def test_nearest_are_those_of_all_cosines(monkeypatch, rows_at_once, k):
    monkeypatch.setattr("mmcgan.training.prepared.feature_rows.CHUNK_BYTES", rows_at_once * 6 * 4)
    photos, train = drawn(9, 0), drawn(40, 1)
    found = find_nearest(photos, train, k)
    cosines = unit_rows(photos) @ unit_rows(train).T
    order = np.argsort(-cosines, axis=1)[:, :k]
    assert found.rows.tolist() == order.tolist()
    assert found.cosines == pytest.approx(np.take_along_axis(cosines, order, axis=1), abs=1e-6)


def test_training_photos_may_be_on_disk_and_standardised_when_read():
    raw, rows = 5 + 3 * drawn(30, 2), np.arange(3, 30, 2)
    standardizer = fit_standardizer(raw, rows)
    lazy = StandardizedRows(raw, rows, standardizer, torch.device("cpu"))
    photos = drawn(4, 3)
    found, plain = (find_nearest(photos, t, 3) for t in (lazy, standardizer(raw[rows])))
    assert found.rows.tolist() == plain.rows.tolist()
    assert (found.cosines == plain.cosines).all()


def test_a_slice_and_the_first_are_those_of_some():
    found = find_nearest(drawn(6, 0), drawn(20, 1), 5)
    assert found[2:4].rows.tolist() == found.rows[2:4].tolist()
    assert found.first(2).cosines.tolist() == found.cosines[:, :2].tolist()


@pytest.mark.parametrize(("n_photos", "n_train"), [(0, 5), (5, 0)])
def test_nothing_is_near_to_nothing(n_photos, n_train):
    found = find_nearest(drawn(n_photos, 0), drawn(n_train, 1), 3)
    assert found.rows.shape == found.cosines.shape == (n_photos, min(3, n_train))
