"""How a model scores its words for a photo: by its mean draw, or by the vote of its draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mmcgan.arrays import FloatArray
from mmcgan.inference.network import Network
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.ranking import Draws, Means, Ranked, count_votes

Rule = Literal["vote", "mean"]


@dataclass(frozen=True)
class Scorer:
    """A network, the words it may answer with, and the draws that it makes: so many, of a seed.

    By the rule "vote", the paper's, each draw votes for the words nearest to it. By "mean", words
    are ranked by the mean of the draws; where they have a bias, that is the score of the mean draw.
    Without a bias a word's score is its mean cosine, so that each vector counts with length 1.
    """

    rule: Rule
    network: Network
    index: WordIndex
    n_draws: int
    seed: int

    def __call__(self, features: FloatArray) -> Ranked:
        """Return what ranks the words (`words/ranking.py`) for standardised features (N, D)."""
        if self.rule == "vote":
            vectors = self.network.draws(features, self.n_draws, self.seed)
        elif self.index.has_bias:
            mean = self.network.mean_draw(features, self.n_draws, self.seed)
            return Means(self.index.queries(mean), self.index)
        else:
            vectors = self.network.centres(features, self.n_draws, self.seed)
        return self.of(Draws.of(vectors, self.index))

    def of(self, draws: Draws) -> Ranked:
        """Return what ranks the words by draws that are there already."""
        return count_votes(draws) if self.rule == "vote" else draws.means
