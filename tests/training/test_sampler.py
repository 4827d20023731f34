"""Mini-batches of pairs and of photos, their parts, and the words that an update scores."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from helpers.tasks import (
    FEATURE_SIZE,
    SMALL,
    batch_of,
    examples_of,
    make_photos,
    make_task,
    modern,
    random_of,
    tag_table,
    with_untagged,
)

from mmcgan.training import sampler as sampler_module
from mmcgan.training.sampler import (
    MiniBatch,
    tag_matrix,
)
from mmcgan.training.tag_task import TagTask

TAGS = [[0], [0, 1], [1, 2, 3], [3], [0, 2]]  # of the photos of `make_photos`


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def whole_batch(task: TagTask, *chosen: int) -> MiniBatch:
    return task.batch(torch.tensor(chosen), torch.default_generator)


def owned(owners: torch.Tensor, words: torch.Tensor, n: int) -> list[list[int]]:
    """The words of each of n owners."""
    found: list[list[int]] = [[] for _ in range(n)]
    for owner, word in zip(owners.tolist(), words.tolist(), strict=True):
        found[owner].append(word)
    return found


# Photos, or pairs.


def test_batch_of_photos_holds_exactly_each_photos_tags():
    task = make_task(modern(), make_photos())
    assert (task.n_examples, task.unit) == (5, "photos")
    for chosen in ([0, 1, 2, 3, 4], [4, 2], [3], [2, 2, 0], [1, 4, 0, 3]):
        whole = whole_batch(task, *chosen)
        assert whole.rows.tolist() == chosen
        assert owned(whole.owners, whole.words, len(chosen)) == [TAGS[i] for i in chosen]
        batch = whole.part()
        assert torch.equal(batch.images, task.examples.image_features[chosen])
        assert batch.sizes.tolist() == [len(TAGS[i]) for i in chosen]
        assert owned(batch.owners, batch.words, len(chosen)) == [TAGS[i] for i in chosen]


def test_batch_of_pairs_holds_one_tag_each():
    task = make_task(SMALL, make_photos())
    batch, whole = batch_of(task, 5, 0, 8), whole_batch(task, 5, 0, 8)
    assert (task.n_examples, task.unit) == (9, "pairs")
    assert whole.rows.tolist() == [2, 0, 4]
    assert batch.words.tolist() == [3, 0, 2]
    assert batch.owners.tolist() == [0, 1, 2]
    assert torch.equal(batch.images, task.examples.image_features[[2, 0, 4]])
    vectors = task.examples.word_vectors
    assert torch.equal(batch.sum_of(vectors), vectors[[3, 0, 2]])


def test_sizes_and_sums_worked_out_by_hand():
    # Photos with words 2; 0 and 1; 0, 1, 2 and 3.
    pairs = torch.tensor([[0, 2], [1, 0], [1, 1], [2, 0], [2, 1], [2, 2], [2, 3]])
    task = make_task(modern(), examples_of(pairs, torch.zeros(3, 2)))
    batch = batch_of(task, 0, 1, 2)
    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 5.0], [3.0, 3.0]])
    assert batch.sizes.tolist() == [1, 2, 4]
    # (0, 5); (1 + 2, 0) / √2; (1 + 2 + 3, 5 + 3) / √4
    expected = torch.tensor([[0, 5], [3 / math.sqrt(2), 0], [3, 4]])
    assert torch.allclose(batch.sum_of(vectors), expected)


@pytest.mark.parametrize(("wanted", "n"), [(None, 4), (2, 2), (99, 4)])
def test_the_first_examples_are_discriminated_and_have_their_tags(wanted, n):
    task = make_task(modern(judged_examples=wanted, batch_size=4), make_photos())
    assert task.n_discriminated == n
    batch = batch_of(task, 2, 4, 0, 1)
    assert (len(batch.images), batch.n_discriminated) == (4, n)
    assert owned(batch.owners, batch.words, n) == [TAGS[i] for i in (2, 4, 0, 1)[:n]]


def test_fewer_examples_than_a_batch_are_all_discriminated():
    assert make_task(modern(batch_size=16), make_photos()).n_discriminated == 5
    assert batch_of(make_task(modern(judged_examples=3), make_photos()), 1).n_discriminated == 1


# Parts.


@pytest.mark.parametrize("step", [2, 3])
def test_parts_share_photos_tags_and_targets(step):
    task = make_task(modern(untagged=3, judged_examples=4), with_untagged(4))
    whole = whole_batch(task, 2, 4, 0, 1, 3)
    photos = torch.cat([whole.rows, whole.untagged])
    for first in range(step):
        part = whole.part(first, step)
        own = photos[first::step]
        assert torch.equal(part.images, task.examples.image_features[own])
        discriminated = whole.rows[:4][first::step].tolist()
        assert part.n_discriminated == len(discriminated)
        expected = [TAGS[i] for i in discriminated]
        assert owned(part.owners, part.words, len(discriminated)) == expected
        assert torch.equal(part.scored.targets, whole.scored.targets[first::step])


def test_every_part_counts_as_many_tags_a_photo_as_the_whole_has_on_average():
    whole = whole_batch(make_task(modern(), make_photos()), 0, 1, 2, 3, 4)
    assert float(whole.part().scored.n_tags) == 9
    for first, n_photos in ((0, 3), (1, 2)):
        assert float(whole.part(first, 2).scored.n_tags) == pytest.approx(9 / 5 * n_photos)


# Untagged photos.


def test_untagged_photos_are_picked_at_random_among_those_without_tags():
    task = make_task(modern(untagged=3), with_untagged(4))
    assert (task.n_examples, task.examples.n_tagged) == (5, 5)
    picked = [whole_batch(task, 0, 1).untagged for _ in range(40)]
    assert all(len(rows) == 3 for rows in picked)
    assert {int(row) for rows in picked for row in rows} == {5, 6, 7, 8}


def test_the_random_generator_that_is_given_picks_them():
    task = make_task(modern(untagged=3), with_untagged(4))
    chosen = torch.tensor([0, 1])
    first, again = (task.batch(chosen, random_of(7)).untagged for _ in range(2))
    assert torch.equal(first, again)


def test_without_untagged_photos_none_are_looked_at():
    for task in (
        make_task(modern(untagged=3), with_untagged(0)),
        make_task(modern(untagged=0), with_untagged(4)),
    ):
        assert len(whole_batch(task, 0, 1)) == 2
        assert len(batch_of(task, 0, 1).images) == 2


def test_targets_of_untagged_photos_are_the_tags_of_similar_ones():
    task = make_task(modern(untagged=3), with_untagged(4))
    whole = replace(whole_batch(task, 1, 4), untagged=torch.tensor([7]))
    tags = tag_table().float()
    # Neighbours of 7 are 2 and 3, with weights 3/4 and 1/4.
    expected = torch.stack([tags[1], tags[4], 0.75 * tags[2] + 0.25 * tags[3]])
    assert torch.allclose(whole.scored.targets, expected)
    assert float(whole.scored.n_tags) == pytest.approx(float(expected.sum()))
    some = torch.tensor([3, 0])
    assert torch.allclose(whole._targets(some), expected[:, some])


def test_without_untagged_photos_the_targets_are_the_tags():
    whole = whole_batch(make_task(modern(), make_photos()), 1, 4)
    assert torch.equal(whole.scored.targets, tag_table()[[1, 4]].float())


# The words that an update scores.


def many_words(n_words: int = 50, **settings) -> TagTask:
    pairs = torch.tensor([[0, 3], [0, 40], [1, 7], [2, 7], [2, 49]])
    examples = examples_of(pairs, torch.randn(3, FEATURE_SIZE, generator=random_of(2)), n_words)
    return make_task(modern(**settings), examples)


def test_small_vocabulary_is_scored_whole():
    scored = whole_batch(many_words(), 0, 2).scored
    assert scored.columns.tolist() == list(range(50))
    assert scored.weights.tolist() == [1] * 50


def test_large_vocabulary_is_scored_in_part_and_counted_whole(monkeypatch):
    monkeypatch.setattr(sampler_module, "MAX_SCORED_WORDS", 20)
    task = many_words()
    seen = set()
    for seed in range(20):
        whole = task.batch(torch.tensor([0, 2]), random_of(seed))
        columns, weights = whole.scored.columns, whole.scored.weights
        assert len(columns) == len(set(columns.tolist())) == 20
        own = [columns.tolist().index(word) for word in (3, 7, 40, 49)]
        assert weights[own].tolist() == [1] * 4
        assert float(weights.sum()) == pytest.approx(50)
        others = [weight for i, weight in enumerate(weights.tolist()) if i not in own]
        assert others == pytest.approx([46 / 16] * 16)
        seen |= set(columns.tolist())
    assert seen == set(range(50))


def test_words_are_chosen_once_for_all_parts(monkeypatch):
    monkeypatch.setattr(sampler_module, "MAX_SCORED_WORDS", 20)
    whole = whole_batch(many_words(), 0, 2)
    columns = [whole.part(first, 2).scored.columns for first in range(2)]
    assert torch.equal(columns[0], columns[1])


def test_batch_with_more_words_than_are_scored_keeps_them_all(monkeypatch):
    monkeypatch.setattr(sampler_module, "MAX_SCORED_WORDS", 3)
    scored = whole_batch(many_words(), 0, 2).scored
    assert set(scored.columns.tolist()) > {3, 7, 40, 49}
    assert len(scored.columns) == 5
    assert float(scored.weights.sum()) == pytest.approx(50)


def test_batch_with_all_words_has_no_others_to_score(monkeypatch):
    monkeypatch.setattr(sampler_module, "MAX_SCORED_WORDS", 3)
    scored = whole_batch(make_task(modern(), make_photos()), 0, 1, 2, 3, 4).scored
    assert sorted(scored.columns.tolist()) == [0, 1, 2, 3]
    assert scored.weights.tolist() == [1] * 4


def test_columns_of_the_scored_words_do_not_change_what_is_a_tag():
    columns = torch.tensor([4, 1, 3])
    matrix = tag_matrix(torch.tensor([0, 0, 1]), torch.tensor([1, 2, 4]), columns, 5)
    assert matrix.tolist() == [[0, 1, 0], [1, 0, 0]]


# Photos that are mixed.


def test_mixed_photos_have_the_mean_of_features_and_targets_in_their_shares():
    task = make_task(modern(untagged=3, judged_examples=2, mixup=0.5), with_untagged(4))
    whole = whole_batch(task, 2, 4, 0, 1, 3)
    plain = replace(whole, mixup=None)
    images, targets = plain.part().images, plain.scored.targets
    mixup = whole.mixup
    assert mixup is not None
    shares, partners = mixup.shares, mixup.partners
    assert torch.equal(partners[:2], torch.tensor([0, 1]))
    assert (shares[:2] == 1).all()
    assert sorted(partners[2:].tolist()) == [2, 3, 4, 5, 6, 7]
    assert ((shares >= 0.5) & (shares <= 1)).all()
    assert (shares[2:] < 1).any()
    mixed = shares * images + (1 - shares) * images[partners]
    torch.testing.assert_close(whole.part().images, mixed)
    expected = shares * targets + (1 - shares) * targets[partners]
    torch.testing.assert_close(whole.scored.targets, expected)
    assert float(whole.scored.n_tags) == pytest.approx(float(expected.sum()))


@pytest.mark.parametrize("first", [0, 1])
def test_parts_of_mixed_photos_are_those_of_the_whole(first):
    task = make_task(modern(untagged=3, judged_examples=4, mixup=1.0), with_untagged(4))
    whole = whole_batch(task, 2, 4, 0, 1, 3)
    part = whole.part(first, 2)
    torch.testing.assert_close(part.images, whole.part().images[first::2])
    torch.testing.assert_close(part.scored.targets, whole.scored.targets[first::2])


def test_photos_that_the_discriminator_looks_at_are_never_mixed():
    task = make_task(modern(judged_examples=5, mixup=1.0), make_photos())
    whole = whole_batch(task, 2, 4, 0, 1, 3)
    assert torch.equal(whole.part().images, task.examples.image_features[whole.rows])


def test_mixing_asks_the_random_generator_that_is_given():
    task = make_task(modern(judged_examples=1, mixup=0.2), make_photos())
    chosen = torch.arange(5)
    first, again, other = (task.batch(chosen, random_of(seed)).part().images for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
