"""How a baseline is tuned: what it learns from, and its tries, of which dev chooses one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from tqdm import tqdm

from eval.baselines.scoring import Score, score_in_parts
from eval.figures.metrics import CUT, mean_precision
from mmcgan.arrays import FloatArray
from mmcgan.inference.words.ranking import Ranking, rank_scores
from mmcgan.training.prepared.feature_rows import Features

Params = dict[str, Any]

N_TRIES = 6
MAX_WEIGHTS = 2**27  # of all words together; the perceptron is six times that in memory


@dataclass(frozen=True)
class FitData:
    """What baselines learn from: N train and M dev images.

    Features (N, D) and (M, D) are standardised float32, those of train perhaps on disk; tags are
    0/1 csr float32 (N, V) and (M, V) of what the run learnt; `word_vectors` (V, E) are unit rows.
    `n_members` is the number of generators of the run, and of perceptrons in an ensemble.
    """

    train_features: Features
    train_tags: sparse.csr_array
    dev_features: FloatArray
    dev_tags: sparse.csr_array
    word_vectors: FloatArray
    seed: int
    n_members: int = 1

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


def too_many_weights(n_of_word: int, data: FitData) -> str:
    """Return why a baseline with so many weights for each word is left out; "" if it is not."""
    n_words = len(data.word_vectors)
    n_weights = n_of_word * n_words
    if n_weights <= MAX_WEIGHTS:
        return ""
    return f"{n_weights:,} weights for {n_words:,} words, more than {MAX_WEIGHTS:,}"
