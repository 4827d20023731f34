"""The ridge map from given to learnt word vectors, on words whose map is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from eval.word_map import PENALTIES, fit_word_map
from mmcgan.vocabulary import unit_rows

RANDOM = np.random.default_rng(0)
GIVEN = unit_rows(RANDOM.normal(size=(60, 4)))
LINEAR = (GIVEN @ RANDOM.normal(size=(4, 3)) + 2).astype(np.float32)
NOISE = RANDOM.normal(size=(60, 1)).astype(np.float32)
EVERYWHERE = RANDOM.normal(size=(50, 3)).astype(np.float32)


def test_linear_table_is_found_and_new_words_with_it():
    found = fit_word_map(GIVEN[:50], LINEAR[:50], EVERYWHERE, seed=0)
    assert found.penalty == min(PENALTIES)
    assert [trial["penalty"] for trial in found.tried] == list(PENALTIES)
    assert found.tried[0]["explained"] > 0.999
    assert found.apply(GIVEN[50:]) == pytest.approx(LINEAR[50:], abs=0.02)
    assert found.apply(GIVEN[:1]).shape == (1, 3)
    assert found.apply(GIVEN).dtype == np.float32


def test_table_that_has_nothing_to_do_with_the_words_is_not_explained():
    found = fit_word_map(GIVEN, NOISE, EVERYWHERE[:, :1], seed=0)
    assert found.penalty == max(PENALTIES)
    assert found.tried[0]["explained"] < 0


def test_map_is_judged_by_the_logits_that_the_draws_make():
    """Three components are linear in the words, one is noise: it counts if draws look there."""
    learnt = np.concatenate([LINEAR, NOISE], axis=1)
    draws = np.eye(4, dtype=np.float32)
    of_linear = fit_word_map(GIVEN, learnt, draws[:3], seed=0)
    of_noise = fit_word_map(GIVEN, learnt, draws[3:], seed=0)
    assert of_linear.tried[0]["explained"] > 0.999
    assert of_noise.tried[0]["explained"] < 0
    assert of_linear.penalty < of_noise.penalty


def test_explained_share_of_two_words_is_worked_out_by_hand():
    # Fitted on one word the map gives its vector for every word, the mean: nothing is explained.
    given = np.eye(2, dtype=np.float32)
    found = fit_word_map(given, 3 * given, np.ones((1, 2), np.float32), seed=0)
    assert [trial["explained"] for trial in found.tried] == [0] * len(PENALTIES)
    assert found.penalty == PENALTIES[0]  # the first of equal ones


def test_map_is_the_ridge_of_its_penalty_on_all_words():
    learnt = np.concatenate([LINEAR, NOISE], axis=1)
    found = fit_word_map(GIVEN, learnt, np.ones((1, 4), np.float32), seed=0)
    wanted = Ridge(alpha=found.penalty * 60).fit(GIVEN.astype(float), learnt.astype(float))
    assert found.apply(GIVEN) == pytest.approx(wanted.predict(GIVEN), abs=1e-3)


def test_words_that_are_all_the_same_are_no_division_by_zero():
    same = np.ones((6, 2), np.float32)
    found = fit_word_map(same, same, same, seed=0)
    assert found.tried[0]["explained"] == 0
    assert found.apply(same) == pytest.approx(same)
