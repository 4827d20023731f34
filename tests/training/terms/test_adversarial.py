"""The adversarial losses by hand, the penalties against a plain derivative; sets of words."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.tasks import (
    FEATURE_SIZE,
    PLAIN,
    batch_of,
    draw,
    examples_of,
    make_photos,
    make_task,
    modern,
    random_of,
)

from mmcgan.training.losses import (
    critic_fake_loss,
    critic_real_loss,
    lipschitz_penalty,
    relativistic_loss,
)
from mmcgan.training.terms import adversarial
from mmcgan.training.terms.adversarial import ADVERSARIAL_LOSSES, TagAdversarial, best_sets

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
    assert float(ADVERSARIAL_LOSSES["relativistic"].generator(FAKE, REAL)) == pytest.approx(
        expected
    )


@pytest.mark.parametrize("loss", ["saturating", "non-saturating", "wasserstein"])
def test_generators_losses_of_other_kinds_do_not_look_at_real_examples(loss):
    kind = ADVERSARIAL_LOSSES[loss]
    assert not kind.compares
    assert float(kind.generator(FAKE, REAL)) == float(kind.generator(FAKE, 100 * REAL))


def test_generator_of_a_wasserstein_gan_raises_the_critics_mean():
    assert float(ADVERSARIAL_LOSSES["wasserstein"].generator(FAKE, REAL)) == pytest.approx(-0.125)


def test_right_is_by_sign_or_by_order():
    signs = ADVERSARIAL_LOSSES["non-saturating"].right(REAL, FAKE)
    assert float(signs["d_accuracy_real"]) == 0.5  # 0 is not above 0
    assert float(signs["d_accuracy_fake"]) == 0.25
    # 0 > 1 is wrong, 0 > -1, 2 > 0 and 2 > .5 are right.
    assert float(ADVERSARIAL_LOSSES["relativistic"].right(REAL, FAKE)["d_accuracy_order"]) == 0.75


def quadratic(examples: torch.Tensor) -> torch.Tensor:
    """D(x) = |x|² / 2, whose gradient is x."""
    return examples.square().sum(-1) / 2


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # Of real examples (3, 4) alone, |∇|² = 25; of generated ones (0, 0) and (6, 8): 0 and 100.
        ("saturating", 25.0),
        ("non-saturating", 25.0),
        ("relativistic", 25.0 + 50.0),
    ],
)
def test_gradient_is_held_at_real_examples_or_at_both(loss, expected):
    real, fake = torch.tensor([[[3.0, 4.0]]]), torch.tensor([[[0.0, 0.0], [6.0, 8.0]]])
    losses, _ = ADVERSARIAL_LOSSES[loss].discriminator_losses(quadratic, real, fake, 0.5)
    assert losses["loss_d_penalty"].item() == pytest.approx(0.5 * expected)
    losses, _ = ADVERSARIAL_LOSSES[loss].discriminator_losses(
        quadratic, real.detach(), fake.detach(), 0.0
    )
    assert "loss_d_penalty" not in losses


def test_wasserstein_holds_the_gradient_at_1_between_real_and_generated():
    torch.manual_seed(0)
    real, fake = torch.zeros(500, 1, 2), torch.tensor([[[3.0, 4.0]]]).repeat(500, 2, 1)
    losses, _ = ADVERSARIAL_LOSSES["wasserstein"].discriminator_losses(quadratic, real, fake, 10.0)
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


@pytest.mark.parametrize("loss", list(ADVERSARIAL_LOSSES))
def test_penalty_reaches_the_weights_of_the_discriminator(loss):
    weight = torch.tensor([0.5, -0.5], requires_grad=True)
    real, fake = torch.randn(3, 1, 2), torch.randn(3, 2, 2)
    losses, _ = ADVERSARIAL_LOSSES[loss].discriminator_losses(
        lambda x: (x @ weight).tanh(), real, fake, 1.0
    )
    (gradient,) = torch.autograd.grad(losses["loss_d_penalty"], weight)
    assert gradient.abs().sum() > 0


# Sets of the best words.


def test_best_sets_worked_out_by_hand():
    logits = torch.tensor(
        [
            [[3.0, 1.0, 2.0, 0.0], [0.0, -1.0, 5.0, 4.0]],
            [[0.1, 0.2, 0.3, 0.4], [9.0, 8.0, 7.0, 6.0]],
        ]
    )
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
    softness = adversarial.SET_SOFTNESS
    place = 1 / (1 + math.exp((1.5 - 1.0) / softness))
    assert float(gradient[1]) == pytest.approx(place * (1 - place) / softness, rel=1e-5)


def test_gradient_of_a_set_is_largest_at_its_edge():
    logits = torch.tensor([[[9.0, 2.1, 1.9, -9.0]]], requires_grad=True)
    best_sets(logits, torch.tensor([2])).sum().backward()
    gradient = logits.grad[0, 0]
    assert gradient[1:3].min() > 1000 * gradient[[0, 3]].max()


def seen(task, draws, batch):
    return task.adversarial.seen(draws, batch, task)


def test_fake_sets_are_the_sums_of_a_draws_best_words():
    task = make_task(modern(**PLAIN), make_photos())
    batch = batch_of(task, 1, 2)  # two and three tags
    draws = draw(task, batch)
    found = seen(task, draws, batch)
    assert found.shape == (2, 2, 3)  # one set for each of two generators
    vectors, logits = task.examples.word_vectors, task.words(draws)
    for i, size in enumerate((2, 3)):
        for k in range(2):
            best = logits[i, 2 * k].topk(size).indices  # the first of the generator's two draws
            expected = vectors[best].sum(dim=0) / math.sqrt(size)
            assert torch.allclose(found[i, k], expected, atol=1e-6)


def test_sets_that_are_seen_reach_the_draws_and_not_the_words():
    task = make_task(modern(**PLAIN), make_photos())
    batch = batch_of(task, 1, 2)
    draws = draw(task, batch).detach().requires_grad_()
    seen(task, draws, batch).sum().backward()
    assert draws.grad[:, ::2].abs().amax(dim=-1).min() > 0
    assert not draws.grad[:, 1::2].any()  # of a generator's draws one is seen
    assert task.words.vectors.grad is None


def test_words_that_are_seen_are_the_draws_themselves():
    task = make_task()
    batch = batch_of(task, 0, 1, 2, 3)
    draws = draw(task, batch)
    assert seen(task, draws, batch) is draws


def test_sets_are_of_no_more_than_all_words_but_one_and_of_a_largest_size(monkeypatch):
    # A photo with every word of the vocabulary.
    examples = examples_of(torch.tensor([[0, w] for w in range(4)]), torch.zeros(1, FEATURE_SIZE))
    task = make_task(modern(**PLAIN), examples)
    batch = batch_of(task, 0)
    draws, vectors = draw(task, batch), examples.word_vectors
    for most, size in ((adversarial.MAX_SET, 3), (2, 2)):
        monkeypatch.setattr(adversarial, "MAX_SET", most)
        best = task.words(draws)[0, 0].topk(size).indices
        expected = vectors[best].sum(dim=0) / math.sqrt(size)
        assert torch.allclose(seen(task, draws, batch)[0, 0], expected, atol=1e-6)


def test_term_is_the_one_that_the_settings_ask_for():
    of_words, of_sets = (
        make_task(c).adversarial for c in (modern(judged="words", retrieval=0), modern())
    )
    assert (of_words.judged, of_sets.judged) == ("words", "sets")
    assert of_sets == TagAdversarial("non-saturating", 0.3, 0.3, "spread", "sets")
    assert (of_sets.name, of_sets.weight) == ("loss_g_adversarial", 1)
