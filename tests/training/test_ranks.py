"""Several ranks against one process: the parts of a mini-batch, real jobs, ranks that die."""

from __future__ import annotations

import json
import re
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from helpers.datasets import SMALL_MODERN
from helpers.playing_ranks import CONFIGS, play, some_untagged
from helpers.tasks import assert_same, make_task
from helpers.torchrun import TESTS, said, torchrun

from mmcgan.cli import run_command
from mmcgan.errors import OptionError, RankError
from mmcgan.inference.tagger import Tagger
from mmcgan.train import main
from mmcgan.training import ranks as distributed
from mmcgan.training import sampler
from mmcgan.training.prepared.dataset import read_dataset
from mmcgan.training.ranks import ALONE, Ranks, current_ranks, run_on_ranks
from mmcgan.training.runs import FollowedRun, RunDir
from mmcgan.training.terms.adversarial import ADVERSARIAL
from mmcgan.training.terms.retrieval import Retrieval
from mmcgan.training.terms.term import Mean
from mmcgan.training.trainer import Trainer, balance, keep_means, term_losses

TIES = {"d_accuracy_order"}  # equal sets of words are told apart by rounding errors
TOLERANCE = 1e-5  # relative, of weights and measures of some tens of updates in single precision


# One process.


def test_a_process_that_torchrun_did_not_start_is_alone(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert current_ranks() is ALONE
    assert run_on_ranks(lambda **options: 7 + len(options)) == 7
    rows = torch.arange(6.0).view(3, 2)
    assert ALONE.is_first
    assert_same([ALONE.own(rows)], [rows])
    assert ALONE.of_first(lambda x: x + 1, 2) == 3
    assert ALONE.after_first(lambda x: x + 1, x=4) == 5
    ALONE.agree({}, "anything")
    measures = {"loss": torch.tensor(0.1)}
    assert ALONE.total(measures) is measures


def test_alone_random_numbers_are_torchs_own():
    ALONE.seed(5)
    drawn = torch.rand(3, generator=ALONE.random), torch.rand(3)
    torch.manual_seed(5)
    assert_same(drawn, (torch.rand(3), torch.rand(3)))


# The parts of a mini-batch.


def test_ranks_share_all_rows_among_them():
    rows = torch.arange(7)
    parts = [Ranks(rank, 3).own(rows).tolist() for rank in range(3)]
    assert parts == [[0, 3, 6], [1, 4], [2, 5]]


def test_ranks_draw_a_mini_batch_alike_and_dropout_apart():
    drawn = []
    for ranks in (ALONE, Ranks(0, 2), Ranks(1, 2)):
        ranks.seed(3)
        drawn.append((torch.randn(20, generator=ranks.random), torch.rand(20)))
    alike, apart = zip(*drawn, strict=True)
    assert_same(alike[:2], alike[1:])
    assert len({tuple(values.tolist()) for values in apart}) == 3


def test_more_ranks_than_discriminated_examples_are_refused():
    Ranks(0, 3).require(3)
    with pytest.raises(OptionError, match=r"--nproc-per-node: 3 processes .* at most 2"):
        Ranks(0, 3).require(2)


def test_discriminated_examples_are_those_of_a_mini_batch():
    found = [
        make_task(CONFIGS[name], some_untagged()).n_discriminated for name in ("paper", "modern")
    ]
    assert found == [5, 3]


@pytest.mark.parametrize("n_scored", [8192, 3], ids=["all words", "some words"])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_parts_of_the_ranks_add_up_to_the_whole(monkeypatch, name, size, n_scored):
    monkeypatch.setattr(sampler, "MAX_SCORED_WORDS", n_scored)
    whole = part_of(name, ALONE)
    parts = [part_of(name, Ranks(rank, size)) for rank in range(size)]
    for step in ("discriminator", "generator"):
        for key in whole[step].keys() - TIES:
            means = [part[step][key] for part in parts]
            n = sum(mean.n for mean in means)
            assert n == whole[step][key].n
            total = sum(float(mean.value) * mean.n / n for mean in means)
            expected = float(whole[step][key].value)
            assert total == pytest.approx(expected, rel=1e-5, abs=1e-7), key
    for rank, part in enumerate(parts):
        for key in whole["draws"]:
            share = part["generator"][key].n / whole["generator"][key].n if key != "draws" else 1
            expected = whole["draws"][key][rank::size]
            found = share * part["draws"][key]
            assert torch.allclose(found, expected, rtol=1e-4, atol=1e-8), key


def part_of(name, ranks):
    """The measures of both steps of one rank, its draws, and each term's gradient at them."""
    task = make_task(CONFIGS[name], some_untagged())
    trainer = Trainer(task, CONFIGS[name], ranks)
    ranks.seed(11)
    whole = task.batch(torch.tensor([4, 0, 2, 1, 3]), ranks.random)
    batch = whole.part(ranks.rank, ranks.size)
    fake = task.draw(batch, trainer._noise(whole.n_discriminated)).detach()
    losses, right = task.adversarial.discriminator_losses(fake, batch, task)
    draws = task.draw(batch, trainer._noise(len(whole)))
    terms = term_losses(task, draws, batch)
    found = {
        key: torch.autograd.grad(mean.value, draws, retain_graph=True)[0]
        for key, mean in terms.items()
    }
    return {
        "discriminator": {n: Mean(m.value.detach(), m.n) for n, m in (losses | right).items()},
        "generator": {n: Mean(m.value.detach(), m.n) for n, m in terms.items()},
        "draws": {"draws": draws.detach(), **keep_means(found, task)},
    }


def test_means_are_weighed_by_the_examples_of_all_ranks(monkeypatch):
    means = {"a": Mean(torch.tensor(2.0), 3), "b": Mean(torch.tensor(5.0), 1)}
    assert ALONE.weigh(means) == {"a": means["a"].value, "b": means["b"].value}
    ranks = Ranks(0, 2)
    monkeypatch.setattr(ranks, "total", lambda own: {"a": own["a"] + 5, "b": own["b"] + 1})
    found = {name: float(value) for name, value in ranks.weigh(means).items()}
    assert found == {"a": 2 * 3 / 8, "b": 5 * 1 / 2}


@pytest.mark.parametrize(
    "module",
    [
        "tag_task",
        "sampler",
        "losses",
        "networks",
        "terms",
        "terms/adversarial",
        "terms/retrieval",
        "terms/likelihood",
        "terms/term",
    ],
)
def test_what_is_learnt_knows_nothing_of_ranks(module):
    path = Path(distributed.__file__).parent / f"{module}.py"
    path = path if path.is_file() else path.with_suffix("") / "__init__.py"
    assert "rank_" not in path.read_text(encoding="utf-8")
    assert not re.search(r"\branks?\b", path.read_text(encoding="utf-8"))


def test_norms_are_those_of_the_whole_gradient(monkeypatch):
    gradients = {ADVERSARIAL: torch.randn(6, 4), Retrieval.name: torch.randn(6, 4)}
    ranks = Ranks(0, 2)
    other = {n: Ranks(1, 2).own(g).norm().square() for n, g in gradients.items()}
    monkeypatch.setattr(ranks, "total", lambda own: {n: own[n] + other[n] for n in own})
    weight, share = balance({n: ranks.own(g) for n, g in gradients.items()}, 0.3, ranks)
    expected = balance(gradients, 0.3)
    assert (weight, float(share)) == pytest.approx((expected[0], float(expected[1])), rel=1e-5)


# What is said.


@pytest.mark.parametrize("first_has_said", [True, False])
def test_other_ranks_speak_where_the_first_has_nothing_to_say(monkeypatch, capsys, first_has_said):
    monkeypatch.setattr(distributed, "FIRST_WORD", timedelta(milliseconds=20))
    store = dist.HashStore()
    if first_has_said:
        distributed._say("mmcgan.train: error: broken", store, 0, sys.stderr)
    distributed._say("mmcgan.train: error: broken", store, 1, sys.stderr)
    expected = "mmcgan.train: error: broken" + ("" if first_has_said else " (rank 1)")
    assert capsys.readouterr().err == expected + "\n"


def test_ranks_that_see_other_data_are_named(monkeypatch):
    def gather(found, value):
        found[:] = [value, value, "other"]

    monkeypatch.setattr(dist, "all_gather_object", gather)
    with pytest.raises(RankError, match="rank 2 does not see the same data"):
        Ranks(0, 3).agree("same", "data")


def test_followed_run_is_read_and_never_written(tmp_path):
    run, followed = RunDir(tmp_path), FollowedRun(tmp_path)
    run.write_config({"settings": {}})
    run.log({"update": 5})
    run.save_checkpoint({"update": 5})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    followed.write_config({"settings": {"seed": 1}})
    followed.log({"update": 6})
    followed.cut_log(after_update=1)
    followed.save_checkpoint({"update": 6})
    followed.write_weights({})
    followed.finish()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert followed.read_config() == {"settings": {}}
    assert followed.load_checkpoint() == {"update": 5}


# Real processes.


def test_two_ranks_train_what_one_process_trains(tmp_path):
    result = torchrun(TESTS / "helpers" / "playing_ranks.py", tmp_path)
    assert result.returncode == 0, result.stderr
    first, other = (torch.load(tmp_path / f"{rank}of2.pt") for rank in range(2))
    for name, config in CONFIGS.items():
        # The ranks hold the same weights bit for bit, so that they never drift apart.
        assert_same(first[name][0].values(), other[name][0].values())
        assert first[name][1] == other[name][1]
        weights, measures = play(config)
        for key, value in weights.items():
            found = first[name][0][key]
            assert torch.allclose(found, value, rtol=TOLERANCE, atol=TOLERANCE), (name, key)
        for found, expected in zip(first[name][1], measures, strict=True):
            assert found.keys() == expected.keys()
            kept = {key: value for key, value in expected.items() if key not in TIES}
            assert {key: found[key] for key in kept} == pytest.approx(kept, rel=1e-4), name


MODERN = [
    *SMALL_MODERN,
    "--epochs",
    "4",
    "--evaluate-every",
    "10",
    "--dropout",
    "0",
    "--input-dropout",
    "0",
    "--d-dropout",
    "0",
]


def test_rank_that_dies_ends_the_job_which_resumes_to_the_model_of_one_process(trained, tmp_path):
    data, _ = trained
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    options = ["--data", str(data), *MODERN, "--resume", "--out"]
    result = torchrun(TESTS / "helpers" / "dying_train.py", *options, cut)
    assert result.returncode != 0
    assert "Signal 9 (SIGKILL) received" in result.stderr
    assert [re.sub(r";.*", "", line) for line in said(result)] == [
        "mmcgan.train: error: another process of the job ended or does not answer"
    ]
    assert RunDir(cut).load_checkpoint()["trainer"]["update"] == 10
    result = torchrun("-m", "mmcgan.train", *options, cut)
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if not line.startswith("[Gloo]")]
    assert [line.split(":")[0] for line in lines] == [
        "data",
        "training modern on user+annotations tags",
        "finished",
    ]
    assert run_command(main, [*options, str(whole)]) == 0
    assert {p.name for p in cut.iterdir()} == {p.name for p in whole.iterdir()}
    assert_same_log(cut, whole)
    features = read_dataset(data).features
    scores = [
        np.concatenate(
            [draws.means.logits(np.arange(17)) for draws in Tagger.load(run).draws(features)]
        )
        for run in (cut, whole)
    ]
    # Weights are stored in half precision.
    assert np.allclose(*scores, atol=2e-3)
    facts = [json.loads((run / "model.json").read_text())["facts"] for run in (cut, whole)]
    assert facts[0] == facts[1]


def assert_same_log(run: Path, other: Path) -> None:
    for found, expected in zip(RunDir(run).read_log(), RunDir(other).read_log(), strict=True):
        for record in (found, expected):
            record.pop("photos_per_second", None)
        numbers = {k: v for k, v in expected.items() if isinstance(v, float)}
        assert {k: found[k] for k in numbers} == pytest.approx(numbers, rel=1e-4)
        assert found.keys() == expected.keys()


def test_wrong_options_are_said_once_and_leave_nothing(trained, tmp_path):
    result = torchrun(
        "-m",
        "mmcgan.train",
        "--data",
        trained[0],
        "--out",
        tmp_path / "run",
        "--preset",
        "paper",
        "--batch-size",
        "1",
    )
    assert result.returncode != 0
    assert [line[:60] for line in said(result)] == [
        "mmcgan.train: error: --nproc-per-node: 2 processes cannot sh"
    ]
    assert re.search(r"exitcode *: 2 ", result.stderr)
    assert not (tmp_path / "run").exists()
