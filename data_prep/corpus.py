"""Text sources → token lists for the word vectors, streamed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from smart_open import open as smart_open

from mmcgan.errors import DataError, OptionError
from mmcgan.vocabulary import normalize_tag

MAX_LINE_LENGTH = 1_000_000  # characters of one document; a longer line is several

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")


class Corpus:
    """The documents that the skip-gram reads: tag lists first, then the lines of text files.

    Each document is a list of tokens, normalised like tags. In running text the words of a
    phrase that is a known tag ("railway station") are joined to that tag's one token. The corpus
    can be read any number of times and holds no file in memory.
    """

    def __init__(
        self, tag_lists: Sequence[Sequence[str]], text_files: Sequence[Path], phrases: Iterable[str]
    ):
        """Take the tag lists as they are; check that each text file can be opened."""
        self.tag_lists = tag_lists
        self.text_files = text_files
        self._phrases = _Phrases(phrases)
        for path in text_files:
            next(_lines(path), None)

    def __iter__(self) -> Iterator[list[str]]:
        yield from (list(tags) for tags in self.tag_lists)
        for path in self.text_files:
            for line in _lines(path):
                tokens = self._phrases.join(tokenize(line))
                if tokens:
                    yield tokens


def tokenize(text: str) -> list[str]:
    """Split running text into words, each normalised like a tag."""
    return [token for word in _WORD.findall(text) if (token := normalize_tag(word))]


class _Phrases:
    """Known tags of several words, found in token lists by their first word, longest first."""

    def __init__(self, tags: Iterable[str]):
        self._by_first: dict[str, list[list[str]]] = {}
        for parts in sorted((tag.split("_") for tag in tags if "_" in tag), key=len, reverse=True):
            self._by_first.setdefault(parts[0], []).append(parts)

    def join(self, tokens: list[str]) -> list[str]:
        """Replace each known phrase in `tokens` by its one token."""
        joined, i = [], 0
        while i < len(tokens):
            candidates = self._by_first.get(tokens[i], ())
            parts = next((p for p in candidates if tokens[i : i + len(p)] == p), tokens[i : i + 1])
            joined.append("_".join(parts))
            i += len(parts)
        return joined


def _lines(path: Path) -> Iterator[str]:
    """Read the lines of a plain, .gz or .bz2 file; broken UTF-8 is replaced.

    Raises `OptionError` if the file is missing, `DataError` if it cannot be decompressed.
    """
    if not path.is_file():
        raise OptionError(f"--corpus: {path} is not a file")
    try:
        with smart_open(str(path), "rt", encoding="utf-8", errors="replace") as file:
            while line := file.readline(MAX_LINE_LENGTH):
                yield line
    except (OSError, EOFError, zlib.error) as reason:
        raise DataError(f"--corpus: {path} cannot be read ({reason})") from None
