"""Where models lie: the newest run, or the one that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.runs import make_run

from mmcgan.errors import RunError
from mmcgan.inference import model_dir
from mmcgan.inference.model_dir import default_model, newest_finished_run


def test_newest_finished_run_is_the_one_with_the_newest_model(tmp_path):
    make_run(tmp_path, "0001", finished_at=300)
    make_run(tmp_path, "0002", finished_at=100)
    make_run(tmp_path, "0003")
    make_run(tmp_path, "by name", finished_at=200)
    assert newest_finished_run(tmp_path) == tmp_path / "0001"


@pytest.mark.parametrize("name", ["missing", "."])
def test_newest_finished_run_says_how_to_get_one(tmp_path, name):
    make_run(tmp_path, "0001")
    with pytest.raises(RunError, match=r"python -m mmcgan\.train, or name one with --run"):
        newest_finished_run(tmp_path / name)


@pytest.fixture
def packaged(tmp_path, monkeypatch) -> Path:
    """Where the packaged model is looked for; the folder is not made."""
    monkeypatch.setattr(model_dir, "PRETRAINED", tmp_path / "pretrained")
    return tmp_path / "pretrained"


def test_default_model_is_the_newest_finished_run_or_else_the_packaged_one(packaged, tmp_path):
    make_run(tmp_path, "pretrained", finished_at=500)
    parent = tmp_path / "runs"
    assert default_model(parent) == packaged
    make_run(parent, "0001")
    assert default_model(parent) == packaged
    make_run(parent, "0002", finished_at=200)
    make_run(parent, "0003", finished_at=100)
    assert default_model(parent) == parent / "0002"


def test_default_model_without_any_says_what_to_do(packaged, tmp_path):
    with pytest.raises(RunError) as caught:
        default_model(tmp_path / "runs")
    message = str(caught.value)
    parts = (
        f"no finished run under {tmp_path / 'runs'}/",
        str(packaged / "model.safetensors"),
        "python -m mmcgan.train",
        "--run",
        "install",
    )
    assert [part for part in parts if part not in message] == []
    assert "\n" not in message


def test_newest_finished_run_never_is_the_packaged_model(packaged, tmp_path):
    make_run(tmp_path, "pretrained", finished_at=500)
    with pytest.raises(RunError, match="no finished run"):
        newest_finished_run(tmp_path / "runs")
