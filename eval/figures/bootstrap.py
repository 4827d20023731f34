"""95 % intervals by the percentile bootstrap over images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mmcgan.arrays import DoubleArray

N_RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)

Figure = dict[str, float]


def resample_counts(
    n_images: int, seed: int, n_resamples: int = N_RESAMPLES
) -> npt.NDArray[np.int32]:
    """Return how often each of N images is drawn in each resample of N with replacement, (N, B)."""
    draws = np.random.default_rng(seed).integers(n_images, size=(n_images, n_resamples))
    cells = draws * n_resamples + np.arange(n_resamples)
    counts = np.bincount(cells.ravel(), minlength=n_images * n_resamples)
    return counts.reshape(n_images, n_resamples).astype(np.int32)


def mean_figure(values: DoubleArray, counts: npt.NDArray[np.int32]) -> Figure | None:
    """Return the mean of an image's `values` (N,) and its interval; None if no image has one.

    NaN marks an image without a value: it is left out of the mean and of every resample.
    """
    known = ~np.isnan(values)
    if not known.any():
        return None
    weights = counts[known].astype(np.float64)
    n_drawn = weights.sum(axis=0)
    means = (values[known] @ weights)[n_drawn > 0] / n_drawn[n_drawn > 0]
    return figure(float(values[known].mean()), means)


def ratio_figure(ours: DoubleArray, theirs: DoubleArray, seed: int) -> Figure:
    """Return mean(ours) / mean(theirs) with its interval over seeds and images.

    `ours` (S, N) and `theirs` (T, N) are values of the same N images by runs of different seeds;
    a resample draws images, the same for both, and seeds of each.
    """
    random = np.random.default_rng(seed)
    means = np.empty((2, N_RESAMPLES))
    for i in range(N_RESAMPLES):
        images = random.integers(ours.shape[1], size=ours.shape[1])
        picked = [v[random.integers(len(v), size=len(v))].mean(axis=0) for v in (ours, theirs)]
        means[:, i] = picked[0][images].mean(), picked[1][images].mean()
    with np.errstate(divide="ignore", invalid="ignore"):  # of few images all may have 0
        ratios = means[0] / means[1]
    low, high = np.percentile(ratios, PERCENTILES)
    value = float(ours.mean() / theirs.mean())
    return {"value": value, "low": float(low), "high": float(high)}


def divided(sums: DoubleArray, counts: npt.NDArray[Any]) -> DoubleArray:
    """Return sums / counts, NaN where the count is 0."""
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def figure(value: float, resampled: DoubleArray) -> Figure | None:
    """Return `value` with the interval of its `resampled` values (B,); None if it is NaN."""
    if math.isnan(value):
        return None
    low, high = np.nanpercentile(resampled, PERCENTILES)
    return {"value": value, "low": float(low), "high": float(high)}
