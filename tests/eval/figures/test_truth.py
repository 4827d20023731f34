"""Distance of generated tags from a known distribution, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from eval.sections.truth import distance_from_truth, mode_coverage, true_distribution
from mmcgan.training.prepared.dataset import Truth

# Scene 0 draws a, b and x; scene 1 nothing but x, which is not in the vocabulary.
TRUTH = Truth(
    np.array([0, 0, 1]),
    ("a", "b", "c", "x"),
    np.array([[0.5, 0.25, 0.0, 0.25], [0.0, 0.0, 0.0, 0.7]]),
    np.array([[0.0, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]]),
)
WORDS = ("c", "b", "a", "never")


def test_true_distribution_is_that_of_the_vocabulary():
    target = true_distribution(TRUTH, "user", WORDS)
    assert target == pytest.approx(np.array([[0, 1 / 3, 2 / 3, 0], [0, 0, 0, 0]]))


def test_true_distribution_of_both_kinds_adds_the_annotations():
    # Scene 0: a .5, b .25 as user tags, c .5 as an annotation: 2/5, 1/5, 2/5.
    target = true_distribution(TRUTH, "user+annotations", WORDS)
    assert target[0] == pytest.approx([2 / 5, 1 / 5, 2 / 5, 0])


def test_distance_pools_the_draws_of_a_scene():
    # Draws a a b and a b c: pooled a 3/6, b 2/6, c 1/6 against 2/3, 1/3, 0 → (1/6 + 1/6)/2.
    # Each on its own: 0, and (1/3 + 1/3)/2; the image of scene 1 is left out.
    draws = np.array([[2, 2, 1], [2, 1, 0], [3, 3, 3]])
    found = distance_from_truth(draws, TRUTH.scene, TRUTH, "user", WORDS)
    assert found["total_variation"] == pytest.approx(1 / 6)
    assert found["image_total_variation"] == pytest.approx(1 / 6)
    assert found["mode_coverage"] == 1
    assert found["n_draws"] == 6
    assert "nearest word" in found["description"]


def test_distance_of_draws_from_the_truth_itself_is_small():
    rng = np.random.default_rng(0)
    draws = rng.choice(4, p=true_distribution(TRUTH, "user", WORDS)[0], size=(40, 100))
    found = distance_from_truth(draws, np.zeros(40, int), TRUTH, "user", WORDS)
    assert found["total_variation"] < 0.02
    assert found["total_variation"] < found["image_total_variation"] < 0.1


def test_distance_of_a_collapsed_generator_shows_the_lost_mode():
    draws = np.full((5, 100), 2)  # always a: misses b, a third of the truth
    found = distance_from_truth(draws, np.zeros(5, int), TRUTH, "user", WORDS)
    assert found["total_variation"] == pytest.approx(1 / 3)
    assert found["mode_coverage"] == 0.5


def test_distance_averages_over_images_not_scenes():
    # Three images of a scene that is met, one of a scene that is missed altogether.
    truth = Truth(np.zeros(0, int), ("a", "b"), np.eye(2), np.zeros((2, 2)))
    found = distance_from_truth(
        np.zeros((4, 10), int), np.array([0, 0, 0, 1]), truth, "user", ("a", "b")
    )
    assert found["total_variation"] == 0.25
    assert found["mode_coverage"] == 0.5  # over scenes


def test_distance_is_none_without_a_scene_in_the_vocabulary():
    assert distance_from_truth(np.zeros((1, 5), int), np.array([1]), TRUTH, "user", WORDS) is None
    assert (
        distance_from_truth(np.zeros((0, 5), int), np.zeros(0, int), TRUTH, "user", WORDS) is None
    )


@pytest.mark.parametrize(("n_hits", "covered"), [(3, 1.0), (2, 0.5)])
def test_mode_counts_from_half_of_its_expected_draws(n_hits, covered):
    # Of 20 draws, word b expects 6: half of them is 3.
    counts, target = np.array([[20.0 - n_hits, n_hits]]), np.array([[0.7, 0.3]])
    assert mode_coverage(counts, target) == covered


def test_rare_words_are_no_modes():
    assert mode_coverage(np.array([[10.0, 0.0]]), np.array([[0.96, 0.04]])) == 1
    assert mode_coverage(np.zeros((1, 2)), np.array([[0.5, 0.5]])) is None
