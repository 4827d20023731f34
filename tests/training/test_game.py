"""What the networks play for: examples, sets, scored words and the terms of the losses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from helpers.games import (
    FEATURE_SIZE,
    SMALL,
    examples_of,
    make_examples,
    make_game,
    make_photos,
    modern,
    random_of,
)
from torch import nn

from mmcgan.training import game as game_module
from mmcgan.training.game import Batch, best_sets
from mmcgan.training.losses import draw_likelihood, fake_loss, real_loss, retrieval_loss
from mmcgan.training.neighbours import Neighbours

PLAIN = {"dropout": 0.0, "input_dropout": 0.0, "d_dropout": 0.0}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def batch_of(owners: list[int], words: list[int]) -> Batch:
    n_images = owners[-1] + 1
    rows = torch.arange(n_images)
    return Batch(torch.zeros(n_images, 2), torch.tensor(owners), torch.tensor(words), rows,
                 rows[:0])  # fmt: skip


# Batches.


def test_sizes_and_sums_worked_out_by_hand():
    # Photos with words 2; 0 and 1; 0, 1, 2 and 3.
    batch = batch_of([0, 1, 1, 2, 2, 2, 2], [2, 0, 1, 0, 1, 2, 3])
    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 5.0], [3.0, 3.0]])
    assert batch.sizes.tolist() == [1, 2, 4]
    # (0, 5); (1 + 2, 0) / √2; (1 + 2 + 3, 5 + 3) / √4
    expected = torch.tensor([[0, 5], [3 / math.sqrt(2), 0], [3, 4]])
    assert torch.allclose(batch.sum_of(vectors), expected)


def test_head_is_the_first_examples_with_their_tags():
    batch = replace(batch_of([0, 1, 1, 2], [2, 0, 1, 3]), untagged=torch.tensor([7, 8]))
    head = batch.head(2)
    assert (head.owners.tolist(), head.words.tolist()) == ([0, 1, 1], [2, 0, 1])
    assert (len(head.images), head.rows.tolist(), len(head.untagged)) == (2, [0, 1], 0)
    for n in (None, 3, 99):
        whole = batch.head(n)
        assert (whole.words.tolist(), whole.sizes.tolist()) == ([2, 0, 1, 3], [1, 2, 1])
        assert len(whole.untagged) == 0


def test_batch_of_photos_holds_exactly_each_photos_tags():
    game = make_game(modern(), make_photos())
    tags = [[0], [0, 1], [1, 2, 3], [3], [0, 2]]
    assert game.n_examples == 5
    for chosen in ([0, 1, 2, 3, 4], [4, 2], [3], [2, 2, 0], [1, 4, 0, 3]):
        batch = game.batch(torch.tensor(chosen))
        assert torch.equal(batch.images, game.examples.image_features[chosen])
        assert batch.rows.tolist() == chosen
        assert batch.sizes.tolist() == [len(tags[i]) for i in chosen]
        found = [[] for _ in chosen]
        for owner, word in zip(batch.owners.tolist(), batch.words.tolist(), strict=True):
            found[owner].append(word)
        assert found == [tags[i] for i in chosen]


def test_batch_of_pairs_holds_one_tag_each():
    game = make_game(SMALL, make_photos())
    batch = game.batch(torch.tensor([5, 0, 8]))
    assert game.n_examples == 9
    assert batch.rows.tolist() == [2, 0, 4]
    assert batch.words.tolist() == [3, 0, 2]
    assert batch.owners.tolist() == [0, 1, 2]
    assert torch.equal(batch.images, game.examples.image_features[[2, 0, 4]])
    assert torch.equal(
        batch.sum_of(game.examples.word_vectors), game.examples.word_vectors[[3, 0, 2]]
    )


def with_untagged(n_untagged: int):
    """The five photos and so many without tags, each with two neighbours among the five."""
    photos = make_photos()
    features = torch.randn(5 + n_untagged, FEATURE_SIZE, generator=random_of(3))
    rows = torch.tensor([[i % 5, (i + 1) % 5] for i in range(n_untagged)])
    weights = torch.tensor([[0.75, 0.25]]).repeat(n_untagged, 1)
    examples = replace(photos, image_features=features, neighbours=Neighbours(rows, weights))
    return make_game(modern(untagged=3, **PLAIN), examples)


def test_untagged_photos_are_picked_at_random_among_those_without_tags():
    game = with_untagged(4)
    assert (game.n_examples, game.examples.n_tagged) == (5, 5)
    torch.manual_seed(0)
    picked = [game.batch(torch.tensor([0, 1])).untagged for _ in range(40)]
    assert all(len(rows) == 3 for rows in picked)
    assert {int(row) for rows in picked for row in rows} == {5, 6, 7, 8}


def test_without_untagged_photos_none_are_looked_at():
    game = with_untagged(0)
    batch = game.batch(torch.tensor([0, 1]))
    assert len(batch.untagged) == 0
    assert game.draw_all(batch).shape == (2, 4, 6)
    unwanted = make_game(modern(untagged=0), with_untagged(4).examples)
    assert len(unwanted.batch(torch.tensor([0])).untagged) == 0


def test_draws_come_for_the_examples_then_for_the_untagged_photos():
    game = with_untagged(4)
    game.generator.eval()
    batch = game.batch(torch.tensor([0, 1]))
    torch.manual_seed(1)
    draws = game.draw_all(batch)
    torch.manual_seed(1)
    images = game.examples.image_features[torch.cat([batch.rows, batch.untagged])]
    assert draws.shape == (5, 4, 6)
    assert torch.allclose(draws, game.draw(images))


# Sets of the best words.


def test_best_sets_worked_out_by_hand():
    logits = torch.tensor([[[3.0, 1.0, 2.0, 0.0], [0.0, -1.0, 5.0, 4.0]],
                           [[0.1, 0.2, 0.3, 0.4], [9.0, 8.0, 7.0, 6.0]]])  # fmt: skip
    sets = best_sets(logits, torch.tensor([2, 3]))
    assert sets.tolist() == [[[1, 0, 1, 0], [0, 0, 1, 1]], [[0, 1, 1, 1], [1, 1, 1, 0]]]


@pytest.mark.parametrize("n_words", [2, 7, 60])
def test_best_sets_hold_exactly_as_many_words_as_asked(n_words):
    logits = 10 * torch.randn(30, 3, n_words, generator=random_of(0))
    sizes = torch.randint(1, n_words, (30,), generator=random_of(1))
    sets = best_sets(logits, sizes)
    # Exactly 0 and 1, not near them.
    assert set(sets.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(sets.sum(dim=-1), sizes.unsqueeze(1).expand(-1, 3).float())
    worst_in = torch.where(sets > 0, logits, torch.inf).amin(-1)
    best_out = torch.where(sets > 0, -torch.inf, logits).amax(-1)
    assert (worst_in > best_out).all()


def test_gradient_reaches_the_logits_of_a_set_with_the_right_sign():
    logits = torch.tensor([[[3.0, 1.0, 2.0, 0.0]]], requires_grad=True)
    wanted = torch.tensor([0.0, 1.0, 0.0, -2.0])
    (best_sets(logits, torch.tensor([2])) * wanted).sum().backward()
    gradient = logits.grad[0, 0]
    # Word 1 is wanted and word 3 is not, though both are out; of the others nothing is said.
    assert float(gradient[1]) > 0
    assert float(gradient[3]) < 0
    assert gradient[[0, 2]].tolist() == [0, 0]
    # A sigmoid around the edge at 1.5, of softness SET_SOFTNESS.
    softness = game_module.SET_SOFTNESS
    place = 1 / (1 + math.exp((1.5 - 1.0) / softness))
    assert float(gradient[1]) == pytest.approx(place * (1 - place) / softness, rel=1e-5)


def test_gradient_of_a_set_is_largest_at_its_edge():
    logits = torch.tensor([[[9.0, 2.1, 1.9, -9.0]]], requires_grad=True)
    best_sets(logits, torch.tensor([2])).sum().backward()
    gradient = logits.grad[0, 0]
    assert gradient[1:3].min() > 1000 * gradient[[0, 3]].max()


def test_fake_sets_are_the_sums_of_a_draws_best_words():
    game = make_game(modern(**PLAIN), make_photos())
    batch = game.batch(torch.tensor([1, 2]))  # two and three tags
    torch.manual_seed(0)
    draws = game.draw(batch.images)
    judged = game._judged(draws, batch)
    assert judged.shape == (2, 2, 3)  # one set for each of two members
    vectors = game.examples.word_vectors
    logits = game.words(draws)
    for i, size in enumerate((2, 3)):
        for k in range(2):
            best = logits[i, 2 * k].topk(size).indices  # the first draw of the member's two
            expected = vectors[best].sum(dim=0) / math.sqrt(size)
            assert torch.allclose(judged[i, k], expected, atol=1e-6)


def test_judged_sets_reach_the_draws_and_not_the_words():
    game = make_game(modern(**PLAIN), make_photos())
    batch = game.batch(torch.tensor([1, 2]))
    draws = game.draw(batch.images).detach().requires_grad_()
    game._judged(draws, batch).sum().backward()
    assert draws.grad[:, ::2].abs().amax(dim=-1).min() > 0
    assert not draws.grad[:, 1::2].any()  # of a member's draws one is judged
    assert game.words.vectors.grad is None


def test_judged_words_are_the_draws_themselves():
    game = make_game()
    batch = game.batch(torch.arange(4))
    draws = game.draw(batch.images)
    assert game._judged(draws, batch) is draws


def test_sets_are_of_no_more_than_all_words_but_one_and_of_a_largest_size(monkeypatch):
    # A photo with every word of the vocabulary.
    examples = examples_of(torch.tensor([[0, w] for w in range(4)]), torch.zeros(1, FEATURE_SIZE))
    game = make_game(modern(**PLAIN), examples)
    batch = game.batch(torch.tensor([0]))
    draws, vectors = game.draw(batch.images), examples.word_vectors
    for most, size in ((game_module.MAX_SET, 3), (2, 2)):
        monkeypatch.setattr(game_module, "MAX_SET", most)
        best = game.words(draws)[0, 0].topk(size).indices
        expected = vectors[best].sum(dim=0) / math.sqrt(size)
        assert torch.allclose(game._judged(draws, batch)[0, 0], expected, atol=1e-6)


# The words that an update scores.


def many_words(n_words: int = 50, **settings):
    pairs = torch.tensor([[0, 3], [0, 40], [1, 7], [2, 7], [2, 49]])
    examples = examples_of(pairs, torch.randn(3, FEATURE_SIZE, generator=random_of(2)), n_words)
    return make_game(modern(**PLAIN, **settings), examples)


def test_small_vocabulary_is_scored_whole():
    game = many_words()
    columns, weights = game._scored_words(game.batch(torch.tensor([0, 2])))
    assert columns.tolist() == list(range(50))
    assert weights.tolist() == [1] * 50


def test_large_vocabulary_is_scored_in_part_and_counted_whole(monkeypatch):
    monkeypatch.setattr(game_module, "MAX_SCORED_WORDS", 20)
    game = many_words()
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        columns, weights = game._scored_words(game.batch(torch.tensor([0, 2])))
        assert len(columns) == len(set(columns.tolist())) == 20
        own = [columns.tolist().index(word) for word in (3, 7, 40, 49)]
        assert weights[own].tolist() == [1] * 4
        assert float(weights.sum()) == pytest.approx(50)
        others = [weight for i, weight in enumerate(weights.tolist()) if i not in own]
        assert others == pytest.approx([46 / 16] * 16)
        seen |= set(columns.tolist())
    assert seen == set(range(50))


def test_batch_with_more_words_than_are_scored_keeps_them_all(monkeypatch):
    monkeypatch.setattr(game_module, "MAX_SCORED_WORDS", 3)
    game = many_words()
    columns, weights = game._scored_words(game.batch(torch.tensor([0, 2])))
    assert set(columns.tolist()) > {3, 7, 40, 49}
    assert len(columns) == 5
    assert float(weights.sum()) == pytest.approx(50)


def test_batch_with_all_words_has_no_others_to_score(monkeypatch):
    monkeypatch.setattr(game_module, "MAX_SCORED_WORDS", 3)
    game = make_game(modern(**PLAIN), make_photos())
    columns, weights = game._scored_words(game.batch(torch.arange(5)))
    assert sorted(columns.tolist()) == [0, 1, 2, 3]
    assert weights.tolist() == [1] * 4


def test_scored_part_stands_for_the_whole_loss(monkeypatch):
    """Averaged over many choices of words, the retrieval term is that of all words."""
    game = many_words(adversarial_share=None)
    batch = game.batch(torch.tensor([0, 2]))
    draws = game.draw_all(batch)
    whole = float(game.generator_losses(draws, batch)["loss_g_retrieval"].detach())
    monkeypatch.setattr(game_module, "MAX_SCORED_WORDS", 20)
    torch.manual_seed(0)
    losses = [float(game.generator_losses(draws, batch)["loss_g_retrieval"].detach())
              for _ in range(300)]  # fmt: skip
    assert sum(losses) / 300 == pytest.approx(whole, rel=0.02)
    assert max(losses) > 1.01 * whole


def test_columns_of_the_scored_words_do_not_change_what_is_a_tag():
    columns = torch.tensor([4, 1, 3])
    matrix = game_module._tag_matrix(
        torch.tensor([0, 0, 1]), torch.tensor([1, 2, 4]), columns, 5
    )  # fmt: skip
    assert matrix.tolist() == [[0, 1, 0], [1, 0, 0]]


# The terms.


def test_paper_generator_has_the_adversarial_term_alone():
    game = make_game(SMALL)
    batch = game.batch(torch.arange(4))
    assert set(game.generator_losses(game.draw_all(batch), batch)) == {"loss_g_adversarial"}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, {"adversarial", "retrieval", "likelihood"}),
        ({"likelihood": 0.0}, {"adversarial", "retrieval"}),
    ],
)
def test_generator_has_the_terms_that_have_a_weight(settings, names):
    game = make_game(modern(**settings), make_photos())
    batch = game.batch(torch.arange(4))
    losses = game.generator_losses(game.draw_all(batch), batch)
    assert set(losses) == {f"loss_g_{name}" for name in names}
    assert all(loss.ndim == 0 and torch.isfinite(loss) for loss in losses.values())


def tag_table():
    return torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1], [1, 0, 1, 0]])


def test_terms_are_those_of_all_words_for_their_draws():
    config = modern(retrieval=2.0, likelihood=3.0, likelihood_temperature=0.5, **PLAIN)
    game = make_game(config, make_photos())
    batch = game.batch(torch.tensor([2, 4, 0]))
    tags = tag_table()[[2, 4, 0]].float()
    draws = game.draw_all(batch)
    losses = game.generator_losses(draws, batch)
    means = torch.stack([draws[:, :2].mean(dim=1), draws[:, 2:].mean(dim=1)], dim=1)
    logits = game.discriminator(game._judged(draws, batch), batch.images)
    expected = {
        "retrieval": 2 * retrieval_loss(game.words(means), tags, torch.ones(4)),
        "likelihood": 3 * draw_likelihood(2 * game.words(draws), tags),
        "adversarial": nn.functional.softplus(-logits).mean(),  # -log D(G(z))
    }
    for name, value in expected.items():
        assert torch.allclose(losses[f"loss_g_{name}"], value, rtol=1e-5), name


@pytest.mark.parametrize("name", ["loss_g_adversarial", "loss_g_likelihood"])
def test_terms_of_single_draws_leave_the_words_without_gradient(name):
    game = make_game(modern(**PLAIN), make_photos())
    batch = game.batch(torch.arange(5))
    draws = game.draw_all(batch).detach().requires_grad_()
    game.generator_losses(draws, batch)[name].backward()
    assert [p.grad for p in game.words.parameters()] == [None, None]
    assert draws.grad.abs().max() > 0


def test_retrieval_reaches_the_words_and_every_draw():
    game = make_game(modern(**PLAIN), make_photos())
    batch = game.batch(torch.arange(5))
    draws = game.draw_all(batch).detach().requires_grad_()
    game.generator_losses(draws, batch)["loss_g_retrieval"].backward()
    for parameter in game.words.parameters():
        assert parameter.grad.abs().amax(dim=-1).min() > 0
    assert draws.grad.abs().amax(dim=-1).min() > 0
    # The mean is what counts: all draws of a member move alike.
    assert torch.allclose(draws.grad[:, 0], draws.grad[:, 1])


def test_judged_examples_alone_are_judged_and_weighed_by_likelihood():
    few, all_ = (make_game(modern(judged_examples=n, **PLAIN), make_photos()) for n in (2, None))
    batch = few.batch(torch.tensor([2, 4, 0, 1]))
    draws = few.draw_all(batch).detach().requires_grad_()
    losses = few.generator_losses(draws, batch)
    for name in ("loss_g_adversarial", "loss_g_likelihood"):
        (gradient,) = torch.autograd.grad(losses[name], draws, retain_graph=True)
        assert gradient[:2].abs().max() > 0
        assert not gradient[2:].any()
        head = all_.generator_losses(draws[:2], batch.head(2))[name]
        assert float(losses[name].detach()) == pytest.approx(float(head.detach()), rel=1e-5)
    (gradient,) = torch.autograd.grad(losses["loss_g_retrieval"], draws)
    assert gradient.abs().amax(dim=(1, 2)).min() > 0
    measured, _ = few.discriminator_losses(batch)
    assert torch.isfinite(measured["loss_d_real"])


def test_targets_of_untagged_photos_are_the_tags_of_similar_ones():
    game = with_untagged(4)
    batch = replace(game.batch(torch.tensor([1, 4])), untagged=torch.tensor([7]))
    tags, columns = tag_table().float(), torch.arange(4)
    target = game._completed(tags[[1, 4]], batch, columns)
    # Neighbours of 7 are 2 and 3, with weights 3/4 and 1/4.
    expected = torch.stack([tags[1], tags[4], 0.75 * tags[2] + 0.25 * tags[3]])
    assert torch.allclose(target, expected)
    some = torch.tensor([3, 0])
    assert torch.allclose(game._completed(tags[[1, 4]][:, some], batch, some), expected[:, some])


def test_without_untagged_photos_the_targets_are_the_tags():
    game = make_game(modern(), make_photos())
    tags = tag_table()[[1, 4]].float()
    assert game._completed(tags, game.batch(torch.tensor([1, 4])), torch.arange(4)) is tags


def test_untagged_photos_are_in_the_retrieval_term_alone():
    game = with_untagged(4)
    batch = game.batch(torch.tensor([1, 4]))
    draws = game.draw_all(batch).detach().requires_grad_()
    losses = game.generator_losses(draws, batch)
    reached = {name: torch.autograd.grad(loss, draws, retain_graph=True)[0].abs().amax(dim=(1, 2))
               for name, loss in losses.items()}  # fmt: skip
    assert (reached.pop("loss_g_retrieval") > 0).tolist() == [True] * 5
    for gradient in reached.values():
        assert (gradient > 0).tolist() == [True, True, False, False, False]


# The discriminator's terms.


def test_discriminators_terms_are_those_of_real_and_generated_words():
    game = make_game(replace(SMALL, dropout=0.0, d_dropout=0.0))
    batch = game.batch(torch.tensor([3, 9, 14]))
    torch.manual_seed(2)
    losses, right = game.discriminator_losses(batch)
    torch.manual_seed(2)
    fake = game.draw(batch.images)
    real = game.examples.word_vectors[batch.words].unsqueeze(1)
    real_logits, fake_logits = (game.discriminator(x, batch.images) for x in (real, fake))
    assert set(losses) == {"loss_d_real", "loss_d_fake"}
    assert torch.allclose(losses["loss_d_real"], real_loss(real_logits))
    assert torch.allclose(losses["loss_d_fake"], fake_loss(fake_logits))
    assert float(right["d_accuracy_real"]) == pytest.approx((real_logits > 0).float().mean().item())
    assert float(right["d_accuracy_fake"]) == pytest.approx((fake_logits < 0).float().mean().item())


def test_discriminator_judges_a_real_set_beside_a_set_of_each_member():
    game = make_game(modern(**PLAIN), make_photos())
    batch = game.batch(torch.tensor([2, 4]))
    torch.manual_seed(2)
    losses, _ = game.discriminator_losses(batch)
    torch.manual_seed(2)
    fake = game._judged(game.draw(batch.images), batch)
    vectors = game.examples.word_vectors
    real = torch.stack([vectors[[1, 2, 3]].sum(0) / math.sqrt(3),
                        vectors[[0, 2]].sum(0) / math.sqrt(2)]).unsqueeze(1)  # fmt: skip
    assert torch.allclose(losses["loss_d_real"], real_loss(game.discriminator(real, batch.images)))
    assert torch.allclose(losses["loss_d_fake"], fake_loss(game.discriminator(fake, batch.images)))


class LinearJudge(nn.Module):
    """D(x, y) = 3 x₁ - 4 x₂ whatever the image."""

    def embed_condition(self, images):
        return images

    def judge(self, vectors, hidden):
        return vectors @ torch.tensor([3.0, -4.0, 0.0])


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_penalty_of_a_linear_discriminator_is_the_square_of_its_weights(weight):
    game = make_game(modern(gradient_penalty=weight, **PLAIN), make_photos())
    game.discriminator = LinearJudge()
    losses, _ = game.discriminator_losses(game.batch(torch.arange(5)))
    if weight:
        assert float(losses["loss_d_penalty"].detach()) == pytest.approx(0.3 * 25)
    else:
        assert "loss_d_penalty" not in losses


def test_discriminators_terms_reach_neither_generator_nor_words():
    game = make_game(modern(), make_photos())
    losses, _ = game.discriminator_losses(game.batch(torch.arange(5)))
    sum(losses.values()).backward()
    assert all(p.grad is None for net in (game.generator, game.words) for p in net.parameters())
    assert all(p.grad is not None for p in game.discriminator.parameters())


def test_discriminator_leaves_the_word_vectors_as_they_are():
    examples = make_examples()
    kept = examples.word_vectors.clone()
    game = make_game(modern(), examples)
    game.discriminator_losses(game.batch(torch.arange(5)))
    assert torch.equal(examples.word_vectors, kept)
    assert not examples.word_vectors.requires_grad
