import math

import numpy as np
import pytest
import torch

from mmcgan.training.losses import (
    draw_likelihood,
    fake_loss,
    gradient_penalty,
    non_saturating_generator_loss,
    real_loss,
    retrieval_loss,
    sample_likelihood,
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


# The likelihood of a photo's tags, on two words and against plain numpy.


def test_retrieval_loss_on_two_words():
    # One photo with the first of two words, one member: P = 3/4 and 1/2 of a word being a tag.
    # -log 3/4 - log(1 - 1/2), over its one tag.
    logits = torch.tensor([[[LOG3, 0.0]]])
    loss = retrieval_loss(logits, torch.tensor([[1.0, 0.0]]), torch.ones(2))
    assert float(loss) == pytest.approx(-math.log(0.75) - math.log(0.5))
    # A second photo with both words and P = 1/2 for each: the sum over two photos, three tags.
    logits = torch.tensor([[[LOG3, 0.0]], [[0.0, 0.0]]])
    loss = retrieval_loss(logits, torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.ones(2))
    assert float(loss) == pytest.approx((-math.log(0.75) - 3 * math.log(0.5)) / 3)


def test_retrieval_loss_is_the_mean_over_the_members():
    # Members with P = 3/4 and 1/4 of the one tag.
    logits = torch.tensor([[[LOG3], [-LOG3]]])
    loss = retrieval_loss(logits, torch.ones(1, 1), torch.ones(1))
    assert float(loss) == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)


def test_retrieval_loss_counts_a_word_as_often_as_it_stands_for():
    # The second column stands for three words.
    logits, tags = torch.tensor([[[LOG3, 0.0]]]), torch.tensor([[1.0, 0.0]])
    loss = retrieval_loss(logits, tags, torch.tensor([1.0, 3.0]))
    assert float(loss) == pytest.approx(-math.log(0.75) - 3 * math.log(0.5))


def test_draw_likelihood_on_two_words():
    # Two draws with softmax (3/4, 1/4) and (1/2, 1/2): p = (5/8, 3/8); q is 1/2 on each tag.
    logits = torch.tensor([[[LOG3, 0.0], [2.0, 2.0]]])
    one, both = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    assert float(draw_likelihood(logits, one)) == pytest.approx(-math.log(5 / 8))
    expected = -(math.log(5 / 8) + math.log(3 / 8)) / 2
    assert float(draw_likelihood(logits, both)) == pytest.approx(expected)


def test_draw_likelihood_prefers_draws_that_share_the_tags_among_them():
    # Two tags: a draw for each, or both draws in the middle.
    tags = torch.tensor([[1.0, 1.0, 0.0]])
    apart = torch.tensor([[[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]])
    both_in_the_middle = apart.mean(dim=1, keepdim=True).expand(-1, 2, -1)
    both_the_same = apart[:, :1].expand(-1, 2, -1)
    losses = [float(draw_likelihood(x, tags)) for x in (apart, both_in_the_middle, both_the_same)]
    assert losses == sorted(losses)
    assert losses[2] > losses[0] + 1


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_likelihoods_equal_plain_formulas():
    random = np.random.default_rng(0)
    logits, weights = random.normal(size=(5, 3, 7)), random.uniform(1, 4, 7)
    tags = random.random((5, 7)) < 0.4
    tags[:, 0] = True
    p = 1 / (1 + np.exp(-logits))
    terms = np.where(tags[:, None], -np.log(p), -np.log(1 - p)) * weights
    wanted = terms.sum() / (3 * tags.sum())
    given = torch.tensor(logits), torch.tensor(tags, dtype=torch.float64)
    assert float(retrieval_loss(*given, torch.tensor(weights))) == pytest.approx(wanted)
    wanted = 0.0
    for i in range(5):
        mean = softmax(logits[i]).mean(axis=0)
        wanted -= sum(math.log(mean[w]) for w in np.flatnonzero(tags[i])) / tags[i].sum()
    assert float(draw_likelihood(*given)) == pytest.approx(wanted / 5)


def test_retrieval_loss_takes_targets_between_0_and_1():
    # Tags of similar photos: -t log p - (1 - t) log(1 - p), over the sum of the targets.
    logits, target = torch.tensor([[[LOG3, 0.0]]]), torch.tensor([[0.25, 0.75]])
    loss = retrieval_loss(logits, target, torch.ones(2))
    wanted = -0.25 * math.log(0.75) - 0.75 * math.log(0.25) - math.log(0.5)
    assert float(loss) == pytest.approx(wanted)


def test_likelihoods_of_huge_logits_stay_finite_with_finite_gradients():
    tags = torch.tensor([[1.0, 0.0, 1.0]])
    for sign in (1, -1):
        logits = (sign * torch.tensor([[[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]])).requires_grad_()
        for loss in (retrieval_loss(logits, tags, torch.ones(3)), draw_likelihood(logits, tags)):
            (gradient,) = torch.autograd.grad(loss, logits)
            assert torch.isfinite(loss)
            assert torch.isfinite(gradient).all()


# The penalty.


def test_gradient_penalty_of_a_linear_judge_is_the_square_of_its_weights():
    # D(x) = 3 x₁ - 4 x₂ + 1 has the gradient (3, -4) everywhere, of squared norm 25.
    real = torch.arange(12.0).view(6, 1, 2).requires_grad_()
    logits = real @ torch.tensor([3.0, -4.0]) + 1
    assert float(gradient_penalty(logits, real)) == pytest.approx(25)


def test_gradient_penalty_is_the_mean_over_the_examples():
    # D(x) = x² has the gradient 2x: squares 4, 16 and 36.
    real = torch.tensor([[[1.0]], [[2.0]], [[-3.0]]], requires_grad=True)
    penalty = gradient_penalty(real[..., 0] ** 2, real).detach()
    assert float(penalty) == pytest.approx((4 + 16 + 36) / 3)


def test_gradient_penalty_can_be_lowered():
    judge = torch.tensor([3.0, -4.0], requires_grad=True)
    real = torch.arange(10.0).view(5, 1, 2).requires_grad_()
    gradient_penalty(real @ judge, real).backward()
    assert judge.grad.tolist() == pytest.approx([6, -8])


def test_sample_likelihood_is_that_of_a_parzen_window_of_the_own_label():
    samples = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]], requires_grad=True)
    real = torch.tensor([[0.0, 1.0], [5.0, 4.0]])
    same = torch.tensor([[True, True, False], [False, False, True]])
    # Squared distances 1 and 2 for the first, 1 for the second; width 1/2, so 2 |x - s|².
    first = math.log((math.exp(-2) + math.exp(-4)) / 2)
    loss = sample_likelihood(samples, real, same, 0.5)
    assert float(loss.detach()) == pytest.approx(-(first - 2) / 2 / 2, rel=1e-5)
    loss.backward()
    # The nearer of two samples is moved the more, and each towards the real example.
    pulls = -samples.grad
    assert pulls[0, 1] > pulls[1, 1] > 0
    assert pulls[2, 1] < 0
    assert torch.isfinite(samples.grad).all()
