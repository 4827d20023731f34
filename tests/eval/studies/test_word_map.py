"""The map from given to learnt word vectors, on words whose map is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from eval.studies.word_map import GAMMAS, PENALTIES, fit_word_map
from mmcgan.inference.words.vocabulary import unit_rows

RANDOM = np.random.default_rng(0)
GIVEN = unit_rows(RANDOM.normal(size=(60, 4)))
LINEAR = (GIVEN @ RANDOM.normal(size=(4, 3)) + 2).astype(np.float32)
NOISE = RANDOM.normal(size=(60, 1)).astype(np.float32)
EVERYWHERE = RANDOM.normal(size=(50, 3)).astype(np.float32)


def best_explained(found):
    return max(trial["explained"] for trial in found.tried)


def test_smooth_table_is_found_and_new_words_with_it():
    found = fit_word_map(GIVEN[:50], LINEAR[:50], EVERYWHERE, seed=0)
    tried = [(trial["gamma"], trial["penalty"]) for trial in found.tried]
    assert tried == [(gamma, penalty) for gamma in GAMMAS for penalty in PENALTIES]
    assert best_explained(found) > 0.99
    assert found.stretch == pytest.approx(1, abs=0.02)
    assert found.apply_new(GIVEN[50:]) == pytest.approx(LINEAR[50:], abs=0.3)
    assert found.apply(GIVEN[:1]).shape == (1, 3)
    assert found.apply(GIVEN).dtype == found.apply_new(GIVEN).dtype == np.float32


def test_table_that_has_nothing_to_do_with_the_words_is_not_explained():
    found = fit_word_map(GIVEN, NOISE, EVERYWHERE[:, :1], seed=0)
    assert best_explained(found) < 0.1
    assert found.settings["penalty"] == max(PENALTIES)


def test_map_is_judged_by_the_logits_that_the_draws_make():
    """Three components are smooth in the words, one is noise: it counts if draws look there."""
    learnt = np.concatenate([LINEAR, NOISE], axis=1)
    draws = np.eye(4, dtype=np.float32)
    of_linear = fit_word_map(GIVEN, learnt, draws[:3], seed=0)
    of_noise = fit_word_map(GIVEN, learnt, draws[3:], seed=0)
    assert best_explained(of_linear) > 0.99
    assert best_explained(of_noise) < 0.1
    assert of_linear.settings["penalty"] < of_noise.settings["penalty"]


def test_explained_share_of_two_words_is_worked_out_by_hand():
    # Fitted on one word the map gives its vector for every word, the mean: nothing is explained.
    given = np.eye(2, dtype=np.float32)
    found = fit_word_map(given, 3 * given, np.ones((1, 2), np.float32), seed=0)
    assert {trial["explained"] for trial in found.tried} == {0}
    assert found.settings == {"gamma": GAMMAS[0], "penalty": PENALTIES[0]}  # the first of equal


def test_map_is_the_closed_form_of_its_settings_on_all_words():
    learnt = np.concatenate([LINEAR, NOISE], axis=1).astype(np.float64)
    found = fit_word_map(GIVEN, learnt.astype(np.float32), np.ones((1, 4), np.float32), seed=0)
    kernel = rbf_kernel(GIVEN, gamma=found.settings["gamma"])
    mean = learnt.mean(axis=0)
    dual = np.linalg.solve(kernel + found.settings["penalty"] * np.eye(60), learnt - mean)
    assert found.apply(GIVEN) == pytest.approx(kernel @ dual + mean, abs=1e-3)


def test_words_that_were_not_learnt_get_back_the_length_that_a_guess_loses():
    # Half of each vector is noise that no map can guess: guesses lack its length.
    noise = RANDOM.normal(size=(60, 3)).astype(np.float32)
    learnt = np.concatenate([LINEAR - LINEAR.mean(axis=0), noise], axis=1)
    found = fit_word_map(GIVEN[:40], learnt[:40], np.eye(6, dtype=np.float32), seed=0)
    lengths = np.linalg.norm(found.apply_new(GIVEN[40:]), axis=1)
    assert found.stretch > 1.1
    assert lengths.mean() == pytest.approx(np.linalg.norm(learnt, axis=1).mean(), rel=0.15)
    assert found.apply_new(GIVEN) == pytest.approx(found.apply(GIVEN) * found.stretch, rel=1e-5)


def test_words_that_are_all_the_same_are_no_division_by_zero():
    same = np.ones((6, 2), np.float32)
    found = fit_word_map(same, same, same, seed=0)
    assert found.tried[0]["explained"] == 0
    assert found.apply_new(same) == pytest.approx(same)
