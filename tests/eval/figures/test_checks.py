"""Controls of the generator: each against values on both sides of its target."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from eval.baselines.nearest import near_duplicates
from eval.sections.checks import build_checks, derangement, shuffled_precision
from mmcgan.inference.words.ranking import rank_scores


@pytest.mark.parametrize("n", [2, 3, 10, 501])
def test_derangement_leaves_none_in_place(n):
    order = derangement(n, seed=0)
    assert (order != np.arange(n)).all()
    assert sorted(order) == list(range(n))
    assert (order == derangement(n, seed=0)).all()


def test_shuffled_precision_of_a_system_that_looks_falls_to_nothing():
    # Every image has its own ten words and is given them first.
    relevant = np.kron(np.eye(5), np.ones((1, 10))).astype(np.float32)
    ranking = rank_scores(relevant, 50)
    assert shuffled_precision(ranking, sparse.csr_array(relevant), seed=0) == 0


def test_shuffled_precision_of_a_system_that_does_not_look_stays():
    relevant = np.tile(np.array([1] * 4 + [0] * 8, np.float32), (6, 1))
    ranking = rank_scores(relevant, 12)
    value = shuffled_precision(ranking, sparse.csr_array(relevant), seed=0)
    assert value == pytest.approx(0.4)


def test_shuffled_precision_needs_two_images():
    one = np.ones((1, 3), np.float32)
    assert shuffled_precision(rank_scores(one, 3), sparse.csr_array(one), seed=0) is None


def test_near_duplicates_are_above_the_cosine_in_any_part_of_train(monkeypatch):
    monkeypatch.setattr("mmcgan.training.prepared.feature_rows.CHUNK_BYTES", 1)
    train = np.array([[1, 0], [0, 2]], np.float32)
    # Cosines with the nearest: 1, .8, .95, 0 (a zero vector), and opposite directions.
    evaluated = np.array([[3, 0], [0.6, 0.8], [0.3123, 0.95], [0, 0], [-1, -1]], np.float32)
    assert near_duplicates(evaluated, train).tolist() == [True, False, True, False, False]
    assert near_duplicates(evaluated, train[:0]).tolist() == [False] * 5


GOOD = {
    "distinct_words": 10.0,
    "noise_variance_share": 0.5,
    "vocabulary_coverage": 0.5,
    "shuffled_P@10": 0.03,
}


@pytest.mark.parametrize(
    ("name", "value", "passed"),
    [
        ("distinct_words", 10.0, True),
        ("distinct_words", 9.9, False),
        ("noise_variance_share", 0.01, True),
        ("noise_variance_share", 0.009, False),
        ("noise_variance_share", 0.995, False),
        ("vocabulary_coverage", 0.5, True),
        ("vocabulary_coverage", 0.49, False),
        ("shuffled_P@10", 0.04, True),
        ("shuffled_P@10", 0.05, False),
    ],
)
def test_check_passes_on_one_side_of_its_target(name, value, passed):
    checks = build_checks(GOOD | {name: value}, 1000, cgan=0.1, frequency=0.04)
    found = {check["name"]: check for check in checks}
    assert found[name]["passed"] is passed
    assert found[name]["value"] == value
    assert [check["passed"] for check in checks].count(False) == (not passed)


@pytest.mark.parametrize(("cgan", "passed"), [(0.041, True), (0.04, False), (0.001, False)])
def test_check_wants_the_cgan_above_frequency(cgan, passed):
    checks = build_checks(GOOD, 1000, cgan=cgan, frequency=0.04)
    found = {check["name"]: check for check in checks}["above_frequency"]
    assert (found["value"], found["passed"]) == (cgan, passed)
    assert "0.0400" in found["target"]


def test_check_wants_no_more_words_than_there_are():
    checks = build_checks({"distinct_words": 3.0}, 3, cgan=0.1, frequency=None)
    assert [(check["name"], check["passed"]) for check in checks] == [("distinct_words", True)]
