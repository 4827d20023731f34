"""The training photos nearest to others: all are compared, some of them in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmcgan.arrays import BoolArray, FloatArray, IntArray
from mmcgan.inference.words.index import import_faiss
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.prepared.feature_rows import Features, chunks_of

NEAR_DUPLICATE_COSINE = 0.9


@dataclass(frozen=True)
class Nearest:
    """The k nearest of M training photos to each of N others, by cosine, nearest first.

    `cosines` and `rows` are (N, k); a slice is that of some of the N.
    """

    cosines: FloatArray
    rows: IntArray

    def __getitem__(self, photos: slice) -> Nearest:
        return Nearest(self.cosines[photos], self.rows[photos])

    def first(self, k: int) -> Nearest:
        """Return the k nearest of these."""
        return Nearest(self.cosines[:, :k], self.rows[:, :k])


def find_nearest(photos: FloatArray, train: Features, k: int) -> Nearest:
    """Find the min(k, M) nearest of features (M, D) to each of features (N, D)."""
    inner_product = import_faiss().METRIC_INNER_PRODUCT
    from faiss.contrib.exhaustive_search import knn_ground_truth

    k = min(k, len(train))
    if not k or not len(photos):
        return Nearest(np.zeros((len(photos), k), np.float32), np.zeros((len(photos), k), np.int64))
    parts = (unit_rows(part) for part in chunks_of(train))
    found = knn_ground_truth(unit_rows(photos), parts, k, inner_product)  # type: ignore[no-untyped-call]
    return Nearest(*found)


def near_duplicates(photos: FloatArray, train: Features) -> BoolArray:
    """Return (N,): whether a photo has one of `train` above NEAR_DUPLICATE_COSINE.

    Both arguments are standardised features, (N, D) and (M, D).
    """
    return find_nearest(photos, train, 1).cosines.max(axis=1, initial=-1) > NEAR_DUPLICATE_COSINE
