"""Choose which of a photo's ranked tags are given: so many, or those above a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmcgan.folders.config import TagConfig
from mmcgan.inference.tagger import Tag, Tagger

BEST = 10  # tags a photo where the options do not say


@dataclass(frozen=True)
class Choice:
    """A choice of the `k` best tags with a score of `threshold` or more, but `at_least` so many."""

    k: int
    threshold: float = 0.0
    at_least: int = 0

    @classmethod
    def of(cls, config: TagConfig, tagger: Tagger) -> Choice:
        """Return the choice that the options ask for, among the words of a tagger."""
        if config.k is None and config.threshold is None:
            fitted = tagger.model.calibration
            return cls(BEST, fitted.threshold if fitted else 0.0, 1)
        return cls(config.k or tagger.n_words, config.threshold or 0.0)

    def among(self, tags: Sequence[Tag]) -> list[Tag]:
        """Return the chosen ones of `tags`, which are given best first."""
        return [
            tag
            for place, tag in enumerate(tags[: self.k])
            if place < self.at_least or tag.score >= self.threshold
        ]
