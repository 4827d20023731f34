import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmcgan import trainer as trainer_module
from mmcgan.config import TrainConfig
from mmcgan.errors import TrainingError
from mmcgan.networks import build_networks
from mmcgan.runs import RunDir
from mmcgan.trainer import Examples, Trainer, Validation, fit, learning_rate, momentum

SMALL = TrainConfig(
    batch_size=4, noise_size=3, noise_units=5, image_units=6, d_word_units=5, d_image_units=6,
    maxout_units=4, maxout_pieces=2, generator_init=0.5, discriminator_init=0.5,
    epochs=2, momentum_epochs=2, evaluate_every=5,
)  # fmt: skip
FEATURE_SIZE, VECTOR_SIZE, N_PAIRS = 7, 3, 20


def make_examples(n_pairs=N_PAIRS):
    random = torch.Generator().manual_seed(0)
    return Examples(
        torch.randn(5, FEATURE_SIZE, generator=random),
        torch.randn(4, VECTOR_SIZE, generator=random),
        torch.stack([torch.arange(n_pairs) % 5, torch.arange(n_pairs) // 5], dim=1),
    )


def make_trainer(config=SMALL, examples=None):
    networks = build_networks(FEATURE_SIZE, VECTOR_SIZE, config)
    return Trainer(*networks, examples or make_examples(), config)


def weights_of(trainer):
    return [p.detach().clone() for n in (trainer.generator, trainer.discriminator)
            for p in n.parameters()]  # fmt: skip


def assert_same(first, second):
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# Schedules: arXiv 1411.1784, section 4.1, and the released configuration.


def test_learning_rate_falls_by_1_00004_an_update_to_its_floor():
    paper = TrainConfig()
    assert learning_rate(paper, 0) == 0.1
    assert learning_rate(paper, 1) == pytest.approx(0.1 / 1.00004)
    # 0.1 / 1.00004^17329 = 0.05, as ln 2 / ln 1.00004 = 17329.0
    assert learning_rate(paper, 17329) == pytest.approx(0.05, rel=1e-4)
    # ln(0.1 / 1e-6) / ln 1.00004 = 287,829: the floor is not reached before.
    assert learning_rate(paper, 287_828) > 1e-6
    assert learning_rate(paper, 287_830) == 1e-6
    assert learning_rate(paper, 10**9) == 1e-6


def test_momentum_rises_linearly_over_250_epochs_and_stays():
    paper = TrainConfig()
    assert [momentum(paper, e) for e in (0, 125, 250, 1000)] == pytest.approx([0.5, 0.6, 0.7, 0.7])


def test_schedules_reach_the_optimisers():
    trainer = make_trainer()
    trainer.update = 5  # one epoch of 20 pairs in batches of 4
    trainer.step()
    for optimizer in (trainer.optimizer_g, trainer.optimizer_d):
        assert optimizer.param_groups[0]["lr"] == learning_rate(SMALL, 5)
        assert optimizer.param_groups[0]["momentum"] == momentum(SMALL, 1.0)


# Examples.


def test_an_epoch_meets_every_pair_once_in_an_order_of_its_own():
    examples = make_examples()
    distinct = replace(examples, word_vectors=torch.arange(4.0)[:, None].repeat(1, VECTOR_SIZE))
    distinct.image_features[:] = torch.arange(5.0)[:, None]
    trainer = make_trainer(examples=distinct)
    orders = []
    for epoch in range(2):
        batches = [trainer._batch(epoch * 5 + i) for i in range(trainer.batches_per_epoch)]
        orders.append([(int(f[0]), int(w[0])) for images, words in batches
                       for f, w in zip(images, words, strict=True)])  # fmt: skip
    expected = sorted(tuple(pair) for pair in distinct.pairs.tolist())
    assert [sorted(order) for order in orders] == [expected, expected]
    assert orders[0] != orders[1]


def test_fewer_pairs_than_a_batch_still_make_one_batch():
    trainer = make_trainer(examples=make_examples(3))
    assert trainer.batches_per_epoch == 1
    assert len(trainer._batch(0)[0]) == 3


# One step against an independent, plain implementation.


class PlainGan:
    """The same step in plain tensor algebra: explicit formulas, momentum and SGD by hand."""

    def __init__(self, trainer):
        g, d = trainer.generator, trainer.discriminator
        self.g = {n: p.detach().clone().double().requires_grad_() for n, p in g.named_parameters()}
        self.d = {n: p.detach().clone().double().requires_grad_() for n, p in d.named_parameters()}
        self.velocity = {}

    def generate(self, noise, images):
        a = (noise @ self.g["noise_layer.weight"].T + self.g["noise_layer.bias"]).clamp(min=0)
        b = (images @ self.g["image_layer.weight"].T + self.g["image_layer.bias"]).clamp(min=0)
        return torch.cat([a, b], 1) @ self.g["output.weight"].T + self.g["output.bias"]

    def probability(self, words, images):
        a = (words @ self.d["word_layer.weight"].T + self.d["word_layer.bias"]).clamp(min=0)
        b = (images @ self.d["image_layer.weight"].T + self.d["image_layer.bias"]).clamp(min=0)
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
        judged = self.probability(self.generate(noise_g, images), images)
        saturating = generator_loss == "saturating"
        loss = torch.log(1 - judged).mean() if saturating else -torch.log(judged).mean()
        self.descend(self.g, loss, rate, momentum)


@pytest.mark.parametrize("generator_loss", ["saturating", "non-saturating"])
def test_steps_equal_an_independent_plain_implementation(generator_loss):
    # Without dropout, whose masks have no independent source.
    config = replace(SMALL, dropout=0.0, generator_loss=generator_loss)
    trainer = make_trainer(config)
    plain = PlainGan(trainer)
    for update in range(3):
        images, words = (x.double() for x in trainer._batch(update))
        torch.manual_seed(trainer_module._mixed_seed(config.seed, update))
        noise_d, noise_g = torch.randn(4, 3).double(), torch.randn(4, 3).double()
        # lr 0.1 / 1.00004^t; momentum from .5 to .7 over 2 epochs of 5 updates
        plain.step(images, words, noise_d, noise_g, 0.1 / 1.00004**update,
                   0.5 + 0.2 * update / 10, generator_loss)  # fmt: skip
        trainer.step()
    for network, expected in ((trainer.generator, plain.g), (trainer.discriminator, plain.d)):
        for name, parameter in network.named_parameters():
            assert torch.allclose(parameter.double(), expected[name], atol=1e-5), name


def test_k_discriminator_steps_take_k_batches_before_one_generator_step(monkeypatch):
    trainer = make_trainer(replace(SMALL, discriminator_steps=2))
    taken = []
    batch = trainer._batch
    monkeypatch.setattr(trainer, "_batch", lambda i: taken.append(i) or batch(i))
    before = weights_of(trainer)[0]
    trainer.step()
    trainer.step()
    assert taken == [0, 1, 2, 3]
    assert not torch.equal(before, weights_of(trainer)[0])
    assert trainer.updates_per_epoch == 2.5


def test_generator_step_leaves_the_discriminator_alone():
    trainer = make_trainer()
    trainer.step()
    before = [p.clone() for p in trainer.discriminator.parameters()]
    trainer._generator_step(trainer._batch(0)[0])
    assert_same(before, list(trainer.discriminator.parameters()))
    assert all(p.requires_grad for p in trainer.discriminator.parameters())


def test_step_measures_losses_and_accuracies_by_name():
    measures = make_trainer().step()
    assert set(measures) == {
        "loss_d_real", "loss_d_fake", "loss_g_adversarial", "d_accuracy_real", "d_accuracy_fake",
    }  # fmt: skip
    assert 0 <= float(measures["d_accuracy_real"]) <= 1


def test_adversarial_gradient_share_is_all_where_it_is_the_only_term():
    assert make_trainer().adversarial_gradient_share() == 1.0


# Whole runs.


def validate(generator):
    """A stand-in score that moves with the weights."""
    score = float(generator.output.weight.detach().abs().sum())
    return Validation(score, {"P@10": score, "distinct_words": 3.0})


def fit_run(path, config=SMALL, validation=validate):
    run = RunDir(path)
    if not run.is_started:
        run.write_config({})
    trainer = make_trainer(config)
    best = fit(trainer, validation, run)
    return trainer, best


def test_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    first, _ = fit_run(tmp_path / "a")
    torch.manual_seed(99)
    again, _ = fit_run(tmp_path / "b")
    other, _ = fit_run(tmp_path / "c", replace(SMALL, seed=1))
    assert_same(weights_of(first), weights_of(again))
    assert not torch.equal(weights_of(first)[0], weights_of(other)[0])


def test_training_leaves_the_global_random_state_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit_run(tmp_path)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_interrupted_run_resumes_to_the_same_weights_log_and_best(tmp_path, stop_at):
    config = replace(SMALL, evaluate_every=3)
    whole, best = fit_run(tmp_path / "whole", config)
    calls = iter(range(1, 100))

    def interrupted(generator):
        if next(calls) == stop_at:
            raise KeyboardInterrupt
        return validate(generator)

    with pytest.raises(KeyboardInterrupt):
        fit_run(tmp_path / "cut", config, interrupted)
    resumed, best_again = fit_run(tmp_path / "cut", config)
    assert_same(weights_of(whole), weights_of(resumed))
    assert (best.score, best.update) == (best_again.score, best_again.update)
    for name, state in best.networks.items():
        assert_same(state.values(), best_again.networks[name].values())
    logs = [RunDir(tmp_path / name).read_log() for name in ("whole", "cut")]
    for record in (r for log in logs for r in log):
        record.pop("pairs_per_second", None)
    assert logs[0] == logs[1]


def test_run_stops_early_and_returns_the_best_networks(tmp_path):
    scores = iter([0.1, 0.4, 0.3, 0.4, 0.2, 0.9])
    states = []

    def scripted(generator):
        states.append(generator.output.weight.detach().clone())
        return Validation(score := next(scores), {"P@10": score, "distinct_words": 3.0})

    config = replace(SMALL, epochs=50, patience=3)
    trainer, best = fit_run(tmp_path, config, scripted)
    # the second is best; three evaluations without a better one (.3, .4, .2) end the run
    assert len(states) == 5
    assert (best.score, best.update) == (0.4, 10)
    assert torch.equal(best.networks["generator"]["output.weight"], states[1])
    assert trainer.update == 25


def test_log_holds_every_measure_of_training_and_evaluation(tmp_path):
    fit_run(tmp_path)
    lines = [json.loads(line) for line in RunDir(tmp_path).log_path.read_text().splitlines()]
    assert [r["event"] for r in lines] == ["train", "evaluate"] * 2
    assert {"update", "epoch", "learning_rate", "momentum", "loss_d_real", "loss_d_fake",
            "loss_g_adversarial", "d_accuracy_real", "d_accuracy_fake",
            "adversarial_gradient_share", "pairs_per_second"} <= set(lines[0])  # fmt: skip
    assert {"update", "epoch", "P@10", "distinct_words", "best"} <= set(lines[1])


def test_divergence_before_any_evaluation_is_an_error_that_names_the_remedy():
    trainer = make_trainer(replace(SMALL, learning_rate=1e30))

    def train():
        for _ in range(50):
            trainer.step()

    with pytest.raises(TrainingError, match=r"at update .*--learning-rate"):
        train()


def test_divergence_after_an_evaluation_ends_the_run_with_the_best_networks(tmp_path, capsys):
    examples = make_examples()
    trainer = make_trainer(SMALL, examples)
    run = RunDir(tmp_path)
    run.write_config({})

    def poison(generator):
        examples.word_vectors[:] = float("nan")
        return validate(generator)

    best = fit(trainer, poison, run)
    assert best.update == 5
    assert all(torch.isfinite(t).all() for t in best.networks["generator"].values())
    assert "no longer a number" in run.read_log()[-1]["message"]
    assert "no longer a number" in capsys.readouterr().err


def test_collapse_is_said_once_and_logged(tmp_path, capsys):
    def collapsed(generator):
        return Validation(0.1, {"P@10": 0.1, "distinct_words": 1.0})

    fit_run(tmp_path, SMALL, collapsed)
    warnings = [r for r in RunDir(tmp_path).read_log() if r["event"] == "warning"]
    assert [r["update"] for r in warnings] == [5]
    assert "same nearest word" in warnings[0]["message"]
    assert capsys.readouterr().err.count("same nearest word") == 1


def test_fit_without_a_single_update_left_does_nothing(tmp_path):
    first, best = fit_run(tmp_path)
    again, best_again = fit_run(tmp_path)
    assert_same(weights_of(first), weights_of(again))
    assert (best.score, np.isfinite(best.score)) == (best_again.score, True)
