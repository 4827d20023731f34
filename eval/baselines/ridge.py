"""Ridge regression on more images than memory holds: by sums to which some at a time add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from eval.baselines.scoring import Score
from mmcgan.arrays import DoubleArray, FloatArray
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.prepared.feature_rows import Features, chunks

# A slice of the images → what is to be predicted of them, (B, T).
Targets: TypeAlias = Callable[[slice], FloatArray | sparse.csr_array]


@dataclass(frozen=True)
class NormalEquations:
    """What ridge regression with an intercept takes of N images, whatever its penalty.

    `mean` (D,) and `level` (T,) are the means of features and targets, `squares` (D, D) and
    `products` (T, D) the sums over images of the products of centred features with themselves and
    with the targets. `scale` is applied to features first.
    """

    n_images: int
    mean: DoubleArray
    level: DoubleArray
    squares: DoubleArray
    products: FloatArray
    scale: Callable[[npt.ArrayLike], FloatArray]

    @classmethod
    def of(cls, features: Features, targets: Targets, unit_norm: bool = False) -> NormalEquations:
        """Add up the parts of some images at a time.

        With `unit_norm` all `features` (N, D) are first scaled to the norm √D, theirs on average.
        """
        n_images, size = features.shape
        scale = _to_equal_norm if unit_norm else np.asarray
        parts = list(chunks(n_images, 4 * size))
        mean = sum(scale(features[part]).sum(axis=0, dtype=np.float64) for part in parts) / n_images
        level = sum(targets(part).sum(axis=0, dtype=np.float64) for part in parts) / n_images
        squares = np.zeros((size, size))
        products = np.zeros((len(level), size), np.float32)
        for part in parts:
            centred = (scale(features[part]) - mean).astype(np.float32)
            squares += centred.T @ centred
            products += targets(part).T @ centred
        return cls(n_images, mean, level, squares, products, scale)

    def solve(self, penalty: float) -> Score:
        """Return the function features (M, D) → (M, T); `penalty` is that of an image."""
        penalties = penalty * self.n_images * np.eye(len(self.squares))
        squares = (self.squares + penalties).astype(np.float32)
        weights = np.asarray(linalg.solve(squares, self.products.T, assume_a="pos"), np.float32)
        constant = np.asarray(self.level - self.mean @ weights, np.float32)
        scale = self.scale  # the function keeps that, not the sums
        return lambda features: scale(features) @ weights + constant


def _to_equal_norm(features: npt.ArrayLike) -> FloatArray:
    """Return features (N, D), all with the norm √D."""
    unit = unit_rows(features)
    return unit * np.float32(unit.shape[1] ** 0.5)
