"""Files of text → documents, each a list of tokens.

    lines      plain text, .gz or .bz2: each line is a document
    YFCC100M   the same with 25 tab-separated columns, or 23 in the older edition: user tags, title
               and description of a photo, percent-encoded with + for a space
    archives   .zip, .tar, .tar.gz, .tar.bz2 of .txt files (the tags of a photo, one a line, as in
               MIRFLICKR-1M) and .json files (a photo's title, description and tags as Flickr's API
               gives them)

Nothing is trusted: what is broken, too long or of another kind is counted and left out.
"""

from __future__ import annotations

import html
import itertools
import json
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote_plus

from smart_open import open as smart_open

from data_prep.archives import MAX_TEXT_BYTES, ZipSource
from data_prep.text import decode_text, split_tags
from mmcgan.errors import DataError, OptionError
from mmcgan.inference.words.vocabulary import normalize_tag

MAX_LINE_LENGTH = 1_000_000  # characters of one document; a longer line is several
BATCH_LINES, BATCH_MEMBERS = 2000, 500  # that are cleaned together
BATCH_BYTES = 2**24  # of members that are cleaned together, at least one

Kind = Literal["lines", "yfcc100m", "members"]

# The columns of title, description and user tags, by the number of columns.
_YFCC_COLUMNS = {25: (8, 9, 10), 23: (6, 7, 8)}
_ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".tar.gz", ".tar.bz2")
_BROKEN = (OSError, EOFError, zlib.error, tarfile.TarError)

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_MARKUP = re.compile(r"<[^<>]*>|https?://\S+")

OVERLONG = "lines of the corpus that are too long"
COLUMNS = "lines of the corpus with another number of columns"
NO_JSON = "files of the corpus that are no JSON"
NO_TEXT = "files of the corpus without title, description or tags"
TOO_LARGE = "files of the corpus that are too large"
OTHER_FILES = "files of the corpus that are neither .txt nor .json"


@dataclass(frozen=True)
class Batch:
    """Some documents as they lie in a file: lines, or the names and contents of members.

    `skipped` counts what was left out while reading them.
    """

    kind: Kind
    items: tuple[Any, ...]
    skipped: Counter[str]


def check_text_file(path: Path) -> None:
    """Raise `OptionError` or `DataError` if `path` is missing or its beginning cannot be read."""
    if not path.is_file():
        raise OptionError(f"--corpus: {path} is not a file")
    next(read_batches(path), None)


def read_batches(path: Path) -> Iterator[Batch]:
    """Read a file batch by batch; no more than that is in memory.

    Raises `DataError` if it cannot be decompressed.
    """
    is_archive = path.name.lower().endswith(_ARCHIVES)
    try:
        yield from _member_batches(path) if is_archive else _line_batches(path)
    except _BROKEN as reason:
        raise DataError(f"--corpus: {path} cannot be read ({reason})") from None


def _line_batches(path: Path) -> Iterator[Batch]:
    kind: Kind | None = None
    with smart_open(str(path), "rt", encoding="utf-8", errors="replace") as file:
        pieces = iter(lambda: file.readline(MAX_LINE_LENGTH), "")
        while lines := tuple(itertools.islice(pieces, BATCH_LINES)):
            n_columns = lines[0].count("\t") + 1
            kind = kind or ("yfcc100m" if n_columns in _YFCC_COLUMNS else "lines")
            yield Batch(kind, lines, Counter())


def _member_batches(path: Path) -> Iterator[Batch]:
    items: list[tuple[str, bytes]] = []
    skipped: Counter[str] = Counter()
    n_bytes = 0
    for name, data in _members(path, skipped):
        items.append((name, data))
        n_bytes += len(data)
        if len(items) == BATCH_MEMBERS or n_bytes > BATCH_BYTES:
            yield Batch("members", tuple(items), skipped)
            items, skipped, n_bytes = [], Counter(), 0
    yield Batch("members", tuple(items), skipped)


def _members(path: Path, skipped: Counter[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the .txt and .json files of an archive."""
    if path.name.lower().endswith(".zip"):
        source = ZipSource(path)
        for name in source.names():
            if _is_document(name, skipped):
                try:
                    yield name, source.read(name, MAX_TEXT_BYTES)
                except DataError:
                    skipped[TOO_LARGE] += 1
        return
    with tarfile.open(path, "r|*") as tar:
        for member in tar:
            if not member.isfile() or not _is_document(member.name, skipped):
                continue
            file = tar.extractfile(member)
            data = file.read(MAX_TEXT_BYTES + 1) if file else b""
            if len(data) > MAX_TEXT_BYTES:
                skipped[TOO_LARGE] += 1
            else:
                yield member.name, data


def _is_document(name: str, skipped: Counter[str]) -> bool:
    fits = name.lower().endswith((".txt", ".json"))
    skipped[OTHER_FILES] += not fits
    return fits


def clean(batch: Batch, phrases: Phrases) -> tuple[list[list[str]], Counter[str]]:
    """Return the documents of a batch, those with a token, and what was left out."""
    skipped = Counter(batch.skipped)
    if batch.kind == "lines":
        found: Iterable[list[str]] = (phrases.join(tokenize(line)) for line in batch.items)
    elif batch.kind == "yfcc100m":
        found = (_photo_of_line(line, phrases, skipped) for line in batch.items)
    else:
        found = (_photo_of_file(name, data, phrases, skipped) for name, data in batch.items)
    return [tokens for tokens in found if tokens], skipped


def _photo_of_line(line: str, phrases: Phrases, skipped: Counter[str]) -> list[str]:
    """Return the tokens of a line of the YFCC100M metadata."""
    if len(line) >= MAX_LINE_LENGTH:
        skipped[OVERLONG] += 1
        return []
    cells = line.rstrip("\r\n").split("\t")
    if len(cells) not in _YFCC_COLUMNS:
        skipped[COLUMNS] += 1
        return []
    title, description, tags = (cells[i] for i in _YFCC_COLUMNS[len(cells)])
    texts = (unquote_plus(title), unquote_plus(description))
    return _photo([unquote_plus(tag) for tag in tags.split(",")], texts, phrases)


def _photo_of_file(name: str, data: bytes, phrases: Phrases, skipped: Counter[str]) -> list[str]:
    """Return the tokens of a file of tags, or of a photo's metadata in JSON."""
    if name.lower().endswith(".txt"):
        return _photo(split_tags(decode_text(data, skipped)), (), phrases)
    try:
        fields = _photo_fields(json.loads(data))
    except (ValueError, RecursionError):
        skipped[NO_JSON] += 1
        return []
    if fields is None:
        skipped[NO_TEXT] += 1
        return []
    texts = [_text(fields.get(name)) for name in ("title", "description")]
    return _photo(_tags(fields.get("tags")), texts, phrases)


def _photo_fields(value: Any) -> dict[str, Any] | None:
    """Return the object that describes a photo: the value itself, or one that lies in it."""
    if not isinstance(value, dict):
        return None
    if value.keys() & {"title", "description", "tags"}:
        return value
    inner = (_photo_fields(v) for v in value.values())
    return next((fields for fields in inner if fields is not None), None)


def _tags(value: Any) -> list[str]:
    """Return tags: a list, one below "tag", or a text with commas or spaces between them."""
    if isinstance(value, dict):
        value = value.get("tag")
    if isinstance(value, str):
        return split_tags(value) if "," in value else value.split()
    return [_text(tag) for tag in value] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Return a text: as it is, or what an object holds as "raw" or "_content"."""
    if isinstance(value, dict):
        value = value.get("raw", value.get("_content"))
    return value if isinstance(value, str) else ""


def _photo(tags: Iterable[str], texts: Iterable[str], phrases: Phrases) -> list[str]:
    """Return the tokens of a photo: its tags, then its texts without markup and addresses."""
    tokens = [token for tag in tags if (token := normalize_tag(tag))]
    for text in texts:
        tokens += phrases.join(tokenize(_MARKUP.sub(" ", html.unescape(text))))
    return tokens


def tokenize(text: str) -> list[str]:
    """Split running text into words, each normalised like a tag."""
    return [token for word in _WORD.findall(text) if (token := normalize_tag(word))]


class Phrases:
    """Known tags of several words, found in token lists by their first word, longest first."""

    def __init__(self, tags: Iterable[str]):
        self._by_first: dict[str, list[list[str]]] = {}
        for parts in sorted((tag.split("_") for tag in tags if "_" in tag), key=len, reverse=True):
            self._by_first.setdefault(parts[0], []).append(parts)

    def join(self, tokens: list[str]) -> list[str]:
        """Replace each known phrase in `tokens` by its one token."""
        if self._by_first.keys().isdisjoint(tokens):
            return tokens
        joined, i = [], 0
        while i < len(tokens):
            candidates = self._by_first.get(tokens[i], ())
            parts = next((p for p in candidates if tokens[i : i + len(p)] == p), tokens[i : i + 1])
            joined.append("_".join(parts))
            i += len(parts)
        return joined
