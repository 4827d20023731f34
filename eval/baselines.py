"""The rivals of the GAN: fitted on the same features and tags, each tuned on dev.

Every rival but the tag frequency, which has nothing to tune, gets `N_TRIES` tries. A try is
fitted on train alone and judged by P@10 on dev; the best one, the first of equal ones, is the
rival. No rival is refitted with dev, and none sees the images that a report measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from eval.metrics import mean_precision
from eval.mlp import FittedMlp, MlpSettings, fit_mlp
from mmcgan.bias import fit_bias
from mmcgan.ranking import rank_scores
from mmcgan.vocabulary import transform_words, unit_rows

FloatArray = npt.NDArray[np.float32]
Score = Callable[[FloatArray], FloatArray]
Params = dict[str, Any]

N_TRIES = 6

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
    """What rivals learn from: N train and M dev images.

    Features (N, D) and (M, D) are standardised float32; tags are 0/1 csr float32 (N, V) and
    (M, V) of what the run learnt; `word_vectors` (V, E) are unit rows.
    """

    train_features: FloatArray
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
        return mean_precision(rank_scores(score(self.dev_features), 10), self.dev_tags)


@dataclass(frozen=True)
class Rival:
    """A fitted rival: `score` maps standardised features (N, D) to scores (N, V).

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


def fit_rivals(data: FitData) -> list[Rival]:
    """Fit and tune frequency, knn, regression, ridge and mlp, in this order.

    The same data and seed give the same rivals on one machine.
    """
    tries: dict[str, Iterator[Try]] = {
        "knn": knn_tries(data),
        "regression": regression_tries(data),
        "ridge": ridge_tries(data),
        "mlp": mlp_tries(data),
    }
    return [frequency(data), *(choose(name, found, data) for name, found in tries.items())]


def choose(name: str, tries: Iterator[Try], data: FitData) -> Rival:
    """Return the try with the best P@10 on dev, the first of equal ones."""
    tried, best, best_value = [], None, -1.0
    for candidate in tqdm(tries, total=N_TRIES, desc=f"tuning {name}", unit="try", disable=None):
        value = data.dev_precision(candidate.score)
        tried.append({"params": candidate.params, "P@10": value})
        if value > best_value:
            best, best_value = candidate, value
    assert best is not None  # every rival has N_TRIES
    return Rival(name, {"tried": tried, "chosen": best.params, "refitted": False}, best.score)


def frequency(data: FitData) -> Rival:
    """Every image gets the tags in the order of their frequency in train."""

    def score(features: FloatArray) -> FloatArray:
        return np.tile(data.frequency, (len(features), 1))

    return Rival("frequency", {"tried": [], "chosen": {}, "refitted": False}, score)


def knn_tries(data: FitData) -> Iterator[Try]:
    """Votes of the nearest training images by cosine (Li et al., "TagVote", TMM 2009)."""
    n_train = len(data.train_features)
    most = min(max(params["n_neighbours"] for params in KNN_TRIES), n_train)
    index = NearestNeighbors(n_neighbors=most, metric="cosine", algorithm="brute")
    index.fit(data.train_features)
    for params in KNN_TRIES:
        yield Try(params, partial(_knn_score, data, index, params))


def _knn_score(
    data: FitData, index: NearestNeighbors, params: Params, features: FloatArray
) -> FloatArray:
    """Return the weighted share of the neighbours that carry each word, less its prior."""
    n_neighbours = min(params["n_neighbours"], len(data.train_features))
    distances, neighbours = index.kneighbors(features, n_neighbours)
    weights = _weights(distances.astype(np.float32), params["weights"])
    votes = sparse.csr_array(
        (weights.ravel(), neighbours.ravel(), np.arange(len(features) + 1) * n_neighbours),
        (len(features), len(data.train_features)),
    )
    shares = (votes @ data.train_tags).toarray()
    scores: FloatArray = shares - np.float32(params["prior"]) * data.frequency
    return scores


def _weights(distances: FloatArray, kind: str) -> FloatArray:
    """Return the weights (N, k) of neighbours at cosine distances (N, k); rows sum to 1."""
    if kind == "softmax":
        weights = np.exp((distances[:, :1] - distances) / KNN_TEMPERATURE)
    else:
        weights = np.maximum(1 - distances, 1e-6)
    normed: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return normed


def regression_tries(data: FitData) -> Iterator[Try]:
    """Ridge regression to the mean word vector of an image's tags, then the nearest words.

    `words` says in which space: the table as it is given, centred, or with the singular values
    of the centred table evened out as well, which keeps a few words from being near everything.
    """
    for params in REGRESSION_TRIES:
        table = transform_words(data.word_vectors, params["words"])
        targets = unit_rows(data.train_tags @ table)
        predict = fit_ridge(data.train_features, targets, params["penalty"])
        yield Try(params, partial(_cosines, predict, table))


def _cosines(predict: Score, table: FloatArray, features: FloatArray) -> FloatArray:
    cosines: FloatArray = unit_rows(predict(features)) @ table.T
    return cosines


def ridge_tries(data: FitData) -> Iterator[Try]:
    """Ridge regression to the tag matrix: one linear score a word."""
    tags = data.train_tags.toarray()
    for params in RIDGE_TRIES:
        scale = partial(_scaled, params["unit_norm"])
        predict = fit_ridge(scale(data.train_features), tags, params["penalty"])
        yield Try(params, partial(_scale_and_predict, scale, predict))


def fit_ridge(features: FloatArray, targets: FloatArray, penalty: float) -> Score:
    """Fit `targets` (N, T) with an intercept; return the function features (M, D) → (M, T)."""
    model = Ridge(alpha=penalty * len(features), solver="cholesky").fit(features, targets)
    return lambda new: np.asarray(model.predict(new), np.float32).reshape(len(new), -1)


def _scale_and_predict(scale: Score, predict: Score, features: FloatArray) -> FloatArray:
    return predict(scale(features))


def _scaled(unit_norm: bool, features: FloatArray) -> FloatArray:
    """Return features (N, D) as they are, or all with the norm √D that is theirs on average."""
    return unit_rows(features) * np.float32(features.shape[1] ** 0.5) if unit_norm else features


def mlp_tries(data: FitData) -> Iterator[Try]:
    """A multi-label perceptron (`eval.mlp`), stopped early on dev."""
    for settings in MLP_TRIES:
        fitted = fit_biased_mlp(data, settings)
        yield Try(asdict(settings) | {"n_updates": fitted.n_updates}, fitted.score)


def fit_biased_mlp(data: FitData, settings: MlpSettings) -> FittedMlp:
    """Fit the perceptron, and then the biases of its words on dev, as those of the GAN are."""
    fitted = fit_mlp(data.train_features, data.train_tags, settings, data.seed, data.dev_precision)
    change = fit_bias(fitted.score(data.dev_features), data.dev_tags)
    return replace(fitted, score=partial(_score_and_add, fitted.score, change))


def _score_and_add(score: Score, change: FloatArray, features: FloatArray) -> FloatArray:
    return score(features) + change
