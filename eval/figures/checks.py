"""Controls that a working conditional generator passes: named, with a value and a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.figures.metrics import mean_precision
from eval.systems import Generated
from mmcgan.inference.words.ranking import Ranking

MIN_DISTINCT_WORDS = 10
MIN_COVERAGE = 0.5
NOISE_SHARE = (0.01, 0.99)


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


@dataclass(frozen=True)
class Check:
    """A named control: what it measures, its target in words and as a predicate."""

    name: str
    description: str
    target: str
    passes: Callable[[float], bool]


def check_generator(generated: Generated, n_words: int) -> list[dict[str, Any]]:
    """Return the checks of variety that hold for any number of images, and need no rival."""
    values = {
        "distinct_words": generated.distinct_words,
        "noise_variance_share": generated.noise_variance_share,
    }
    return _measured(generator_checks(n_words), {n: v for n, v in values.items() if v is not None})


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
    return _measured(checks, {**values, "above_frequency": cgan})


def generator_checks(n_words: int) -> list[Check]:
    """Return the checks of variety, for a vocabulary of V words."""
    wanted = min(MIN_DISTINCT_WORDS, n_words)
    low, high = NOISE_SHARE
    return [
        Check(
            "distinct_words",
            "Different nearest words among the vectors generated for one photo, on average.",
            f"at least {wanted}",
            lambda value: value >= wanted,
        ),
        Check(
            "noise_variance_share",
            "Share of the variance of the generated vectors that comes from the noise.",
            f"between {low} and {high}",
            lambda value: low <= value <= high,
        ),
        Check(
            "vocabulary_coverage",
            "Share of the vocabulary that is in the top ten of any photo.",
            f"at least {MIN_COVERAGE}",
            lambda value: value >= MIN_COVERAGE,
        ),
    ]


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


def _measured(checks: Sequence[Check], known: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return those checks for which there is a value, with it and whether it passes."""
    return [
        {
            "name": check.name,
            "description": check.description,
            "value": known[check.name],
            "target": check.target,
            "passed": bool(check.passes(known[check.name])),
        }
        for check in checks
        if check.name in known
    ]
