"""The table of tagged photos that calls add to."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mmcgan.errors import DataError, OptionError
from mmcgan.folders.tag_list import COLUMNS, TagList
from mmcgan.inference.tagger import Tag

TAGS = [Tag("plant_life", 0.91234), Tag("sea", 0.5)]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "new" / "tags.csv"


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_row_holds_a_photo_its_tags_and_scores(path):
    TagList(path, "m 1").put("a.jpg", TAGS)
    assert rows(path) == [list(COLUMNS), ["a.jpg", "plant life, sea", "0.912, 0.500", "m 1"]]


def test_what_is_in_the_table_is_known_to_the_next_call_and_not_added_again(path):
    first = TagList(path, "m 1")
    for name in ("a.jpg", 'odd, "name"\n.jpg'):
        first.put(name, TAGS)
    before = path.read_bytes()
    again = TagList(path, "m 1")
    assert again.has("a.jpg")
    assert again.has('odd, "name"\n.jpg')
    assert not again.has("b.jpg")
    again.put("a.jpg", [])
    assert path.read_bytes() == before
    again.put("b.jpg", [])
    assert rows(path)[-1] == ["b.jpg", "", "", "m 1"]


def test_a_row_that_was_cut_short_anywhere_is_done_again(path):
    table = TagList(path, "m 1")
    table.put("a.jpg", TAGS)
    whole = path.read_bytes()
    table.put('odd\n"b", or not.jpg', TAGS)
    longer = path.read_bytes()
    for end in range(len(whole), len(longer)):
        path.write_bytes(longer[:end])
        again = TagList(path, "m 1")
        assert path.read_bytes() == whole
        assert not again.has('odd\n"b", or not.jpg')
        again.put('odd\n"b", or not.jpg', TAGS)
        assert path.read_bytes() == longer


def test_tags_of_another_model_are_not_mixed_in(path):
    TagList(path, "m 1").put("a.jpg", TAGS)
    with pytest.raises(OptionError, match=r"--csv: .*tags\.csv holds tags of another.*m 1.*m 2"):
        TagList(path, "m 2")


@pytest.mark.parametrize("content", ["file,tags\na.jpg,sea\n", "\n", "", "\x00\x01"])
def test_another_kind_of_file_is_left_alone(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=r"a\.csv"):
        TagList(path, "m 1")
    assert path.read_text() == content
