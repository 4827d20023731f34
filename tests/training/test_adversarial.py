"""The ways to play: each formula by hand, the penalties against a plain derivative."""

from __future__ import annotations

import math

import pytest
import torch

from mmcgan.training.adversarial import PLAYS
from mmcgan.training.losses import (
    critic_fake_loss,
    critic_real_loss,
    lipschitz_penalty,
    relativistic_loss,
)

REAL, FAKE = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0, -1.0], [0.0, 0.5]])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_critic_losses_are_means():
    assert float(critic_real_loss(REAL)) == -1.0
    assert float(critic_fake_loss(FAKE)) == pytest.approx(0.125)


def test_relativistic_loss_compares_each_real_with_each_generated_example():
    # D lowers softplus(fake - real) of all pairs: 1 and -1 with 0, 0 and .5 with 2.
    expected = sum(softplus(d) for d in (1.0, -1.0, -2.0, -1.5)) / 4
    assert float(relativistic_loss(REAL, FAKE)) == pytest.approx(expected)
    # G the same with the roles changed.
    expected = sum(softplus(d) for d in (-1.0, 1.0, 2.0, 1.5)) / 4
    assert float(PLAYS["relativistic"].generator(FAKE, REAL)) == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["saturating", "non-saturating", "wasserstein"])
def test_generator_terms_of_other_ways_do_not_look_at_real_examples(loss):
    play = PLAYS[loss]
    assert not play.compares
    assert float(play.generator(FAKE, REAL)) == float(play.generator(FAKE, 100 * REAL))


def test_generator_of_a_wasserstein_gan_raises_the_critics_mean():
    assert float(PLAYS["wasserstein"].generator(FAKE, REAL)) == pytest.approx(-0.125)


def test_right_is_by_sign_or_by_order():
    signs = PLAYS["non-saturating"].right(REAL, FAKE)
    assert float(signs["d_accuracy_real"]) == 0.5  # 0 is not above 0
    assert float(signs["d_accuracy_fake"]) == 0.25
    # 0 > 1 is wrong, 0 > -1, 2 > 0 and 2 > .5 are right.
    assert float(PLAYS["relativistic"].right(REAL, FAKE)["d_accuracy_order"]) == 0.75


def quadratic(examples: torch.Tensor) -> torch.Tensor:
    """D(x) = |x|² / 2, whose gradient is x."""
    return examples.square().sum(-1) / 2


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # Of real examples (3, 4) alone, |∇|² = 25; of generated ones (0, 0) and (6, 8): 0 and 100.
        ("saturating", 25.0), ("non-saturating", 25.0), ("relativistic", 25.0 + 50.0),
    ],
)  # fmt: skip
def test_gradient_is_held_at_real_examples_or_at_both(loss, expected):
    real, fake = torch.tensor([[[3.0, 4.0]]]), torch.tensor([[[0.0, 0.0], [6.0, 8.0]]])
    losses, _ = PLAYS[loss].discriminator_losses(quadratic, real, fake, 0.5)
    assert losses["loss_d_penalty"].item() == pytest.approx(0.5 * expected)
    losses, _ = PLAYS[loss].discriminator_losses(quadratic, real.detach(), fake.detach(), 0.0)
    assert "loss_d_penalty" not in losses


def test_wasserstein_holds_the_gradient_at_1_between_real_and_generated():
    torch.manual_seed(0)
    real, fake = torch.zeros(500, 1, 2), torch.tensor([[[3.0, 4.0]]]).repeat(500, 2, 1)
    losses, _ = PLAYS["wasserstein"].discriminator_losses(quadratic, real, fake, 10.0)
    # At a share u of the way the gradient is 5u, u even in [0, 1]: E (5u - 1)² = 25/3 - 5 + 1.
    assert float(losses["loss_d_penalty"]) == pytest.approx(10 * (25 / 3 - 4), rel=0.1)
    assert set(losses) == {"loss_d_real", "loss_d_fake", "loss_d_penalty"}


def test_lipschitz_penalty_of_a_flat_critic_is_1_and_has_a_gradient():
    between = torch.zeros(4, 1, 2, requires_grad=True)
    weight = torch.zeros(2, requires_grad=True)
    penalty = lipschitz_penalty((between * weight).sum(-1), between)
    penalty.backward()
    assert float(penalty) == pytest.approx(1, abs=1e-4)
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("loss", list(PLAYS))
def test_penalty_reaches_the_weights_of_the_discriminator(loss):
    weight = torch.tensor([0.5, -0.5], requires_grad=True)
    real, fake = torch.randn(3, 1, 2), torch.randn(3, 2, 2)
    losses, _ = PLAYS[loss].discriminator_losses(lambda x: (x @ weight).tanh(), real, fake, 1.0)
    (gradient,) = torch.autograd.grad(losses["loss_d_penalty"], weight)
    assert gradient.abs().sum() > 0
