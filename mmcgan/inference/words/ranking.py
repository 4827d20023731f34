"""Draws → ranked words: the paper's vote (arXiv 1411.1784, section 4.2), or the mean draw.

Both take their words from the faiss index (`index.py`) and score them again exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mmcgan.arrays import FloatArray
from mmcgan.inference.words.index import WordIndex

if TYPE_CHECKING:
    from scipy import sparse

N_NEIGHBOURS = 20  # words that each generated vector votes for


def sigmoid(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return 1 / (1 + exp(-logits)), by hand: to import scipy.special takes long."""
    return np.exp(-np.logaddexp(0, -logits.astype(np.float64)))


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

    @classmethod
    def of(cls, vectors: FloatArray, index: WordIndex) -> Draws:
        """Return the draws of generated vectors (N, S, E)."""
        return cls(index.queries(vectors), index)

    @cached_property
    def nearest(self) -> npt.NDArray[np.int64]:
        """(N, S): the row of each draw's nearest word."""
        return self.neighbours(1)[..., 0]

    def neighbours(self, k: int) -> npt.NDArray[np.int64]:
        """Return the rows (N, S, min(k, V)) of each draw's k best words, best first."""
        n_images, n_draws, size = self.queries.shape
        _, rows = self.index.search(self.queries.reshape(-1, size), k)
        return rows.reshape(n_images, n_draws, rows.shape[1])

    @property
    def means(self) -> Means:
        """The words by their mean score over an image's draws."""
        return Means(self.queries.mean(axis=1), self.index)


@dataclass(frozen=True)
class Means:
    """The words by their mean score over an image's draws, which is that of the mean of `queries`.

    The score of a word is sigmoid(⟨mean draw, word⟩ + bias), the model's probability that the
    photo carries it; where there is no bias, its mean cosine. `queries` are (N, E').
    """

    queries: FloatArray
    index: WordIndex

    def rank(self, depth: int) -> Ranking:
        """Rank the words: by score, then dictionary order."""
        _, rows = self.index.search(self.queries, depth)
        scores, ties = self.scores_of(rows)
        order = np.lexsort((rows, -scores), axis=-1)
        ordered = np.take_along_axis(rows, order, axis=1).astype(np.int32)
        return Ranking(ordered, np.take_along_axis(scores, order, axis=1), ties)

    def scores_of(self, rows: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Return the scores and the tie breaks, all 0, (N, C) of the C words in `rows`."""
        logits = self.logits(rows)
        scores = sigmoid(logits).astype(np.float32) if self.index.has_bias else logits
        return scores, np.zeros_like(scores)

    def logits(self, rows: npt.NDArray[np.integer]) -> FloatArray:
        """Return the mean scores, before they are squashed, of `rows`, (C,) or (N, C): (N, C)."""
        words = self.index.table[rows]
        return np.einsum("...ce,...e->...c", words, self.queries, dtype=np.float32)


@dataclass(frozen=True)
class Votes:
    """The nearest words of an image's draws, counted: the paper's rule.

    `shares` (N, V) csr float32 is each word's share of an image's votes; `means` breaks ties and
    says which words follow.
    """

    means: Means
    shares: sparse.csr_array

    def rank(self, depth: int) -> Ranking:
        """Rank the words: by share, ties by mean score, then dictionary order.

        Words without a vote follow with score 0. The result has depth min(depth, V).
        """
        index = self.means.index
        depth = min(depth, len(index))
        _, fillers = index.search(self.means.queries, depth)
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
        ties = self.means.index.table[words] @ self.means.queries[image]
        best = np.lexsort((words, -ties, -scores))[:depth]
        return words[best], scores[best], ties[best]

    def scores_of(self, rows: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """Return the shares and the mean scores (N, C) of the C words in `rows`."""
        ties = self.means.queries @ self.means.index.table[rows].T
        return self.shares[:, rows].toarray(), ties


Ranked: TypeAlias = Means | Votes  # what a rule of ranking makes of N images


def count_votes(draws: Draws, neighbours: npt.NDArray[np.int64] | None = None) -> Votes:
    """Let each draw of N images vote: for its `neighbours` (N, S, n), its nearest words.

    Without them they are the 20 nearest, as in the paper.
    """
    from scipy import sparse  # takes long to import, and the mean draw does without

    neighbours = draws.neighbours(N_NEIGHBOURS) if neighbours is None else neighbours
    n_images = len(neighbours)
    per_image = neighbours.shape[1] * neighbours.shape[2]
    images = np.repeat(np.arange(n_images), per_image)
    one_vote = np.full(images.shape, 1 / per_image, np.float64)
    shape = n_images, len(draws.index)
    votes = sparse.csr_array((one_vote, (images, neighbours.ravel())), shape)
    votes.sum_duplicates()
    return Votes(draws.means, votes.astype(np.float32))


def count_distinct(nearest: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return how many different words are the nearest (N, S) of an image's draws, (N,)."""
    ordered = np.sort(nearest, axis=1)
    return 1 + (np.diff(ordered, axis=1) > 0).sum(axis=1)
