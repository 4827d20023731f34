"""Whole runs of the loop: log, checkpoint, early end, warnings."""

import json

import numpy as np
import pytest
import torch
from helpers.tasks import (
    SMALL,
    assert_same,
    make_examples,
    make_photos,
    make_trainer,
    modern,
    weights_of,
)
from torch import nn

from mmcgan.errors import RunError
from mmcgan.training.loop import Best, Validation, fit
from mmcgan.training.runs import RunDir


def validate(taggers):
    """A stand-in score that moves with the weights."""
    score = float(taggers["generator"].noise_layer.weight.detach().abs().sum())
    return Validation(score, {"P@10": score, "distinct_words": 3.0})


def fit_run(path, config=SMALL, validation=validate):
    run = RunDir(path)
    if not run.is_started:
        run.write_config({})
    trainer = make_trainer(config, make_photos() if config.run.preset == "modern" else None)
    best = fit(trainer, validation, run, keep_last=config.run.refit)
    return trainer, best


def scripted_scores(*values):
    """A validation that gives these scores, and the weights that it saw."""
    scores, seen = iter(values), []

    def scripted(taggers):
        seen.append(taggers["generator"].noise_layer.weight.detach().clone())
        score = next(scores)
        return Validation(score, {"P@10": score, "distinct_words": 3.0})

    return scripted, seen


BOTH = pytest.mark.parametrize("config", [SMALL, modern()], ids=["paper", "modern"])


@BOTH
def test_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path, config):
    first, _ = fit_run(tmp_path / "a", config)
    torch.manual_seed(99)
    again, _ = fit_run(tmp_path / "b", config)
    other, _ = fit_run(tmp_path / "c", config.with_options(seed=1))
    assert_same(weights_of(first), weights_of(again))
    assert not torch.equal(weights_of(first)[0], weights_of(other)[0])


@BOTH
def test_training_leaves_the_global_random_state_alone(tmp_path, config):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit_run(tmp_path, config)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("stop_at", [1, 2, 3])
@BOTH
def test_interrupted_run_resumes_to_the_same_weights_log_and_best(tmp_path, stop_at, config):
    config = config.with_options(evaluate_every=3, epochs=2 if config.run.preset == "paper" else 10)
    whole, best = fit_run(tmp_path / "whole", config)
    calls = iter(range(1, 100))

    def interrupted(taggers):
        if next(calls) == stop_at:
            raise KeyboardInterrupt
        return validate(taggers)

    with pytest.raises(KeyboardInterrupt):
        fit_run(tmp_path / "cut", config, interrupted)
    resumed, best_again = fit_run(tmp_path / "cut", config)
    assert whole.update == resumed.update == 10
    assert_same(weights_of(whole), weights_of(resumed))
    assert_same(whole.evaluated.state_dict().values(), resumed.evaluated.state_dict().values())
    assert (best.score, best.update) == (best_again.score, best_again.update)
    assert set(best.networks) == {"generator", "words"}
    for name, state in best.networks.items():
        assert_same(state.values(), best_again.networks[name].values())
    logs = [RunDir(tmp_path / name).read_log() for name in ("whole", "cut")]
    for record in (r for log in logs for r in log):
        record.pop(f"{config.objective.examples}_per_second", None)
    assert logs[0] == logs[1]


def test_run_stops_early_and_returns_the_best_networks(tmp_path):
    scripted, states = scripted_scores(0.1, 0.4, 0.3, 0.4, 0.2, 0.9)
    config = SMALL.with_options(epochs=50, patience=3)
    trainer, best = fit_run(tmp_path, config, scripted)
    # the second is best; three evaluations without a better one (.3, .4, .2) end the run
    assert len(states) == 5
    assert (best.score, best.update) == (0.4, 10)
    assert torch.equal(best.networks["generator"]["noise_layer.weight"], states[1])
    assert trainer.update == 25


def test_refit_takes_the_last_networks_and_never_stops_early(tmp_path):
    # Dev is among what is learnt from, so that its score says nothing.
    scripted, states = scripted_scores(0.9, 0.4, 0.3, 0.2)
    trainer, best = fit_run(
        tmp_path, SMALL.with_options(epochs=4, patience=1, refit=True), scripted
    )
    assert trainer.update == 20
    assert (best.score, best.update) == (0.2, 20)
    assert torch.equal(best.networks["generator"]["noise_layer.weight"], states[-1])


def test_best_keeps_the_first_of_equal_scores():
    trainer, best = make_trainer(), Best()
    trainer.update = 5
    assert best.take(0.3, trainer)
    trainer.update = 10
    assert not best.take(0.3, trainer)
    assert (best.score, best.update, best.n_since) == (0.3, 5, 1)
    assert best.take(0.4, trainer)
    assert (best.update, best.n_since) == (10, 0)


def test_validation_is_given_the_running_average_without_dropout(tmp_path):
    given = []

    def looking(taggers):
        assert isinstance(taggers, nn.ModuleDict)
        assert not any(module.training for module in taggers.modules())
        given.append(taggers)
        return validate(taggers)

    trainer, _ = fit_run(tmp_path, modern(average=0.9), looking)
    assert given
    assert all(taggers is trainer.average.module for taggers in given)
    averaged, last = (
        t["generator"].noise_layer.weight for t in (trainer.evaluated, trainer.learners)
    )
    assert not torch.equal(averaged, last)
    # Training goes on with dropout.
    assert all(m.training for net in (trainer.evaluated, trainer.learners) for m in net.modules())


def test_best_networks_are_the_averages_at_the_evaluation(tmp_path):
    scripted, states = scripted_scores(0.1, 0.9, 0.2, 0.3)
    _, best = fit_run(tmp_path, modern(average=0.9), scripted)
    assert best.update == 10
    assert torch.equal(best.networks["generator"]["noise_layer.weight"], states[1])


@pytest.mark.parametrize(
    ("config", "own"),
    [
        (SMALL, {"momentum", "pairs_per_second"}),
        (
            modern(),
            {"loss_d_penalty", "loss_g_retrieval", "loss_g_likelihood", "photos_per_second"},
        ),
    ],
    ids=["paper", "modern"],
)
def test_log_holds_every_measure_of_training_and_evaluation(tmp_path, config, own):
    fit_run(tmp_path, config)
    lines = [json.loads(line) for line in RunDir(tmp_path).log_path.read_text().splitlines()]
    lines = [record for record in lines if record["event"] != "warning"]
    assert [r["event"] for r in lines] == ["train", "evaluate"] * (len(lines) // 2)
    assert [r["update"] for r in lines] == [
        u for u in range(5, 5 * len(lines) // 2 + 1, 5) for _ in range(2)
    ]
    assert set(lines[0]) == own | {
        "event",
        "update",
        "epoch",
        "learning_rate",
        "loss_d_real",
        "loss_d_fake",
        "loss_g_adversarial",
        "d_accuracy_real",
        "d_accuracy_fake",
        "adversarial_gradient_share",
    }
    assert {"update", "epoch", "P@10", "distinct_words", "best"} <= set(lines[1])


def test_log_has_the_means_of_an_interval(tmp_path):
    fit_run(tmp_path, SMALL.with_options(evaluate_every=4, epochs=2))
    trainer = make_trainer(SMALL.with_options(evaluate_every=4, epochs=2))
    losses = [float(trainer.step()["loss_d_real"].detach()) for _ in range(10)]
    logged = [r["loss_d_real"] for r in RunDir(tmp_path).read_log() if r["event"] == "train"]
    assert logged == pytest.approx(
        [np.mean(part) for part in (losses[:4], losses[4:8], losses[8:])]
    )


def test_log_leaves_out_updates_in_which_a_measure_was_no_number(tmp_path, monkeypatch):
    trainer = make_trainer(SMALL.with_options(epochs=2))
    step, shares = trainer.step, iter([np.nan, 0.5, 0.7, np.nan, np.nan] + [np.nan] * 5)
    monkeypatch.setattr(
        trainer,
        "step",
        lambda: {**step(), "adversarial_gradient_share": torch.tensor(next(shares))},
    )
    run = RunDir(tmp_path)
    run.write_config({})
    fit(trainer, validate, run)
    logged = [r["adversarial_gradient_share"] for r in run.read_log() if r["event"] == "train"]
    assert logged == [pytest.approx(0.6), None]
    assert "NaN" not in run.log_path.read_text()


def test_divergence_after_an_evaluation_ends_the_run_with_the_best_networks(tmp_path, capsys):
    examples = make_examples()
    trainer = make_trainer(SMALL, examples)
    run = RunDir(tmp_path)
    run.write_config({})

    def poison(taggers):
        examples.word_vectors[:] = float("nan")
        return validate(taggers)

    best = fit(trainer, poison, run)
    assert best.update == 5
    assert all(torch.isfinite(t).all() for t in best.networks["generator"].values())
    assert "no longer a number" in run.read_log()[-1]["message"]
    assert "no longer a number" in capsys.readouterr().err


def test_collapse_is_said_once_and_logged(tmp_path, capsys):
    def collapsed(taggers):
        return Validation(0.1, {"P@10": 0.1}, "all samples have the same nearest word")

    fit_run(tmp_path, SMALL, collapsed)
    warnings = [r for r in RunDir(tmp_path).read_log() if r["event"] == "warning"]
    assert [r["update"] for r in warnings] == [5]
    assert "same nearest word" in warnings[0]["message"]
    assert capsys.readouterr().err.count("same nearest word") == 1


@pytest.mark.parametrize(("accuracies", "is_said"), [((1.0, 1.0), True), ((1.0, 0.9), False)])
def test_discriminator_that_is_never_wrong_is_said(
    tmp_path, capsys, monkeypatch, accuracies, is_said
):
    trainer = make_trainer()
    step, names = trainer.step, ("d_accuracy_real", "d_accuracy_fake")
    found = {n: torch.tensor(a) for n, a in zip(names, accuracies, strict=True)}
    monkeypatch.setattr(trainer, "step", lambda: step() | found)
    run = RunDir(tmp_path)
    run.write_config({})
    fit(trainer, validate, run)
    assert ("without fail" in capsys.readouterr().err) == is_said
    assert sum(r["event"] == "warning" for r in run.read_log()) == is_said


def test_fit_without_a_single_update_left_does_nothing(tmp_path):
    first, best = fit_run(tmp_path)
    again, best_again = fit_run(tmp_path)
    assert_same(weights_of(first), weights_of(again))
    assert (best.score, np.isfinite(best.score)) == (best_again.score, True)


@pytest.mark.parametrize("spoilt", ["name", "shape", "best"])
def test_checkpoint_of_another_version_is_one_line(tmp_path, spoilt):
    run, trainer = RunDir(tmp_path), make_trainer()
    run.write_config({})
    state = {"trainer": trainer.state_dict(), "best": vars(Best())}
    if spoilt == "name":
        state["trainer"]["taggers"] = state["trainer"].pop("learners")
    elif spoilt == "shape":
        weights = state["trainer"]["discriminator"]
        weights["output.bias"] = torch.zeros(3)
    else:
        state["best"]["other"] = 1
    run.save_checkpoint(state)
    with pytest.raises(RunError, match=r"checkpoint of .* another version"):
        fit(make_trainer(), validate, run)
