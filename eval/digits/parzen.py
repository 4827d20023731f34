"""Log-likelihood under a Gaussian Parzen window of samples (Breuleux et al. 2011).

The density is the mean over the samples of a Gaussian of width sigma around each. The published
protocol (arXiv 1406.2661, section 5): sigma is the best on validation images among
logspace(-1, 0, 10), reported are mean and standard error over the test images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmcgan.arrays import DoubleArray, FloatArray

SIGMAS: tuple[float, ...] = tuple(np.logspace(-1, 0, 10).tolist())
CHUNK = 500  # images whose distances to all samples are in memory at once


def parzen_log_likelihood(
    samples: FloatArray, validation: FloatArray, test: FloatArray
) -> dict[str, Any]:
    """Return what a report says of `samples` (S, P).

    That is mean and standard error over the images `test` (T, P), the sigma that was chosen on
    `validation` (V, P), and the means there by sigma.
    """
    means = log_densities(samples, validation, SIGMAS).mean(axis=1).tolist()
    sigma = SIGMAS[int(np.argmax(means))]
    values = log_densities(samples, test, [sigma])[0]
    deviation = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return {
        "mean": float(values.mean()),
        "se": deviation / len(values) ** 0.5,
        "sigma": sigma,
        "validation": {f"{s:.3g}": mean for s, mean in zip(SIGMAS, means, strict=True)},
    }


def log_densities(samples: FloatArray, images: FloatArray, sigmas: Sequence[float]) -> DoubleArray:
    """Return the log density of each of `images` (N, P) for each sigma: (len(sigmas), N).

    In double precision, so that it is exact; squared distances, which all sigmas share, are one
    matrix product.
    """
    samples = np.asarray(samples, np.float64)
    squares = (samples**2).sum(axis=1)
    found = np.empty((len(sigmas), len(images)))
    for start in range(0, len(images), CHUNK):
        chunk = np.asarray(images[start : start + CHUNK], np.float64)
        distances = (chunk**2).sum(axis=1)[:, None] + squares - 2 * chunk @ samples.T
        nearest = distances.min(axis=1, keepdims=True)
        distances -= nearest  # the largest exponent becomes 0: no sum underflows
        for row, sigma in zip(found, sigmas, strict=True):
            total = np.exp(distances / (-2 * sigma**2)).sum(axis=1)
            row[start : start + CHUNK] = np.log(total) - nearest[:, 0] / (2 * sigma**2)
    n_samples, n_pixels = samples.shape
    widths = np.log(np.asarray(sigmas) * np.sqrt(2 * np.pi))
    found -= np.log(n_samples) + n_pixels * widths[:, None]
    return found
