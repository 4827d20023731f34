"""Controls that a working conditional generator passes: named, with a value and a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from mmcgan.arrays import IntArray
from mmcgan.inference.words.ranking import Ranking
from mmcgan.training.validation import Check, generator_checks, mean_precision, run_checks


def shuffled_precision(ranking: Ranking, relevant: sparse.csr_array, seed: int) -> float | None:
    """Return P@10 when every image is judged by another image's tags; None for a single image.

    No image keeps its own: each takes the tags of the next one in a seeded random round.
    """
    n_images = relevant.shape[0]
    if n_images < 2:
        return None
    return mean_precision(ranking, sparse.csr_array(relevant[derangement(n_images, seed)]))


def derangement(n: int, seed: int) -> IntArray:
    """Return a seeded permutation of n ≥ 2 places, a single round, that leaves none in place."""
    order = np.random.default_rng(seed).permutation(n)
    other = np.empty(n, np.int64)
    other[order] = np.roll(order, -1)
    return other


def build_checks(
    values: Mapping[str, float], n_words: int, cgan: float, frequency: float | None
) -> list[dict[str, Any]]:
    """Return the checks for which there is a value.

    `values` are the controls of the generator by name; `cgan` and `frequency` the P@10 of these
    systems, for the relevance that the run learnt.
    """
    checks = generator_checks(n_words)
    if frequency is not None:
        checks += frequency_checks(frequency)
    return run_checks(checks, {**values, "above_frequency": cgan})


def frequency_checks(frequency: float) -> list[Check]:
    """Return the checks against the P@10 of tag frequency, which looks at no photo."""
    return [
        Check(
            "shuffled_P@10",
            "P@10 of the cgan when every photo is judged by another photo's tags.",
            f"at most that of tag frequency, {frequency:.4f}",
            lambda value: value <= frequency,
        ),
        Check(
            "above_frequency",
            "P@10 of the cgan, which must be worth more than not looking at the photo.",
            f"above that of tag frequency, {frequency:.4f}",
            lambda value: value > frequency,
        ),
    ]
