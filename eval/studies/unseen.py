"""Measures of tagging with seen and withheld words: a value for each image, a figure for all.

Columns are the V seen words, then the U withheld ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.figures.bootstrap import Figure, figure, mean_figure
from eval.figures.metrics import CUT, METRICS, RankingWithTruth, expected_precisions
from eval.studies.comparison import only
from mmcgan.arrays import DoubleArray
from mmcgan.inference.words.ranking import Ranking

Counts = npt.NDArray[np.int32]

MEASURES = {
    "R@10 alone": "Recall at 10 of a photo's withheld tags where only the withheld words are "
    "ranked; of the photos with a withheld tag.",
    "MiAP alone": "Mean image average precision of the same ranking.",
    "P@10": "Precision at 10 of all tags where seen and withheld words are ranked together.",
    "R@10 seen": "Recall at 10 of a photo's seen tags in that ranking.",
    "R@10 withheld": "Recall at 10 of a photo's withheld tags in that ranking.",
    "R@10 harmonic": "Harmonic mean of the last two, the convention of generalised zero-shot "
    "learning (Xian et al. 2018): it is low where a system keeps to the words it has seen.",
}


@dataclass(frozen=True)
class Answers:
    """The answers of a system for N images.

    `alone` ranks the U withheld words, by their place among these; `together` ranks all V + U.
    """

    alone: Ranking
    together: Ranking


def values_of(answers: Answers, relevant: sparse.csr_array, n_seen: int) -> dict[str, DoubleArray]:
    """Return the values (N,) of each measure but the harmonic mean; `relevant` is 0/1 (N, V + U).

    They are NaN where an image has no tag of the kind.
    """
    alone = _with_truth(answers.alone, sparse.csr_array(relevant[:, n_seen:]))
    is_seen = relevant.indices < n_seen
    return {
        "R@10 alone": METRICS["R@10"](alone),
        "MiAP alone": METRICS["MiAP"](alone),
        "P@10": METRICS["P@10"](_with_truth(answers.together, relevant)),
        "R@10 seen": METRICS["R@10"](_with_truth(answers.together, only(relevant, is_seen))),
        "R@10 withheld": METRICS["R@10"](_with_truth(answers.together, only(relevant, ~is_seen))),
    }


def chance_values(relevant: sparse.csr_array, n_seen: int) -> dict[str, DoubleArray]:
    """Return the expected values over random orders of the words.

    A word is among the first k of n with probability min(k, n)/n.
    """
    n_words = relevant.shape[1]
    parts = relevant[:, :n_seen], relevant[:, n_seen:]
    seen, withheld = (np.diff(sparse.csr_array(part).indptr) for part in parts)
    n_alone = np.full(len(withheld), n_words - n_seen)
    zero = np.zeros_like(withheld)
    gains = expected_precisions(n_alone, withheld, zero, zero)
    together = np.full(len(withheld), min(CUT / n_words, 1))
    values = {
        "R@10 alone": (np.minimum(CUT / n_alone, 1), withheld),
        "MiAP alone": (gains / np.maximum(withheld, 1), withheld),
        "P@10": (together * (seen + withheld) / CUT, seen + withheld),
        "R@10 seen": (together, seen),
        "R@10 withheld": (together, withheld),
    }
    return {name: np.where(n > 0, value, np.nan) for name, (value, n) in values.items()}


def figures_of(values: Mapping[str, DoubleArray], counts: Counts) -> dict[str, Figure]:
    """Return the figure of each measure; `counts` (N, B) are the resamples of the bootstrap."""
    figures = {name: mean_figure(v, counts) for name, v in values.items()}
    figures["R@10 harmonic"] = _harmonic_figure(
        values["R@10 seen"], values["R@10 withheld"], counts
    )
    return {name: found for name, found in figures.items() if found}


def harmonic_mean(first: DoubleArray, second: DoubleArray) -> DoubleArray:
    """Return 2ab / (a + b), 0 where both are 0."""
    total = first + second
    return np.divide(2 * first * second, total, out=np.zeros_like(total), where=total != 0)


def _harmonic_figure(seen: DoubleArray, withheld: DoubleArray, counts: Counts) -> Figure | None:
    """Return the harmonic mean of two means over images; None where one has no image."""
    once = np.ones((len(seen), 1))
    value = harmonic_mean(_means(seen, once), _means(withheld, once))
    return figure(float(value[0]), harmonic_mean(_means(seen, counts), _means(withheld, counts)))


def _means(values: DoubleArray, counts: npt.NDArray[np.number]) -> DoubleArray:
    """Return the means (B,) of values (N,) over resamples (N, B), NaN where none has a value."""
    known = ~np.isnan(values)
    n_drawn = counts[known].sum(axis=0).astype(np.float64)
    sums = values[known] @ counts[known]
    return np.divide(sums, n_drawn, out=np.full(len(n_drawn), np.nan), where=n_drawn > 0)


def _with_truth(ranking: Ranking, relevant: sparse.csr_array) -> RankingWithTruth:
    return RankingWithTruth(ranking, relevant, np.zeros((relevant.shape[1], 0), np.float32))
