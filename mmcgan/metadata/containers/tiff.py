"""The directories of a TIFF: EXIF blocks, TIFF and BigTIFF photos, and camera RAWs built like them.

TIFF 6.0; BigTIFF; Exif 2.32, 4.6; XMP part 3, 3.2 (tag 700); of other makers, the magic number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mmcgan.inference.photos.segments import Encoded
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.photoshop import read_resources

STARTS = tuple(
    order + (magic if order == b"II" else magic[::-1])
    for order in (b"II", b"MM")
    for magic in (b"*\0", b"+\0", b"U\0", b"RO", b"RS")  # the last three: Panasonic, Olympus
)
MAKER_NOTE = 0x927C

_XMP, _IPTC, _PHOTOSHOP, _XP_KEYWORDS = 700, 33723, 34377, 0x9C9E
_SUBDIRECTORIES = (330, 34665)  # further pictures, EXIF
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}
_MAX_DIRECTORIES = 1000
_MAX_ENTRIES = 2**16  # of all directories together


@dataclass(frozen=True)
class Entry:
    """An entry of a directory: its tag, and where in the TIFF its value is."""

    tag: int
    kind: int
    start: int
    end: int


class Directories:
    """The directories of a TIFF, which are at `starts` as far as entries were asked for.

    Raises `ValueError` if it has none of the known starts.
    """

    def __init__(self, data: Encoded):
        if data[:4] not in STARTS:
            raise ValueError("it is no TIFF")
        self.data = data
        self.order = "<" if data[:2] == b"II" else ">"
        self.is_big = b"+" in data[2:4]
        self.n_entries = 0
        self.starts: set[int] = set()

    def entries(self, *subdirectories: int) -> Iterator[Entry]:
        """Yield the entries of the first directory, of those that follow, and of those below.

        Those below are the ones that the tags `subdirectories` point at. Raises `ValueError` or
        `struct.error`, at the end, if some directory is broken.
        """
        waiting = [self._number(8, 8) if self.is_big else self._number(4, 4)]
        error: Exception | None = None
        while waiting and len(self.starts) < _MAX_DIRECTORIES:
            start = waiting.pop(0)
            if start and start not in self.starts:
                self.starts.add(start)
                below = []
                try:
                    for entry in self._directory(start, waiting):
                        below += [entry] if entry.tag in subdirectories else []
                        yield entry
                    for entry in below:
                        waiting += self.numbers(entry)[: max(0, _MAX_DIRECTORIES - len(waiting))]
                except (ValueError, struct.error) as reason:
                    error = reason
        if error:
            raise error

    def numbers(self, entry: Entry) -> list[int]:
        """Return the value of an entry as numbers."""
        size = _SIZES[entry.kind]
        end = min(entry.end, entry.start + size * _MAX_DIRECTORIES)
        return [self._number(place, size) for place in range(entry.start, end, size)]

    def _directory(self, start: int, waiting: list[int]) -> Iterator[Entry]:
        """Yield the entries of the directory at `start`, and add the next one to `waiting`."""
        count_size, size, wide = (8, 20, 8) if self.is_big else (2, 12, 4)
        n_entries = self._number(start, count_size)
        self.n_entries += n_entries
        if self.n_entries > _MAX_ENTRIES:
            raise ValueError(f"it has more than {_MAX_ENTRIES:,} entries")
        first = start + count_size
        table = self.data[first : first + size * n_entries]
        layout = f"{self.order}HH{'Q' if self.is_big else 'I'}"
        for place in range(0, len(table) - size + 1, size):
            tag, kind, count = struct.unpack_from(layout, table, place)
            length = _SIZES.get(kind, 0) * count
            value = first + place + size - wide
            if length > wide:
                value = self._number(value, wide)
            if length:
                yield Entry(tag, kind, value, value + length)
        end = first + size * n_entries
        if len(self.data) >= end + wide:  # some blocks end with their entries
            waiting.append(self._number(end, wide))
        elif len(self.data) < end:
            raise ValueError("it has a directory that leads beyond its end")

    def _number(self, place: int, size: int) -> int:
        content = self.data[place : place + size]
        if len(content) < size:
            raise ValueError("it has a directory that leads beyond its end")
        return int.from_bytes(content, "little" if self.order == "<" else "big")


def read_tiff(data: Encoded, found: Found, what: str = "EXIF") -> None:
    """Add the blocks in all directories of a TIFF; notes call it `what`."""
    with found.noted(what):
        for entry in Directories(data).entries(*_SUBDIRECTORIES):
            with found.noted(what):
                _read_entry(data, entry, found)


def _read_entry(data: Encoded, entry: Entry, found: Found) -> None:
    if entry.tag == _XMP:
        found.packets.append(found.take(data, entry.start, entry.end))
    elif entry.tag == _IPTC:
        found.iptc.append(found.take(data, entry.start, entry.end))
    elif entry.tag == _XP_KEYWORDS:
        found.windows.append(found.take(data, entry.start, entry.end))
    elif entry.tag == _PHOTOSHOP:
        read_resources(found.take(data, entry.start, entry.end), found)
