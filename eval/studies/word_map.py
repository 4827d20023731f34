"""From given word vectors to the vectors that a generator aims at, for words it never learnt.

A run learns its table of words along with the generator. Any word with a given vector is put into
that table by kernel ridge regression on the learnt words. For words that it was not fitted on such
a map answers with too short a vector, near to the mean; by how much, held-out words tell.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from mmcgan.arrays import FloatArray, IntArray

Map = Callable[[FloatArray], FloatArray]  # given vectors (W, E) → learnt ones (W, E')

N_FOLDS = 5
# The kernel is exp(-gamma |a - b|²); |a - b|² is 2 - 2 cos of unit vectors.
GAMMAS = (0.25, 0.5, 1.0, 2.0)
PENALTIES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class WordMap:
    """A map of given vectors (W, E) to learnt ones (W, E').

    `apply` is for the words that it was fitted on, `apply_new` for others, whose vectors it makes
    longer by `stretch`. `tried` lists all settings with the share of the logits of held-out words
    that they explain.
    """

    apply: Map
    stretch: float
    settings: dict[str, float]
    tried: list[dict[str, Any]]

    def apply_new(self, given: FloatArray) -> FloatArray:
        """Map words (W, E) that the map was not fitted on to (W, E')."""
        return self.apply(given) * np.float32(self.stretch)


def fit_word_map(given: FloatArray, learnt: FloatArray, draws: FloatArray, seed: int) -> WordMap:
    """Fit the map on V words with `given` (V, E) and `learnt` (V, E') vectors.

    Each word is held out once, in one of N_FOLDS seeded parts; the settings are those that best
    give back the logits of held-out words, without their bias, for mean draws `draws` (M, E').
    """
    metric = draws.T @ draws / np.float32(len(draws))  # (E', E')
    order = np.random.default_rng(seed).permutation(len(given))
    folds = np.array_split(order, min(N_FOLDS, len(given)))
    total = _squares(_means_of_others(learnt, folds) - learnt, metric)
    tried: list[dict[str, Any]] = []
    stretches: list[float] = []
    for gamma, penalty in itertools.product(GAMMAS, PENALTIES):
        predicted = _predict_held_out(given, learnt, folds, gamma, penalty)
        explained = 1 - _squares(predicted - learnt, metric) / total if total > 0 else 0.0
        tried.append({"gamma": gamma, "penalty": penalty, "explained": explained})
        stretches.append(_mean_length(learnt) / max(_mean_length(predicted), 1e-6))
    best = max(range(len(tried)), key=lambda i: tried[i]["explained"])
    settings = {name: tried[best][name] for name in ("gamma", "penalty")}
    return WordMap(fit_map(given, learnt, **settings), stretches[best], settings, tried)


def fit_map(given: FloatArray, learnt: FloatArray, gamma: float, penalty: float) -> Map:
    """Fit kernel ridge regression of what differs from the mean of `learnt` (V, E')."""
    mean = learnt.mean(axis=0)
    model = KernelRidge(alpha=penalty, kernel="rbf", gamma=gamma).fit(given, learnt - mean)
    return lambda words: np.asarray(model.predict(words) + mean, np.float32)


def _predict_held_out(
    given: FloatArray, learnt: FloatArray, folds: Sequence[IntArray], gamma: float, penalty: float
) -> FloatArray:
    """Return the vectors (V, E') that maps fitted without each word's fold give it."""
    predicted = np.empty_like(learnt)
    for held_out in folds:
        kept = np.setdiff1d(np.arange(len(given)), held_out)
        predicted[held_out] = fit_map(given[kept], learnt[kept], gamma, penalty)(given[held_out])
    return predicted


def _means_of_others(learnt: FloatArray, folds: Sequence[IntArray]) -> FloatArray:
    """Return for each word the mean (V, E') of the words outside its fold."""
    means = np.empty_like(learnt)
    for held_out in folds:
        means[held_out] = np.delete(learnt, held_out, axis=0).mean(axis=0)
    return means


def _squares(differences: FloatArray, metric: FloatArray) -> float:
    """Return Σ_w |⟨draw, d_w⟩|², a mean over the draws: with M = E[draw drawᵀ] it is dᵀ M d."""
    return float(((differences @ metric) * differences).sum())


def _mean_length(vectors: FloatArray) -> float:
    return float(np.linalg.norm(vectors, axis=1).mean())
