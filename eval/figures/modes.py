"""Mode collapse and mode dropping: what of all there is to generate is generated, and how evenly.

A mode is a word of the vocabulary, a class of digits, or a bump of a toy density.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcgan.arrays import IntArray
from mmcgan.inference.words.ranking import Ranking
from mmcgan.training.validation import CUT


@dataclass(frozen=True)
class Modes:
    """How often each of M modes was generated: `counts` (M,)."""

    counts: IntArray

    @classmethod
    def of(cls, generated: IntArray, n_modes: int) -> Modes:
        """Count `generated` modes, an array of any shape of 0 … n_modes - 1."""
        return cls(np.bincount(np.ravel(generated), minlength=n_modes).astype(np.int64))

    @property
    def n_covered(self) -> int:
        """How many modes were generated at all."""
        return int((self.counts > 0).sum())

    @property
    def coverage(self) -> float:
        """The share of the modes that were generated at all."""
        return self.n_covered / len(self.counts)

    @property
    def entropy(self) -> float:
        """The entropy of the shares over that of an even spread, log M: 1 is even, 0 one mode."""
        if len(self.counts) < 2 or not self.counts.sum():
            return 0.0
        shares = self.counts[self.counts > 0] / self.counts.sum()
        return float(max(-(shares * np.log(shares)).sum() / np.log(len(self.counts)), 0.0))

    def to_json(self) -> dict[str, Any]:
        """Return what a report says of them."""
        n_modes, counts = len(self.counts), self.counts.tolist()
        return {"covered": self.n_covered, "of": n_modes, "entropy": self.entropy, "counts": counts}


def word_modes(ranking: Ranking, n_words: int) -> Modes:
    """Return in how many images' top ten each of V words is."""
    return Modes.of(ranking.rows[:, :CUT], n_words)
