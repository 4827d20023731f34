"""The baselines of the GAN: fitted on the same features and tags, each tuned on dev.

Every baseline but the tag frequency, which has nothing to tune, gets `N_TRIES` tries. A try is
fitted on train alone and judged by P@10 on dev; the best one, the first of equal ones, is the
baseline. No baseline is refitted with dev, and none sees the images that a report measures.

All learn from every training photo, some of them in memory at a time. Those with weights for each
word are left out where so many words would not fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from scipy import sparse
from tqdm import tqdm

from eval.baselines.mlp import FittedMlp, MlpSettings, fit_mlp
from eval.baselines.nearest import Nearest, find_nearest
from eval.baselines.ridge import NormalEquations
from eval.baselines.scoring import Score, TwoSteps, score_in_parts
from eval.figures.metrics import CUT, mean_precision
from mmcgan.arrays import FloatArray
from mmcgan.errors import DataError
from mmcgan.inference.words.ranking import Ranking, rank_scores
from mmcgan.inference.words.vocabulary import transform_words, unit_rows
from mmcgan.training.bias import MAX_SCORES, fit_bias
from mmcgan.training.prepared.feature_rows import Features, some_rows

Params = dict[str, Any]

N_TRIES = 6
MAX_WEIGHTS = 2**27  # of all words together; the perceptron is six times that in memory

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

MLP_TRIES = (
    MlpSettings(),
    MlpSettings(unit_norm=True),
    MlpSettings(learning_rate=1e-3),
    MlpSettings(dropout=0.5),
    MlpSettings(input_dropout=0.3),
    MlpSettings(hidden_units=2048),
)


@dataclass(frozen=True)
class FitData:
    """What baselines learn from: N train and M dev images.

    Features (N, D) and (M, D) are standardised float32, those of train perhaps on disk; tags are
    0/1 csr float32 (N, V) and (M, V) of what the run learnt; `word_vectors` (V, E) are unit rows.
    """

    train_features: Features
    train_tags: sparse.csr_array
    dev_features: FloatArray
    dev_tags: sparse.csr_array
    word_vectors: FloatArray
    seed: int

    @cached_property
    def frequency(self) -> FloatArray:
        """(V,): the share of the training images that carry each word."""
        return np.asarray(self.train_tags.mean(axis=0), np.float32)

    def dev_precision(self, score: Score) -> float:
        """Return P@10 on dev."""
        parts = score_in_parts(score, self.dev_features, len(self.word_vectors))
        ranking = Ranking.join([rank_scores(scores, CUT) for scores in parts])
        return mean_precision(ranking, self.dev_tags)


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline: `score` maps standardised features (N, D) to scores (N, V).

    `tuning` lists every try with its P@10 on dev, and the one that was chosen.
    """

    name: str
    tuning: dict[str, Any]
    score: Score


@dataclass(frozen=True)
class Try:
    """One fitted candidate."""

    params: Params
    score: Score


def fit_baselines(data: FitData) -> list[Baseline]:
    """Fit and tune frequency, knn, regression, ridge and mlp, in this order, but for `left_out`.

    The same data and seed give the same baselines on one machine.
    """
    tries = {
        "knn": knn_tries,
        "regression": regression_tries,
        "ridge": ridge_tries,
        "mlp": mlp_tries,
    }
    kept = [name for name in tries if name not in left_out(data)]
    return [frequency(data), *(choose(name, tries[name](data), data) for name in kept)]


def left_out(data: FitData) -> dict[str, str]:
    """Return the baselines that would have too many weights for the words, and how many."""
    n_words = len(data.word_vectors)
    weights_of_word = {
        "ridge": data.train_features.shape[1],
        "mlp": max(settings.hidden_units for settings in MLP_TRIES),
    }
    return {
        name: f"{n * n_words:,} weights for {n_words:,} words, more than {MAX_WEIGHTS:,}"
        for name, n in weights_of_word.items()
        if n * n_words > MAX_WEIGHTS
    }


def choose(name: str, tries: Iterator[Try], data: FitData) -> Baseline:
    """Return the try with the best P@10 on dev, the first of equal ones."""
    tried, best, best_value = [], None, -1.0
    for candidate in tqdm(tries, total=N_TRIES, desc=f"tuning {name}", unit="try", disable=None):
        value = data.dev_precision(candidate.score)
        tried.append({"params": candidate.params, "P@10": value})
        if value > best_value:
            best, best_value = candidate, value
    assert best is not None  # every baseline has N_TRIES
    return Baseline(name, {"tried": tried, "chosen": best.params, "refitted": False}, best.score)


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


def mlp_tries(data: FitData) -> Iterator[Try]:
    """A multi-label perceptron (`eval.baselines.mlp`), stopped early on dev.

    Raises `DataError` where it would be left out.
    """
    if reason := left_out(data).get("mlp"):
        raise DataError(f"the MLP would have {reason}; prepare with a higher --min-photos")
    for settings in MLP_TRIES:
        fitted = fit_biased_mlp(data, settings)
        yield Try(asdict(settings) | {"n_updates": fitted.n_updates}, fitted.score)


def fit_biased_mlp(data: FitData, settings: MlpSettings) -> FittedMlp:
    """Fit the perceptron, and then the biases of its words on dev, as those of the GAN are."""
    fitted = fit_mlp(data.train_features, data.train_tags, settings, data.seed, data.dev_precision)
    few = some_rows(len(data.dev_features), max(MAX_SCORES // len(data.word_vectors), 1))
    change = fit_bias(fitted.score(data.dev_features[few]), sparse.csr_array(data.dev_tags[few]))
    return replace(fitted, score=lambda features: fitted.score(features) + change)
