"""Scores as probabilities that the user wrote a tag, fitted on dev once a run is trained.

Platt scaling (Platt 1999): p = sigmoid(scale · logit(score) + shift), two numbers for all words.
It keeps the ranking. On MIRFLICKR it was chosen against isotonic regression and beta calibration,
fitted on dev and judged on val: isotonic regression fits a dev of 50 photos, and says 0 and 1, so
that its likelihood on other photos is worse than that of the scores as they were; beta calibration
has a number more and was not better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mmcgan.arrays import BoolArray, FloatArray
from mmcgan.inference.calibration import Calibration, logit
from mmcgan.inference.words.objects import object_words

MAX_SCORES = 2**20  # that are looked at; with very many words, fewer photos
BEST = 10  # tags a photo among which the threshold chooses
MIN_PAIRS = 20  # of a photo and an object that it is tagged with, to say what an object is worth
WEAK = 100.0  # inverse strength of the prior that keeps the scale finite on very small data


def fit_calibration(scores: FloatArray, tags: sparse.csr_array) -> Calibration | None:
    """Return the calibration under which the tags of dev are the most likely.

    `scores` (M, V) are in [0, 1], `tags` (M, V) 0/1. None where higher scores are not likelier.
    """
    carried = tags.toarray() > 0
    told = scores > 0
    if not 0 < carried[told].sum() < told.sum():
        return None
    if (fitted := fit_platt(scores[told], carried[told], WEAK)) is None:
        return None
    scale, shift = fitted
    threshold = best_threshold(Calibration(scale, shift, 0.0)(scores), carried)
    return Calibration(scale, shift, threshold)


def fit_objects(
    words: Sequence[str], classes: FloatArray, tags: sparse.csr_array
) -> Calibration | None:
    """Return what makes probabilities of what a backbone's own head sees in the photos of dev.

    `classes` (M, 1000) are its class probabilities, `tags` (M, V) the 0/1 tags of the V `words`.
    Only words that name objects count: how likely is it that the user writes one that is seen? In
    another language hardly ever. None where dev has too few of them to tell.
    """
    named = [row for row, word in enumerate(words) if word in object_words().row_of]
    scores = object_words().scores_in([words[row] for row in named], classes)
    carried = sparse.csr_array(tags[:, named])
    return None if carried.nnz < MIN_PAIRS else fit_calibration(scores, carried)


def fit_platt(
    scores: FloatArray, right: npt.NDArray[Any], weak: float
) -> tuple[float, float] | None:
    """Return scale and shift (Platt 1999) under which what is `right`, 0/1 (N,), is the likeliest.

    `scores` (N,) are in [0, 1]; `weak` is the inverse strength of the prior on the scale. None
    where higher scores are not right more often.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import, and tagging needs none

    fitted = LogisticRegression(C=weak).fit(logit(scores)[:, None], right)
    scale, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return (scale, shift) if scale > 0 else None


def best_threshold(probabilities: FloatArray, carried: BoolArray) -> float:
    """Return the least probability of a tag at which F1 is the highest, over all photos together.

    Both arguments are (M, V). Given are the `BEST` of a photo that reach it; tags beyond them count
    as missed.
    """
    n_best = min(BEST, probabilities.shape[1])
    best = np.argpartition(-probabilities, n_best - 1, axis=1)[:, :n_best]
    given = np.take_along_axis(probabilities, best, axis=1).ravel()
    right = np.take_along_axis(carried, best, axis=1).ravel()
    order = np.argsort(-given, kind="stable")
    given, n_right = given[order], np.cumsum(right[order])
    f1 = 2 * n_right / (np.arange(1, len(given) + 1) + carried.sum())
    is_last = np.append(given[1:] < given[:-1], True)  # of equal ones, all are given
    return float(given[is_last][np.argmax(f1[is_last])])
