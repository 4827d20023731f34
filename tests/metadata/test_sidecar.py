"""Sidecars: which file, written, renewed and removed, and never broken."""

from __future__ import annotations

import difflib
import os
import stat
from pathlib import Path

import pytest
from helpers.keyword_photos import contents, encode
from helpers.packets import LIGHTROOM, STYLES, marks, packet, subject

from mmcgan.errors import MetadataError
from mmcgan.metadata import find_sidecars, plan_removal, plan_sidecar
from mmcgan.metadata.xmp.packet import Packet

PHOTO = encode("JPEG", packet(subject("embedded")))


@pytest.fixture
def photo(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    path = tmp_path / "photos" / "a.jpg"
    path.write_bytes(PHOTO)
    return path


def write(photo: Path, *words: str, **options: str) -> None:
    plan_sidecar(photo, marks(*words, **options)).apply()


def remove(photo: Path) -> None:
    for change in plan_removal(photo):
        change.apply()


def keywords(path: Path) -> list[str]:
    return Packet.parse(path.read_bytes(), path.name).keywords()


def test_a_new_sidecar_has_the_whole_name_of_the_photo_and_goes_again(photo):
    write(photo, "sea", "embedded", prefix="auto|")
    assert contents(photo).keys() == {"a.jpg", "a.jpg.xmp"}
    assert keywords(photo.with_name("a.jpg.xmp")) == ["embedded", "auto|sea"]
    remove(photo)
    assert contents(photo) == {"a.jpg": PHOTO}


def test_nothing_is_written_where_all_tags_are_the_user_s(photo):
    write(photo, "embedded")
    assert contents(photo) == {"a.jpg": PHOTO}


@pytest.mark.parametrize("name", ["a.jpg.xmp", "a.xmp", "a.XMP"])
@pytest.mark.parametrize("style", STYLES)
def test_a_sidecar_that_is_there_is_written_to_and_comes_back_as_it_was(photo, name, style):
    photo.with_name(name).write_bytes(STYLES[style])
    before = contents(photo)
    write(photo, "sea", "sun", prefix="auto|")
    once = contents(photo)
    assert once.keys() == before.keys()
    assert "auto|sea" in keywords(photo.with_name(name))
    write(photo, "sea", "sun", prefix="auto|")
    assert contents(photo) == once
    write(photo, "wood", model="0002")
    assert "wood" in keywords(photo.with_name(name))
    assert "auto|sea" not in keywords(photo.with_name(name))
    remove(photo)
    assert contents(photo) == before


def test_the_sidecar_that_names_the_photo_whole_is_taken_first(photo):
    photo.with_name("a.xmp").write_bytes(packet(subject("sea")))
    photo.with_name("a.jpg.xmp").write_bytes(packet(subject("sun")))
    before = contents(photo)
    write(photo, "sea", "sun", "dog")
    assert keywords(photo.with_name("a.jpg.xmp")) == ["sun", "dog"]
    assert contents(photo)["a.xmp"] == before["a.xmp"]
    remove(photo)
    assert contents(photo) == before


@pytest.mark.parametrize("other", ["a.cr2", "a.png", "a.JPG.jpeg"])
def test_a_sidecar_that_may_be_of_another_photo_is_not_written_to(photo, other):
    photo.with_name("a.xmp").write_bytes(packet(subject("sea")))
    photo.with_name(other).write_bytes(b"")
    write(photo, "sea", "dog")
    is_shared = other.startswith("a.") and other.count(".") == 1
    assert (photo.with_name("a.jpg.xmp").exists()) == is_shared
    name = "a.jpg.xmp" if is_shared else "a.xmp"
    assert keywords(photo.with_name(name))[-1] == "dog"


@pytest.mark.parametrize("other", ["a.txt", "a.jpg.txt", "a.json"])
def test_files_that_are_no_photos_do_not_make_a_sidecar_shared(photo, other):
    photo.with_name("a.xmp").write_bytes(packet(subject("sea")))
    photo.with_name(other).write_bytes(b"")
    write(photo, "dog")
    assert keywords(photo.with_name("a.xmp")) == ["sea", "dog"]


def test_find_sidecars_finds_each_once(photo):
    assert find_sidecars(photo) == []
    names = ["a.jpg.xmp", "a.xmp"]
    for name in names:
        photo.with_name(name).write_bytes(b"")
    photo.with_name("a.XMP").hardlink_to(photo.with_name("a.xmp"))
    photo.with_name("a.jpg.XMP").mkdir()
    assert [path.name for path in find_sidecars(photo)] == names


def test_edits_since_our_write_stay(photo):
    sidecar = photo.with_name("a.xmp")
    sidecar.write_bytes(LIGHTROOM)
    write(photo, "sea", "sun")
    edit = (b'xmp:Rating="4"', b'xmp:Rating="5"'), (b"<rdf:li>Birds<", b"<rdf:li>Gulls<")
    edited, expected = sidecar.read_bytes(), LIGHTROOM
    for old, new in edit:
        edited, expected = edited.replace(old, new), expected.replace(old, new)
    sidecar.write_bytes(edited)
    remove(photo)
    assert sidecar.read_bytes() == expected


def test_an_edited_sidecar_of_ours_stays_with_the_edits(photo):
    write(photo, "sea", "sun")
    sidecar = photo.with_name("a.jpg.xmp")
    mine = b"<rdf:li>sun</rdf:li>\n     <rdf:li>mine</rdf:li>"
    sidecar.write_bytes(sidecar.read_bytes().replace(b"<rdf:li>sun</rdf:li>", mine))
    remove(photo)
    assert keywords(sidecar) == ["mine"]
    assert b"mmcgan" not in sidecar.read_bytes()


def test_a_sidecar_is_undone_wherever_its_photo_went(photo, tmp_path):
    photo.with_name("a.jpg.xmp").write_bytes(LIGHTROOM)
    write(photo, "sea")
    moved = tmp_path / "elsewhere" / "b.jpg"
    moved.parent.mkdir()
    photo.rename(moved)
    photo.with_name("a.jpg.xmp").rename(moved.with_name("b.jpg.xmp"))
    remove(moved)
    assert contents(moved) == {"b.jpg": PHOTO, "b.jpg.xmp": LIGHTROOM}


def test_removing_without_marks_changes_nothing(photo):
    photo.with_name("a.xmp").write_bytes(LIGHTROOM)
    assert plan_removal(photo) == []
    photo.unlink()
    assert plan_removal(photo) == []


def test_a_sidecar_without_its_photo_is_undone(photo):
    write(photo, "sea")
    photo.unlink()
    remove(photo)
    assert contents(photo) == {}


def test_diff_shows_what_would_be_written_and_writes_nothing(photo):
    photo.with_name("a.xmp").write_bytes(LIGHTROOM)
    before = contents(photo)
    change = plan_sidecar(photo, marks("sea"))
    assert contents(photo) == before
    lines = change.diff().splitlines()
    assert lines[:2] == [f"--- {photo.with_name('a.xmp')}", f"+++ {photo.with_name('a.xmp')}"]
    assert "+     <rdf:li>sea</rdf:li>" in lines
    assert not [line for line in lines[2:] if line.startswith("-")]
    change.apply()
    after = contents(photo)["a.xmp"].decode().splitlines()
    shown = difflib.unified_diff(LIGHTROOM.decode().splitlines(), after, lineterm="")
    assert lines[2:] == list(shown)[2:]
    assert plan_sidecar(photo, marks("sea")).diff() == ""


def test_diff_names_no_file_where_there_is_none(photo):
    new = plan_sidecar(photo, marks("sea"))
    assert new.diff().startswith(f"--- {os.devnull}\n+++ {photo}.xmp\n")
    new.apply()
    (gone,) = plan_removal(photo)
    assert gone.diff().startswith(f"--- {photo}.xmp\n+++ {os.devnull}\n")


@pytest.mark.parametrize("before", [None, LIGHTROOM])
@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_crash_while_writing_leaves_the_sidecar_as_it_was(photo, monkeypatch, before, step):
    def crash(*arguments: object) -> None:
        raise OSError(5, "Input/output error")

    if before is not None:
        photo.with_name("a.xmp").write_bytes(before)
    there = contents(photo)
    change = plan_sidecar(photo, marks("sea"))
    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "replace") if step == "replace" else (os, "fsync")), crash)
        with pytest.raises(MetadataError, match=r"xmp cannot be written: Input/output error"):
            change.apply()
    assert contents(photo) == there
    change.apply()
    assert contents(photo) != there


def test_a_sidecar_that_changed_after_the_plan_is_left_alone(photo):
    sidecar = photo.with_name("a.jpg.xmp")
    change = plan_sidecar(photo, marks("sea"))
    sidecar.write_bytes(LIGHTROOM)
    with pytest.raises(MetadataError, match="changed by another program just now"):
        change.apply()
    assert sidecar.read_bytes() == LIGHTROOM


@pytest.mark.parametrize("data", [b"x", LIGHTROOM[:400], b"<!DOCTYPE a><a/>", b"<a/>"])
def test_a_broken_sidecar_is_named_and_left_alone(photo, data):
    photo.with_name("a.xmp").write_bytes(data)
    with pytest.raises(MetadataError, match=r"a\.xmp") as error:
        plan_sidecar(photo, marks("sea"))
    assert "\n" not in str(error.value)
    removal = plan_removal(photo)
    assert removal == []
    assert removal.problems == []
    assert contents(photo) == {"a.jpg": PHOTO, "a.xmp": data}


def test_a_photo_of_any_kind_can_have_a_sidecar(photo):
    raw = photo.with_name("b.cr2")
    raw.write_bytes(b"raw")
    write(raw, "sea")
    assert keywords(raw.with_name("b.cr2.xmp")) == ["sea"]
    remove(raw)
    assert contents(photo) == {"a.jpg": PHOTO, "b.cr2": b"raw"}


def test_rights_and_links_stay(photo, tmp_path):
    real = tmp_path / "real.xmp"
    real.write_bytes(LIGHTROOM)
    real.chmod(0o640)
    photo.with_name("a.xmp").symlink_to(real)
    write(photo, "sea")
    assert photo.with_name("a.xmp").is_symlink()
    assert "sea" in keywords(real)
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
