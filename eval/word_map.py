"""From given word vectors to the vectors that a generator aims at, for words it never learnt.

A run learns its table of words along with the generator. Any word with a given vector is put into
that table by a ridge map that is fitted on the learnt words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.baselines import Score, fit_ridge

FloatArray = npt.NDArray[np.float32]

N_FOLDS = 5
# Of the ridge, divided by the number of words it is fitted on.
PENALTIES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


@dataclass(frozen=True)
class WordMap:
    """A ridge map with an intercept: `apply` takes given vectors (W, E) to learnt ones (W, E').

    `tried` lists every penalty with the share of the logits of held-out words that it explains.
    """

    apply: Score
    penalty: float
    tried: list[dict[str, Any]]


def fit_word_map(given: FloatArray, learnt: FloatArray, draws: FloatArray, seed: int) -> WordMap:
    """Fit the map on V words with `given` (V, E) and `learnt` (V, E') vectors.

    Each word is held out once, in one of N_FOLDS seeded parts; the penalty is the one that best
    gives back the logits of held-out words, without their bias, for mean draws `draws` (M, E').
    """
    metric = draws.T @ draws / np.float32(len(draws))  # (E', E')
    order = np.random.default_rng(seed).permutation(len(given))
    folds = np.array_split(order, min(N_FOLDS, len(given)))
    tried = [
        {"penalty": penalty, "explained": _explained(given, learnt, metric, folds, penalty)}
        for penalty in PENALTIES
    ]
    best = max(tried, key=lambda trial: trial["explained"])["penalty"]
    return WordMap(fit_ridge(given, learnt, best), best, tried)


def _explained(
    given: FloatArray,
    learnt: FloatArray,
    metric: FloatArray,
    folds: list[npt.NDArray[np.int64]],
    penalty: float,
) -> float:
    """Return 1 - Σ_w |⟨draw, predicted - learnt⟩|² / Σ_w |⟨draw, mean - learnt⟩|².

    The sums go over the held-out words, the squares are means over the draws, and `mean` is that
    of the words a map was fitted on. With M = E[draw drawᵀ] a square is dᵀ M d.
    """
    residual = total = 0.0
    for held_out in folds:
        kept = np.setdiff1d(np.arange(len(given)), held_out)
        predicted = fit_ridge(given[kept], learnt[kept], penalty)(given[held_out])
        residual += _squares(predicted - learnt[held_out], metric)
        total += _squares(learnt[kept].mean(axis=0) - learnt[held_out], metric)
    return 1 - residual / total if total > 0 else 0.0


def _squares(differences: FloatArray, metric: FloatArray) -> float:
    return float(((differences @ metric) * differences).sum())
