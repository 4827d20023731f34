"""Photos' texts as they are distributed → documents: YFCC100M, MIRFLICKR-1M, Flickr's JSON."""

from __future__ import annotations

import bz2
import io
import json
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data_prep import documents
from data_prep.documents import Phrases, check_text_file, clean, read_batches
from mmcgan.errors import DataError, OptionError

PLACES = {25: (8, 9, 10), 23: (6, 7, 8)}
PHRASES = Phrases(["new_york", "central_park"])
TAGS = ["new_york", "central_park", "été"]
PHOTO = [*TAGS, "a", "view", "of", "new_york", "see", "the", "park"]


def line(n_columns: int = 25, marker: str = "0") -> str:
    """A line of the metadata: the columns that are not read hold an x."""
    cells = ["x"] * (n_columns - 1) + [marker]
    title, description, tags = PLACES[n_columns]
    cells[title] = "A+view+of+New+York%21"
    cells[description] = "See+%3Ca+href%3D%22http%3A%2F%2Fa.b%2F%22%3Ethe+park%3C%2Fa%3E"
    cells[tags] = "New+York,central+park,%C3%A9t%C3%A9"
    return "\t".join(cells) + "\n"


def read(path: Path) -> tuple[list[list[str]], Counter[str]]:
    """All documents of a file and what was left out."""
    found, skipped = [], Counter()
    for batch in read_batches(path):
        tokens, left_out = clean(batch, PHRASES)
        found += tokens
        skipped += left_out
    return found, skipped


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("n_columns", [25, 23])
@pytest.mark.parametrize("marker", ["0", "1"])
def test_yfcc100m_gives_tags_title_and_description(tmp_path, n_columns, marker):
    data = line(n_columns, marker).encode() * 2
    assert read(write(tmp_path / "a.bz2", bz2.compress(data))) == ([PHOTO, PHOTO], {})


def test_yfcc100m_line_without_text_is_no_document(tmp_path):
    empty = "\t".join([""] * 25) + "\n"
    assert read(write(tmp_path / "a.tsv", (empty + line()).encode())) == ([PHOTO], {})


def test_broken_lines_of_yfcc100m_are_counted_and_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MAX_LINE_LENGTH", 1000)
    long = line().rstrip("\n") + "x" * 900 + "\n"
    lines = [
        line(),
        "one\ttwo\n",
        line()[:60] + "\n",
        "\n",
        long,
        line().replace("x", "\0"),
        line(),
    ]
    found, skipped = read(write(tmp_path / "a.tsv", "".join(lines).encode()))
    assert found == [PHOTO] * 3
    # The end of a line that is too long is one more, with another number of columns.
    assert skipped == {documents.COLUMNS: 4, documents.OVERLONG: 1}


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:].replace('tar', '')}") as archive:
        folder = tarfile.TarInfo("tags")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("tags/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MEMBERS = {
    "tags/0/0.txt": "New York\ncentral park\nété\n".encode(),
    "tags/0/1.txt": b"",
    "tags/0/2.txt": b"cat\0\x01",
    "tags/readme.html": b"<html>",
    "../outside.txt": b"sea",
}


@pytest.mark.parametrize("name", ["t.tar", "t.tar.gz", "t.tar.bz2"])
def test_tags_of_mirflickr_1m_are_read_from_tar(tmp_path, name):
    found, skipped = read(tarred(tmp_path / name, MEMBERS))
    assert found == [TAGS, ["sea"]]  # a name is a name: nothing is unpacked
    assert skipped == {documents.OTHER_FILES: 1, "tags files that are binary": 1}


def test_tags_of_mirflickr_1m_are_read_from_zip(tmp_path):
    inside = {name: data for name, data in MEMBERS.items() if not name.startswith("..")}
    found, skipped = read(zipped(tmp_path / "tags.zip", inside))
    assert found == [TAGS]
    assert skipped == {documents.OTHER_FILES: 1, "tags files that are binary": 1}


TEXTS = {"title": "A view of New York!", "description": "See <b>the park</b> http://a.b/c?d"}


@pytest.mark.parametrize(
    "photo",
    [
        TEXTS | {"tags": ["New York", "central park", "Été"]},
        TEXTS | {"tags": "New York, central park, été"},
        {
            "photo": {
                "id": "1",
                "title": {"_content": TEXTS["title"]},
                "description": {"_content": TEXTS["description"]},
                "tags": {
                    "tag": [
                        {"raw": "New York", "_content": "newyork"},
                        {"raw": "central park"},
                        {"raw": "été"},
                    ]
                },
            },
            "stat": "ok",
        },
    ],
    ids=["lists", "texts", "api"],
)
def test_json_of_a_photo_gives_tags_title_and_description(tmp_path, photo):
    members = {"0.json": json.dumps(photo).encode()}
    assert read(zipped(tmp_path / "a.zip", members)) == ([PHOTO], {})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", documents.NO_JSON),
        (b"\xff\xfe", documents.NO_JSON),
        (b"[" * 100_000, documents.NO_JSON),
        (b"[]", documents.NO_TEXT),
        (b'{"stat": "fail"}', documents.NO_TEXT),
        (b'{"title": 3, "tags": [1, null], "description": {"_content": []}}', None),
    ],
)
def test_json_that_says_nothing_is_counted_and_left_out(tmp_path, value: bytes, reason: Any):
    path = zipped(tmp_path / "a.zip", {"0.json": value, "1.txt": b"sea"})
    assert read(path) == ([["sea"]], Counter({reason: 1} if reason else {}))


def test_members_that_are_too_large_are_counted_and_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MAX_TEXT_BYTES", 10)
    members = {"0.txt": b"x" * 11, "1.txt": b"sea"}
    for path in (zipped(tmp_path / "a.zip", members), tarred(tmp_path / "a.tar", members)):
        assert read(path) == ([["sea"]], {documents.TOO_LARGE: 1})


def test_batches_of_members_are_bounded(tmp_path, monkeypatch):
    members = {f"{i}.txt": b"cat" for i in range(5)}
    path = zipped(tmp_path / "a.zip", members)
    monkeypatch.setattr(documents, "BATCH_MEMBERS", 2)
    assert [len(batch.items) for batch in read_batches(path)] == [2, 2, 1]
    monkeypatch.setattr(documents, "BATCH_BYTES", 2)
    assert [len(batch.items) for batch in read_batches(path)] == [1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.bz2"])
def test_archive_that_is_none_is_refused(tmp_path, name):
    path = write(tmp_path / name, b"no archive" * 100)
    with pytest.raises(DataError, match=name):
        check_text_file(path)


def test_missing_text_file_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"--corpus: .*missing is not a file"):
        check_text_file(tmp_path / "missing")
