"""What is asked of a generator on dev: the precision of its ranking, and that its draws vary.

`eval` measures the same on the splits that are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from mmcgan.arrays import BoolArray, FloatArray
from mmcgan.inference.model import read_model
from mmcgan.inference.model_dir import ModelDir
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.ranking import Draws, Ranking, count_distinct

CUT = 10  # the cut-off of the figures to quote
MIN_DISTINCT_WORDS = 10
MIN_COVERAGE = 0.5
NOISE_SHARE = (0.01, 0.99)


def find_hits(ranking: Ranking, relevant: sparse.csr_array) -> BoolArray:
    """Return whether the word at each rank is relevant (N, depth), from 0/1 `relevant` (N, V)."""
    n_images, n_words = relevant.shape
    image = np.repeat(np.arange(n_images), np.diff(relevant.indptr))
    right = np.sort(image * n_words + relevant.indices)  # a cell's number in (N, V)
    found = np.arange(n_images)[:, None] * n_words + ranking.rows
    place = np.searchsorted(right, found)
    return np.append(right, -1)[place] == found


def mean_precision(ranking: Ranking, relevant: sparse.csr_array, k: int = CUT) -> float:
    """Return the mean of P@k over the images with a relevant word, the score of choices on dev.

    It is 0 where no image has one. Hits are divided by k even where there are fewer words.
    """
    precision = find_hits(ranking, relevant)[:, :k].sum(axis=1) / k
    values = precision[np.diff(relevant.indptr) > 0]
    return float(values.mean()) if len(values) else 0.0


class Variances:
    """Sums from which the variance within images and the variance of all draws follow."""

    def __init__(self) -> None:
        self.n = 0
        self.total = self.squares = self.within = np.zeros(())

    def add(self, draws: FloatArray) -> None:
        """Take the draws (B, S, E) of some images."""
        exact = draws.astype(np.float64)
        self.n += exact.shape[0] * exact.shape[1]
        self.total = self.total + exact.sum(axis=(0, 1))
        self.squares = self.squares + (exact**2).sum()
        centred = exact - exact.mean(axis=1, keepdims=True)
        self.within = self.within + (centred**2).sum()

    def share_within(self) -> float | None:
        """Return the part of the variance within images; None if nothing varies."""
        overall = float(self.squares - (self.total**2).sum() / self.n)
        return float(self.within) / overall if overall > 0 else None


def variety(run: ModelDir, features: FloatArray) -> dict[str, float | None]:
    """Return how much the draws of a finished run differ, for raw features (M, D).

    `distinct_words` is the mean number of different nearest words a photo, `noise_variance_share`
    the share of the variance of all draws that the noise makes, None where nothing varies.
    """
    tagger, variances, n_distinct = Tagger(read_model(run)), Variances(), []
    for _, samples in tagger.samples(features):
        variances.add(samples)
        n_distinct.append(count_distinct(Draws.of(samples, tagger.index).nearest))
    return {
        "distinct_words": float(np.concatenate(n_distinct).mean()),
        "noise_variance_share": variances.share_within(),
    }


@dataclass(frozen=True)
class Check:
    """A named control: what it measures, its target in words and as a predicate."""

    name: str
    description: str
    target: str
    passes: Callable[[float], bool]


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


def run_checks(checks: Sequence[Check], values: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """Return those checks for which there is a value, with it and whether it passes."""
    return [
        {
            "name": check.name,
            "description": check.description,
            "value": value,
            "target": check.target,
            "passed": bool(check.passes(value)),
        }
        for check in checks
        if (value := values.get(check.name)) is not None
    ]
