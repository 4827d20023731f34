"""The directories of a TIFF, as far as they say what kind of picture it holds.

TIFF 6.0, 2 and 8; BigTIFF; SubIFDs of TIFF technical note 1; DNG 1.7, 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from mmcgan.inference.photos.segments import Encoded

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANES = 273, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SUB_DIRECTORIES = 322, 323, 324, 325, 330
SAMPLE_FORMAT, DNG_VERSION = 339, 50706

_WANTED = frozenset(
    {SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, SAMPLES}
    | {ROWS_PER_STRIP, STRIP_BYTES, PLANES, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES}
    | {SUB_DIRECTORIES, SAMPLE_FORMAT, DNG_VERSION}
)
_SIZES = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # bytes of the types of whole numbers
_MAX_NUMBERS = 2**20  # of one entry
_MAX_ENTRIES = 2**12  # of one directory
_MAX_DIRECTORIES = 16


@dataclass
class Directory:
    """The whole numbers of a directory, by tag, and where other directories are."""

    numbers: dict[int, tuple[int, ...]] = field(default_factory=dict)
    next: int = 0

    def first(self, tag: int, otherwise: int = 0) -> int:
        """Return the first number of a tag."""
        return self.numbers.get(tag, (otherwise,))[0]


def directories(data: Encoded) -> Iterator[Directory]:
    """Yield the first directory of a TIFF, then the others, as far as they can be read.

    No more than `_MAX_DIRECTORIES` are.
    """
    is_big = data[2:4] in (b"+\0", b"\0+")
    reader = _Reader(data, is_big)
    waiting, seen = [reader.number(8, 8) if is_big else reader.number(4, 4)], {0}
    while waiting and len(seen) <= _MAX_DIRECTORIES:
        start = waiting.pop(0)
        if start not in seen:
            seen.add(start)
            found = reader.directory(start)
            waiting += [found.next, *found.numbers.get(SUB_DIRECTORIES, ())]
            yield found


class _Reader:
    def __init__(self, data: Encoded, is_big: bool):
        self.data = data
        self.order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
        self.count_size, self.entry_size, self.width = (8, 20, 8) if is_big else (2, 12, 4)

    def number(self, place: int, size: int) -> int:
        """Return a whole number, 0 beyond the end."""
        return self._number(self.data[place : place + size])

    def _number(self, content: bytes) -> int:
        return int.from_bytes(content, self.order)

    def directory(self, start: int) -> Directory:
        n_entries = self.number(start, self.count_size)
        first = start + self.count_size
        found = Directory(next=self.number(first + n_entries * self.entry_size, self.width))
        table = self.data[first : first + min(n_entries, _MAX_ENTRIES) * self.entry_size]
        for place in range(0, len(table) - self.entry_size + 1, self.entry_size):
            entry = table[place : place + self.entry_size]
            tag = self._number(entry[:2])
            if tag in _WANTED and (values := self._values(entry)):
                found.numbers[tag] = values
        return found

    def _values(self, entry: bytes) -> tuple[int, ...]:
        """Return the numbers of an entry; none where they are of another type or too many."""
        size = _SIZES.get(self._number(entry[2:4]), 0)
        count = self._number(entry[4 : -self.width])
        if not size or count > _MAX_NUMBERS:
            return ()
        content = entry[-self.width :]
        if size * count > self.width:
            place = self._number(content)
            content = self.data[place : place + size * count]
        pieces = range(0, min(len(content), size * count) - size + 1, size)
        return tuple(self._number(content[i : i + size]) for i in pieces)
