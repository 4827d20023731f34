"""Whose a sidecar is: told by names, one photo for each sidecar that is written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from helpers.keyword_photos import encode
from helpers.packets import marks, packet, subject

from mmcgan.errors import MetadataError
from mmcgan.metadata import (
    Listings,
    find_sidecars,
    model_of_sidecar,
    plan_embedded,
    plan_removal,
    plan_sidecar,
)
from mmcgan.metadata.sidecar import sidecar_names
from mmcgan.metadata.xmp.packet import Packet


def put(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_bytes(packet(subject("mine")) if name[-4:].lower() == ".xmp" else b"")
    return [folder / name for name in names]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def written(photo: Path, *words: str) -> str:
    """The name of the file that tags of `photo` are written to."""
    change = plan_sidecar(photo, marks(*words or ("sea",)))
    change.apply()
    return change.path.name


def keywords(path: Path) -> list[str]:
    return Packet.parse(path.read_bytes(), path.name).keywords()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("photo.jpg", "photo.jpg.jpg"),
        ("IMG.HEIC", "IMG.HEIC.jpg"),
        ("IMG.CR2", "IMG.CR2.jpg"),
        ("a.mov", "a.mov.jpg"),
        ("a.JPG", "a.JPG.png"),
        ("a.b.jpe", "a.b.jpe.avif"),
    ],
)
def test_a_photo_named_like_another_has_a_sidecar_of_its_own(tmp_path, first, second):
    one, two = put(tmp_path, first, second)
    assert written(two, "wood") == f"{second}.xmp"
    assert written(one, "sea") == f"{first}.xmp"
    assert find_sidecars(two) == [tmp_path / f"{second}.xmp"]
    assert find_sidecars(one) == [tmp_path / f"{first}.xmp"]
    assert keywords(tmp_path / f"{first}.xmp") == ["sea"]
    assert keywords(tmp_path / f"{second}.xmp") == ["wood"]
    for change in plan_removal(two):
        change.apply()
    assert names(tmp_path) == sorted([first, second, f"{first}.xmp"])


def test_a_sidecar_is_that_of_the_photo_it_names_even_where_that_is_missing(tmp_path):
    (photo, _) = put(tmp_path, "photo.jpg.jpg", "photo.jpg.xmp")
    assert find_sidecars(photo) == []
    assert sidecar_names(photo) == [tmp_path / f"photo.jpg.jpg{s}" for s in (".xmp", ".XMP")]
    assert written(photo) == "photo.jpg.jpg.xmp"


@pytest.mark.parametrize("other", ["a.cr2", "a.JPG", "a.Mov", "a.tga", "A.png", "a.jpeg"])
def test_a_shared_sidecar_is_read_and_not_written(tmp_path, other):
    photo, shared, _ = put(tmp_path, "a.jpg", "a.xmp", other)
    assert find_sidecars(photo) == [shared]
    before = shared.read_bytes()
    assert written(photo, "sea", "mine") == "a.jpg.xmp"
    assert keywords(tmp_path / "a.jpg.xmp") == ["mine", "sea"]
    assert shared.read_bytes() == before


@pytest.mark.parametrize(
    "name",
    [
        *(
            "a.aae",
            "a.thm",
            "a.pp3",
            "a.dop",
            "a.cos",
            "a.wav",
            "a.bak",
            "a.jpg_original",
            "a.JPG~",
        ),
        *("a.xmp.bak", "a", "a.on1", "a.lrv", "a.vrd", "a.txt", "b.jpg", "a.jpg.cr2", ".a.cr2"),
    ],
)
def test_companions_do_not_make_a_sidecar_shared(tmp_path, name):
    photo, sidecar, _ = put(tmp_path, "a.jpg", "a.xmp", name)
    assert written(photo) == "a.xmp"
    assert keywords(sidecar) == ["mine", "sea"]


def test_a_folder_named_like_a_photo_is_none(tmp_path):
    photo, _ = put(tmp_path, "a.jpg", "a.xmp")
    (tmp_path / "a.dng").mkdir()
    assert written(photo) == "a.xmp"


@pytest.mark.parametrize("name", ["a.jpg.Xmp", "a.jpg.XMP", "a.xMP", "a.XMP"])
def test_any_spelling_of_xmp_is_found(tmp_path, name):
    photo, sidecar = put(tmp_path, "a.jpg", name)
    assert find_sidecars(photo) == [sidecar]
    assert written(photo) == name


@pytest.mark.parametrize("name", ["IMG", "scan.001", "photo.", ".jpg", "..jpg"])
def test_a_photo_of_no_known_ending_has_the_sidecar_of_its_whole_name(tmp_path, name):
    photo, _ = put(tmp_path, name, "scan.xmp")
    assert written(photo) == f"{name}.xmp"
    assert find_sidecars(photo) == [tmp_path / f"{name}.xmp"]


def test_a_file_without_an_ending_does_not_take_the_sidecar_of_a_photo(tmp_path):
    bare, photo, sidecar = put(tmp_path, "IMG", "IMG.jpg", "IMG.xmp")
    with pytest.raises(MetadataError, match=r"IMG\.xmp is that of IMG\.jpg; give the photo's name"):
        plan_sidecar(bare, marks("sea"))
    assert written(photo) == "IMG.xmp"
    assert keywords(sidecar) == ["mine", "sea"]


def test_two_forms_of_unicode_are_one_stem(tmp_path):
    photo, _, _ = put(tmp_path, "caf\u00e9.jpg", "caf\u00e9.xmp", "cafe\u0301.cr2")
    assert written(photo) == "caf\u00e9.jpg.xmp"


def test_where_a_folder_cannot_be_listed_no_shared_sidecar_is_written(tmp_path, monkeypatch):
    photo, _ = put(tmp_path, "a.jpg", "a.xmp")

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    assert find_sidecars(photo) == [tmp_path / "a.xmp"]
    assert written(photo) == "a.jpg.xmp"


@pytest.mark.parametrize("kind", ["sidecar", "removal", "embedded"])
def test_a_folder_is_listed_once_however_many_photos_it_has(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "photos"
    folder.mkdir()
    photos = [folder / f"{i}.jpg" for i in range(50)]
    for photo in photos:
        put(folder, f"{photo.stem}.xmp")
        photo.write_bytes(encode("JPEG"))
    listed: list[str] = []
    scandir = os.scandir

    def counted(path: Path) -> object:
        listed.append(os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    listings = Listings()
    for photo in photos:
        if kind == "removal":
            plan_removal(photo, listings)
        else:
            plan = plan_sidecar if kind == "sidecar" else plan_embedded
            plan(photo, marks("sea"), listings).apply()
            assert model_of_sidecar(photo, listings) == ("0001" if kind == "sidecar" else None)
    assert listed.count(str(folder)) <= 2  # once for names, once for what killed writes left


def test_a_sidecar_made_after_the_listing_is_found(tmp_path):
    (photo,) = put(tmp_path, "a.jpg")
    listings = Listings()
    assert listings.sidecars(photo) == []
    put(tmp_path, "a.xmp")
    assert listings.sidecars(photo) == [tmp_path / "a.xmp"]


def test_tags_of_ours_leave_an_older_sidecar_in_the_same_change(tmp_path):
    photo, older = put(tmp_path, "a.jpg", "a.xmp")
    before = older.read_bytes()
    assert written(photo, "sea") == "a.xmp"
    put(tmp_path, "a.cr2")
    assert model_of_sidecar(photo) is None  # it has to be written to a sidecar of its own
    change = plan_sidecar(photo, marks("sea", "wood"))
    assert "<rdf:li>wood</rdf:li>" in change.diff()
    assert f"--- {older}" in change.diff()
    change.apply()
    assert keywords(tmp_path / "a.jpg.xmp") == ["mine", "sea", "wood"]
    assert older.read_bytes() == before
    assert model_of_sidecar(photo) == "0001"
    assert not plan_sidecar(photo, marks("sea", "wood")).is_needed


def test_tags_of_ours_leave_an_older_sidecar_even_if_the_newer_one_is_done(tmp_path):
    photo, older = put(tmp_path, "a.jpg", "a.xmp")
    clean = older.read_bytes()
    written(photo, "sea")
    marked = older.read_bytes()
    older.write_bytes(clean)
    put(tmp_path, "a.cr2")
    written(photo, "sea")
    older.write_bytes(marked)
    assert model_of_sidecar(photo) is None
    change = plan_sidecar(photo, marks("sea"))
    assert change.is_needed
    change.apply()
    assert older.read_bytes() == clean


def test_a_broken_sidecar_of_another_program_is_no_obstacle(tmp_path):
    photo, broken, own = put(tmp_path, "a.jpg", "a.xmp", "a.jpg.xmp")
    broken.write_bytes(b"<broken")
    assert model_of_sidecar(photo) is None
    assert written(photo) == "a.jpg.xmp"
    assert model_of_sidecar(photo) == "0001"
    assert keywords(own) == ["mine", "sea"]


@pytest.mark.parametrize("length", [243, 244, 251])
def test_a_name_may_be_as_long_as_its_sidecar_s_fits(tmp_path, length):
    (photo,) = put(tmp_path, "x" * (length - 4) + ".jpg")
    assert written(photo) == f"{photo.name}.xmp"
    for change in plan_removal(photo):
        change.apply()
    assert names(tmp_path) == [photo.name]


@pytest.mark.parametrize("length", [252, 255])
def test_a_name_too_long_for_a_sidecar_is_refused_with_what_to_do(tmp_path, length):
    (photo,) = put(tmp_path, "x" * (length - 4) + ".jpg")
    with pytest.raises(MetadataError, match="give the photo a shorter name"):
        plan_sidecar(photo, marks("sea"))
    assert plan_removal(photo) == []
    assert plan_removal(photo).problems == []
    (shared,) = put(tmp_path, "x" * (length - 4) + ".xmp")
    assert written(photo) == shared.name


def test_names_that_cannot_be_looked_at_are_no_sidecars(tmp_path, monkeypatch):
    photo, _ = put(tmp_path, "a.jpg", "a.xmp")
    stat = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.suffix == ".xmp":
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    assert find_sidecars(photo) == []
    removal = plan_removal(photo)
    assert removal == []
    assert removal.problems == [f"sidecars of {photo} cannot be looked at: Stale file handle"]
