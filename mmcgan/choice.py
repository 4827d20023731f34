"""Which of a photo's ranked tags are given: so many, those above a threshold, or what is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmcgan.config import TagConfig
from mmcgan.tagger import Tag, Tagger

BEST = 10  # tags a photo where the options do not say


@dataclass(frozen=True)
class Choice:
    """The `k` best of the tags with a score of `threshold` or more, but `at_least` so many."""

    k: int
    threshold: float = 0.0
    at_least: int = 0

    @classmethod
    def of(cls, config: TagConfig, tagger: Tagger) -> Choice:
        """Return what the options ask for, of the words of a tagger."""
        n_words = len(tagger.model.vocabulary)
        if config.k is None and config.threshold is None:
            fitted = tagger.model.calibration
            return cls(BEST, fitted.threshold if fitted else 0.0, at_least=1)
        return cls(config.k or n_words, config.threshold or 0.0)

    @property
    def depth(self) -> int:
        """How many of the best tags the choice is made among."""
        return self.k

    def among(self, tags: Sequence[Tag]) -> list[Tag]:
        """Return those of `tags`, best first, that are given."""
        return [
            tag
            for place, tag in enumerate(tags[: self.k])
            if place < self.at_least or tag.score >= self.threshold
        ]
