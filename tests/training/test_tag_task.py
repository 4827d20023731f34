"""The task of tags: its draws, its terms together, and what the discriminator lowers."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.tasks import (
    PLAIN,
    SMALL,
    batch_of,
    draw,
    losses_of,
    make_examples,
    make_photos,
    make_task,
    modern,
    tag_table,
    with_untagged,
)
from torch import nn

from mmcgan.training.losses import draw_likelihood, fake_loss, real_loss, retrieval_loss


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def discriminator_losses(task, batch):
    """What D lowers, and how often it was right, by name; and its logits' draws."""
    noise = task.noise(batch.n_discriminated, torch.default_generator)
    with torch.no_grad():
        draws = task.draw(batch, noise)
    found = task.adversarial.discriminator_losses(draws, batch, task)
    losses, right = ({name: m.value for name, m in means.items()} for means in found)
    return losses, right, draws


def test_draws_come_for_the_examples_then_for_the_untagged_photos():
    task = make_task(modern(untagged=3, **PLAIN), with_untagged(4))
    whole = task.batch(torch.tensor([0, 1]), torch.default_generator)
    noise = task.noise(len(whole), torch.default_generator)
    draws = task.draw(whole.part(), noise)
    images = task.examples.image_features[torch.cat([whole.rows, whole.untagged])]
    assert draws.shape == (5, 4, 6)
    assert torch.allclose(draws, task.generator(noise, images))


def test_as_many_of_the_first_examples_are_drawn_for_as_there_is_noise():
    task = make_task(modern(**PLAIN), make_photos())
    batch, noise = batch_of(task, 0, 1, 2), task.noise(3, torch.default_generator)
    assert torch.allclose(task.draw(batch, noise[:2]), task.draw(batch, noise)[:2])


def test_paper_generator_has_the_adversarial_term_alone():
    task = make_task(SMALL)
    batch = batch_of(task, 0, 1, 2, 3)
    assert set(losses_of(task, draw(task, batch), batch)) == {"loss_g_adversarial"}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, {"adversarial", "retrieval", "likelihood"}),
        ({"likelihood": 0.0}, {"adversarial", "retrieval"}),
    ],
)
def test_generator_has_the_terms_that_have_a_weight(settings, names):
    task = make_task(modern(**settings), make_photos())
    batch = batch_of(task, 0, 1, 2, 3)
    losses = losses_of(task, draw(task, batch), batch)
    assert set(losses) == {f"loss_g_{name}" for name in names}
    assert all(loss.ndim == 0 and torch.isfinite(loss) for loss in losses.values())


def test_terms_are_those_of_all_words_for_their_draws():
    config = modern(retrieval=2.0, likelihood=3.0, likelihood_temperature=0.5, **PLAIN)
    task = make_task(config, make_photos())
    batch = batch_of(task, 2, 4, 0)
    tags = tag_table()[[2, 4, 0]].float()
    draws = draw(task, batch)
    losses = losses_of(task, draws, batch)
    means = torch.stack([draws[:, :2].mean(dim=1), draws[:, 2:].mean(dim=1)], dim=1)
    logits = task.discriminator(task.adversarial.seen(draws, batch, task), batch.images)
    expected = {
        "retrieval": 2 * retrieval_loss(task.words(means), tags, torch.ones(4)),
        "likelihood": 3 * draw_likelihood(2 * task.words(draws), tags),
        "adversarial": nn.functional.softplus(-logits).mean(),  # -log D(G(z))
    }
    for name, value in expected.items():
        assert torch.allclose(losses[f"loss_g_{name}"], value, rtol=1e-5), name


@pytest.mark.parametrize("name", ["loss_g_adversarial", "loss_g_likelihood"])
def test_terms_of_single_draws_leave_the_words_without_gradient(name):
    task = make_task(modern(**PLAIN), make_photos())
    batch = batch_of(task, 0, 1, 2, 3, 4)
    draws = draw(task, batch).detach().requires_grad_()
    losses_of(task, draws, batch)[name].backward()
    assert [p.grad for p in task.words.parameters()] == [None, None]
    assert draws.grad.abs().max() > 0


def test_discriminated_examples_alone_count_in_the_terms_of_single_draws():
    few, all_ = (make_task(modern(judged_examples=n, **PLAIN), make_photos()) for n in (2, None))
    batch = batch_of(few, 2, 4, 0, 1)
    draws = draw(few, batch).detach().requires_grad_()
    losses = losses_of(few, draws, batch)
    for name in ("loss_g_adversarial", "loss_g_likelihood"):
        (gradient,) = torch.autograd.grad(losses[name], draws, retain_graph=True)
        assert gradient[:2].abs().max() > 0
        assert not gradient[2:].any()
        head = losses_of(all_, draws[:2], batch_of(all_, 2, 4))[name]
        assert float(losses[name].detach()) == pytest.approx(float(head.detach()), rel=1e-5)
    (gradient,) = torch.autograd.grad(losses["loss_g_retrieval"], draws)
    assert gradient.abs().amax(dim=(1, 2)).min() > 0
    assert torch.isfinite(discriminator_losses(few, batch)[0]["loss_d_real"])


def test_untagged_photos_are_in_the_retrieval_term_alone():
    task = make_task(modern(untagged=3, **PLAIN), with_untagged(4))
    batch = batch_of(task, 1, 4)
    draws = draw(task, batch).detach().requires_grad_()
    losses = losses_of(task, draws, batch)
    reached = {
        name: torch.autograd.grad(loss, draws, retain_graph=True)[0].abs().amax(dim=(1, 2))
        for name, loss in losses.items()
    }
    assert (reached.pop("loss_g_retrieval") > 0).tolist() == [True] * 5
    for gradient in reached.values():
        assert (gradient > 0).tolist() == [True, True, False, False, False]


# What the discriminator lowers.


def test_discriminators_losses_are_those_of_real_and_generated_words():
    task = make_task(SMALL.with_options(dropout=0.0, d_dropout=0.0))
    batch = batch_of(task, 3, 9, 14)
    losses, right, fake = discriminator_losses(task, batch)
    real = task.examples.word_vectors[batch.words].unsqueeze(1)
    real_logits, fake_logits = (task.discriminator(x, batch.images) for x in (real, fake))
    assert set(losses) == {"loss_d_real", "loss_d_fake"}
    assert torch.allclose(losses["loss_d_real"], real_loss(real_logits))
    assert torch.allclose(losses["loss_d_fake"], fake_loss(fake_logits))
    assert float(right["d_accuracy_real"]) == pytest.approx((real_logits > 0).float().mean().item())
    assert float(right["d_accuracy_fake"]) == pytest.approx((fake_logits < 0).float().mean().item())


def test_discriminator_sees_a_real_set_beside_a_set_of_each_generator():
    task = make_task(modern(**PLAIN), make_photos())
    batch = batch_of(task, 2, 4)
    losses, _, draws = discriminator_losses(task, batch)
    fake = task.adversarial.seen(draws, batch, task)
    vectors = task.examples.word_vectors
    sums = vectors[[1, 2, 3]].sum(0) / math.sqrt(3), vectors[[0, 2]].sum(0) / math.sqrt(2)
    real = torch.stack(sums).unsqueeze(1)
    assert torch.allclose(losses["loss_d_real"], real_loss(task.discriminator(real, batch.images)))
    assert torch.allclose(losses["loss_d_fake"], fake_loss(task.discriminator(fake, batch.images)))


class LinearDiscriminator(nn.Module):
    """D(x, y) = 3 x₁ - 4 x₂ whatever the image."""

    def embed_condition(self, images):
        return images

    def discriminate(self, vectors, hidden):
        return vectors @ torch.tensor([3.0, -4.0, 0.0])


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_penalty_of_a_linear_discriminator_is_the_square_of_its_weights(weight):
    task = make_task(modern(gradient_penalty=weight, **PLAIN), make_photos())
    task.discriminator = LinearDiscriminator()
    losses, _, _ = discriminator_losses(task, batch_of(task, 0, 1, 2, 3, 4))
    if weight:
        assert float(losses["loss_d_penalty"].detach()) == pytest.approx(0.3 * 25)
    else:
        assert "loss_d_penalty" not in losses


def test_discriminators_losses_reach_neither_generator_nor_words():
    task = make_task(modern(), make_photos())
    losses, _, _ = discriminator_losses(task, batch_of(task, 0, 1, 2, 3, 4))
    sum(losses.values()).backward()
    assert all(p.grad is None for net in (task.generator, task.words) for p in net.parameters())
    assert all(p.grad is not None for p in task.discriminator.parameters())


def test_discriminator_leaves_the_word_vectors_as_they_are():
    examples = make_examples()
    kept = examples.word_vectors.clone()
    task = make_task(modern(), examples)
    discriminator_losses(task, batch_of(task, 0, 1, 2, 3, 4))
    assert torch.equal(examples.word_vectors, kept)
    assert not examples.word_vectors.requires_grad
