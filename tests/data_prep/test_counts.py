"""Counts of tokens: added up in the order of first occurrence, kept in a text file."""

from __future__ import annotations

import pytest

from data_prep.corpus import Counts
from mmcgan.errors import DataError


def items(counts: Counts) -> list[tuple[str, int]]:
    return list(counts.tokens.items())


def test_counts_are_in_the_order_of_first_occurrence():
    counts = Counts.of([("sea", "cat"), [], ["cat", "ant"]])
    assert counts.n_documents == 3
    assert items(counts) == [("sea", 1), ("cat", 2), ("ant", 1)]


def test_add_puts_new_tokens_behind():
    counts = Counts.of([["sea", "cat"]])
    counts.add(Counts.of([["ant", "cat"], ["ant"]]))
    assert counts.n_documents == 3
    assert items(counts) == [("sea", 1), ("cat", 2), ("ant", 2)]


def test_file_adds_what_was_written(tmp_path):
    path = tmp_path / "t.counts"
    Counts.of([["ant", "日本"], [], ["ant", "sea"]]).write(path)
    assert path.read_text(encoding="utf-8") == "3\nant 2\n日本 1\nsea 1\n"
    counts = Counts.of([["sea"]])
    counts.add_file(path)
    assert counts.n_documents == 4
    assert items(counts) == [("sea", 2), ("ant", 2), ("日本", 1)]


def test_file_of_no_documents_adds_nothing(tmp_path):
    Counts().write(tmp_path / "t.counts")
    counts = Counts.of([["sea"]])
    counts.add_file(tmp_path / "t.counts")
    assert counts == Counts.of([["sea"]])


@pytest.mark.parametrize(
    "data", [None, b"", b"many\n", b"1\ncat\n", b"1\ncat two\n", b"1\ncat 1 2\n", b"1\n\xff 1\n"]
)
def test_file_that_is_missing_or_broken_is_named_with_what_to_do(tmp_path, data):
    path = tmp_path / "t.counts"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=r"t\.counts cannot be read as counts") as caught:
        Counts().add_file(path)
    assert f"remove {tmp_path} and call again" in str(caught.value)
    assert "\n" not in str(caught.value)
