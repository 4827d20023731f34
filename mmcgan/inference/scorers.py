"""How a model scores its words for a photo: by its mean draw, or by the vote of its draws.

A scorer maps standardised features (N, D) to what ranks the words (`words/ranking.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from mmcgan.arrays import FloatArray
from mmcgan.inference.network import Network
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.ranking import Draws, Means, Ranked, Votes, count_votes

Rule = Literal["vote", "mean"]


class Scorer(Protocol):
    """What ranks the words for photos."""

    def __call__(self, features: FloatArray) -> Ranked:
        """Return what ranks the words for standardised features (N, D)."""

    def of(self, draws: Draws) -> Ranked:
        """Return what ranks the words by draws that are there already."""


@dataclass(frozen=True)
class NoisyScorer:
    """A network, the words it may answer with, and the draws that it makes: so many, of a seed."""

    network: Network
    index: WordIndex
    n_draws: int
    seed: int


class MeanScorer(NoisyScorer):
    """Words by the mean of the draws; where words have a bias, that is the score of the mean draw.

    Without a bias a word's score is its mean cosine, so that each vector counts with length 1.
    """

    def __call__(self, features: FloatArray) -> Means:
        """Return what ranks the words for standardised features (N, D)."""
        if self.index.has_bias:
            mean = self.network.mean_draw(features, self.n_draws, self.seed)
            return Means(self.index.queries(mean), self.index)
        centres = self.network.centres(features, self.n_draws, self.seed)
        return self.of(Draws.of(centres, self.index))

    def of(self, draws: Draws) -> Means:
        """Return what ranks the words by draws that are there already."""
        return draws.means


class VoteScorer(NoisyScorer):
    """Words by the votes of the draws, each for the words nearest to it: the paper's rule."""

    def __call__(self, features: FloatArray) -> Votes:
        """Return what ranks the words for standardised features (N, D)."""
        draws = self.network.draws(features, self.n_draws, self.seed)
        return self.of(Draws.of(draws, self.index))

    def of(self, draws: Draws) -> Votes:
        """Return what ranks the words by draws that are there already."""
        return count_votes(draws)


SCORERS: dict[Rule, type[MeanScorer] | type[VoteScorer]] = {"mean": MeanScorer, "vote": VoteScorer}
