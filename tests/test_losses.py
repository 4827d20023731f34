import math

import pytest
import torch

from mmcgan.losses import (
    fake_loss,
    gradient_share,
    non_saturating_generator_loss,
    real_loss,
    saturating_generator_loss,
    value_function,
)

# D = sigmoid(logit): logit 0 is D = 1/2, log 3 is 3/4, -log 3 is 1/4.
LOG3 = math.log(3)


def test_real_loss_is_minus_mean_log_d():
    # -(log 1/2 + log 3/4) / 2
    expected = -(math.log(0.5) + math.log(0.75)) / 2
    assert float(real_loss(torch.tensor([0.0, LOG3]))) == pytest.approx(expected)


def test_fake_loss_is_minus_mean_log_of_one_minus_d():
    # -(log(1 - 1/2) + log(1 - 1/4)) / 2
    expected = -(math.log(0.5) + math.log(0.75)) / 2
    assert float(fake_loss(torch.tensor([0.0, -LOG3]))) == pytest.approx(expected)


def test_value_function_is_minus_log_4_where_d_is_one_half():
    # arXiv 1406.2661, theorem 1: the optimum of the game is -log 4.
    zeros = torch.zeros(5)
    assert float(value_function(zeros, zeros)) == pytest.approx(-math.log(4))


def test_value_function_rises_with_a_better_discriminator():
    # log 3/4 + log(1 - 1/4)
    value = value_function(torch.tensor([LOG3]), torch.tensor([-LOG3]))
    assert float(value) == pytest.approx(2 * math.log(0.75))


def test_generator_losses_have_the_papers_values():
    logits = torch.tensor([LOG3])  # D(G(z)) = 3/4
    assert float(saturating_generator_loss(logits)) == pytest.approx(math.log(0.25))
    assert float(non_saturating_generator_loss(logits)) == pytest.approx(-math.log(0.75))


def test_saturating_loss_has_no_gradient_where_d_is_sure_and_the_other_has():
    # d/ds log(1 - D) = -D, d/ds -log D = D - 1, at D = sigmoid(-20).
    logit = torch.tensor([-20.0], requires_grad=True)
    (saturating,) = torch.autograd.grad(saturating_generator_loss(logit), logit)
    (other,) = torch.autograd.grad(non_saturating_generator_loss(logit), logit)
    assert float(saturating) == pytest.approx(-torch.sigmoid(logit).item(), rel=1e-4)
    assert float(other) == pytest.approx(-1.0, rel=1e-4)


def test_losses_stay_finite_for_huge_logits():
    huge = torch.tensor([1e4, -1e4])
    for loss in (real_loss, fake_loss, saturating_generator_loss, non_saturating_generator_loss):
        assert torch.isfinite(loss(huge))


def test_gradient_share_is_the_terms_part_of_the_norms():
    vectors = torch.ones(2, 2, requires_grad=True)
    terms = {"a": 3 * vectors.sum(), "b": vectors.sum()}
    assert gradient_share(terms, "a", vectors) == pytest.approx(0.75)
    assert gradient_share({"a": terms["a"]}, "a", vectors) == 1.0
    assert gradient_share({"a": 0 * vectors.sum()}, "a", vectors) is None
