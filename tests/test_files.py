"""Files appear under their final name only when they are whole, and are read within limits."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmcgan.errors import DataError, PhotoError, RunError
from mmcgan.files import atomic_path, read_file, read_json, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_atomic_path_gives_the_name_at_the_end(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
        assert partial.parent == path.parent
    assert names(path.parent) == ["a.txt"]
    assert path.read_text() == "whole"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_atomic_path_keeps_the_old_file_when_the_block_raises(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error):  # noqa: PT012, SIM117
        with atomic_path(path) as partial:
            partial.write_text("half of the n")
            raise error
    assert names(tmp_path) == ["a.txt"]
    assert path.read_text() == "old"


def test_atomic_path_leaves_nothing_when_the_disk_is_full_at_the_end(tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(tmp_path / "a.txt", "text")
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert names(tmp_path) == []


def test_write_text_leaves_nothing_when_the_disk_is_full(tmp_path, full_disk):
    write_text(tmp_path / "a.txt", "old")
    with full_disk(100), pytest.raises(OSError) as caught:
        write_text(tmp_path / "a.txt", "new" * 1000)
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_atomic_path_leaves_the_old_file_when_the_process_is_killed(tmp_path):
    script = (
        "import os, pathlib, signal, sys\n"
        "from mmcgan.files import atomic_path\n"
        "with atomic_path(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "a.txt"
    path.write_text("old")
    killed = subprocess.run([sys.executable, "-c", script, str(path)])
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    write_text(path, "new")
    assert names(tmp_path) == ["a.txt"]


def test_write_json_is_read_back(tmp_path):
    value = {"word": "日本", "n": 3, "x": [0.1, None]}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json", DataError) == value
    assert "日本" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_write_json_refuses_what_is_no_number(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [DataError, RunError])
@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\x89HDF\r\n\xff\xfe"])
def test_read_json_raises_one_line_for_a_broken_file(tmp_path, content, error):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(error, match=r"a\.json cannot be read as JSON") as caught:
        read_json(path, error)
    assert "\n" not in str(caught.value)


def test_read_json_says_what_is_missing(tmp_path):
    with pytest.raises(RunError, match=r"config\.json is missing"):
        read_json(tmp_path / "config.json", RunError)
    with pytest.raises(RunError, match="cannot be read as JSON"):
        read_json(tmp_path, RunError)


def test_write_json_is_indented_for_people(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    text = (tmp_path / "a.json").read_text()
    assert text.splitlines() == ["{", '  "a": 1', "}"]
    assert json.loads(text) == {"a": 1}


def test_read_file_reports_size_and_absence(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_file(tmp_path / "a", 5) == b"12345"
    with pytest.raises(DataError, match="holds more than"):
        read_file(tmp_path / "a", 4)
    with pytest.raises(PhotoError, match="b cannot be read: No such file"):
        read_file(tmp_path / "b", 4, PhotoError)
