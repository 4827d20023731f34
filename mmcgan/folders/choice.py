"""Choose which of a photo's ranked tags are given: so many, or those above a threshold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mmcgan.folders.config import TagConfig
from mmcgan.inference.tagger import Tag, Tagger

BEST = 10  # tags a photo where the options do not say


@dataclass(frozen=True)
class Choice:
    """A choice of the `k` best tags with a score of `threshold` or more, but `at_least` so many.

    First, `synonyms` are folded: the word that takes their place has the best of their scores.
    """

    k: int
    threshold: float = 0.0
    at_least: int = 0
    synonyms: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, config: TagConfig, tagger: Tagger) -> Choice:
        """Return the choice that the options ask for, among the words of a tagger."""
        # `--k` alone prints the same tags as `mmcgan.tag` returns.
        is_asked = config.k is None or config.is_of_library
        synonyms = tagger.model.synonyms if is_asked and not config.no_fold else {}
        if config.k is None and config.threshold is None:
            fitted = tagger.model.calibration
            return cls(BEST, fitted.threshold if fitted else 0.0, 1, synonyms)
        n_words = len(tagger.model.vocabulary)
        return cls(config.k or n_words, config.threshold or 0.0, synonyms=synonyms)

    @property
    def depth(self) -> int:
        """The number of best tags to choose among, so that `k` are left when they are folded."""
        return self.k * (1 + max(Counter(self.synonyms.values()).values(), default=0))

    def among(self, tags: Sequence[Tag]) -> list[Tag]:
        """Return the chosen ones of `tags`, which are given best first."""
        scores: dict[str, float] = {}
        for word, score in tags:
            scores.setdefault(self.synonyms.get(word, word), score)
        folded = [Tag(word, score) for word, score in scores.items()]
        return [
            tag
            for place, tag in enumerate(folded[: self.k])
            if place < self.at_least or tag.score >= self.threshold
        ]
