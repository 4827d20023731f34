"""Which of a photo's ranked tags are given: so many, those above a threshold, or what is best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mmcgan.folders.config import TagConfig
from mmcgan.inference.tagger import Tag, Tagger

BEST = 10  # tags a photo where the options do not say


@dataclass(frozen=True)
class Choice:
    """The `k` best of the tags with a score of `threshold` or more, but `at_least` so many.

    Before they are chosen, those that are `doubles` are folded: the word in their place has the
    best of their scores.
    """

    k: int
    threshold: float = 0.0
    at_least: int = 0
    doubles: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, config: TagConfig, tagger: Tagger) -> Choice:
        """Return what the options ask for, of the words of a tagger."""
        n_words = len(tagger.model.vocabulary)
        # `--k` alone prints what `mmcgan.tag` gives.
        is_asked = config.k is None or config.is_of_library
        folds = is_asked and not config.no_fold
        doubles: Mapping[str, str] = tagger.model.synonyms if folds else {}
        if config.k is None and config.threshold is None:
            fitted = tagger.model.calibration
            return cls(BEST, fitted.threshold if fitted else 0.0, 1, doubles)
        return cls(config.k or n_words, config.threshold or 0.0, doubles=doubles)

    @property
    def depth(self) -> int:
        """How many of the best tags the choice is made among, so that `k` are left of them."""
        return self.k * (1 + max(Counter(self.doubles.values()).values(), default=0))

    def among(self, tags: Sequence[Tag]) -> list[Tag]:
        """Return those of `tags`, best first, that are given."""
        scores: dict[str, float] = {}
        for word, score in tags:
            scores.setdefault(self.doubles.get(word, word), score)
        folded = [Tag(word, score) for word, score in scores.items()]
        return [
            tag
            for place, tag in enumerate(folded[: self.k])
            if place < self.at_least or tag.score >= self.threshold
        ]
