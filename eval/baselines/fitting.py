"""The baselines of the GAN: fitted on the same features and tags, each tuned on dev.

Every baseline but the tag frequency, which has nothing to tune, gets `N_TRIES` tries. A try is
fitted on train alone and judged by P@10 on dev; the best one, the first of equal ones, is the
baseline. No baseline is refitted with dev, and none sees the images that a report measures.

All learn from every training photo, some of them in memory at a time. Those with weights for each
word are left out where so many words would not fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import groupby
from operator import itemgetter

import numpy as np
from scipy import sparse

from eval.baselines.nearest import Nearest, find_nearest
from eval.baselines.perceptrons import (
    ENSEMBLE,
    Fit,
    fit_member,
    mlp_tries,
    tune_ensemble,
    why_no_ensemble,
    why_no_mlp,
)
from eval.baselines.ridge import NormalEquations
from eval.baselines.scoring import Score, TwoSteps
from eval.baselines.tuning import Baseline, FitData, Params, Try, choose, too_many_weights
from mmcgan.arrays import FloatArray
from mmcgan.inference.words.vocabulary import transform_words, unit_rows
from mmcgan.training.prepared.feature_rows import Features

KNN_TEMPERATURE = 0.1  # of the weights exp(cosine / temperature)
KNN_TRIES: tuple[Params, ...] = (
    {"n_neighbours": 10, "weights": "cosine", "prior": 0.0},
    {"n_neighbours": 50, "weights": "cosine", "prior": 0.0},
    {"n_neighbours": 200, "weights": "softmax", "prior": 0.0},
    {"n_neighbours": 400, "weights": "softmax", "prior": 0.0},
    {"n_neighbours": 400, "weights": "softmax", "prior": 0.5},
    {"n_neighbours": 1000, "weights": "softmax", "prior": 0.5},
)

# `penalty` is that of the ridge divided by the number of images, so that it fits data of any size.
RIDGE_TRIES: tuple[Params, ...] = (
    {"penalty": 1.0, "unit_norm": False},
    {"penalty": 3.0, "unit_norm": False},
    {"penalty": 10.0, "unit_norm": False},
    {"penalty": 0.3, "unit_norm": True},
    {"penalty": 0.6, "unit_norm": True},
    {"penalty": 1.2, "unit_norm": True},
)
REGRESSION_TRIES: tuple[Params, ...] = (
    {"penalty": 0.1, "words": "as given"},
    {"penalty": 0.6, "words": "centred"},
    {"penalty": 2.0, "words": "half-whitened"},
    {"penalty": 1.0, "words": "whitened"},
    {"penalty": 2.0, "words": "whitened"},
    {"penalty": 4.0, "words": "whitened"},
)


def fit_baselines(data: FitData) -> list[Baseline]:
    """Fit and tune the baselines, in the order of a report, but for those `left_out`.

    These are frequency, knn, regression, ridge, mlp and mlp_ensemble. The same data and seed give
    the same baselines on one machine.
    """
    fit: Fit = partial(fit_member, data)
    if ENSEMBLE not in left_out(data):
        fit = cache(fit)  # it shares members with the mlp
    tune: dict[str, Callable[[], Baseline]] = {
        "frequency": lambda: frequency(data),
        "knn": lambda: choose("knn", knn_tries(data), data),
        "regression": lambda: choose("regression", regression_tries(data), data),
        "ridge": lambda: choose("ridge", ridge_tries(data), data),
        "mlp": lambda: choose("mlp", mlp_tries(data, fit), data),
        ENSEMBLE: lambda: tune_ensemble(data, fit),
    }
    return [tuned() for name, tuned in tune.items() if name not in left_out(data)]


def left_out(data: FitData) -> dict[str, str]:
    """Return the baselines that are left out, and why."""
    reasons = {
        "ridge": too_many_weights(data.train_features.shape[1], data),
        "mlp": why_no_mlp(data),
        ENSEMBLE: why_no_ensemble(data),
    }
    return {name: reason for name, reason in reasons.items() if reason}


def frequency(data: FitData) -> Baseline:
    """Every image gets the tags in the order of their frequency in train."""

    def score(features: FloatArray) -> FloatArray:
        return np.tile(data.frequency, (len(features), 1))

    return Baseline("frequency", {"tried": [], "chosen": {}, "refitted": False}, score)


def knn_tries(data: FitData) -> Iterator[Try]:
    """Votes of the nearest training images by cosine (Li et al., "TagVote", TMM 2009)."""
    search = _Search(data.train_features, max(params["n_neighbours"] for params in KNN_TRIES))
    for params in KNN_TRIES:
        yield Try(params, TwoSteps(search, partial(_knn_score, data, params)))


class _Search:
    """The search for the k nearest training images; what was found last is kept.

    All tries are judged on the same images.
    """

    def __init__(self, train_features: Features, k: int):
        self.train_features, self.k = train_features, k
        self._asked: FloatArray | None = None
        self._found: Nearest | None = None

    def __call__(self, features: FloatArray) -> Nearest:
        if self._found is None or features is not self._asked:
            self._asked = features
            self._found = find_nearest(features, self.train_features, self.k)
        return self._found


def _knn_score(data: FitData, params: Params, nearest: Nearest) -> FloatArray:
    """Return the weighted share of the neighbours that carry each word, less its prior."""
    nearest = nearest.first(params["n_neighbours"])
    n_images, k = nearest.rows.shape
    weights = _weights(nearest.cosines, params["weights"])
    votes = sparse.csr_array(
        (weights.ravel(), nearest.rows.ravel(), np.arange(n_images + 1) * k),
        (n_images, len(data.train_features)),
    )
    shares = (votes @ data.train_tags).toarray()
    return shares - np.float32(params["prior"]) * data.frequency


def _weights(cosines: FloatArray, kind: str) -> FloatArray:
    """Return the weights (N, k) of neighbours with cosines (N, k); rows sum to 1."""
    if kind == "softmax":
        weights = np.exp((cosines - cosines[:, :1]) / KNN_TEMPERATURE)
    else:
        weights = np.maximum(cosines, 1e-6)
    return weights / weights.sum(axis=1, keepdims=True)


def regression_tries(data: FitData) -> Iterator[Try]:
    """Ridge regression to the mean word vector of an image's tags, then the nearest words.

    `words` says in which space: the table as it is given, centred, or with the singular values
    of the centred table evened out as well, which keeps a few words from being near everything.
    """
    for words, tries in groupby(REGRESSION_TRIES, itemgetter("words")):
        table = transform_words(data.word_vectors, words)
        targets = partial(_mean_words, data.train_tags, table)
        equations = NormalEquations.of(data.train_features, targets)
        for params in tries:
            yield Try(params, partial(_cosines, equations.solve(params["penalty"]), table))


def _mean_words(tags: sparse.csr_array, table: FloatArray, images: slice) -> FloatArray:
    """Return the mean vector of the words of each image, of norm 1."""
    return unit_rows(tags[images] @ table)


def _cosines(predict: Score, table: FloatArray, features: FloatArray) -> FloatArray:
    return unit_rows(predict(features)) @ table.T


def ridge_tries(data: FitData) -> Iterator[Try]:
    """Ridge regression to the tag matrix: one linear score a word."""
    for unit_norm, tries in groupby(RIDGE_TRIES, itemgetter("unit_norm")):
        equations = NormalEquations.of(
            data.train_features, data.train_tags.__getitem__, unit_norm=unit_norm
        )
        for params in tries:
            yield Try(params, equations.solve(params["penalty"]))
