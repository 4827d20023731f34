"""Metrics against values worked out by hand, brute force over tied orders, and scikit-learn."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from helpers.rankings import rank_with_ties
from scipy import sparse
from sklearn.metrics import average_precision_score, precision_score, recall_score

from eval.figures.bootstrap import figure, mean_figure, resample_counts
from eval.figures.metrics import (
    DESCRIPTIONS,
    METRICS,
    RankingWithTruth,
    expected_map,
    mean_precision,
)
from mmcgan.inference.words.ranking import Ranking


def judged(scores, relevant, ties=None, vectors=None, depth=1000):
    """Rank the words by `scores` (N, V) and set them beside `relevant` (N, V)."""
    relevant = np.asarray(relevant, np.float32)
    vectors = np.eye(relevant.shape[1], dtype=np.float32) if vectors is None else vectors
    scores = np.asarray(scores, np.float32)
    ties = np.zeros_like(scores) if ties is None else ties
    ranking = rank_with_ties(scores, ties, depth)
    return RankingWithTruth(ranking, sparse.csr_array(relevant), np.asarray(vectors, np.float32))


def brute_average_precision(groups, relevant, n_relevant):
    """Average over all orders within tie groups; `groups` is a list of lists of items."""
    values = []
    for orders in product(*(permutations(group) for group in groups)):
        ranked = [item for order in orders for item in order]
        hits = np.array([item in relevant for item in ranked])
        precision = np.cumsum(hits) / np.arange(1, len(ranked) + 1)
        values.append((precision * hits).sum() / n_relevant)
    return float(np.mean(values))


# 12 words ranked 0, 1, …, 11; words 0, 3, 5 and 11 are relevant.
SCORES = [np.arange(12, 0, -1.0)]
RELEVANT = [[1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("P@1", 1.0),  # word 0 hits
        ("P@5", 0.4),  # words 0 and 3 of five
        ("P@10", 0.3),  # words 0, 3 and 5 of ten
        ("R@1", 0.25),  # one of four
        ("R@5", 0.5),
        ("R@10", 0.75),
        ("MiAP", (1 / 1 + 2 / 4 + 3 / 6 + 4 / 12) / 4),  # precision at ranks 1, 4, 6, 12
        ("semantic_P@10", 0.3),  # orthogonal words: only hits count
    ],
)
def test_metric_gives_the_value_worked_out_by_hand(name, value):
    assert METRICS[name](judged(SCORES, RELEVANT)) == pytest.approx([value])


def test_precision_divides_by_k_when_the_vocabulary_is_smaller():
    one = judged([[3.0, 2.0, 1.0]], [[1, 1, 0]])
    assert METRICS["P@5"](one) == pytest.approx([2 / 5])
    assert METRICS["P@10"](one) == pytest.approx([2 / 10])
    assert METRICS["R@10"](one) == pytest.approx([1.0])
    assert METRICS["semantic_P@10"](one) == pytest.approx([2 / 10])


@pytest.mark.parametrize("name", METRICS)
def test_image_without_a_relevant_word_has_no_value(name):
    values = METRICS[name](judged([[3.0, 2.0, 1.0]] * 2, [[0, 0, 0], [1, 0, 0]]))
    assert np.isnan(values[0])
    assert values[1] > 0


@pytest.mark.parametrize("name", METRICS)
def test_no_images_give_no_values(name):
    empty = Ranking(np.zeros((0, 3), np.int32), *np.zeros((2, 0, 3), np.float32))
    none = RankingWithTruth(
        empty, sparse.csr_array((0, 3), dtype=np.float32), np.eye(3, dtype=np.float32)
    )
    assert METRICS[name](none).shape == (0,)


def test_precision_takes_tied_words_in_dictionary_order():
    tied = judged([[1.0, 1.0, 1.0, 0.0]], [[0, 0, 1, 0]])
    assert METRICS["P@1"](tied) == [0.0]  # word 0 stands first, though word 2 has the same score


def test_miap_expects_random_order_among_ties():
    # Words 0 and 1 share the best score, word 0 is relevant: rank 1 or 2, (1 + 1/2) / 2.
    assert METRICS["MiAP"](judged([[1.0, 1.0, 0.0]], [[1, 0, 0]])) == pytest.approx([0.75])
    # The same whichever of the two it is: order in the dictionary earns nothing.
    assert METRICS["MiAP"](judged([[1.0, 1.0, 0.0]], [[0, 1, 0]])) == pytest.approx([0.75])


def test_miap_uses_the_tie_break_before_random_order():
    tied = judged([[1.0, 1.0, 0.0]], [[0, 1, 0]], ties=np.array([[0.2, 0.5, 0.9]]))
    assert METRICS["MiAP"](tied) == pytest.approx([1.0])


@pytest.mark.parametrize("seed", range(6))
def test_miap_equals_the_mean_over_all_tied_orders(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, 7).astype(float)
    relevant = (rng.random(7) < 0.5).astype(int)
    relevant[0] = 1
    groups = [list(np.flatnonzero(scores == s)) for s in sorted(set(scores), reverse=True)]
    wanted = brute_average_precision(groups, set(np.flatnonzero(relevant)), relevant.sum())
    assert METRICS["MiAP"](judged([scores], [relevant])) == pytest.approx([wanted])


def test_miap_counts_hits_below_the_stored_depth_as_misses():
    # Word 0 at rank 1 is found; word 11 lies below depth 5: 1 / 2.
    cut = judged(SCORES, [[1] + [0] * 10 + [1]], depth=5)
    assert METRICS["MiAP"](cut) == pytest.approx([0.5])


def test_miap_takes_a_tie_group_at_the_cut_as_it_is_stored():
    # Four tied words, two stored, of which one is relevant: (1 + 1/2) / 2 over two relevant.
    cut = judged([[1.0, 1.0, 1.0, 1.0]], [[1, 0, 1, 0]], depth=2)
    assert METRICS["MiAP"](cut) == pytest.approx([0.75 / 2])


def test_miap_agrees_with_scikit_learn_without_ties():
    rng = np.random.default_rng(0)
    scores, relevant = rng.random((20, 30)), rng.random((20, 30)) < 0.2
    relevant[:, 0] = True
    wanted = [average_precision_score(r, s) for r, s in zip(relevant, scores, strict=True)]
    assert METRICS["MiAP"](judged(scores, relevant)) == pytest.approx(wanted, abs=1e-6)


def test_precision_and_recall_agree_with_scikit_learn():
    rng = np.random.default_rng(1)
    scores, relevant = rng.random((20, 30)), rng.random((20, 30)) < 0.2
    relevant[:, 0] = True
    chosen = np.argsort(np.argsort(-scores, axis=1), axis=1) < 5
    case = judged(scores, relevant)
    assert METRICS["P@5"](case) == pytest.approx(
        [precision_score(r, c) for r, c in zip(relevant, chosen, strict=True)]
    )
    assert METRICS["R@5"](case) == pytest.approx(
        [recall_score(r, c) for r, c in zip(relevant, chosen, strict=True)]
    )


def test_semantic_precision_takes_the_nearest_relevant_word_and_no_negative_cosine():
    # Relevant: word 1 at (1, 0). Cosines with it: .6, 1 (a hit), -1 → 0. Ten places.
    vectors = [[0.6, 0.8], [1.0, 0.0], [-1.0, 0.0]]
    case = judged([[3.0, 2.0, 1.0]], [[0, 1, 0]], vectors=vectors)
    assert METRICS["semantic_P@10"](case) == pytest.approx([1.6 / 10])


def test_semantic_precision_counts_a_hit_without_a_vector():
    case = judged([[2.0, 1.0]], [[1, 0]], vectors=[[0.0, 0.0], [1.0, 0.0]])
    assert METRICS["semantic_P@10"](case) == pytest.approx([1 / 10])


def test_mean_precision_skips_images_without_a_relevant_word():
    case = judged([[3.0, 2.0, 1.0]] * 2, [[0, 0, 0], [1, 1, 0]])
    assert mean_precision(case.ranking, case.relevant) == pytest.approx(0.2)
    nothing = sparse.csr_array((2, 3), dtype=np.float32)
    assert mean_precision(case.ranking, nothing) == 0


def one_concept(scores, relevant, ties=None, counts=None):
    ties = np.zeros(len(scores)) if ties is None else np.asarray(ties)
    column = np.asarray(scores, float)[:, None]
    return expected_map(column, ties[:, None], np.asarray(relevant, bool)[:, None], counts)


def test_concept_map_of_a_clear_ranking():
    # Relevant images at ranks 1 and 3: (1 + 2/3) / 2.
    assert one_concept([0.9, 0.5, 0.7], [1, 1, 0]) == pytest.approx([(1 + 2 / 3) / 2])


def test_concept_map_of_constant_scores_earns_nothing_from_order():
    # One relevant of three, anywhere: (1 + 1/2 + 1/3) / 3, whichever it is.
    for relevant in ([1, 0, 0], [0, 1, 0], [0, 0, 1]):
        assert one_concept([1, 1, 1], relevant) == pytest.approx([(1 + 1 / 2 + 1 / 3) / 3])


def test_concept_map_of_constant_scores_tends_to_the_prevalence():
    relevant = np.arange(4000) % 10 == 0
    assert one_concept(np.ones(4000), relevant) == pytest.approx([0.1], abs=0.003)


def test_concept_map_uses_the_tie_break_before_random_order():
    assert one_concept([1, 1], [0, 1], ties=[0.1, 0.2]) == pytest.approx([1.0])


@pytest.mark.parametrize("seed", range(6))
def test_concept_map_equals_the_mean_over_all_tied_orders(seed):
    rng = np.random.default_rng(seed)
    scores, relevant = rng.integers(0, 3, 7), rng.random(7) < 0.5
    relevant[3] = True
    groups = [list(np.flatnonzero(scores == s)) for s in sorted(set(scores), reverse=True)]
    wanted = brute_average_precision(groups, set(np.flatnonzero(relevant)), relevant.sum())
    assert one_concept(scores, relevant) == pytest.approx([wanted])


def test_concept_map_agrees_with_scikit_learn_and_leaves_out_empty_concepts():
    rng = np.random.default_rng(2)
    scores, relevant = rng.random((50, 4)), rng.random((50, 4)) < 0.3
    relevant[:, 2] = False
    wanted = np.mean([average_precision_score(relevant[:, c], scores[:, c]) for c in (0, 1, 3)])
    assert expected_map(scores, np.zeros_like(scores), relevant) == pytest.approx([wanted])


def test_concept_map_without_any_relevant_image_is_not_a_number():
    assert np.isnan(one_concept([1.0, 2.0], [0, 0])).all()
    assert np.isnan(expected_map(*np.zeros((2, 3, 0)), np.zeros((3, 0), bool))).all()


def test_concept_map_treats_an_image_drawn_twice_as_two_tied_items():
    # Resample: the first image twice, the second not at all, the third once.
    counts = np.array([[2, 1], [0, 1], [1, 1]], np.int32)
    values = one_concept([0.9, 0.8, 0.7], [0, 1, 1], counts=counts)
    # Two misses first, then a hit: 1/3. All once: hits at ranks 2 and 3.
    assert values == pytest.approx([1 / 3, (1 / 2 + 2 / 3) / 2])


@pytest.mark.parametrize("seed", range(4))
def test_concept_map_of_a_resample_equals_that_of_the_repeated_images(seed):
    rng = np.random.default_rng(seed)
    scores, relevant = rng.integers(0, 4, 30).astype(float), rng.random(30) < 0.4
    counts = resample_counts(30, seed, n_resamples=5)
    wanted = [one_concept(np.repeat(scores, c), np.repeat(relevant, c))[0] for c in counts.T]
    assert one_concept(scores, relevant, counts=counts) == pytest.approx(wanted)


def test_resample_counts_draw_as_many_images_as_there_are():
    counts = resample_counts(7, seed=0, n_resamples=50)
    assert counts.shape == (7, 50)
    assert (counts.sum(axis=0) == 7).all()
    assert (counts == resample_counts(7, seed=0, n_resamples=50)).all()
    assert (counts != resample_counts(7, seed=1, n_resamples=50)).any()


def test_mean_figure_matches_the_normal_interval_of_a_mean():
    rng = np.random.default_rng(0)
    values = rng.random(500)
    found = mean_figure(values, resample_counts(500, seed=0))
    error = values.std() / np.sqrt(500)
    assert found["value"] == pytest.approx(values.mean())
    assert found["low"] == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert found["high"] == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_mean_figure_leaves_out_images_without_a_value():
    counts = resample_counts(4, seed=0)
    found = mean_figure(np.array([0.5, np.nan, 0.5, np.nan]), counts)
    assert found == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert mean_figure(np.full(4, np.nan), counts) is None
    assert mean_figure(np.zeros(0), resample_counts(0, seed=0)) is None


def test_figure_is_none_where_there_is_no_value():
    assert figure(float("nan"), np.array([np.nan])) is None


def test_every_metric_is_described():
    assert set(METRICS) < set(DESCRIPTIONS)
    assert all(len(text) > 20 for text in DESCRIPTIONS.values())
