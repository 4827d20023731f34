"""Sampled word vectors → ranked words: the paper's vote (arXiv 1411.1784, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mmcgan.index import WordIndex
from mmcgan.vocabulary import unit_rows

N_NEIGHBOURS = 20  # words that each generated vector votes for


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


def rank_scores(
    scores: npt.NDArray[np.floating],
    depth: int,
    tie_breaks: npt.NDArray[np.floating] | None = None,
) -> Ranking:
    """Rank all V words by their `scores` (N, V), ties by `tie_breaks`, then dictionary order."""
    scores = np.asarray(scores, np.float32)
    ties = np.zeros_like(scores) if tie_breaks is None else np.asarray(tie_breaks, np.float32)
    keys = (-ties, -scores) if tie_breaks is not None else (-scores,)
    order = np.lexsort(keys, axis=-1)[:, :depth]
    return Ranking(
        order.astype(np.int32),
        np.take_along_axis(scores, order, axis=1),
        np.take_along_axis(ties, order, axis=1),
    )


@dataclass(frozen=True)
class Votes:
    """The nearest words of S generated vectors an image, counted, for N images.

    `shares` (N, V) csr float32 is each word's share of an image's votes; `mean_vectors` (N, E)
    is the mean of an image's unit samples, whose product with a word is that word's mean cosine;
    `nearest` (N, S) is the row of each sample's nearest word.
    """

    nearest: npt.NDArray[np.int64]
    shares: sparse.csr_array
    mean_vectors: npt.NDArray[np.float32]
    index: WordIndex

    def rank(self, depth: int) -> Ranking:
        """Rank the words: by share, ties by mean cosine, then dictionary order.

        Words without a vote follow with score 0. The result has depth min(depth, V).
        """
        depth = min(depth, len(self.index))
        _, fillers = self.index.search(self.mean_vectors, depth)
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
        ties = self.index.vectors[words] @ self.mean_vectors[image]
        best = np.lexsort((words, -ties, -scores))[:depth]
        return words[best], scores[best], ties[best]

    def n_distinct(self) -> npt.NDArray[np.int64]:
        """Return how many different words are the nearest of an image's samples, (N,)."""
        ordered = np.sort(self.nearest, axis=1)
        distinct: npt.NDArray[np.int64] = 1 + (np.diff(ordered, axis=1) > 0).sum(axis=1)
        return distinct

    def scores_of(
        self, rows: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the shares and the mean cosines (N, C) of the C words in `rows`."""
        ties = self.mean_vectors @ self.index.vectors[rows].T
        return self.shares[:, rows].toarray(), ties


def count_votes(
    samples: npt.NDArray[np.float32], index: WordIndex, n_neighbours: int = N_NEIGHBOURS
) -> Votes:
    """Let each of `samples` (N, S, E) vote for its `n_neighbours` nearest words by cosine."""
    n_images, n_samples, size = samples.shape
    unit = unit_rows(samples)
    n_neighbours = min(n_neighbours, len(index))
    _, nearest = index.search(unit.reshape(-1, size), n_neighbours)
    per_image = n_samples * n_neighbours
    images = np.repeat(np.arange(n_images), per_image)
    one_vote = np.full(images.shape, 1 / per_image, np.float64)
    votes = sparse.csr_array((one_vote, (images, nearest.ravel())), (n_images, len(index)))
    votes.sum_duplicates()
    return Votes(
        nearest=nearest[:, 0].reshape(n_images, n_samples),
        shares=votes.astype(np.float32),
        mean_vectors=unit.mean(axis=1),
        index=index,
    )
