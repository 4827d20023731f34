"""Features that may be larger than memory: read in parts, standardised when asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmcgan.inference.network import Standardizer
from mmcgan.training.prepared import feature_rows
from mmcgan.training.prepared.feature_rows import (
    StandardizedRows,
    chunks,
    chunks_of,
    fit_standardizer,
)


def fit(features: np.ndarray) -> Standardizer:
    return fit_standardizer(features, np.arange(len(features)))


def drawn(n_rows: int = 50) -> np.ndarray:
    return 1000 + 7 * np.random.default_rng(0).normal(size=(n_rows, 6)).astype(np.float32)


@pytest.fixture
def small_chunks(monkeypatch):
    """Three rows of `drawn` at a time."""
    monkeypatch.setattr(feature_rows, "CHUNK_BYTES", 3 * 6 * 4)


@pytest.mark.parametrize(
    ("n_rows", "row_bytes", "expected"),
    [
        (7, 24, [(0, 3), (3, 6), (6, 7)]),
        (6, 24, [(0, 3), (3, 6)]),
        (2, 1000, [(0, 1), (1, 2)]),  # a row larger than a chunk
        (2, 0, [(0, 2)]),
        (0, 24, []),
    ],
)
def test_chunks_worked_out_by_hand(small_chunks, n_rows, row_bytes, expected):
    assert [(part.start, part.stop) for part in chunks(n_rows, row_bytes)] == expected


def test_chunks_of_a_table_are_all_of_it_in_order(small_chunks):
    table = drawn(20)
    parts = list(chunks_of(table))
    assert max(map(len, parts)) == 3
    assert np.array_equal(np.concatenate(parts), table)


def test_standardizer_worked_out_by_hand():
    # Columns: mean 2, deviation 1; mean 5, never varying.
    standardizer = fit(np.array([[1, 5], [3, 5]], np.float32))
    assert standardizer.mean.tolist() == [2, 5]
    assert standardizer.scale.tolist() == [1, 1]
    scaled = standardizer(np.array([[4, 6]], np.float32))
    assert (scaled.dtype, scaled.tolist()) == (np.float32, [[2, 1]])


def test_standardizer_gives_mean_0_and_variance_1(small_chunks):
    scaled = fit(drawn())(drawn())
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(scaled.std(axis=0), 1, atol=1e-3)


def test_features_in_half_precision_are_standardised_in_single(small_chunks):
    half = (50 * drawn()).astype(np.float16)  # a sum of squares, and of some rows, overflows
    single = half.astype(np.float32)
    assert np.array_equal(fit(half).mean, fit(single).mean)
    assert np.array_equal(fit(half).scale, fit(single).scale)
    scaled = fit(half)(half)
    assert scaled.dtype == np.float32
    assert np.array_equal(scaled, fit(single)(single))
    seen = StandardizedRows(half, np.array([4, 0]), fit(half), torch.device("cpu"))[:]
    assert (seen.dtype, seen.tolist()) == (torch.float32, scaled[[4, 0]].tolist())


def test_standardizer_of_one_photo_stays_finite():
    one = np.array([[3.0, -1.0]], np.float32)
    assert fit(one)(one).tolist() == [[0, 0]]


def test_standardizer_sees_only_its_rows(small_chunks):
    features, rows = drawn(), np.array([3, 40, 7, 9, 22])
    own, few = fit_standardizer(features, rows), fit(features[rows])
    assert np.array_equal(own.mean, few.mean)
    assert np.array_equal(own.scale, few.scale)
    assert not np.allclose(own.mean, fit(features).mean)


def test_rows_are_those_of_the_whole_table_standardised():
    features, rows = drawn(), np.array([4, 0, 49, 17])
    seen = StandardizedRows(features, rows, fit(features), torch.device("cpu"))
    whole = torch.from_numpy(fit(features)(features)[rows])
    assert (len(seen), seen.shape) == (4, (4, 6))
    assert torch.equal(seen[torch.tensor([3, 1, 1])], whole[[3, 1, 1]])
    assert torch.equal(seen[1:4:2], whole[1:4:2])
    assert seen[torch.tensor([], dtype=torch.long)].shape == (0, 6)


def test_no_more_rows_are_read_than_are_asked_for():
    class Counted(np.ndarray):
        n_read = 0

        def __getitem__(self, chosen):
            Counted.n_read += len(chosen)
            return np.asarray(self)[chosen]

    features = drawn()
    seen = StandardizedRows(
        features.view(Counted), np.arange(50), fit(features), torch.device("cpu")
    )
    assert seen[torch.tensor([5, 6])].shape == (2, 6)
    assert Counted.n_read == 2
