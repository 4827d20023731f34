"""Photos are found among named files and in folders."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from helpers.failing_files import ERRORS, fail_at

from mmcgan.errors import DataError
from mmcgan.folders.photo_files import find_photos


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [
        "in/b.JPG",
        "in/a.png",
        "in/sub/c.webp",
        "in/.hidden.jpg",
        "in/.thumbs/d.jpg",
        "in/a.png.xmp",
        "in/gone.jpg.xmp",
        "in/a.txt",
        "in/b.JPG.partial",
        "one.raw",
        "outside.jpg",
    ]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_folders_are_searched_for_photos_in_a_stable_order(tree):
    assert find_photos(["in"]).photos == ("in/a.png", "in/b.JPG", "in/sub/c.webp")


def test_named_files_come_first_as_they_are_spelled_and_whatever_they_are(tree):
    named = ("./one.raw", "missing.jpg", "in/b.JPG")
    assert find_photos([*named, "in"]).photos == (*named, "in/a.png", "in/sub/c.webp")


def test_a_photo_in_two_of_the_folders_is_found_once(tree):
    assert find_photos(["in", "in/sub"]).photos == find_photos(["in"]).photos


def test_links_lead_neither_in_circles_nor_out_of_the_folder(tree):
    (tree / "in" / "loop").symlink_to(tree / "in")
    (tree / "in" / "out.jpg").symlink_to(tree / "outside.jpg")
    (tree / "in" / "within.jpg").symlink_to(tree / "in" / "a.png")
    found = find_photos(["in"])
    assert found.photos == ("in/a.png", "in/b.JPG", "in/sub/c.webp", "in/within.jpg")
    assert found.left_out == {"links that lead outside the folder": 1}


def test_a_linked_folder_that_is_named_is_searched(tree):
    (tree / "link").symlink_to(tree / "in" / "sub")
    assert find_photos(["link"]).photos == ("link/c.webp",)


def test_photos_that_left_a_sidecar_are_found_where_they_are_asked_for(tree):
    assert "in/gone.jpg" not in find_photos(["in"]).photos
    found = find_photos(["in"], with_lost=True).photos
    assert found == ("in/a.png", "in/b.JPG", "in/gone.jpg", "in/sub/c.webp")


def test_folders_without_a_photo_are_an_error_that_names_the_suffixes(tree):
    (tree / "empty").mkdir()
    with pytest.raises(DataError, match=r"no photo under empty.*\.jpg"):
        find_photos(["empty"])


def test_links_that_lead_nowhere_and_linked_folders_outside_are_counted(tree):
    (tree / "in" / "gone.jpg").symlink_to(tree / "in" / "none.jpg")
    (tree / "outside").mkdir()
    (tree / "in" / "far").symlink_to(tree / "outside")
    found = find_photos(["in"])
    assert found.photos == ("in/a.png", "in/b.JPG", "in/sub/c.webp")
    assert found.left_out == {
        "links that lead nowhere": 1,
        "links that lead outside the folder": 1,
    }
    assert found.failed == ()


@pytest.mark.parametrize("number", ERRORS)
def test_an_entry_that_cannot_be_looked_at_is_named_and_the_others_are_found(
    tree, monkeypatch, number
):
    fail_at(monkeypatch, {}, {Path("in/b.JPG"): number, Path("in/sub"): number})
    found = find_photos(["in"])
    assert found.photos == ("in/a.png",)
    reason = os.strerror(number)
    assert found.failed == (
        ("in/b.JPG", f"in/b.JPG cannot be read: {reason}"),
        ("in/sub", f"in/sub cannot be read: {reason}"),
    )


@pytest.mark.parametrize("number", ERRORS)
def test_a_folder_that_cannot_be_listed_to_its_end_gives_what_was_listed(tree, monkeypatch, number):
    (tree / "in" / "sub" / "d.jpg").touch()
    fail_at(monkeypatch, {Path("in/sub"): number}, {})
    found = find_photos(["in"])
    assert found.photos == ("in/a.png", "in/b.JPG", "in/sub/c.webp")
    assert found.failed == (("in/sub", f"in/sub cannot be read: {os.strerror(number)}"),)


def test_each_named_folder_fails_by_itself(tree, monkeypatch):
    def failing(folder):
        if str(folder) == "in/sub":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return scandir(folder)

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", failing)
    found = find_photos(["one.raw", "in/sub", "in"])
    assert found.photos == ("one.raw", "in/a.png", "in/b.JPG")
    assert {path for path, _ in found.failed} == {"in/sub"}
    assert find_photos(["in/sub"]).photos == ()


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may enter every folder")
def test_a_folder_without_permission_is_named(tree):
    (tree / "in" / "sub").chmod(0)
    try:
        found = find_photos(["in"])
    finally:
        (tree / "in" / "sub").chmod(0o755)
    assert found.photos == ("in/a.png", "in/b.JPG")
    assert found.failed == (("in/sub", "in/sub cannot be read: Permission denied"),)


@pytest.mark.skipif(os.name != "posix", reason="the limit is that of a path in POSIX")
def test_folders_deeper_than_a_path_can_be_are_named(tree):
    name, n_folders = "d" * 200, 30
    here = os.open("in", os.O_RDONLY)
    for _ in range(n_folders):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    found = find_photos(["in"])
    assert found.photos == ("in/a.png", "in/b.JPG", "in/sub/c.webp")
    ((path, error),) = found.failed
    assert error == f"{path} cannot be read: File name too long"


def test_a_thousand_nested_folders_are_no_recursion(tree):
    folder = tree / "in"
    for _ in range(1100):
        folder /= "d"
        folder.mkdir()
    (folder / "deep.jpg").touch()
    found = find_photos(["in"]).photos
    (folder / "deep.jpg").unlink()
    for part in (folder, *folder.parents[:1099]):  # pytest would remove them by recursion
        part.rmdir()
    assert len(found) == 4


def test_a_folder_that_goes_away_while_it_is_walked_is_named(tree, monkeypatch):
    def vanishing(folder):
        if str(folder) == "in/sub":
            shutil.rmtree(tree / "in" / "sub")
        return scandir(folder)

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", vanishing)
    found = find_photos(["in"])
    assert found.photos == ("in/a.png", "in/b.JPG")
    assert found.failed == (("in/sub", "in/sub cannot be read: No such file or directory"),)


def test_kinds_that_are_never_read_are_counted_whatever_the_case_of_their_ending(tree):
    for name in ("a.AVIF", "b.mp4", "c.MOV", "d.psd", "e.Jxl", "notes.doc", "f.JPE", "g.JFIF"):
        (tree / "in" / name).touch()
    found = find_photos(["in"])
    assert found.photos == ("in/a.png", "in/b.JPG", "in/f.JPE", "in/g.JFIF", "in/sub/c.webp")
    assert found.left_out == {
        "AVIF files": 1,
        "videos": 2,
        "Photoshop files": 1,
        "JPEG XL files": 1,
    }


def test_folders_of_the_system_are_left_out_and_counted_unless_they_are_named(tree):
    for name in ("@eaDir/a.png", "sub/.@__thumb", "lost+found", "My.lrdata/1/2", "holiday"):
        folder = tree / "in" / name
        folder.mkdir(parents=True)
        (folder / "thumb.jpg").touch()
    found = find_photos(["in"])
    assert found.photos == ("in/a.png", "in/b.JPG", "in/holiday/thumb.jpg", "in/sub/c.webp")
    assert found.left_out == {"folders of the system (thumbnails, recycle bins, catalogs)": 4}
    named = find_photos(["in/@eaDir", "in/sub/.@__thumb"])
    assert named.photos == ("in/@eaDir/a.png/thumb.jpg", "in/sub/.@__thumb/thumb.jpg")


def test_nothing_but_what_is_left_out_is_an_error_that_counts_it(tree):
    (tree / "empty" / "#recycle").mkdir(parents=True)
    (tree / "empty" / "film.MP4").touch()
    with pytest.raises(DataError, match=r"left out: 1 folders of the system .*left out: 1 videos"):
        find_photos(["empty"])


def test_each_folder_is_listed_once(tree, monkeypatch):
    for number in range(300):
        (tree / "many" / str(number % 60) / str(number)).mkdir(parents=True)
    (tree / "many" / "7" / "7" / "a.jpg").touch()
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or scandir(folder))
    assert find_photos(["many"]).photos == ("many/7/7/a.jpg",)
    assert len(listed) == len(set(listed)) == 1 + 60 + 300
