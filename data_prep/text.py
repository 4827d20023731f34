"""Small text files written by people: tag lists, and the stop list."""

from __future__ import annotations

import codecs
import fnmatch
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from data_prep.archives import MAX_TEXT_BYTES
from mmcgan.errors import DataError
from mmcgan.files import read_file
from mmcgan.inference.words.vocabulary import normalize_tag

_SEPARATORS = re.compile(r"[\r\n]+|(?<!\\)[,;]+")
_ESCAPED = re.compile(r"\\([,;()])")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WILD = re.compile(r"[*?]|\[.+\]")


def decode_text(data: bytes, dropped: Counter[str]) -> str:
    """Return the text of a tags file; nothing if it is binary.

    With a byte order mark it is UTF-8 or UTF-16, else UTF-8 or the Windows-1252 that holds
    Latin-1. `dropped` counts what is none of Unicode.
    """
    if is_binary(data):
        dropped["tags files that are binary"] += 1
        return ""
    try:
        if data.startswith(_UTF_16):
            return data.decode("utf-16", "replace")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        dropped["tags files not in UTF-8, read as Latin-1"] += 1
        return data.decode("cp1252", "ignore")


def is_binary(data: bytes) -> bool:
    """Whether the bytes of a file are no text."""
    if not data.startswith(_UTF_16):
        return b"\0" in data
    return "\0" in data.decode("utf-16", "replace") or len(data) % 2 == 1


def split_tags(text: str) -> list[str]:
    """Return the tags of a text that has them on lines of their own, or with , or ; between.

    A comma or semicolon that is part of a tag is written behind a backslash. So may parentheses
    be, as in captions for image models.
    """
    tags = (_ESCAPED.sub(r"\1", tag).strip() for tag in _SEPARATORS.split(text))
    return [tag for tag in tags if tag]


@dataclass(frozen=True)
class StopList:
    """Normalised words, and patterns with *, ? and [abc], that are left out.

    A keyword with levels, a|b, is on the list where one of its levels is, or the whole.
    """

    words: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()

    def __contains__(self, word: object) -> bool:
        """Say whether a normalised word is on the list."""
        return isinstance(word, str) and any(map(self._has, {word, *word.split("|")}))

    def __or__(self, other: StopList) -> StopList:
        """Return the union of both lists."""
        return StopList(self.words | other.words, self.patterns | other.patterns)

    def _has(self, word: str) -> bool:
        return word in self.words or self._pattern.match(word) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, sorted(self.patterns))) or "(?!)")


def read_stop_list(path: Path) -> StopList:
    """Read a stop list: a word or pattern a line, in which spaces and underscores are the same.

    Lines that begin with # are comments. Raises `DataError` if the file is missing or no text.
    """
    data = read_file(path, MAX_TEXT_BYTES)
    if is_binary(data):
        raise DataError(f"the stop list {path} is a binary file; it must be text, one tag a line")
    lines = decode_text(data, Counter()).splitlines()
    found = (normalize_tag(line) for line in lines if not line.startswith("#"))
    words = frozenset(word for word in found if word)
    patterns = frozenset(word for word in words if _WILD.search(word))
    return StopList(words - patterns, patterns)
