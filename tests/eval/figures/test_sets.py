"""Tag sets: pairs that never met, the energy score and the classifier, by hand."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from scipy import sparse

from eval.figures import sets as s
from eval.figures.bootstrap import resample_counts
from eval.figures.sets import (
    Cooccurrence,
    energy_scores,
    independent_sets,
    never_together,
    real_sets,
)
from mmcgan.inference.words.vocabulary import unit_rows


def csr(rows) -> sparse.csr_array:
    return sparse.csr_array(np.array(rows, np.float32))


# Words 0 1 2 3 are on 3, 2, 2 and 1 of four photos. Never together: 1 and 3, 2 and 3.
TRAIN = csr([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1], [0, 0, 1, 0]])
COMPANY = Cooccurrence.of(TRAIN)
PLANE = np.array([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]], np.float32)


def share(sets, min_photos: int = 0):
    sets = np.array(sets)
    found = never_together(sets, COMPANY, resample_counts(len(sets), 0), min_photos)
    return found and found["value"]


def test_company_counts_words_and_pairs():
    assert COMPANY.n_photos.tolist() == [3, 2, 2, 1]
    assert COMPANY.pairs.toarray().tolist() == [
        [3, 2, 1, 1],
        [2, 2, 1, 0],
        [1, 1, 2, 0],
        [1, 0, 0, 1],
    ]
    assert COMPANY.n_images == 4


def test_log_lift_compares_with_chance():
    # 0 and 1: 2 photos, 3 · 2 / 4 = 1.5 by chance; 1 and 3: none, ½ by chance.
    lifts = COMPANY.log_lift(np.array([0, 1]), np.array([1, 3]))
    assert lifts == pytest.approx([log(3 / 2.5), log(1 / 1.5)])


def test_never_together_is_a_share_of_all_pairs():
    # {0, 1, 2} has 3 pairs, all seen; {1, 2, 3} has 3, of which 1-3 and 2-3 are not.
    assert share([[[0, 1, 2]], [[1, 2, 3]]]) == pytest.approx(2 / 6)
    assert share([[[0, 1, 2], [1, 2, 3]]]) == pytest.approx(2 / 6)


def test_never_together_weighs_pairs_not_sets():
    # One pair, not seen, and three, all seen: 1 of 4; a set of one word has no pair.
    assert share([[[1, 3, -1]], [[0, 1, 2]], [[3, -1, -1]]]) == pytest.approx(1 / 4)
    assert share([[[0, -1]], [[-1, -1]]]) is None


def test_never_together_of_frequent_words_leaves_out_rare_ones():
    # Word 3 is on one photo only: of {1, 2, 3} the pair 1-2 is left, which is seen.
    assert share([[[1, 2, 3]]], min_photos=2) == 0
    assert share([[[1, 3]]], min_photos=2) is None


def test_never_together_has_an_interval_over_images():
    sets = np.array([[[0, 1]], [[1, 3]]] * 50)
    found = never_together(sets, COMPANY, resample_counts(100, 0))
    assert found["value"] == 0.5
    assert found["low"] == pytest.approx(0.4, abs=0.02)  # ½ ± 1.96 · √(¼ / 100)
    assert found["high"] == pytest.approx(0.6, abs=0.02)


def test_real_sets_are_the_tags_and_a_seeded_choice_of_many():
    tags = csr([[0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
    sets = real_sets(tags, 2, seed=0)
    assert sets[0].tolist() == [1, 3]
    assert len(set(sets[1])) == 2
    assert sets[2].tolist() == [-1, -1]
    assert (real_sets(tags, 2, seed=0) == sets).all()
    assert {tuple(sorted(real_sets(tags, 2, seed)[1])) for seed in range(30)} >= {(0, 1), (2, 3)}


def test_independent_sets_take_each_word_from_another_draw():
    # Draw r has the words 10 r … 10 r + 3, so that its number is the word // 10.
    sets = (np.arange(5)[:, None] * 10 + np.arange(4))[None].repeat(3, axis=0)
    dealt = independent_sets(sets, seed=1)
    assert dealt.shape == sets.shape
    assert (dealt % 10 == np.arange(4)).all()  # the place in the set stays
    for made in dealt.reshape(-1, 4):
        assert len(set(made // 10)) == 4
    # Each word is dealt once a photo, and not alike to all photos.
    assert (np.sort(dealt, axis=1) == sets).all()
    assert (dealt[0] != dealt[1]).any()


def test_independent_sets_skip_words_that_they_have():
    # Both draws name word 7 first or second; no set has a word twice.
    sets = np.array([[[7, 1, 2], [3, 7, 4]]])
    dealt = independent_sets(sets, seed=0)
    by_first = {made[0]: made.tolist() for made in dealt[0]}
    # 7, then second of draw 1, which is 7 again, so 4; then third of draw 0.
    assert by_first[7] == [7, 4, 2]
    # 3, then second of draw 0, then third of draw 1.
    assert by_first[3] == [3, 1, 4]


def test_independent_sets_hold_no_word_twice_whatever_the_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    sets = rng.permuted(np.tile(np.arange(8), (5, 3, 1)), axis=2)[:, :, :6]
    dealt = independent_sets(sets, seed=0)
    assert (np.diff(np.sort(dealt, axis=2), axis=2) > 0).all()
    monkeypatch.setattr(s, "BLOCK", 2)
    assert (independent_sets(sets, seed=0) == dealt).all()


def test_energy_score_of_two_draws():
    # y = (1, 0); f = (0, 1) and (-1, 0): distances √2 and 2, and √2 between them.
    found = energy_scores(np.array([[[1], [2]]]), np.array([[0]]), PLANE)
    assert found == pytest.approx([(sqrt(2) + 2) / 2 - sqrt(2) / 2])


def test_energy_score_takes_as_many_words_as_are_real():
    # Two real words: y = (½, ½), f = (½, ½) and (-½, ½), each of the first two words only.
    sets = np.array([[[1, 0, 2], [2, 1, 0]]])
    assert energy_scores(sets, np.array([[0, 1, -1]]), PLANE) == pytest.approx([0.5 - 0.5])
    # One: y = (1, 0), f = (0, 1) and (-1, 0), as above.
    assert energy_scores(sets, np.array([[0, -1, -1]]), PLANE) == pytest.approx([1.0])


def test_energy_score_of_a_certain_set_is_its_distance():
    assert energy_scores(np.array([[[1]]]), np.array([[0]]), PLANE, certain=True) == pytest.approx(
        [sqrt(2)]
    )
    assert np.isnan(energy_scores(np.array([[[1]]]), np.array([[0]]), PLANE)).all()
    assert np.isnan(energy_scores(np.array([[[1]]]), np.array([[-1]]), PLANE, certain=True)).all()


def test_energy_score_prefers_the_truth_to_one_word_and_to_all():
    # The real word is 0 or 1, as likely; so are the best draws.
    rng = np.random.default_rng(0)
    real = rng.integers(2, size=(400, 1))

    def mean(words) -> float:
        return energy_scores(rng.choice(words, size=(400, 50, 1)), real, PLANE).mean()

    assert mean([0, 1]) < mean([0]) - 0.1
    assert mean([0, 1]) < mean([0, 1, 2, 2]) - 0.1


def test_set_features_describe_the_company_of_the_words():
    # {0, 1, 3}: cosines 0, .6, .8; pairs 0-1, 0-3, 1-3; 3, 2 and 1 training photos.
    found = s.set_features(np.array([[0, 1, 3], [0, 2, -1]]), COMPANY, PLANE)
    lifts = [log(3 / 2.5), log(2 / 1.75), log(1 / 1.5)]
    logs = [log(4), log(3), log(2)]
    assert found[0] == pytest.approx(
        [1.4 / 3, 0, 0.8, np.mean(lifts), np.mean(logs), np.std(logs), 3]
    )
    # {0, 2}: cosine -1; together once, 1.5 by chance.
    logs = [log(4), log(3)]
    assert found[1] == pytest.approx([-1, -1, -1, log(2 / 2.5), np.mean(logs), np.std(logs), 2])


N_TOPICS, TOPIC = 6, 5
VECTORS = unit_rows(
    np.repeat(np.eye(N_TOPICS), TOPIC, axis=0)
    + 0.3 * np.random.default_rng(9).normal(size=(N_TOPICS * TOPIC, N_TOPICS))
)


def words_of_one_topic(shape, size, seed) -> np.ndarray:
    """Sets of `size` words, each of a single topic."""
    rng = np.random.default_rng(seed)
    words = rng.permuted(np.tile(np.arange(TOPIC), (*shape, 1)), axis=-1)[..., :size]
    return words + TOPIC * rng.integers(N_TOPICS, size=(*shape, 1))


def words_of_any_topic(shape, size, seed) -> np.ndarray:
    everything = np.tile(np.arange(N_TOPICS * TOPIC), (*shape, 1))
    return np.random.default_rng(seed).permuted(everything, axis=-1)[..., :size]


def tags_of(sets) -> sparse.csr_array:
    tags = np.zeros((len(sets), N_TOPICS * TOPIC), np.float32)
    np.put_along_axis(tags, np.asarray(sets), 1, axis=1)
    return sparse.csr_array(tags)


def measured(sets, seed: int = 0) -> dict:
    real, train = words_of_one_topic((200,), 3, 1), words_of_one_topic((500,), 3, 2)
    ranking = words_of_any_topic((200,), 5, 3)
    return s.tag_sets(sets, ranking, tags_of(real), tags_of(train), VECTORS, seed)


@pytest.fixture(scope="module")
def coherent() -> dict:
    """Draws of one topic each, whatever the photo shows: sets that are like real ones."""
    return measured(words_of_one_topic((200, 4), 5, 4))


def test_sets_of_one_draw_that_hold_together_cannot_be_told_from_real_ones(coherent):
    kinds = coherent["kinds"]
    assert kinds["one draw"]["realism"]["value"] == pytest.approx(0.5, abs=0.08)
    assert kinds["one draw"]["realism"]["low"] < 0.5 < kinds["one draw"]["realism"]["high"]
    assert kinds["one draw"]["never_together"]["value"] == 0
    assert kinds["real"]["never_together"]["value"] == 0


def test_independent_words_and_a_mixed_ranking_give_themselves_away(coherent):
    # Of the words of two draws, five in six are of different topics, which never meet.
    independent, ranking = (coherent["kinds"][name] for name in ("independent", "ranking"))
    assert independent["never_together_same_size"]["value"] == pytest.approx(5 / 6, abs=0.05)
    assert independent["realism"]["low"] > 0.9
    assert ranking["realism"]["low"] > 0.9
    # Of the 435 pairs of thirty words, 375 are of different topics.
    assert ranking["never_together"]["value"] == pytest.approx(375 / 435, abs=0.03)


def test_energy_rewards_sets_that_vary_as_real_ones_do(coherent):
    kinds = coherent["kinds"]
    assert kinds["one draw"]["energy"]["high"] < kinds["ranking"]["energy"]["low"]
    assert "energy" not in kinds["real"]


def test_sets_hold_what_the_report_shows(coherent):
    assert list(coherent["kinds"]) == ["one draw", "independent", "ranking", "real"]
    assert (coherent["n_images"], coherent["n_draws"], coherent["size"]) == (200, 4, 5)
    known = set(coherent["measures"])
    for kind in coherent["kinds"].values():
        assert set(kind) <= known
        assert all(set(figure) == {"value", "low", "high"} for figure in kind.values())
    # No word is on 50 photos of 500 but by chance: 500 · 3 / 30 is 50.
    assert "never_together_frequent" in coherent["kinds"]["ranking"]
    assert measured(words_of_one_topic((200, 4), 5, 4)) == coherent


def test_a_single_draw_has_no_control_and_no_energy():
    kinds = measured(words_of_one_topic((200, 1), 5, 4))["kinds"]
    assert list(kinds) == ["one draw", "ranking", "real"]
    assert "energy" not in kinds["one draw"]
    assert "energy" in kinds["ranking"]


def test_realism_needs_enough_sets_of_two_words():
    real = np.array([[0, -1]] * 80 + [[0, 1]] * (s.MIN_SETS - 1))
    made = np.tile([[[2, 3]]], (len(real), 1, 1))
    counts = resample_counts(len(real), 0)
    assert s.realism(real, made, COMPANY, PLANE, counts, 0) is None
    real[0] = [0, 1]
    found = s.realism(real, made, COMPANY, PLANE, counts, 0)
    assert found["value"] == 1  # {0, 1} and {2, 3} are easy to tell apart


def test_sets_are_none_without_a_draw():
    empty = np.zeros((2, 0, 3), int)
    tags = csr([[1, 1, 0, 0]] * 2)
    assert s.tag_sets(empty, np.zeros((2, 3), int), tags, TRAIN, PLANE, 0) is None
