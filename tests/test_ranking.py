"""The paper's vote, worked out by hand and against a plain dense implementation."""

from __future__ import annotations

import numpy as np
import pytest

from mmcgan.index import WordIndex
from mmcgan.ranking import N_NEIGHBOURS, Ranking, count_votes, rank_scores
from mmcgan.vocabulary import unit_rows


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def cos(degrees: float) -> float:
    return float(np.cos(np.radians(degrees)))


def ranked(words: np.ndarray, samples: np.ndarray, n_neighbours: int, depth: int) -> Ranking:
    """Rank the words for one image with `samples` (S, E)."""
    return count_votes(samples[None], WordIndex(words), n_neighbours).rank(depth)


def plain_ranking(
    words: np.ndarray, samples: np.ndarray, n_neighbours: int
) -> list[tuple[int, float, float]]:
    """Rank all words for one image without any library: (row, share, mean cosine), best first."""
    n_words = len(words)
    votes, sums = [0] * n_words, [0.0] * n_words
    for sample in samples:
        norm = sum(float(x) ** 2 for x in sample) ** 0.5
        cosines = [sum(float(a) * float(b) for a, b in zip(sample, w, strict=True)) / norm
                   for w in words]  # fmt: skip
        for row in sorted(range(n_words), key=lambda j: -cosines[j])[:n_neighbours]:
            votes[row] += 1
        sums = [total + cosine for total, cosine in zip(sums, cosines, strict=True)]
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
    votes = count_votes(samples, WordIndex(words), n_neighbours)
    for depth in (1, 10, 60, 100):
        ranking = votes.rank(depth)
        assert ranking.rows.shape == (4, min(depth, 60))
        for image in range(4):
            expected = plain_ranking(words, samples[image], n_neighbours)[:depth]
            rows, shares, means = zip(*expected, strict=True)
            assert ranking.rows[image].tolist() == list(rows)
            assert np.allclose(ranking.scores[image], shares, atol=1e-6)
            assert np.allclose(ranking.tie_breaks[image], means, atol=1e-6)


def test_vote_has_the_papers_20_neighbours():
    assert N_NEIGHBOURS == 20
    words = unit_rows(np.random.default_rng(0).normal(size=(50, 4)))
    votes = count_votes(words[:1, None], WordIndex(words))
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
    together = count_votes(samples, index).rank(40)
    alone = Ranking.join([count_votes(samples[i : i + 1], index).rank(40) for i in range(6)])
    assert together.rows.tolist() == alone.rows.tolist()
    assert np.array_equal(together.scores, alone.scores)


def test_n_distinct_counts_the_nearest_words_of_an_image():
    words = WordIndex(at(0, 90, 180))
    samples = np.stack([at(1, 2, 3), at(1, 91, 2), at(1, 91, 181)])
    assert count_votes(samples, words, 2).n_distinct().tolist() == [1, 2, 3]
    assert count_votes(samples[:, :1], words, 2).n_distinct().tolist() == [1, 1, 1]


def test_scores_of_gives_shares_and_mean_cosines_of_chosen_words():
    votes = count_votes(at(10, 80)[None], WordIndex(at(0, 90, 180)), 1)
    shares, cosines = votes.scores_of(np.array([2, 0]))
    assert shares.tolist() == [[0.0, 0.5]]
    mean = (cos(10) + cos(80)) / 2
    assert np.allclose(cosines, [[-mean, mean]], atol=1e-6)


def test_rank_scores_breaks_ties_by_the_second_score_then_by_row():
    scores = np.array([[1.0, 2.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    ties = np.array([[0.1, 0.0, 0.3, 0.0], [0.0, 5.0, 0.0, 6.0]])
    assert rank_scores(scores, 4).rows.tolist() == [[1, 3, 0, 2], [0, 1, 2, 3]]
    ranking = rank_scores(scores, 3, ties)
    assert ranking.rows.tolist() == [[1, 3, 2], [3, 1, 0]]
    assert ranking.scores.tolist() == [[2, 2, 1], [0, 0, 0]]
    assert np.allclose(ranking.tie_breaks, [[0, 0, 0.3], [6, 5, 0]])


def test_rank_scores_gives_no_more_than_all_words():
    assert rank_scores(np.eye(2), 10).rows.tolist() == [[0, 1], [1, 0]]


def test_ranking_top_is_the_beginning():
    ranking = rank_scores(np.array([[3.0, 1.0, 2.0]]), 3)
    assert ranking.top(2).rows.tolist() == [[0, 2]]
    assert ranking.top(2).scores.tolist() == [[3, 2]]
    assert ranking.top(2).tie_breaks.shape == (1, 2)
