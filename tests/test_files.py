"""Files appear under their final name only when they are whole, and are read within limits."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mmcgan import files
from mmcgan.errors import DataError, PhotoError, RunError
from mmcgan.files import (
    atomic_path,
    is_file,
    is_leftover,
    locked,
    read_file,
    read_json,
    replacing,
    write_json,
    write_text,
)


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


@pytest.mark.parametrize("length", [1, 244, 255])
def test_atomic_path_takes_every_name_that_the_disk_takes(tmp_path, length):
    path = tmp_path / ("x" * length)
    write_text(path, "text")
    assert names(tmp_path) == [path.name]


def test_a_name_that_the_disk_does_not_take_is_named(tmp_path):
    path = tmp_path / ("x" * 256)
    with pytest.raises(OSError, match="name too long") as caught:
        write_text(path, "text")
    assert caught.value.filename == str(path)
    assert names(tmp_path) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_path(path) as first, atomic_path(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["a.txt"]


def test_replacing_makes_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "gone" / "a"):
        pass
    assert caught.value.filename == str(tmp_path / "gone" / "a")
    assert names(tmp_path) == []


def partial_name(machine: str, process: int) -> str:
    return f".mmcgan-0123456789abcdef-{machine}-{process:x}-01234567.partial"


def test_is_leftover_knows_what_is_still_being_written(tmp_path):
    here, elsewhere = files._machine(), "0" * 8
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    expected = {
        partial_name(here, ended.pid): True,
        partial_name(here, os.getpid()): False,
        partial_name(here, 1): False,
        partial_name(here, 2**70): True,
        partial_name(elsewhere, ended.pid): False,
        "a.txt.partial": False,  # not ours
        ".mmcgan-a.partial": False,
    }
    for name in expected:
        (tmp_path / name).touch()
    assert {name: is_leftover(tmp_path / name) for name in expected} == expected
    for name in expected:
        os.utime(tmp_path / name, (1, 1))
    ours = {name for name in expected if name.startswith(".mmcgan-0")}
    assert {name for name in expected if is_leftover(tmp_path / name)} == ours
    assert not is_leftover(tmp_path / partial_name(elsewhere, 77))  # it is not there


def test_is_file_is_false_for_whatever_cannot_be_looked_at(tmp_path, monkeypatch):
    write_text(tmp_path / "a", "")
    assert is_file(tmp_path / "a")
    odd = [tmp_path, tmp_path / "none", tmp_path / "a" / "b", tmp_path / ("x" * 300)]
    assert not any(map(is_file, [*odd, Path("a\0b")]))
    for number in (errno.EACCES, errno.EIO, errno.ESTALE):

        def refuse(path: Path, number: int = number, **options: bool) -> None:
            raise OSError(number, "no")

        monkeypatch.setattr(Path, "stat", refuse)
        assert not is_file(tmp_path / "a")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _add_one(path: Path, n_times: int) -> None:
    for _ in range(n_times):
        with locked(path):
            write_text(path, str(int(path.read_text()) + 1))


@pytest.mark.parametrize("kind", [threading.Thread, multiprocessing.get_context("spawn").Process])
def test_locked_lets_one_go_on_at_a_time(tmp_path, home, kind):
    path = tmp_path / "a.txt"
    write_text(path, "0")
    workers = [kind(target=_add_one, args=(path, 20)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_text() == "80"


def test_locked_knows_a_file_by_any_of_its_paths(tmp_path, home, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setattr(files, "_PATIENCE_SECONDS", 0.1)
    waited: list[bool] = []

    def other() -> None:
        waited.append(files._acquired(files._digest(str(tmp_path / "a"), 2)) is None)

    with locked(tmp_path / "link" / "a"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert waited == [True]


def test_locked_may_be_called_again_in_its_block(tmp_path, home):
    with locked(tmp_path / "a"), locked(tmp_path / "a"):
        pass
    with locked(tmp_path / "a"):
        pass


def test_locked_does_not_wait_for_ever(tmp_path, home, monkeypatch):
    monkeypatch.setattr(files, "_PATIENCE_SECONDS", 0.1)
    done = threading.Event()

    def other() -> None:
        with locked(tmp_path / "a"):
            done.set()

    with locked(tmp_path / "a"):
        thread = threading.Thread(target=other)
        thread.start()
        assert done.wait(10)
        thread.join()


@pytest.mark.parametrize(
    "error", [OSError(errno.EROFS, "Read-only file system"), NotImplementedError]
)
def test_locked_goes_on_where_there_are_no_locks(tmp_path, home, monkeypatch, error):
    def refuse(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(files, "FileLock", refuse)
    with locked(tmp_path / "a"):
        pass


def test_locked_goes_on_without_a_folder_for_locks(tmp_path, home):
    home.write_text("a file where the folder should be")
    with locked(tmp_path / "a"):
        pass
