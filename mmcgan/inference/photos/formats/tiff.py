"""The directories of a TIFF, of EXIF, and of camera RAWs that are built like one.

TIFF 6.0, 2 and 8; BigTIFF; SubIFDs of TIFF technical note 1; Exif 2.32, 4.6; DNG 1.7, 4; of other
makers, the magic number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from mmcgan.inference.photos.formats.segments import Encoded

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
RAW_STARTS = tuple(  # Panasonic, Olympus
    order + (magic if order == b"II" else magic[::-1])
    for order in (b"II", b"MM")
    for magic in (b"U\0", b"RO", b"RS")
)
SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 273, 277, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SUB_DIRECTORIES = 322, 323, 324, 325, 330
SAMPLE_FORMAT, EXIF_DIRECTORY, MAKER_NOTE, DNG_VERSION = 339, 34665, 37500, 50706

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}
_WHOLE = frozenset({1, 3, 4, 13, 16, 18})  # types of whole numbers
_MAX_DIRECTORIES = 1000
_MAX_PICTURES = 16
_MAX_ENTRIES = 2**16  # of all directories together
_MAX_NUMBERS = 2**20  # of one entry


@dataclass(frozen=True)
class Entry:
    """An entry of a directory: its tag, its type, and where in the TIFF its value is."""

    tag: int
    kind: int
    start: int
    end: int


class Tiff:
    """The directories of a TIFF, which are at `starts` as far as they were asked for.

    Raises `ValueError` if it has none of the known starts.
    """

    def __init__(self, data: Encoded):
        if data[:4] not in STARTS + RAW_STARTS:
            raise ValueError("it is no TIFF")
        self.data = data
        self.order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
        self.sign = "<" if self.order == "little" else ">"  # of `struct`
        self.is_big = b"+" in data[2:4]
        self.starts: set[int] = set()
        self._n_entries = 0

    def directories(self, *below: int) -> Iterator[list[Entry]]:
        """Yield the first directory, those that follow, and those that the tags `below` point at.

        Raises `ValueError` or `struct.error`, at the end, if some directory is broken; what can be
        read of it is yielded before.
        """
        waiting = [self._number(8, 8) if self.is_big else self._number(4, 4)]
        error: Exception | None = None
        while waiting and len(self.starts) < _MAX_DIRECTORIES:
            start = waiting.pop(0)
            if start and start not in self.starts:
                self.starts.add(start)
                entries: list[Entry] = []
                try:
                    waiting += self._read_directory(start, entries)
                except (ValueError, struct.error) as reason:
                    error = reason
                yield entries
                for entry in entries:
                    if entry.tag in below:
                        n_more = max(0, _MAX_DIRECTORIES - len(waiting))
                        waiting += islice(self.numbers(entry), n_more)
        if error:
            raise error

    def entries(self, *below: int) -> Iterator[Entry]:
        """Yield the entries of all `directories`; raises as that does."""
        for entries in self.directories(*below):
            yield from entries

    def numbers(self, entry: Entry) -> Iterator[int]:
        """Yield the value of an entry as whole numbers, as far as it is there."""
        size = _SIZES[entry.kind]
        content = self.data[entry.start : min(entry.end, entry.start + size * _MAX_NUMBERS)]
        for place in range(0, len(content) - size + 1, size):
            yield int.from_bytes(content[place : place + size], self.order)

    def _read_directory(self, start: int, entries: list[Entry]) -> list[int]:
        """Add the entries of the directory at `start`; return where the next one is, if it says."""
        count_size, size, wide = (8, 20, 8) if self.is_big else (2, 12, 4)
        n_entries = self._number(start, count_size)
        self._n_entries += n_entries
        if self._n_entries > _MAX_ENTRIES:
            raise ValueError(f"it has more than {_MAX_ENTRIES:,} entries")
        first = start + count_size
        end = first + size * n_entries
        table = self.data[first:end]
        for place in range(0, len(table) - size + 1, size):
            entries += self._entry(table, place, first + place + size - wide)
        if len(self.data) < end:
            raise ValueError("it has a directory that leads beyond its end")
        # Some blocks end with their entries.
        return [self._number(end, wide)] if len(self.data) >= end + wide else []

    def _entry(self, table: bytes, place: int, value: int) -> list[Entry]:
        """Return the entry at `place`, whose value is in it, at `value`, or where that says."""
        layout = f"{self.sign}HH{'Q' if self.is_big else 'I'}"
        tag, kind, count = struct.unpack_from(layout, table, place)
        wide = 8 if self.is_big else 4
        length = _SIZES.get(kind, 0) * count
        if length > wide:
            value = self._number(value, wide)
        return [Entry(tag, kind, value, value + length)] if length else []

    def _number(self, place: int, size: int) -> int:
        content = self.data[place : place + size]
        if len(content) < size:
            raise ValueError("it has a directory that leads beyond its end")
        return int.from_bytes(content, self.order)


@dataclass(frozen=True)
class Picture:
    """A directory of a TIFF, as far as it says what kind of picture it holds."""

    tiff: Tiff
    entries: dict[int, Entry]

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the whole numbers of a tag; none where there are none."""
        return tuple(self.tiff.numbers(self.entries[tag])) if tag in self.entries else ()

    def first(self, tag: int, otherwise: int = 0) -> int:
        """Return the first number of a tag."""
        return next(iter(self.numbers(tag)), otherwise)


def pictures(data: Encoded) -> Iterator[Picture]:
    """Yield the first picture of a TIFF, then the others, as far as they can be read.

    No more than `_MAX_PICTURES` are; of what is no TIFF, none.
    """
    with suppress(ValueError, struct.error):
        tiff = Tiff(data)
        for entries in islice(tiff.directories(SUB_DIRECTORIES), _MAX_PICTURES):
            yield Picture(tiff, {entry.tag: entry for entry in entries if entry.kind in _WHOLE})
