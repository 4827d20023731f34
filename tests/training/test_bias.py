"""The biases of the words, fitted on dev: likelihood, its penalty, and words raised into reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.models import MIXTURE, make_model
from scipy import sparse
from scipy.special import expit

from mmcgan.inference.model import Model
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training import bias as bias_module
from mmcgan.training.bias import BEST, MAX_RAISE, PENALTY, fit_bias, raise_missing, with_fitted_bias


def random_task(
    n_photos: int = 400, n_words: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, sparse.csr_array]:
    """Scores of words, by how much each is off, and tags drawn from the scores put right."""
    random = np.random.default_rng(seed)
    scores = random.normal(-1, 1.5, (n_photos, n_words)).astype(np.float32)
    off = np.linspace(-1, 1, n_words)
    tags = random.random(scores.shape) < expit(scores + off)
    return scores, off, sparse.csr_array(tags.astype(np.float32))


def penalised_loss(scores: np.ndarray, tags: np.ndarray, scale: float, b: np.ndarray) -> float:
    p = expit(scale * scores + b)
    likelihood = tags * np.log(p) + (1 - tags) * np.log(1 - p)
    return float(-likelihood.sum() + PENALTY * (b**2).sum())


def test_fit_bias_finds_which_words_are_over_and_underrated():
    scores, off, tags = random_task(4000)
    change = fit_bias(scores, tags)
    assert change.dtype == np.float32
    assert np.allclose(change, off, atol=0.25)
    assert (np.diff(change) > 0).all()


def test_penalty_keeps_the_changes_small_where_there_are_few_photos():
    few, many = (np.abs(fit_bias(*random_task(n)[::2])).sum() for n in (10, 1000))
    assert few < 0.5 * many


def test_fit_bias_is_the_minimum_of_the_penalised_loss():
    scores, _, tags = random_task(60)
    carried = tags.toarray()
    change = fit_bias(scores, tags).astype(np.float64)
    # Along the scale, which fit_bias takes out of its result, the minimum is looked for again.
    scales = np.linspace(0.2, 3, 1401)
    losses = [penalised_loss(scores, carried, a, a * change) for a in scales]
    best, scale = min(losses), scales[int(np.argmin(losses))]
    for step in np.eye(len(change)) * 0.02:
        for sign in (-1, 1):
            moved = scale * change + sign * step
            assert penalised_loss(scores, carried, scale, moved) > best - 1e-6


def test_units_of_the_scores_are_those_of_the_changes():
    scores, _, tags = random_task()
    assert np.allclose(fit_bias(2 * scores, tags), 2 * fit_bias(scores, tags), atol=0.01)


@pytest.mark.parametrize("n_photos", [1, 2, 30])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_words_that_no_photo_or_every_photo_carries(n_photos, share):
    scores = np.zeros((n_photos, 3), np.float32)
    change = fit_bias(scores, sparse.csr_array(np.full((n_photos, 3), share, np.float32)))
    assert np.isfinite(change).all()
    assert (np.sign(change) == (1 if share else -1)).all()


def missing_by(*gaps: float) -> np.ndarray:
    """Scores of two photos: ten words are the best ones, others miss the last place by `gaps`."""
    best = np.tile(np.arange(BEST, dtype=np.float32) + 1, (2, 1))
    others = np.tile(1 - np.array(gaps, np.float32), (2, 1))
    others[0] -= 1  # the second photo is the nearer one
    return np.concatenate([best, others], axis=1)


def test_raise_missing_brings_half_of_the_words_into_the_best_of_a_photo():
    gaps = [0.1, 0.2, *(0.5 + i / 100 for i in range(BEST))]  # of 22 words 12 miss, 10 do not
    raised = raise_missing(missing_by(*gaps))
    assert (raised[:BEST] == 0).all()
    # The median of all gaps is between the 11th and the 12th: .1 and .2.
    assert raised[BEST:] == pytest.approx([0.1, *[0.15] * 11], abs=1e-6)


def test_raise_missing_has_a_limit():
    gaps = [0.5, *(MAX_RAISE + 1 + i for i in range(2 * BEST))]
    raised = raise_missing(missing_by(*gaps))
    assert raised[BEST:] == pytest.approx([0.5, *[MAX_RAISE] * 2 * BEST], abs=1e-6)


def test_raise_missing_changes_nothing_where_all_words_are_given():
    assert (raise_missing(np.random.default_rng(0).normal(size=(4, 7))) == 0).all()


def model_of(n_words: int) -> Model:
    """Every photo gets the same scores: those of the biases, evenly falling."""
    record = replace(MIXTURE, feature_size=3, vector_size=n_words)
    words = Vocabulary(
        tuple(f"w{i}" for i in range(n_words)),
        np.zeros((n_words, n_words), np.float32),
        np.ones(n_words, int),
    )
    return make_model(record, vocabulary=words, bias=-np.arange(n_words, dtype=np.float32) / 10)


def test_model_with_fitted_bias_says_what_dev_carries():
    model, n_words = model_of(14), 14
    features = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    carried = np.zeros((200, n_words), np.float32)
    carried[:, -1] = 1  # the word with the lowest score
    fitted = with_fitted_bias(model, features, sparse.csr_array(carried))
    assert [t.word for t in Tagger(model).tag_features(features[:1], 1)[0]] == ["w0"]
    assert [t.word for t in Tagger(fitted).tag_features(features[:1], 1)[0]] == ["w13"]
    assert np.array_equal(model.bias, model_of(14).bias)  # what is given stays as it is


def test_of_very_many_scores_only_some_photos_are_looked_at(monkeypatch):
    seen = []
    monkeypatch.setattr(bias_module, "MAX_SCORES", 14 * 5)
    monkeypatch.setattr(bias_module, "fit_bias", lambda s, t: seen.append((s, t)) or 0 * s[0])
    tags = sparse.csr_array(np.ones((20, 14), np.float32))
    with_fitted_bias(model_of(14), np.zeros((20, 3), np.float32), tags)
    assert [(s.shape, t.shape) for s, t in seen] == [((5, 14), (5, 14))]
