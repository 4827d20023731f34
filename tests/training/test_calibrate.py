"""Scores made probabilities, and the threshold that is best on dev."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit, logit

from mmcgan.inference.calibration import Calibration
from mmcgan.training.calibrate import best_threshold, fit_calibration, fit_objects


def drawn(scale: float, shift: float) -> tuple[np.ndarray, sparse.csr_array]:
    """Scores of 400 photos and 50 words, and tags that follow sigmoid(scale · logit + shift)."""
    random = np.random.default_rng(0)
    logits = random.normal(-2, 2, (400, 50))
    tags = random.random(logits.shape) < expit(scale * logits + shift)
    return expit(logits).astype(np.float32), sparse.csr_array(tags.astype(float))


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.5, -1.0), (2.0, 0.7)])
def test_what_is_wrong_with_the_scores_is_found(scale, shift):
    found = fit_calibration(*drawn(scale, shift))
    assert (found.scale, found.shift) == pytest.approx((scale, shift), abs=0.1)


def test_of_tags_near_p_about_p_are_right():
    scores, tags = drawn(0.5, -1.0)
    p, carried = fit_calibration(scores, tags)(scores).ravel(), tags.toarray().ravel()
    for low, high in [(0.05, 0.15), (0.15, 0.3), (0.3, 0.6)]:
        near = (p >= low) & (p < high)
        assert carried[near].mean() == pytest.approx(p[near].mean(), abs=0.03)


def test_the_ranking_stays_and_a_score_that_says_nothing_stays_0():
    calibration = Calibration(0.4, -0.3, 0.5)
    scores = np.array([[0, 1e-9, 0.001, 0.2, 0.5, 0.999, 1]], np.float32)
    found = calibration(scores)
    assert found.dtype == np.float32
    assert (np.diff(found) >= 0).all()
    assert found[0, 0] == 0
    assert 0 < found[0, 1] < found[0, -1] < 1
    assert found[0, 3] == pytest.approx(expit(0.4 * logit(0.2) - 0.3))


@pytest.mark.parametrize("scores", [[[0.9, 0.1], [0.9, 0.2]], [[0.0, 0.0], [0.0, 0.0]]])
def test_scores_that_say_the_opposite_or_nothing_are_left_as_they_are(scores):
    tags = sparse.csr_array(np.array([[0, 1], [0, 1]], float))
    assert fit_calibration(np.array(scores, np.float32), tags) is None


def test_dev_without_a_tag_gives_no_calibration():
    assert fit_calibration(np.full((3, 4), 0.3, np.float32), sparse.csr_array((3, 4))) is None


def test_perfectly_told_tags_do_not_run_away():
    scores = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
    found = fit_calibration(scores, sparse.csr_array(np.eye(2)))
    assert 0 < found.scale < 100
    assert found(scores)[0, 0] > 0.9 > 0.1 > found(scores)[0, 1]


def test_best_threshold_is_worked_out_by_hand():
    # given .9 (right): F1 2/5; .9 .8: 4/6; .9 .8 .3: 4/7; all: 6/8
    probabilities = np.array([[0.9, 0.3], [0.8, 0.2]], np.float32)
    carried = np.array([[True, False], [True, True]])
    assert best_threshold(probabilities, carried) == pytest.approx(0.2)
    carried = np.array([[True, False], [True, False]])
    assert best_threshold(probabilities, carried) == pytest.approx(0.8)


def test_best_threshold_gives_all_tags_of_one_probability_or_none():
    probabilities = np.array([[0.5, 0.5, 0.5, 0.1]], np.float32)
    assert best_threshold(probabilities, np.array([[True, False, False, True]])) == pytest.approx(
        0.1
    )
    assert best_threshold(probabilities, np.array([[True, False, False, False]])) == pytest.approx(
        0.5
    )


def test_best_threshold_looks_at_ten_tags_a_photo():
    probabilities = np.linspace(0.9, 0.1, 12, dtype=np.float32)[None]
    carried = np.ones((1, 12), bool)
    assert best_threshold(probabilities, carried) == pytest.approx(probabilities[0, 9])


def seen_objects(words: tuple[str, ...], likely: float) -> tuple[np.ndarray, sparse.csr_array]:
    """Class probabilities of 300 photos, each of a cat or a dog, and what their user wrote.

    The user writes the name of what is seen with the probability `likely`, or else nothing.
    """
    random = np.random.default_rng(3)
    classes = np.zeros((300, 1000), np.float32)
    is_cat, share = random.random(300) < 0.5, random.uniform(0.3, 0.99, 300).astype(np.float32)
    tabby, beagle = 281, 162
    classes[np.arange(300), np.where(is_cat, tabby, beagle)] = share
    classes[np.arange(300), np.where(is_cat, beagle, tabby)] = 1 - share
    writes = random.random(300) < likely * share
    tags = np.zeros((300, len(words)))
    tags[writes, np.where(is_cat, words.index("cat"), words.index("dog"))[writes]] = 1
    return classes, sparse.csr_array(tags)


def test_objects_are_as_likely_as_the_user_writes_them():
    words = ("birthday", "cat", "dog", "sea")
    often, seldom = (fit_objects(words, *seen_objects(words, p)) for p in (0.9, 0.2))
    surest = np.array([[0.95]], np.float32)
    assert often(surest)[0, 0] > 0.7 > 0.4 > seldom(surest)[0, 0]
    assert often(surest)[0, 0] > often(surest / 2)[0, 0]


def test_with_too_few_words_for_objects_on_dev_there_are_none():
    words = ("cat", "dog")
    classes, tags = seen_objects(words, 0.9)
    assert fit_objects(words, classes, tags) is not None
    assert fit_objects(words, classes[:10], tags[:10]) is None
    assert fit_objects(("katze", "hund"), classes, tags) is None


def test_objects_that_are_seen_where_they_are_not_written_are_none():
    words = ("cat", "dog")
    classes, tags = seen_objects(words, 0.9)
    assert fit_objects(words, classes, sparse.csr_array(tags.toarray()[:, ::-1])) is None
