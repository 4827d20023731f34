"""The rivals of the GAN: fitted on the same features and tags, each tuned on dev.

Every rival but the tag frequency, which has nothing to tune, gets `N_TRIES` tries. A try is
fitted on train alone and judged by P@10 on dev; the best one, the first of equal ones, is the
rival. No rival is refitted with dev, and none sees the images that a report measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from eval.metrics import mean_precision
from eval.mlp import MlpSettings, fit_mlp
from mmcgan.ranking import rank_scores
from mmcgan.vocabulary import unit_rows

FloatArray = npt.NDArray[np.float32]
Score = Callable[[FloatArray], FloatArray]
Params = dict[str, Any]

N_TRIES = 8

KNN_TRIES: tuple[Params, ...] = (
    {"n_neighbours": 50, "unit_norm": True, "prior_subtracted": False},
    {"n_neighbours": 100, "unit_norm": True, "prior_subtracted": False},
    {"n_neighbours": 200, "unit_norm": True, "prior_subtracted": False},
    {"n_neighbours": 400, "unit_norm": True, "prior_subtracted": False},
    {"n_neighbours": 100, "unit_norm": True, "prior_subtracted": True},
    {"n_neighbours": 200, "unit_norm": True, "prior_subtracted": True},
    {"n_neighbours": 50, "unit_norm": False, "prior_subtracted": False},
    {"n_neighbours": 100, "unit_norm": False, "prior_subtracted": False},
)
# Ridge penalties, times the number of training images, so that they fit data of any size.
PENALTIES = (0.03, 0.1, 0.3, 0.6, 1.0, 2.0, 5.0, 15.0)
MLP_TRIES = (
    MlpSettings(),
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
