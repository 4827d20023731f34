"""The scores of a baseline: one for every word, of some photos at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mmcgan.arrays import FloatArray

Score = Callable[[FloatArray], FloatArray]  # standardised features (N, D) → scores (N, V)

MAX_SCORES = 2**23  # that are in memory at once


@dataclass(frozen=True)
class TwoSteps:
    """A score whose first step is better taken for all photos together.

    `look` maps features (N, D) to what is seen in N photos, of which slices can be taken; `score`
    maps that to scores (N, V).
    """

    look: Callable[[FloatArray], Any]
    score: Callable[[Any], FloatArray]

    def __call__(self, features: FloatArray) -> FloatArray:
        """Return the scores (N, V) for standardised features (N, D)."""
        return self.score(self.look(features))


def score_in_parts(score: Score, features: FloatArray, n_words: int) -> Iterator[FloatArray]:
    """Yield the scores of V words for N photos, (N, V), as many at a time as fit in memory."""
    seen, of_seen = features, score
    if isinstance(score, TwoSteps):
        seen, of_seen = score.look(features), score.score
    step = max(MAX_SCORES // n_words, 1)
    for start in range(0, len(features), step):
        yield of_seen(seen[start : start + step])
