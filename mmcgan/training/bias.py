"""The bias of each word, fitted on dev once a mixture is trained.

A word's score on a new photo is not what it is on the photos learnt from: the networks know those,
and the tags that people use change. Dev says by how much each word is over- or underrated. Words
that then just miss the best tags of every photo are raised, so that half of all words can be said.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

from mmcgan.arrays import FloatArray
from mmcgan.inference.model import Model
from mmcgan.inference.tagger import BATCH_SIZE, N_SAMPLES
from mmcgan.inference.words.ranking import Means
from mmcgan.training.prepared.feature_rows import some_rows

PENALTY = 10.0  # of the square of a change: a Gaussian prior of deviation 0.22
MAX_RAISE = 1.0  # logits; of a huge vocabulary half the words are not to be had
MAX_SCORES = 2**24  # of dev photos together that biases are fitted on
BEST = 10  # tags a photo


def with_fitted_bias(model: Model, features: FloatArray, tags: sparse.csr_array) -> Model:
    """Return `model` with the biases that suit dev: raw `features` (M, D), 0/1 `tags` (M, V)."""
    bias = model.bias
    assert bias is not None
    few = some_rows(len(features), max(MAX_SCORES // len(bias), 1))
    index = model.build_index()
    standardized = model.standardizer(features[few])
    every_word = np.arange(len(bias))
    parts = np.array_split(standardized, len(few) // BATCH_SIZE + 1)
    means = (index.queries(model.network.mean_draw(part, N_SAMPLES, 0)) for part in parts)
    scores = np.concatenate([Means(mean, index).logits(every_word) for mean in means])
    change = fit_bias(scores, sparse.csr_array(tags[few]))
    return replace(model, bias=bias + change + raise_missing(scores + change))


def fit_bias(scores: FloatArray, tags: sparse.csr_array) -> FloatArray:
    """Return the changes (V,) of the words' biases under which the tags are the most likely.

    The model is sigmoid(a · score + b_w) for `scores` (M, V) and 0/1 `tags` (M, V), with one a for
    all words and a `PENALTY` on b (Platt 1999, of many words at once). Returned is b / a.
    """
    carried = tags.toarray()

    def loss(parameters: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        scale, change = parameters[0], parameters[1:]
        logits = scale * scores + change
        residual = expit(logits) - carried
        value = np.logaddexp(0, logits).sum() - (carried * logits).sum()
        gradient = np.append((residual * scores).sum(), residual.sum(axis=0) + 2 * PENALTY * change)
        return float(value + PENALTY * change @ change), gradient

    start = np.append(1.0, np.zeros(scores.shape[1]))
    bounds = [(0.1, 10.0)] + [(None, None)] * scores.shape[1]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.asarray(found[1:] / found[0], np.float32)


def raise_missing(scores: FloatArray) -> FloatArray:
    """Return what brings words that are in no photo's `BEST` to the last place of one: (V,).

    `scores` are (M, V). No word is raised by more than half of the words need, nor by more than
    `MAX_RAISE`.
    """
    n_best = min(BEST, scores.shape[1])
    last = np.partition(scores, -n_best, axis=1)[:, -n_best]
    missed_by = np.maximum((last[:, None] - scores).min(axis=0), 0)
    return np.minimum(missed_by, min(float(np.median(missed_by)), MAX_RAISE))
