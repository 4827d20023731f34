"""The paper's vote and the mean draw, by hand and against plain dense implementations."""

from __future__ import annotations

import numpy as np
import pytest

from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.ranking import (
    N_NEIGHBOURS,
    Draws,
    Means,
    Ranking,
    Votes,
    count_distinct,
    count_votes,
    rank_scores,
)
from mmcgan.inference.words.vocabulary import unit_rows


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def cos(degrees: float) -> float:
    return float(np.cos(np.radians(degrees)))


def votes_of(samples: np.ndarray, index: WordIndex, n_neighbours: int = N_NEIGHBOURS) -> Votes:
    """The votes of `samples` (N, S, E)."""
    draws = Draws.of(samples, index)
    return count_votes(draws, draws.neighbours(n_neighbours))


def ranked(words: np.ndarray, samples: np.ndarray, n_neighbours: int, depth: int) -> Ranking:
    """Rank the words for one image with `samples` (S, E)."""
    return votes_of(samples[None], WordIndex(words), n_neighbours).rank(depth)


def plain_cosines(sample: np.ndarray, words: np.ndarray) -> list[float]:
    norm = sum(float(x) ** 2 for x in sample) ** 0.5
    return [sum(float(a) * float(b) for a, b in zip(sample, w, strict=True)) / norm for w in words]


def plain_ranking(
    words: np.ndarray, samples: np.ndarray, n_neighbours: int, bias: np.ndarray | None = None
) -> list[tuple[int, float, float]]:
    """Rank all words for one image without any library: (row, share, mean score), best first.

    A score is a cosine, or where there is a `bias` an inner product and the bias.
    """
    n_words = len(words)
    votes, sums = [0] * n_words, [0.0] * n_words
    for sample in samples:
        if bias is None:
            scores = plain_cosines(sample, words)
        else:
            scores = [
                sum(float(a) * float(b) for a, b in zip(sample, w, strict=True)) + float(c)
                for w, c in zip(words, bias, strict=True)
            ]
        for row in sorted(range(n_words), key=lambda j: -scores[j])[:n_neighbours]:
            votes[row] += 1
        sums = [total + score for total, score in zip(sums, scores, strict=True)]
    total = sum(votes)
    result = [(j, votes[j] / total, sums[j] / len(samples)) for j in range(n_words)]
    return sorted(result, key=lambda entry: (-entry[1], -entry[2], entry[0]))


def test_vote_worked_out_by_hand():
    # a 0°, b 90°, c 180°, d 45°; each sample votes for two words:
    # 10°: a (10° away), d (35°); 80°: b, d; 100°: b (10°), d (55°); 165°: c (15°), b (75°)
    # → b 3, d 3, a 1, c 1 of 8 votes.
    words, samples = at(0, 90, 180, 45), at(10, 80, 100, 165)
    ranking = ranked(words, samples, n_neighbours=2, depth=4)
    mean_a = (cos(10) + cos(80) + cos(100) + cos(165)) / 4
    mean_b = (cos(80) + cos(10) + cos(10) + cos(75)) / 4
    mean_d = (cos(35) + cos(35) + cos(55) + cos(120)) / 4
    assert mean_b > mean_d
    assert mean_a > -mean_a  # a before c, which lies opposite
    assert ranking.rows.tolist() == [[1, 3, 0, 2]]
    assert ranking.scores.tolist() == [[3 / 8, 3 / 8, 1 / 8, 1 / 8]]
    assert np.allclose(ranking.tie_breaks, [[mean_b, mean_d, mean_a, -mean_a]], atol=1e-6)


def test_vote_counts_whole_samples_whatever_their_length():
    words, samples = at(0, 90), at(10, 80, 85)
    scaled = samples * np.array([[1000.0], [0.001], [3.0]], np.float32)
    for given in (samples, scaled):
        ranking = ranked(words, given, n_neighbours=1, depth=2)
        assert ranking.rows.tolist() == [[1, 0]]
        assert np.allclose(ranking.scores, [[2 / 3, 1 / 3]])


def test_words_without_a_vote_follow_by_mean_cosine_with_score_0():
    # The one sample at 0° votes for row 2; the others follow by their distance from it.
    words = at(170, -40, 5, 60, -100)
    ranking = ranked(words, at(0), n_neighbours=1, depth=5)
    assert ranking.rows.tolist() == [[2, 1, 3, 4, 0]]
    assert ranking.scores.tolist() == [[1, 0, 0, 0, 0]]
    expected = [cos(5), cos(40), cos(60), cos(100), cos(170)]
    assert np.allclose(ranking.tie_breaks, [expected], atol=1e-6)


def test_ties_of_votes_and_cosine_go_by_dictionary_order():
    words = at(30, 0, 0, 30, 0)
    ranking = ranked(words, at(0), n_neighbours=3, depth=5)
    assert ranking.rows.tolist() == [[1, 2, 4, 0, 3]]
    assert np.allclose(ranking.scores, [[1 / 3, 1 / 3, 1 / 3, 0, 0]])


@pytest.mark.parametrize("n_samples", [1, 2, 17])
@pytest.mark.parametrize("n_neighbours", [1, 4, 20, 100])
def test_vote_equals_a_plain_implementation(n_samples, n_neighbours):
    random = np.random.default_rng(n_samples + n_neighbours)
    words = unit_rows(random.normal(size=(60, 8)))
    centres = 2 * random.normal(size=(4, 1, 8))
    samples = (centres + random.normal(size=(4, n_samples, 8))).astype(np.float32)
    bias = random.normal(size=60).astype(np.float32)
    for given in (None, bias):
        votes = votes_of(samples, WordIndex(words, given), n_neighbours)
        for depth in (1, 10, 60, 100):
            ranking = votes.rank(depth)
            assert ranking.rows.shape == (4, min(depth, 60))
            assert_equals_the_plain_one(ranking, words, samples, n_neighbours, given)


def assert_equals_the_plain_one(ranking, words, samples, n_neighbours, bias):
    for image in range(len(samples)):
        expected = plain_ranking(words, samples[image], n_neighbours, bias)
        rows, shares, means = zip(*expected[: ranking.rows.shape[1]], strict=True)
        assert ranking.rows[image].tolist() == list(rows)
        assert np.allclose(ranking.scores[image], shares, atol=1e-6)
        assert np.allclose(ranking.tie_breaks[image], means, atol=1e-6 if bias is None else 1e-5)


def test_vote_has_the_papers_20_neighbours():
    assert N_NEIGHBOURS == 20
    words = unit_rows(np.random.default_rng(0).normal(size=(50, 4)))
    votes = votes_of(words[:1, None], WordIndex(words))
    assert votes.shares.nnz == 20


@pytest.mark.parametrize("depth", [1, 3, 7, 30])
def test_zero_vectors_vote_for_someone_and_are_no_error(depth):
    # A zero vector has no direction: all cosines are 0, so dictionary order decides.
    words = unit_rows(np.random.default_rng(0).normal(size=(30, 4)))
    ranking = ranked(words, np.zeros((5, 4), np.float32), n_neighbours=3, depth=depth)
    assert ranking.rows.tolist() == [list(range(depth))]
    assert np.allclose(ranking.scores[0, :3], 1 / 3)
    assert not ranking.scores[0, 3:].any()
    assert not ranking.tie_breaks.any()


def test_a_vocabulary_of_one_word_takes_all_votes():
    ranking = ranked(at(90), at(0, 10, 200), n_neighbours=20, depth=10)
    assert (ranking.rows.tolist(), ranking.scores.tolist()) == ([[0]], [[1.0]])


def test_votes_of_an_image_do_not_depend_on_the_others():
    random = np.random.default_rng(3)
    index = WordIndex(unit_rows(random.normal(size=(40, 5))))
    samples = random.normal(size=(6, 9, 5)).astype(np.float32)
    together = votes_of(samples, index).rank(40)
    alone = Ranking.join([votes_of(samples[i : i + 1], index).rank(40) for i in range(6)])
    assert together.rows.tolist() == alone.rows.tolist()
    assert np.array_equal(together.scores, alone.scores)


def test_count_distinct_counts_the_nearest_words_of_an_image():
    words = WordIndex(at(0, 90, 180))
    samples = np.stack([at(1, 2, 3), at(1, 91, 2), at(1, 91, 181)])
    assert count_distinct(Draws.of(samples, words).nearest).tolist() == [1, 2, 3]
    assert count_distinct(Draws.of(samples[:, :1], words).nearest).tolist() == [1, 1, 1]


def test_scores_of_gives_shares_and_mean_cosines_of_chosen_words():
    votes = votes_of(at(10, 80)[None], WordIndex(at(0, 90, 180)), 1)
    shares, cosines = votes.scores_of(np.array([2, 0]))
    assert shares.tolist() == [[0.0, 0.5]]
    mean = (cos(10) + cos(80)) / 2
    assert np.allclose(cosines, [[-mean, mean]], atol=1e-6)


# The draws and their nearest words.


def test_nearest_is_the_first_of_a_draws_neighbours():
    draws = Draws(at(10, 80, 170)[None], WordIndex(at(0, 90, 180)))
    assert draws.nearest.tolist() == [[0, 1, 2]]
    assert draws.neighbours(2).tolist() == [[[0, 1], [1, 0], [2, 1]]]
    assert draws.neighbours(9).shape == (1, 3, 3)


def test_mean_scores_are_those_of_each_draw_on_average():
    random = np.random.default_rng(0)
    words, bias = random.normal(size=(30, 4)), random.normal(size=30)
    samples = random.normal(size=(5, 7, 4)).astype(np.float32)
    index = WordIndex(words.astype(np.float32), bias.astype(np.float32))
    draws = Draws.of(samples, index)
    dense = (samples @ words.T + bias).mean(axis=1)
    assert np.allclose(draws.means.logits(np.arange(30)), dense, atol=1e-5)
    rows = random.integers(30, size=(5, 6))
    expected = np.take_along_axis(dense, rows, axis=1)
    assert np.allclose(draws.means.logits(rows), expected, atol=1e-5)


def test_bias_changes_which_word_is_nearest():
    samples = at(10)[None]
    words = at(0, 90)
    for bias, nearest in (([0, 0], 0), ([0, 2], 1)):
        index = WordIndex(words, np.array(bias, np.float32))
        assert Draws.of(samples, index).nearest.tolist() == [[nearest]]


# The words of the mean draw.


def means_of(samples: np.ndarray, index: WordIndex) -> Means:
    return Draws.of(samples, index).means


def test_means_worked_out_by_hand():
    # Draws 1 and 3 on a line: mean 2; logits of the words 1, -1, 1/2 with biases 0, 4, 0: 2, 2, 1.
    words = np.array([[1], [-1], [0.5]], np.float32)
    index = WordIndex(words, np.array([0, 4, 0], np.float32))
    ranking = means_of(np.array([[[1.0], [3.0]]], np.float32), index).rank(3)
    assert ranking.rows.tolist() == [[0, 1, 2]]  # the tie by dictionary order
    sigmoid = [1 / (1 + np.exp(-logit)) for logit in (2, 2, 1)]
    assert np.allclose(ranking.scores, [sigmoid], atol=1e-6)
    assert ranking.tie_breaks.tolist() == [[0, 0, 0]]


def test_means_without_a_bias_are_mean_cosines():
    ranking = means_of(5 * at(10, 80)[None], WordIndex(at(0, 90, 40))).rank(3)
    mean = (cos(10) + cos(80)) / 2
    assert ranking.rows.tolist() == [[2, 0, 1]]
    assert np.allclose(ranking.scores, [[(cos(30) + cos(40)) / 2, mean, mean]], atol=1e-6)


@pytest.mark.parametrize("n_samples", [1, 2, 100])
def test_means_equal_the_dense_scores_of_all_words(n_samples):
    """sigmoid(mean over draws of (draws · words + bias)), every word, without a search."""
    random = np.random.default_rng(n_samples)
    n_words, n_images = 4000, 50
    words = random.normal(size=(n_words, 24)).astype(np.float32)
    bias = random.normal(-4, 1.5, size=n_words).astype(np.float32)
    centres = random.normal(size=(n_images, 1, 24))
    samples = 0.5 * (centres + random.normal(size=(n_images, n_samples, 24)))
    samples = samples.astype(np.float32)
    exact = samples.astype(np.float64) @ words.T.astype(np.float64) + bias
    dense = 1 / (1 + np.exp(-exact.mean(axis=1)))
    ranking = means_of(samples, WordIndex(words, bias)).rank(100)
    expected = rank_scores(dense, 100)
    assert (ranking.rows[:, :10] == expected.rows[:, :10]).mean() >= 0.99
    overlaps = [len(set(a) & set(b)) for a, b in zip(ranking.rows, expected.rows, strict=True)]
    assert np.mean(overlaps) >= 99
    own = np.take_along_axis(dense, ranking.rows, axis=1)
    assert np.allclose(ranking.scores, own, atol=1e-5)
    assert (np.diff(ranking.scores, axis=1) <= 0).all()


def test_means_break_ties_by_dictionary_order():
    # Four words are the same; the draws prefer them to the two others.
    words = np.array([[1, 0], [0, 1], [1, 0], [1, 0], [-1, 0], [1, 0]], np.float32)
    index = WordIndex(words, np.zeros(6, np.float32))
    ranking = means_of(np.array([[[2.0, 0.5], [4.0, 0.5]]], np.float32), index).rank(6)
    assert ranking.rows.tolist() == [[0, 2, 3, 5, 1, 4]]
    assert len(set(ranking.scores[0, :4].tolist())) == 1


def test_means_give_no_more_than_all_words():
    index = WordIndex(at(0, 90, 45), np.zeros(3, np.float32))
    assert means_of(at(10)[None], index).rank(100).rows.tolist() == [[0, 2, 1]]


@pytest.mark.parametrize("bias", [None, np.array([0.5, -1, 0, 2], np.float32)])
def test_scores_of_chosen_words_are_those_of_the_ranking(bias):
    samples = np.stack([at(10, 80), at(200, 300)])
    draws = Draws.of(samples, WordIndex(at(0, 90, 180, 270), bias))
    for ranked in (draws.means, count_votes(draws)):
        ranking, rows = ranked.rank(4), np.array([2, 0, 3])
        scores, ties = ranked.scores_of(rows)
        for image in range(2):
            place = [ranking.rows[image].tolist().index(row) for row in rows]
            assert np.allclose(scores[image], ranking.scores[image, place], atol=1e-6)
            assert np.allclose(ties[image], ranking.tie_breaks[image, place], atol=1e-6)


def test_means_of_an_image_do_not_depend_on_the_others():
    random = np.random.default_rng(3)
    words, bias = random.normal(size=(40, 5)), random.normal(size=40)
    index = WordIndex(words.astype(np.float32), bias.astype(np.float32))
    samples = random.normal(size=(6, 9, 5)).astype(np.float32)
    together = means_of(samples, index).rank(40)
    alone = Ranking.join([means_of(samples[i : i + 1], index).rank(40) for i in range(6)])
    assert together.rows.tolist() == alone.rows.tolist()
    assert np.allclose(together.scores, alone.scores, atol=1e-6)


def test_vote_and_mean_may_differ():
    # Two of three draws vote for the first word; the mean lies nearest to the second.
    words, samples = at(0, 60, 180), at(10, 10, 120)[None]
    index = WordIndex(words)
    assert votes_of(samples, index, 1).rank(1).rows.tolist() == [[0]]
    assert means_of(samples, index).rank(1).rows.tolist() == [[1]]


# Ranking of dense scores.


def test_rank_scores_breaks_ties_by_row():
    scores = np.array([[1.0, 2.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    ranking = rank_scores(scores, 4)
    assert ranking.rows.tolist() == [[1, 3, 0, 2], [0, 1, 2, 3]]
    assert ranking.scores.tolist() == [[2, 2, 1, 1], [0, 0, 0, 0]]
    assert not ranking.tie_breaks.any()


@pytest.mark.parametrize("depth", [1, 2, 7, 30, 40])
@pytest.mark.parametrize("n_different", [1, 2, 5, 1000])
def test_rank_scores_sorts_the_best_as_it_would_all(depth, n_different):
    scores = np.random.default_rng(depth).integers(-n_different, n_different, (20, 30)) / 3
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    ranking = rank_scores(scores, depth)
    assert ranking.rows.tolist() == order.tolist()
    assert ranking.scores.tolist() == np.take_along_axis(scores.astype("f4"), order, 1).tolist()


def test_rank_scores_puts_what_is_no_number_last():
    scores = np.array([[np.nan, 1.0, np.nan, 2.0], [np.nan] * 4])
    assert rank_scores(scores, 3).rows.tolist() == [[3, 1, 0], [0, 1, 2]]


def test_rank_scores_of_no_photo_has_the_depth():
    assert rank_scores(np.zeros((0, 5)), 3).rows.shape == (0, 3)


def test_rank_scores_gives_no_more_than_all_words():
    assert rank_scores(np.eye(2), 10).rows.tolist() == [[0, 1], [1, 0]]


def test_ranking_top_is_the_beginning():
    ranking = rank_scores(np.array([[3.0, 1.0, 2.0]]), 3)
    assert ranking.top(2).rows.tolist() == [[0, 2]]
    assert ranking.top(2).scores.tolist() == [[3, 2]]
    assert ranking.top(2).tie_breaks.shape == (1, 2)
