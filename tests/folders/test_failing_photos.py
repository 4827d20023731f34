"""A photo or folder that fails does so alone, whatever it is called; parallel calls do not fail."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from helpers.calls import start_call
from helpers.failing_files import ERRORS, fail_at
from helpers.libraries import files, summary
from helpers.photos import make_photo

from mmcgan.metadata import Change, model_of_embedded, model_of_sidecar

NAMES = ("a.png", "b.jpg", "sub/c.png")


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize("args", [["--write", "sidecar"], ["--json"], ["--remove"]])
def test_an_entry_that_cannot_be_looked_at_fails_alone(
    call, photos, tmp_path, capsys, monkeypatch, args, number
):
    fail_at(monkeypatch, {photos / "sub": number}, {photos / "b.jpg": number})
    assert call(photos, *args, "--summary", tmp_path / "s.json") == 1
    err = capsys.readouterr().err
    for name in ("b.jpg", "sub"):
        assert f"mmcgan: error: {photos / name} cannot be read: {os.strerror(number)}\n" in err
    found = summary(tmp_path / "s.json")
    assert found["tagged"] == (0 if "--remove" in args else 2)  # c.png was listed before
    assert [f["path"] for f in found["failed"]] == [str(photos / "b.jpg"), str(photos / "sub")]


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize("place", ["sidecar", "embedded"])
def test_a_photo_whose_drive_fails_is_named_and_the_others_are_done(
    call, photos, tmp_path, capsys, monkeypatch, place, number
):
    def failing(change: Change) -> None:
        if change.path.name.startswith("b.jpg"):
            raise OSError(number, os.strerror(number), str(change.path))
        apply(change)

    apply = Change.apply
    args = (photos, "--summary", tmp_path / "s.json")
    with monkeypatch.context() as patch:
        patch.setattr(Change, "apply", failing)
        assert call(*args, "--write", place) == 1
    assert os.strerror(number) in capsys.readouterr().err
    assert summary(tmp_path / "s.json")["tagged"] == 2
    assert call(*args, "--write", place) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Change, "apply", failing)
        assert call(*args, "--remove") == 1
    assert summary(tmp_path / "s.json")["files_changed"] == 2
    assert [f["path"] for f in summary(tmp_path / "s.json")["failed"]] == [str(photos / "b.jpg")]


@pytest.mark.parametrize("number", ERRORS)
def test_a_photo_that_cannot_be_looked_at_when_its_turn_comes_fails_alone(
    call, photos, monkeypatch, capsys, number
):
    def failing(path: Path, **options: object) -> object:
        if path.name == "b.jpg":
            raise OSError(number, os.strerror(number), str(path))
        return stat(path, **options)

    stat = Path.stat
    monkeypatch.setattr(Path, "stat", failing)
    assert call(photos, "--write", "sidecar") == 1
    monkeypatch.undo()
    assert set(files(photos)) == {*NAMES, "a.png.xmp", "sub/c.png.xmp"}
    assert "b.jpg" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sub", "b.jpg"])
def test_what_is_named_and_must_not_be_read_fails_alone(
    call, photos, tmp_path, monkeypatch, capsys, name
):
    fail_at(monkeypatch, {photos / "sub": errno.EACCES}, {})
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(photos / name))
    args = [photos / "a.png", photos / name, "--summary", tmp_path / "s.json"]
    assert call(*args) == (1 if name == "sub" else 0)
    assert summary(tmp_path / "s.json")["tagged"] == 2  # c.png was listed before


def test_a_name_too_long_for_its_sidecar_fails_alone(call, photos, capsys):
    long = "n" * 251 + ".jpg"
    shutil.copy(photos / "b.jpg", photos / long)
    assert call(photos, "--write", "sidecar") == 1
    assert set(files(photos)) == {*NAMES, long, *(f"{name}.xmp" for name in NAMES)}
    assert long in capsys.readouterr().err
    assert call(photos, "--remove") == 0


def test_named_photos_that_cannot_be_looked_at_fail_alone(call, photos, capsys):
    named = [photos / "b.jpg" / "below.jpg", photos / ("x" * 300), photos / "gone.jpg"]
    assert call(*named, photos / "a.png", "--write", "sidecar") == 1
    assert set(files(photos)) == {*NAMES, "a.png.xmp"}
    out, err = capsys.readouterr()
    assert [line for line in err.splitlines() if "error" in line] != []
    assert len([line for line in err.splitlines() if ": error: " in line]) == 3
    assert str(photos / "a.png") in out


def test_a_full_disk_for_the_table_ends_the_call_with_its_summary(
    call, photos, tmp_path, capsys, full_disk
):
    table = tmp_path / "tags.csv"
    assert call(photos / "a.png", "--csv", table) == 0
    whole = table.read_bytes()
    capsys.readouterr()
    with full_disk(len(whole) + 4):
        assert call(photos, "--csv", table, "--summary", tmp_path / "s.json") == 1
    err = capsys.readouterr().err
    assert err.splitlines()[0].startswith("3 photos: 1 done before, ")
    assert err.splitlines()[-1] == f"mmcgan: error: {table} cannot be written: File too large"
    assert table.read_bytes() == whole
    # The summary needs room as well, so none is there; but one is written where there is.
    assert call(photos, "--csv", table, "--summary", tmp_path / "s.json") == 0


def test_whatever_ends_a_call_its_summary_is_written(call, photos, tmp_path, monkeypatch):
    def ending(change: Change) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(Change, "apply", ending)
    with pytest.raises(MemoryError):
        call(photos, "--write", "sidecar", "--summary", tmp_path / "s.json")
    assert summary(tmp_path / "s.json")["interrupted"] is True


def test_wrong_options_leave_an_old_summary_as_it_is(call, photos, tmp_path):
    table, told = tmp_path / "tags.csv", tmp_path / "s.json"
    assert call(photos, "--csv", table, "--summary", told) == 0
    before = told.read_bytes()
    assert call(photos, "--csv", table, "--summary", told, "--k", 3) == 2
    assert told.read_bytes() == before


@pytest.mark.parametrize("place", ["sidecar", "embedded"])
def test_parallel_calls_wait_for_one_another_and_none_fails(photos, place):
    before = files(photos)
    named = [photos / name for name in NAMES] * 5
    calls = [start_call(place, "-", named) for _ in range(3)]
    assert [call.communicate()[0] for call in calls] == [""] * 3
    assert all(record_of(photos / name, place) == "m 1" for name in NAMES)
    calls = [start_call("remove", "-", named) for _ in range(3)]
    assert [call.communicate()[0] for call in calls] == [""] * 3
    assert files(photos) == before


def record_of(photo: Path, place: str) -> str | None:
    return (model_of_sidecar if place == "sidecar" else model_of_embedded)(photo)


def test_a_name_with_control_characters_is_shown_on_one_line(call, photos, capsys, tmp_path):
    name = "evil\n\x1b[31m\u202egpj.jpg"
    shown = "evil\\n\\x1b[31m\\u202egpj.jpg"
    (photos / name).write_bytes(b"no photo")
    (photos / "sub" / name).write_bytes(make_photo("red"))
    assert call(photos, "--k", 1, "--summary", tmp_path / "s.json") == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 + 2 * 4
    assert str(photos / "sub" / shown) in out
    assert [line for line in err.splitlines() if shown in line and ": error: " in line] != []
    assert "\x1b" not in out + err
    assert summary(tmp_path / "s.json")["failed"][0]["path"] == str(photos / name)
    assert call(photos, "--json", "--k", 1) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {o["path"] for o in found} >= {str(photos / name), str(photos / "sub" / name)}
    assert call(photos / "sub", "--write", "sidecar", "--dry-run") == 0
    heads = [line for line in capsys.readouterr().out.splitlines() if line.startswith("+++ ")]
    assert heads[-1] == f"+++ {photos / 'sub' / shown}.xmp"
