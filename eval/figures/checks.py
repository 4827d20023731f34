"""Controls that a working conditional generator passes: named, with a value and a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.baselines.nearest import find_nearest
from mmcgan.inference.words.ranking import Ranking
from mmcgan.training.prepared.feature_rows import Features
from mmcgan.training.validation import (
    Check,
    generator_checks,
    mean_precision,
    run_checks,
)
from mmcgan.training.validation import check_generator as check_generator

NEAR_DUPLICATE_COSINE = 0.9


def shuffled_precision(ranking: Ranking, relevant: sparse.csr_array, seed: int) -> float | None:
    """Return P@10 when every image is judged by another image's tags; None for a single image.

    No image keeps its own: each takes the tags of the next one in a seeded random round.
    """
    n_images = relevant.shape[0]
    if n_images < 2:
        return None
    return mean_precision(ranking, sparse.csr_array(relevant[derangement(n_images, seed)]))


def derangement(n: int, seed: int) -> npt.NDArray[np.int64]:
    """Return a seeded permutation of n ≥ 2 places, a single round, that leaves none in place."""
    order = np.random.default_rng(seed).permutation(n)
    other = np.empty(n, np.int64)
    other[order] = np.roll(order, -1)
    return other


def near_duplicates(
    evaluated_features: npt.NDArray[np.float32], train_features: Features
) -> npt.NDArray[np.bool_]:
    """Return (N,): whether an evaluated image has a training one above NEAR_DUPLICATE_COSINE.

    Both arguments are standardised features, (N, D) and (M, D).
    """
    nearest = find_nearest(evaluated_features, train_features, 1)
    is_near: npt.NDArray[np.bool_] = nearest.cosines.max(axis=1, initial=-1) > NEAR_DUPLICATE_COSINE
    return is_near


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
