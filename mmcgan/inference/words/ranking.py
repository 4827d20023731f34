"""Draws → ranked words: the paper's vote (arXiv 1411.1784, section 4.2), or the mean draw.

Both take their words from the faiss index (`index.py`) and score them again exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from mmcgan.inference.words.index import WordIndex

if TYPE_CHECKING:
    from scipy import sparse

FloatArray = npt.NDArray[np.float32]

N_NEIGHBOURS = 20  # words that each generated vector votes for


def sigmoid(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return 1 / (1 + exp(-logits)), by hand: to import scipy.special takes long."""
    probability: npt.NDArray[np.float64] = np.exp(-np.logaddexp(0, -logits.astype(np.float64)))
    return probability


@dataclass(frozen=True)
class Ranking:
    """Words ranked for N images to some depth, best first.

    `rows` (N, depth) int32 are vocabulary rows, `scores` and `tie_breaks` (N, depth) float32 the
    values they are ranked by: score, then tie_break, both descending, then dictionary order.
    """

    rows: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    tie_breaks: npt.NDArray[np.float32]

    @classmethod
    def join(cls, parts: Sequence[Ranking]) -> Ranking:
        """Return the ranking of the images of all `parts`, which have the same depth."""
        return cls(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.tie_breaks for part in parts]),
        )

    def top(self, k: int) -> Ranking:
        """Return the same ranking cut at depth k."""
        return Ranking(self.rows[:, :k], self.scores[:, :k], self.tie_breaks[:, :k])


def rank_scores(scores: npt.NDArray[np.floating], depth: int) -> Ranking:
    """Rank all V words by their `scores` (N, V), ties by dictionary order.

    What is no number comes last.
    """
    scores = np.asarray(np.where(np.isnan(scores), -np.inf, scores), np.float32)
    depth = min(depth, scores.shape[1])
    order = np.array([_best(own, depth) for own in scores], np.int32).reshape(len(scores), depth)
    best = np.take_along_axis(scores, order, axis=1)
    return Ranking(order, best, np.zeros_like(best))


def _best(scores: FloatArray, depth: int) -> npt.NDArray[np.int64]:
    """Return the places (depth,) of the best of `scores` (V,), of equal ones the first.

    To sort only these takes a small part of the time that all would take.
    """
    last = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    better = np.flatnonzero(scores > last)
    better = better[np.argsort(-scores[better], kind="stable")]
    return np.append(better, np.flatnonzero(scores == last)[: depth - len(better)])


@dataclass(frozen=True)
class Draws:
    """The S generated vectors of each of N images, and the words that they are near to.

    `queries` (N, S, E') are the draws as the index searches for them.
    """

    queries: FloatArray
    index: WordIndex

    @cached_property
    def nearest(self) -> npt.NDArray[np.int64]:
        """(N, S): the row of each draw's nearest word."""
        return self.neighbours(1)[..., 0]

    @cached_property
    def mean_queries(self) -> FloatArray:
        """(N, E'): the mean of an image's draws, whose score of a word is its draws' mean score."""
        mean: FloatArray = self.queries.mean(axis=1)
        return mean

    def neighbours(self, k: int) -> npt.NDArray[np.int64]:
        """Return the rows (N, S, min(k, V)) of each draw's k best words, best first."""
        n_images, n_draws, size = self.queries.shape
        _, rows = self.index.search(self.queries.reshape(-1, size), k)
        return rows.reshape(n_images, n_draws, rows.shape[1])

    def mean_scores(self, rows: npt.NDArray[np.integer]) -> FloatArray:
        """Return the mean score over the draws of the words `rows`, (C,) or (N, C): (N, C)."""
        words = self.index.table[rows]
        scores: FloatArray = np.einsum(
            "...ce,...e->...c", words, self.mean_queries, dtype=np.float32
        )
        return scores


class Ranked(Protocol):
    """What a rule of ranking makes of an image's draws, for N images."""

    @property
    def draws(self) -> Draws:
        """The draws that are ranked."""

    def rank(self, depth: int) -> Ranking:
        """Return the words ranked to depth min(depth, V)."""

    def scores_of(self, rows: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Return the scores and the tie breaks (N, C) of the C words in `rows`."""


@dataclass(frozen=True)
class Means:
    """The words by their mean score over the draws: those of the mean draw.

    The score of a word is sigmoid(⟨mean draw, word⟩ + bias), the model's probability that the
    photo carries it; where there is no bias, its mean cosine.
    """

    draws: Draws

    def rank(self, depth: int) -> Ranking:
        """Rank the words: by score, then dictionary order."""
        _, rows = self.draws.index.search(self.draws.mean_queries, depth)
        scores = self._squashed(self.draws.mean_scores(rows))
        order = np.lexsort((rows, -scores), axis=-1)
        best = np.take_along_axis(scores, order, axis=1)
        return Ranking(
            np.take_along_axis(rows, order, axis=1).astype(np.int32), best, np.zeros_like(best)
        )

    def scores_of(self, rows: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Return the scores and the tie breaks, all 0, (N, C) of the C words in `rows`."""
        scores = self._squashed(self.draws.mean_scores(rows))
        return scores, np.zeros_like(scores)

    def _squashed(self, scores: FloatArray) -> FloatArray:
        if not self.draws.index.has_bias:
            return scores
        return sigmoid(scores).astype(np.float32)


@dataclass(frozen=True)
class Votes:
    """The nearest words of an image's draws, counted: the paper's rule.

    `shares` (N, V) csr float32 is each word's share of an image's votes.
    """

    draws: Draws
    shares: sparse.csr_array

    def rank(self, depth: int) -> Ranking:
        """Rank the words: by share, ties by mean score, then dictionary order.

        Words without a vote follow with score 0. The result has depth min(depth, V).
        """
        depth = min(depth, len(self.draws.index))
        _, fillers = self.draws.index.search(self.draws.mean_queries, depth)
        ranked = [self._rank_one(i, fillers[i], depth) for i in range(len(fillers))]
        rows, scores, ties = (np.stack(column) for column in zip(*ranked, strict=True))
        return Ranking(rows, scores, ties)

    def _rank_one(self, image: int, fillers: npt.NDArray[np.int64], depth: int) -> tuple[Any, ...]:
        """Rank the words of one image: those with a vote, then the nearest to the mean."""
        row = slice(self.shares.indptr[image], self.shares.indptr[image + 1])
        voted = self.shares.indices[row]
        words = np.concatenate([voted, np.setdiff1d(fillers, voted)]).astype(np.int32)
        scores = np.zeros(len(words), np.float32)
        scores[: len(voted)] = self.shares.data[row]
        ties = self.draws.index.table[words] @ self.draws.mean_queries[image]
        best = np.lexsort((words, -ties, -scores))[:depth]
        return words[best], scores[best], ties[best]

    def scores_of(self, rows: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Return the shares and the mean scores (N, C) of the C words in `rows`."""
        ties = self.draws.mean_queries @ self.draws.index.table[rows].T
        return self.shares[:, rows].toarray(), ties


def rank_draws(samples: FloatArray, index: WordIndex, rule: str) -> Ranked:
    """Rank the words for images with generated vectors `samples` (N, S, E) by "vote" or "mean"."""
    draws = Draws(index.queries(samples), index)
    return Means(draws) if rule == "mean" else count_votes(draws, draws.neighbours(N_NEIGHBOURS))


def count_distinct(nearest: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return how many different words are the nearest (N, S) of an image's draws, (N,)."""
    ordered = np.sort(nearest, axis=1)
    distinct: npt.NDArray[np.int64] = 1 + (np.diff(ordered, axis=1) > 0).sum(axis=1)
    return distinct


def count_votes(draws: Draws, neighbours: npt.NDArray[np.int64]) -> Votes:
    """Let each draw of N images vote for its `neighbours` (N, S, n)."""
    from scipy import sparse  # takes long to import, and the mean draw does without

    n_images = len(neighbours)
    per_image = neighbours.shape[1] * neighbours.shape[2]
    images = np.repeat(np.arange(n_images), per_image)
    one_vote = np.full(images.shape, 1 / per_image, np.float64)
    votes = sparse.csr_array((one_vote, (images, neighbours.ravel())), (n_images, len(draws.index)))
    votes.sum_duplicates()
    return Votes(draws, votes.astype(np.float32))
