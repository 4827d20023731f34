"""Named metrics of ranked tags, each with its description; precision in expectation over ties.

A metric of images takes a `RankingWithTruth` and returns one value an image (N,), so that means
and bootstrap intervals (`eval.figures.bootstrap`) are made of the same values. Images without a
relevant tag have no value (NaN): they are skipped, and counted by who reports. `expected_map` is
the concept-centred counterpart, which ranks images instead of words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.figures.bootstrap import divided
from mmcgan.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from mmcgan.inference.words.ranking import Ranking
from mmcgan.training.validation import CUT as CUT
from mmcgan.training.validation import find_hits
from mmcgan.training.validation import mean_precision as mean_precision

MIAP_DEPTH = 1000  # deeper hits count 0

PRECISION = (
    "Strict precision at {k}: the share of the first {k} tags that are relevant, divided by {k} "
    "always; tied tags stand in dictionary order."
)
RECALL = "Recall at {k}: the share of a photo's relevant tags that are among the first {k}."
MIAP = (
    "Mean image average precision: the average precision of each photo's ranking to depth "
    f"min(V, {MIAP_DEPTH}), where deeper hits count 0 and ties take the expected value over random "
    "order; averaged over photos."
)
SEMANTIC_PRECISION = (
    "Semantic precision at 10: for each of the first ten tags the highest cosine of its word "
    "vector with that of a relevant tag, not below 0; averaged."
)


@dataclass(frozen=True)
class RankingWithTruth:
    """A ranking of N images beside the truth.

    `relevant` (N, V) csr 0/1 says which words are right for which image; `word_vectors` (V, E)
    are unit rows.
    """

    ranking: Ranking
    relevant: sparse.csr_array
    word_vectors: FloatArray

    @cached_property
    def hits(self) -> BoolArray:
        """(N, depth): whether the word at each rank is relevant."""
        return find_hits(self.ranking, self.relevant)

    @cached_property
    def n_relevant(self) -> IntArray:
        """(N,): how many words are relevant."""
        return np.asarray(np.diff(self.relevant.indptr), np.int64)


ImageMetric: TypeAlias = Callable[[RankingWithTruth], DoubleArray]


@dataclass(frozen=True)
class Metric:
    """A named measure: `function` maps a ranking to one value an image, (N,)."""

    name: str
    description: str
    function: ImageMetric

    def __call__(self, ranked: RankingWithTruth) -> DoubleArray:
        """Return the values (N,), NaN where an image has no relevant tag."""
        return np.where(ranked.n_relevant > 0, self.function(ranked), np.nan)


def precision_at(ranked: RankingWithTruth, k: int) -> DoubleArray:
    """Hits among the first k words, divided by k even where the vocabulary is smaller."""
    return ranked.hits[:, :k].sum(axis=1) / k


def recall_at(ranked: RankingWithTruth, k: int) -> DoubleArray:
    """Hits among the first k words, divided by the number of relevant words."""
    return ranked.hits[:, :k].sum(axis=1) / np.maximum(ranked.n_relevant, 1)


def average_precision(ranked: RankingWithTruth) -> DoubleArray:
    """Average precision of each image's ranking to depth MIAP_DEPTH; ties in expectation.

    The sum of the precisions at the hits is divided by the number of relevant words, found or
    not. A tie group that the depth cuts counts with those of its words that are stored.
    """
    ranking = ranked.ranking.top(MIAP_DEPTH)
    hits = ranked.hits[:, :MIAP_DEPTH].astype(np.int64)
    n_images, depth = hits.shape
    if not hits.size:
        return np.zeros(n_images)
    starts = np.flatnonzero(_starts_group(ranking))
    image, n_before = np.divmod(starts, depth)
    size = np.diff(starts, append=n_images * depth)
    n_hits = np.add.reduceat(hits.ravel(), starts)
    hits_before = (np.cumsum(hits, axis=1) - hits).ravel()[starts]
    gains = expected_precisions(size, n_hits, n_before, hits_before)
    return np.bincount(image, gains, n_images) / np.maximum(ranked.n_relevant, 1)


def semantic_precision(ranked: RankingWithTruth) -> DoubleArray:
    """Mean over the top ten of the nearest relevant word's cosine, floored at 0; a hit counts 1."""
    values = np.zeros((len(ranked.hits), CUT))
    unit, relevant = ranked.word_vectors, ranked.relevant
    for i, rows in enumerate(ranked.ranking.rows[:, :CUT]):
        right = relevant.indices[relevant.indptr[i] : relevant.indptr[i + 1]]
        if len(right):
            values[i, : len(rows)] = (unit[rows] @ unit[right].T).max(axis=1)
    found = ranked.hits[:, :CUT]
    values[:, : found.shape[1]][found] = 1
    return np.clip(values, 0, 1).sum(axis=1) / CUT


def hit_counts(ranked: RankingWithTruth) -> IntArray:
    """Return (V,): in how many images' top ten each word is, and is relevant."""
    best = ranked.ranking.rows[:, :CUT]
    return np.bincount(best[ranked.hits[:, :CUT]], minlength=ranked.relevant.shape[1])


def expected_precisions(
    size: IntArray, n_hits: IntArray, n_before: IntArray, hits_before: IntArray
) -> DoubleArray:
    """Return, for tie groups of any shape, the expected sum of the precisions at their hits.

    A group holds `size` items, `n_hits` of them relevant, in random order, after `n_before`
    items with `hits_before` relevant ones. With n, r, t, R for these, the i-th item is relevant
    with probability r/n, and then (i - 1)(r - 1)/(n - 1) of those before it in the group are:

        r/n · Σ_{i=1..n} (R + 1 + (i - 1)(r - 1)/(n - 1)) / (t + i)
        = r/n · ((R + 1) ΔH + (r - 1)/(n - 1) · (n - (t + 1) ΔH)),  ΔH = H(t + n) - H(t)

    with harmonic numbers H (McSherry & Najork, ECIR 2008, "Computing information retrieval
    performance measures efficiently in the presence of tied scores").
    """
    last = n_before + size
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, last.max(initial=0) + 1))])
    delta = harmonic[last] - harmonic[n_before]
    others = (n_hits - 1) / np.maximum(size - 1, 1)
    first_hit = (hits_before + 1) * delta
    rest = others * (size - (n_before + 1) * delta)
    return n_hits / np.maximum(size, 1) * (first_hit + rest)


def expected_average_precision(
    scores: npt.NDArray[np.floating],
    tie_breaks: npt.NDArray[np.floating],
    relevant: BoolArray,
    counts: npt.NDArray[np.int32],
) -> DoubleArray:
    """Return the average precision (B,) of ranking N images, in B resamples of them.

    Images are ranked by `scores` (N,), then `tie_breaks` (N,), both descending; equal ones are
    in random order. `relevant` is (N,); `counts` (N, B) says how often each image occurs in a
    resample: occurring c times, it is c tied items. NaN where a resample has none relevant.
    """
    order = np.lexsort((-tie_breaks, -scores))
    starts = np.flatnonzero(_differs(scores[order]) | _differs(tie_breaks[order]))
    right = np.flatnonzero(relevant[order])  # only groups that hold a relevant image add anything
    group_of_right = np.searchsorted(starts, right, side="right") - 1
    groups, first = np.unique(group_of_right, return_index=True)
    if not len(groups):
        return np.full(counts.shape[1], np.nan)
    items = np.concatenate(
        [np.zeros_like(counts[:1]), np.cumsum(counts[order], axis=0, dtype=np.int32)]
    )
    n_before = items[starts[groups]]
    size = items[np.append(starts, len(order))[groups + 1]] - n_before
    n_hits = np.add.reduceat(counts[order[right]], first, axis=0)
    hits_before = np.cumsum(n_hits, axis=0) - n_hits
    gains = expected_precisions(size, n_hits, n_before, hits_before).sum(axis=0)
    total = n_hits.sum(axis=0)
    return divided(gains, total)


def expected_map(
    scores: npt.NDArray[np.floating],
    tie_breaks: npt.NDArray[np.floating],
    relevant: BoolArray,
    counts: npt.NDArray[np.int32] | None = None,
) -> DoubleArray:
    """Return the mean average precision (B,) over C concepts; all arguments are (N, C).

    A concept without a relevant image has no average precision and is left out of the mean; NaN
    where that leaves none. `counts` (N, B) are resamples as in `expected_average_precision`;
    without them each image occurs once (B = 1).
    """
    counts = np.ones((len(scores), 1), np.int32) if counts is None else counts
    total, n_concepts = np.zeros(counts.shape[1]), np.zeros(counts.shape[1])
    for c in range(scores.shape[1]):
        values = expected_average_precision(scores[:, c], tie_breaks[:, c], relevant[:, c], counts)
        total += np.nan_to_num(values)
        n_concepts += ~np.isnan(values)
    return divided(total, n_concepts)


def _starts_group(ranking: Ranking) -> BoolArray:
    """Return (N, depth): whether a new tie group starts at each rank."""
    starts = np.ones(ranking.rows.shape, np.bool_)
    starts[:, 1:] = (np.diff(ranking.scores, axis=1) != 0) | (
        np.diff(ranking.tie_breaks, axis=1) != 0
    )
    return starts


def _differs(values: npt.NDArray[np.floating]) -> BoolArray:
    """Return whether each value differs from the one before; the first does."""
    changes = np.ones(len(values), np.bool_)
    changes[1:] = values[1:] != values[:-1]
    return changes


_CUTS = (1, 5, 10)
_ALL = (
    *(Metric(f"P@{k}", PRECISION.format(k=k), partial(precision_at, k=k)) for k in _CUTS),
    *(Metric(f"R@{k}", RECALL.format(k=k), partial(recall_at, k=k)) for k in _CUTS),
    Metric("MiAP", MIAP, average_precision),
    Metric("semantic_P@10", SEMANTIC_PRECISION, semantic_precision),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}

# What a report says of all figures of a system, those that are no values of single images too.
DESCRIPTIONS = {name: metric.description for name, metric in METRICS.items()} | {
    "concept_MAP": "Mean over the annotated labels in the vocabulary of the average precision of "
    "ranking all evaluated photos by a label; right is what the annotators said, ties take the "
    "expected value over random order, labels without a relevant photo are left out.",
}
