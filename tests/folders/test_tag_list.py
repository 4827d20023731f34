"""The table of tagged photos that calls add to."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from helpers.calls import start_call

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


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("b.jpg,sea\n", "a row that is not as mmcgan wrote it: b.jpg,sea"),
        ("b.jpg,sea,0.5,m 1,more\n", "a row that is not as mmcgan wrote it"),
        ('b.jpg,"sea,0.5,m 1\nc.jpg,sea,0.5,m 1\n', "a row that is not as mmcgan wrote it"),
        ("b.jpg,sea\nc.jpg,sea,0.5,m 1\n", "a row that is not as mmcgan wrote it"),
    ],
)
def test_what_a_person_made_of_a_table_is_not_cut_off(path, row, reason):
    TagList(path, "m 1").put("a.jpg", TAGS)
    changed = path.read_text() + row
    path.write_text(changed)
    with pytest.raises(DataError, match=reason):
        TagList(path, "m 1")
    assert path.read_text() == changed


def test_blank_lines_and_other_ends_of_lines_do_no_harm(path):
    TagList(path, "m 1").put("a.jpg", TAGS)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    table = TagList(path, "m 1")
    table.put("a.jpg", [])
    table.put("b.jpg", [])
    assert [row[0] for row in rows(path) if row] == ["path", "a.jpg", "b.jpg"]


@pytest.mark.parametrize("name", ["a\rb.jpg", "a\r\nb.jpg", 'a"\r', os.fsdecode(b"\xff.jpg")])
def test_any_name_is_one_row(path, name):
    TagList(path, "m 1").put(name, TAGS)
    again = TagList(path, "m 1")
    assert again.has(name)
    again.put(name, TAGS)
    again.put("b.jpg", TAGS)
    assert TagList(path, "m 1").has("b.jpg")
    assert TagList(path, "m 1").has(name)


def test_rows_that_another_call_adds_are_seen_and_half_a_row_of_it_is_dropped(path):
    table, other = TagList(path, "m 1"), TagList(path, "m 1")
    other.put("a.jpg", TAGS)
    table.put("a.jpg", [])
    assert table.has("a.jpg")
    with path.open("a") as file:
        file.write('b.jpg,"sea')  # and it was killed
    table.put("c.jpg", TAGS)
    assert [row[0] for row in rows(path)] == ["path", "a.jpg", "c.jpg"]


def test_a_table_that_was_written_anew_meanwhile_is_read_anew(path):
    table = TagList(path, "m 1")
    start = path.read_bytes()
    table.put("a.jpg", TAGS)
    path.write_bytes(start)
    table.put("b.jpg", [])
    assert [row[0] for row in rows(path)] == ["path", "b.jpg"]
    assert not table.has("a.jpg")
    path.unlink()
    with pytest.raises(DataError, match=r"tags\.csv cannot be read: No such file"):
        table.put("c.jpg", [])


def test_a_full_disk_leaves_whole_rows(path, full_disk):
    table = TagList(path, "m 1")
    table.put("a.jpg", TAGS)
    before = path.read_bytes()
    with full_disk(len(before) + 10), pytest.raises(DataError, match=r"tags\.csv cannot be writ"):
        table.put("b.jpg", TAGS)
    assert path.read_bytes() == before
    table.put("b.jpg", TAGS)
    assert [row[0] for row in rows(path)] == ["path", "a.jpg", "b.jpg"]


def test_parallel_calls_write_each_photo_once_and_no_torn_row(path):
    photos = [f"photo {number}.jpg" for number in range(200)]
    calls = [start_call("csv", path, photos[part:] + photos[:part]) for part in (0, 50, 100, 150)]
    assert [call.communicate()[0] for call in calls] == ["", "", "", ""]
    found = rows(path)
    assert found[0] == list(COLUMNS)
    assert sorted(row[0] for row in found[1:]) == sorted(photos)
    assert {tuple(row[1:]) for row in found[1:]} == {("sea, sky", "0.900, 0.800", "m 1")}
