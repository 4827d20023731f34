"""Scores in parts: the same as all at once, and what is looked at once is looked at once."""

from __future__ import annotations

import numpy as np
import pytest

from eval.baselines import scoring
from eval.baselines.scoring import TwoSteps, score_in_parts

FEATURES = np.arange(12, dtype=np.float32).reshape(6, 2)
WEIGHTS = np.array([[1, 2, 3], [-1, 0, 1]], np.float32)


def plain(features):
    return features @ WEIGHTS


@pytest.mark.parametrize(("most", "sizes"), [(1, [1] * 6), (12, [4, 2]), (1000, [6])])
def test_parts_are_all_of_it_in_order(monkeypatch, most, sizes):
    monkeypatch.setattr(scoring, "MAX_SCORES", most)
    parts = list(score_in_parts(plain, FEATURES, n_words=3))
    assert [len(part) for part in parts] == sizes
    assert np.array_equal(np.concatenate(parts), plain(FEATURES))


def test_the_first_of_two_steps_is_taken_for_all_photos_together(monkeypatch):
    monkeypatch.setattr(scoring, "MAX_SCORES", 6)
    looked = []

    def look(features):
        looked.append(len(features))
        return 2 * features

    score = TwoSteps(look, plain)
    parts = list(score_in_parts(score, FEATURES, n_words=3))
    assert looked == [6]
    assert [len(part) for part in parts] == [2, 2, 2]
    assert np.array_equal(np.concatenate(parts), score(FEATURES))
    assert np.array_equal(score(FEATURES), plain(2 * FEATURES))
