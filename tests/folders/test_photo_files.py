"""Photos are found among named files and in folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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


def test_what_cannot_be_listed_is_counted(tree, monkeypatch):
    def walk(root, onerror):
        onerror(PermissionError("no"))
        return iter([])

    monkeypatch.setattr(os, "walk", walk)
    assert find_photos(["one.raw", "in"]).left_out == {"folders that cannot be read": 1}
