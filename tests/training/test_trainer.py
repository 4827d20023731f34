"""One update: against a plain implementation, its schedules, its batches, its balance."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.tasks import (
    N_PAIRS,
    SMALL,
    VECTOR_SIZE,
    assert_same,
    losses_of,
    make_examples,
    make_photos,
    make_trainer,
    modern,
    weights_of,
)

from mmcgan.errors import TrainingError
from mmcgan.training import trainer as trainer_module
from mmcgan.training.schedules import learning_rate, momentum
from mmcgan.training.terms.adversarial import ADVERSARIAL
from mmcgan.training.terms.retrieval import Retrieval
from mmcgan.training.trainer import balance, without_mean


def test_schedules_reach_the_optimisers():
    trainer = make_trainer()
    trainer.update = 5  # one epoch of 20 pairs in batches of 4
    trainer.step()
    for optimizer in (trainer.optimizer_g, trainer.optimizer_d):
        assert optimizer.param_groups[0]["lr"] == learning_rate(
            SMALL.optimiser, 5, trainer.n_updates
        )
        assert optimizer.param_groups[0]["momentum"] == momentum(SMALL.optimiser, 1.0)


def test_each_network_has_the_learning_rate_that_is_its_own():
    config = modern(learning_rate=0.02, d_learning_rate=0.003, weight_decay=0.1)
    trainer = make_trainer(config, make_photos())
    trainer.update = trainer.n_updates // 2  # half of the cosine
    trainer.step()
    groups = [o.param_groups[0] for o in (trainer.optimizer_g, trainer.optimizer_d)]
    assert [group["lr"] for group in groups] == pytest.approx([0.01, 0.0015])
    assert [group["weight_decay"] for group in groups] == [0.1, 0.1]


# Examples.


def test_an_epoch_meets_every_pair_once_in_an_order_of_its_own():
    examples = make_examples()
    distinct = replace(examples, word_vectors=torch.arange(4.0)[:, None].repeat(1, VECTOR_SIZE))
    distinct.image_features[:] = torch.arange(5.0)[:, None]
    trainer = make_trainer(examples=distinct)
    orders = []
    for epoch in range(2):
        batches = [trainer._batch(epoch * 5 + i).part() for i in range(trainer.batches_per_epoch)]
        # The real vector of a pair is that of its one word.
        words = [batch.sum_of(distinct.word_vectors) for batch in batches]
        orders.append(
            [
                (int(f[0]), int(w[0]))
                for batch, real in zip(batches, words, strict=True)
                for f, w in zip(batch.images, real, strict=True)
            ]
        )
    expected = sorted(tuple(pair) for pair in distinct.pairs.tolist())
    assert len(expected) == N_PAIRS
    assert [sorted(order) for order in orders] == [expected, expected]
    assert orders[0] != orders[1]


def test_an_epoch_of_photos_meets_every_photo_once():
    trainer = make_trainer(modern(batch_size=2), make_photos())
    assert (trainer.task.batch_size, trainer.batches_per_epoch) == (2, 2)
    epochs = [
        [int(row) for i in range(2) for row in trainer._batch(2 * epoch + i).rows]
        for epoch in range(20)
    ]
    # Whole batches alone: of five photos one is left out, not the same one every time.
    assert all(len(set(rows)) == 4 for rows in epochs)
    assert {row for rows in epochs for row in rows} == set(range(5))
    assert len({frozenset(rows) for rows in epochs}) > 1


def test_fewer_pairs_than_a_batch_still_make_one_batch():
    trainer = make_trainer(examples=make_examples(3))
    assert trainer.batches_per_epoch == 1
    assert len(trainer._batch(0)) == 3


@pytest.mark.parametrize(
    ("n_photos", "batch_size"), [(3, 16), (639, 16), (800, 20), (10_239, 255), (90_000, 256)]
)
def test_few_photos_make_smaller_batches(n_photos, batch_size):
    # A fortieth of the photos, at least 16, at most --batch-size.
    pairs = torch.stack([torch.arange(n_photos), torch.zeros(n_photos, dtype=torch.long)], dim=1)
    examples = replace(make_photos(), pairs=pairs, image_features=torch.zeros(n_photos, 7))
    assert make_trainer(modern(batch_size=256), examples).task.batch_size == batch_size
    # Of pairs there are always enough.
    assert make_trainer(SMALL.with_options(batch_size=100), examples).task.batch_size == 100


# One step against an independent, plain implementation.


class PlainGan:
    """The same step in plain tensor algebra: explicit formulas, momentum and SGD by hand."""

    def __init__(self, trainer):
        g, d = trainer.task.generator, trainer.discriminator
        self.g = {n: p.detach().clone().double().requires_grad_() for n, p in g.named_parameters()}
        self.d = {n: p.detach().clone().double().requires_grad_() for n, p in d.named_parameters()}
        self.velocity = {}

    def generate(self, noise, images):
        a = (noise @ self.g["noise_layer.weight"].T + self.g["noise_layer.bias"]).clamp(min=0)
        b = (images @ self.g["condition_layer.weight"].T + self.g["condition_layer.bias"]).clamp(
            min=0
        )
        return torch.cat([a, b], 1) @ self.g["output.weight"].T + self.g["output.bias"]

    def probability(self, words, images):
        a = (words @ self.d["example_layer.0.weight"].T + self.d["example_layer.0.bias"]).clamp(
            min=0
        )
        b = (
            images @ self.d["condition_layer.0.weight"].T + self.d["condition_layer.0.bias"]
        ).clamp(min=0)
        pieces = torch.cat([a, b], 1) @ self.d["maxout.linear.weight"].T
        pieces = pieces + self.d["maxout.linear.bias"]
        hidden = torch.stack([pieces[:, i : i + 2].max(1).values for i in range(0, 8, 2)], 1)
        logit = hidden @ self.d["output.weight"].T + self.d["output.bias"]
        return 1 / (1 + torch.exp(-logit[:, 0]))

    def descend(self, parameters, loss, rate, momentum):
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        for (name, p), gradient in zip(parameters.items(), gradients, strict=True):
            key = (id(parameters), name)
            self.velocity[key] = momentum * self.velocity.get(key, 0) + gradient
            with torch.no_grad():
                p -= rate * self.velocity[key]

    def step(self, images, words, noise_d, noise_g, rate, momentum, generator_loss):
        fake = self.generate(noise_d, images).detach()
        real_term = torch.log(self.probability(words, images)).mean()
        fake_term = torch.log(1 - self.probability(fake, images)).mean()
        self.descend(self.d, -(real_term + fake_term), rate, momentum)
        found = self.probability(self.generate(noise_g, images), images)
        saturating = generator_loss == "saturating"
        loss = torch.log(1 - found).mean() if saturating else -torch.log(found).mean()
        self.descend(self.g, loss, rate, momentum)


@pytest.mark.parametrize("generator_loss", ["saturating", "non-saturating"])
def test_steps_equal_an_independent_plain_implementation(generator_loss):
    # Without dropout, whose masks have no independent source.
    config = SMALL.with_options(dropout=0.0, d_dropout=0.0, loss=generator_loss)
    trainer = make_trainer(config)
    word_vectors = trainer.task.examples.word_vectors
    plain = PlainGan(trainer)
    for update in range(3):
        batch = trainer._batch(update).part()
        images, words = batch.images.double(), word_vectors[batch.words].double()
        torch.manual_seed(trainer_module._mixed_seed(config.run.seed, update))
        noise_d, noise_g = torch.randn(4, 3).double(), torch.randn(4, 3).double()
        # lr 0.1 / 1.00004^t; momentum from .5 to .7 over 2 epochs of 5 updates
        plain.step(
            images,
            words,
            noise_d,
            noise_g,
            0.1 / 1.00004**update,
            0.5 + 0.2 * update / 10,
            generator_loss,
        )
        trainer.step()
    for network, expected in ((trainer.task.generator, plain.g), (trainer.discriminator, plain.d)):
        for name, parameter in network.named_parameters():
            assert torch.allclose(parameter.double(), expected[name], atol=1e-5), name


def test_k_discriminator_steps_take_k_batches_before_one_generator_step(monkeypatch):
    trainer = make_trainer(SMALL.with_options(discriminator_steps=2))
    taken = []
    batch = trainer._batch
    monkeypatch.setattr(trainer, "_batch", lambda i: taken.append(i) or batch(i))
    before = weights_of(trainer)[0]
    trainer.step()
    trainer.step()
    assert taken == [0, 1, 2, 3]
    assert not torch.equal(before, weights_of(trainer)[0])
    assert trainer.updates_per_epoch == 2.5


@pytest.mark.parametrize("config", [SMALL, modern()], ids=["paper", "modern"])
def test_generator_step_leaves_the_discriminator_alone(config):
    trainer = make_trainer(config)
    trainer.step()
    before = [p.clone() for p in trainer.discriminator.parameters()]
    trainer._generator_step(*batch_and_noise(trainer))
    assert_same(before, list(trainer.discriminator.parameters()))
    assert all(p.requires_grad for p in trainer.discriminator.parameters())


@pytest.mark.parametrize("config", [SMALL, modern()], ids=["paper", "modern"])
def test_discriminator_step_leaves_generator_and_words_alone(config):
    trainer = make_trainer(config)
    before = [p.detach().clone() for p in trainer.learners.parameters()]
    output = trainer.discriminator.output.weight.detach().clone()
    trainer._set_schedules()
    trainer._discriminator_step(*batch_and_noise(trainer))
    assert_same(before, list(trainer.learners.parameters()))
    assert not torch.equal(output, trainer.discriminator.output.weight)


def test_paper_never_moves_the_words():
    trainer = make_trainer()
    given = trainer.task.examples.word_vectors.clone()
    for _ in range(5):
        trainer.step()
    assert torch.equal(trainer.task.words.vectors[0], given)
    assert not trainer.task.words.bias.any()


def test_modern_learns_the_words_with_the_generator():
    trainer = make_trainer(modern(), make_photos())
    before = [p.detach().clone() for p in trainer.task.words.parameters()]
    trainer.step()
    after = list(trainer.task.words.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_step_measures_losses_and_accuracies_by_name():
    measures = make_trainer().step()
    assert set(measures) == {
        "loss_d_real",
        "loss_d_fake",
        "loss_g_adversarial",
        "d_accuracy_real",
        "d_accuracy_fake",
        "adversarial_gradient_share",
    }
    assert 0 <= float(measures["d_accuracy_real"]) <= 1


def test_modern_step_measures_every_term_by_name():
    measures = make_trainer(modern(), make_photos()).step()
    assert set(measures) == {
        "loss_d_real",
        "loss_d_fake",
        "loss_d_penalty",
        "loss_g_adversarial",
        "loss_g_retrieval",
        "loss_g_likelihood",
        "d_accuracy_real",
        "d_accuracy_fake",
        "adversarial_gradient_share",
    }


def test_adversarial_gradient_share_is_all_where_it_is_the_only_term():
    assert float(make_trainer().step()["adversarial_gradient_share"]) == 1.0


def test_adversarial_gradient_share_is_the_one_asked_for():
    trainer = make_trainer(modern(adversarial_share=0.3), make_photos())
    shares = [float(trainer.step()["adversarial_gradient_share"]) for _ in range(5)]
    assert shares == pytest.approx([0.3] * 5, rel=1e-5)


def batch_and_noise(trainer):
    """What a step takes: the first mini-batch, and noise for all of its examples."""
    whole = trainer._batch(0)
    return whole.part(), trainer._noise(len(whole))


# The weight of the adversarial term.


def test_balance_makes_the_adversarial_gradient_the_share_of_all_norms():
    # Norms: adversarial 5, others 2 and 1; w·5 / (w·5 + 3) = .3 where w = .3 / .7 · 3 / 5.
    gradients = {
        ADVERSARIAL: torch.tensor([[3.0, -4.0]]),
        "a": torch.tensor([[0.0, 2.0]]),
        "b": torch.tensor([[-1.0, 0.0]]),
    }
    weight, share = balance(gradients, 0.3)
    assert weight == pytest.approx(0.9 / 3.5)
    assert float(share) == pytest.approx(0.3)
    assert weight * 5 / (weight * 5 + 3) == pytest.approx(0.3)


def test_balance_without_a_share_leaves_the_weight_1_and_says_what_it_is():
    gradients = {ADVERSARIAL: torch.tensor([3.0, -4.0]), "a": torch.tensor([0.0, 15.0])}
    weight, share = balance(gradients, None)
    assert (weight, float(share)) == (1.0, 0.25)
    assert float(balance({ADVERSARIAL: torch.ones(3)}, None)[1]) == 1.0


def test_balance_of_a_share_without_other_terms_leaves_the_weight_1():
    weight, share = balance({ADVERSARIAL: torch.ones(3)}, 0.3)
    assert (weight, float(share)) == (1.0, 1.0)


def test_balance_with_the_share_0_takes_the_term_out():
    gradients = {ADVERSARIAL: torch.ones(3), "a": torch.ones(3)}
    weight, share = balance(gradients, 0.0)
    assert (weight, float(share)) == (0.0, 0.0)


@pytest.mark.parametrize("share", [None, 0.3])
def test_balance_without_any_gradient_is_no_number_and_breaks_nothing(share):
    weight, found = balance({ADVERSARIAL: torch.zeros(2, 3)}, share)
    assert weight == 1.0
    assert math.isnan(float(found))


def test_balance_where_the_adversarial_term_has_no_gradient():
    # The saturating loss where D is sure: nothing to scale, the other terms go on.
    weight, share = balance({ADVERSARIAL: torch.zeros(3), "a": torch.ones(3)}, 0.3)
    assert (weight, float(share)) == (1.0, 0.0)


@pytest.mark.parametrize("moves", ["draws", "spread"])
def test_terms_meet_in_the_generator_as_one_weighted_sum(moves):
    """The gradient of each parameter is that of w·adversarial + the others, taken at once."""
    config = modern(
        dropout=0.0, input_dropout=0.0, d_dropout=0.0, adversarial_share=0.3, moves=moves
    )
    trainer = make_trainer(config, make_photos())
    batch, noise = batch_and_noise(trainer)

    def losses(draws):
        """The terms at `draws`; where they move the spread, no location is in the others."""
        free = draws if moves == "draws" else draws - (means := means_of(draws)) + means.detach()
        seen = {
            name: losses_of(trainer.task, some, batch)
            for name, some in (("all", draws), ("free", free))
        }
        return {n: seen["all" if n == Retrieval.name else "free"][n] for n in seen["all"]}

    draws = trainer.task.draw(batch, noise)
    terms = losses(draws)
    at_draws = {
        n: torch.autograd.grad(loss, draws, retain_graph=True)[0] for n, loss in terms.items()
    }
    weight, _ = balance(at_draws, 0.3)
    assert weight != pytest.approx(1, abs=0.01)
    total = sum(loss * (weight if n == ADVERSARIAL else 1) for n, loss in terms.items())
    parameters = dict(trainer.learners.named_parameters())
    expected = torch.autograd.grad(total, list(parameters.values()))
    trainer._generator_step(batch, noise)
    for (name, parameter), gradient in zip(parameters.items(), expected, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-6), name


def means_of(draws, n_generators=2):
    """Each draw's mean over the draws of its generator, (B, S, E)."""
    return torch.cat(
        [
            part.mean(dim=1, keepdim=True).expand_as(part)
            for part in draws.chunk(n_generators, dim=1)
        ],
        dim=1,
    )


def test_without_mean_leaves_what_moves_a_generators_draws_apart():
    # Two generators with two draws each: means 2 and 10.
    gradient = torch.tensor([[[1.0], [3.0], [10.0], [10.0]]])
    assert without_mean(gradient, 2).flatten().tolist() == [-1, 1, 0, 0]
    assert without_mean(gradient, 1).flatten().tolist() == [-5, -3, 4, 4]


def test_moving_the_spread_leaves_the_locations_to_the_retrieval_term():
    settings = {"moves": "spread", "dropout": 0.0, "input_dropout": 0.0, "d_dropout": 0.0}
    biases = []
    for likelihood in (0.0, 5.0):
        config = modern(likelihood=likelihood, **settings)
        trainer = make_trainer(config, make_photos())
        trainer._generator_step(*batch_and_noise(trainer))
        biases.append([m.trunk.bias.grad.clone() for m in trainer.task.generator.members])
    for without, with_likelihood in zip(*biases, strict=True):
        assert without.abs().max() > 1e-3
        assert torch.allclose(without, with_likelihood, atol=1e-5)


# The running average.


def test_average_follows_the_weights_with_its_decay():
    trainer = make_trainer(modern(average=0.9), make_photos())
    averages = None
    for _ in range(4):
        trainer.step()
        now = [p.detach().double() for p in trainer.learners.parameters()]
        averages = (
            now
            if averages is None
            else [0.9 * a + 0.1 * n for a, n in zip(averages, now, strict=True)]
        )
    assert trainer.evaluated is not trainer.learners
    for found, expected in zip(trainer.evaluated.parameters(), averages, strict=True):
        assert torch.allclose(found.double(), expected, atol=1e-6)
    copied = trainer.copy_of_evaluated()
    assert set(copied) == {"generator", "words"}
    assert torch.equal(copied["words"]["bias"], trainer.evaluated["words"].bias)


def test_without_an_average_the_weights_themselves_are_evaluated():
    trainer = make_trainer(modern(average=0.0), make_photos())
    assert trainer.evaluated is trainer.learners


def test_copy_of_evaluated_stays_when_training_goes_on():
    trainer = make_trainer()
    trainer.step()
    copied = trainer.copy_of_evaluated()["generator"]["output.weight"]
    kept = copied.clone()
    trainer.step()
    assert torch.equal(copied, kept)
    assert not torch.equal(copied, trainer.task.generator.output.weight)


# States.


@pytest.mark.parametrize("config", [SMALL, modern()], ids=["paper", "modern"])
def test_state_goes_on_with_the_very_same_steps(config):
    whole, cut = make_trainer(config), make_trainer(config)
    for _ in range(3):
        whole.step()
        cut.step()
    state = cut.state_dict()
    other = make_trainer(config.with_options(seed=1))
    other.config = config
    other.load_state_dict(state)
    for _ in range(4):
        whole.step()
        other.step()
    assert (whole.update, other.update) == (7, 7)
    assert_same(weights_of(whole), weights_of(other))
    assert_same(whole.evaluated.state_dict().values(), other.evaluated.state_dict().values())


def test_divergence_before_any_evaluation_is_an_error_that_names_the_remedy():
    trainer = make_trainer(SMALL.with_options(learning_rate=1e30))

    def train():
        for _ in range(50):
            trainer.step()

    with pytest.raises(TrainingError, match=r"at update .*--learning-rate"):
        train()


def test_runs_of_different_seeds_share_no_random_numbers():
    def drawn(seed: int, counter: int) -> float:
        mixed = trainer_module._mixed_seed(seed, counter)
        return float(torch.rand((), generator=torch.Generator().manual_seed(mixed)))

    seeds = [0, 1, 2, 3, 4, 8, 16, 2**31, 2**31 + 1]
    found = {drawn(seed, counter) for seed in seeds for counter in range(40)}
    assert len(found) > 0.999 * 40 * len(seeds)  # a float32 may come twice


@pytest.mark.parametrize("preset", ["paper", "modern"])
def test_bfloat16_products_take_nearly_the_steps_of_float32(preset):
    config = SMALL if preset == "paper" else modern()
    examples = make_examples() if preset == "paper" else make_photos()
    runs = {}
    for precision in ("float32", "bfloat16"):
        trainer = make_trainer(config.with_options(precision=precision), examples)
        measures = [trainer.step() for _ in range(3)][-1]
        assert all(value.dtype != torch.bfloat16 for value in measures.values())
        parameters = [p for p in trainer.learners.parameters() if p.requires_grad]
        assert all(p.dtype == torch.float32 for p in parameters)
        runs[precision] = measures, torch.cat([p.detach().flatten() for p in parameters])
    (exact, weights), (rounded, near) = runs["float32"], runs["bfloat16"]
    assert not torch.equal(weights, near)
    assert torch.allclose(weights, near, atol=0.02 * float(weights.abs().max()))
    for name in ("loss_d_real", "loss_d_fake", "loss_g_adversarial"):
        assert float(rounded[name].detach()) == pytest.approx(float(exact[name].detach()), rel=0.03)
