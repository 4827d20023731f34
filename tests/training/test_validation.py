"""What is asked of a generator on dev: precision worked out by hand, variances, checks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from mmcgan.inference.words.ranking import Ranking
from mmcgan.training.validation import (
    Variances,
    find_hits,
    generator_checks,
    mean_precision,
    run_checks,
)


def ranking_of(*rows: list[int]) -> Ranking:
    scores = np.tile(-np.arange(len(rows[0]), dtype=np.float32), (len(rows), 1))
    return Ranking(np.array(rows, np.int32), scores, np.zeros_like(scores))


def relevant_of(*lists: list[int], n_words: int = 6) -> sparse.csr_array:
    table = np.zeros((len(lists), n_words), np.float32)
    for row, words in zip(table, lists, strict=True):
        row[words] = 1
    return sparse.csr_array(table)


def test_hits_are_where_a_words_rank_is_relevant():
    hits = find_hits(ranking_of([4, 0, 2], [1, 5, 3]), relevant_of([0, 4], [5]))
    assert hits.tolist() == [[True, True, False], [False, True, False]]


def test_mean_precision_skips_images_without_a_relevant_word():
    ranking = ranking_of([4, 0, 2], [1, 5, 3], [0, 1, 2])
    # 2 of 2 and 0 of 2 in the first two ranks; the second image has no tag.
    relevant = relevant_of([0, 4], [], [5])
    assert mean_precision(ranking, relevant, 2) == pytest.approx(0.5)
    # Divided by 10 where there are three words.
    assert mean_precision(ranking, relevant) == pytest.approx(0.1)
    assert mean_precision(ranking, relevant_of([], [], [])) == 0


def test_share_of_the_variance_within_images_worked_out_by_hand():
    # Within: 1 + 1 and 0 + 0, around 0 in all: 1 + 1 + 9 + 9 with means 0, of ±3 none.
    variances = Variances()
    variances.add(np.array([[[1.0], [-1.0]]], np.float32))
    variances.add(np.array([[[3.0], [3.0]], [[-3.0], [-3.0]]], np.float32))
    assert variances.share_within() == pytest.approx(2 / 38)


def test_where_nothing_varies_there_is_no_share():
    variances = Variances()
    variances.add(np.full((2, 3, 4), 0.5, np.float32))
    assert variances.share_within() is None


@pytest.mark.parametrize(
    ("distinct", "share", "passed"), [(10.0, 0.5, [True, True]), (9.9, 0.995, [False, False])]
)
def test_generator_is_checked_by_what_is_known(distinct, share, passed):
    values = {"distinct_words": distinct, "noise_variance_share": share}
    checks = run_checks(generator_checks(100), values)
    assert [check["passed"] for check in checks] == passed
    assert [check["value"] for check in checks] == [distinct, share]
    assert "vocabulary_coverage" in {check.name for check in generator_checks(100)}
    assert run_checks(generator_checks(100), {"distinct_words": None}) == []


def test_of_few_words_as_many_are_wanted_as_there_are():
    (check,) = run_checks(generator_checks(4), {"distinct_words": 4.0})
    assert (check["target"], check["passed"]) == ("at least 4", True)
