"""The run folder: settings, log, checkpoints, and which run is meant."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from helpers.runs import make_run

from mmcgan.errors import RunError
from mmcgan.training.runs import RunDir, newest_unfinished_run, next_run


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run that is started."""
    run = RunDir(tmp_path / "runs" / "0001")
    run.write_config({"settings": {"seed": 0}, "dataset_id": "abc"})
    return run


def state(update: int) -> dict[str, object]:
    return {"update": update, "weights": {"layer": torch.full((3, 2), float(update))}}


def test_config_is_frozen_and_read_back(run):
    assert run.is_started
    assert run.read_config() == {"settings": {"seed": 0}, "dataset_id": "abc"}
    assert not run.is_finished


@pytest.mark.parametrize("content", ["", '{"settings": ', "[1, 2]", "3"])
def test_read_config_refuses_a_broken_file(run, content):
    (run.path / "config.json").write_text(content)
    with pytest.raises(RunError, match=r"config\.json") as caught:
        run.read_config()
    assert "\n" not in str(caught.value)


def test_read_config_says_that_it_is_missing(tmp_path):
    assert not RunDir(tmp_path).is_started
    with pytest.raises(RunError, match="missing"):
        RunDir(tmp_path).read_config()


def test_log_is_read_back_in_order(run):
    assert run.read_log() == []
    records = [
        {"event": "train", "update": 1, "loss_d": 0.5},
        {"event": "evaluate", "word": "日本"},
    ]
    for record in records:
        run.log(record)
    assert run.read_log() == records


def test_log_leaves_out_a_line_that_was_cut_short(run):
    run.log({"update": 1})
    with run.log_path.open("ab") as file:
        file.write(b'{"update": 2, "loss": 0.\xe6')
    assert run.read_log() == [{"update": 1}]
    run.log_path.write_text('{"update": 1}\n[3]\n7\n')
    assert run.read_log() == [{"update": 1}]


def test_cut_log_drops_what_is_taken_again(run):
    for update in (100, 200, 300):
        run.log({"event": "train", "update": update})
        run.log({"event": "evaluate", "update": update})
    with run.log_path.open("a") as file:
        file.write('{"event": "tra')
    run.cut_log(after_update=200)
    assert [record["update"] for record in run.read_log()] == [100, 100, 200, 200]
    assert run.log_path.read_text().count("\n") == 4
    run.log({"event": "warning", "update": 0})
    run.cut_log(after_update=0)
    assert run.read_log() == []


def test_checkpoint_is_read_back(run):
    assert run.load_checkpoint() is None
    run.save_checkpoint(state(5))
    run.save_checkpoint(state(6))
    found = run.load_checkpoint()
    assert found["update"] == 6
    assert torch.equal(found["weights"]["layer"], torch.full((3, 2), 6.0))
    run.finish()
    assert run.load_checkpoint() is None
    run.finish()


@pytest.mark.parametrize("n_bytes", [0, 100])
def test_checkpoint_on_a_full_disk_keeps_the_one_before(run, full_disk, n_bytes):
    run.save_checkpoint(state(5))
    before = sorted(run.path.iterdir())
    with full_disk(n_bytes), pytest.raises(OSError) as caught:
        run.save_checkpoint(state(6))
    assert caught.value.filename == str(run.path / "checkpoint.pt")
    assert sorted(run.path.iterdir()) == before
    assert run.load_checkpoint()["update"] == 5


def assert_checkpoint_is_refused(run: RunDir) -> None:
    with pytest.raises(RunError, match=r"checkpoint\.pt is broken .* delete it") as caught:
        run.load_checkpoint()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_load_checkpoint_refuses_a_truncated_file(run, share):
    run.save_checkpoint(state(5))
    path = run.path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert_checkpoint_is_refused(run)


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def test_load_checkpoint_runs_no_code(run, tmp_path):
    mark = tmp_path / "was run"
    hostile = Hostile(f"touch '{mark}'")
    path = run.path / "checkpoint.pt"
    torch.save({"update": hostile}, path)
    assert_checkpoint_is_refused(run)
    path.write_bytes(pickle.dumps(hostile, protocol=2))
    assert_checkpoint_is_refused(run)
    assert not mark.exists()


def test_newest_unfinished_run_has_the_highest_number(tmp_path):
    assert newest_unfinished_run(tmp_path) is None
    make_run(tmp_path, "0002")
    make_run(tmp_path, "0010")
    make_run(tmp_path, "0011", finished_at=1)
    (tmp_path / "0012").mkdir()
    make_run(tmp_path, "zebra")
    assert newest_unfinished_run(tmp_path) == tmp_path / "0010"


def test_next_run_never_takes_a_number_again(tmp_path):
    parent = tmp_path / "runs"
    assert next_run(parent) == parent / "0001"
    make_run(parent, "0007", finished_at=1)
    make_run(parent, "mine")
    assert next_run(parent) == parent / "0008"
    (parent / "12345").mkdir()
    assert next_run(parent) == parent / "12346"
