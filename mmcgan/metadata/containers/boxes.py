"""The blocks in files that are built of boxes: XMP and EXIF of HEIC and AVIF, XMP of CR3.

ISO/IEC 14496-12, 4.2 (boxes), 8.11 (meta, iinf, iloc); 23008-12, A.2 (Exif); XMP part 3, 1.2.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mmcgan.inference.photos.formats.segments import Encoded
from mmcgan.inference.photos.formats.tiff import STARTS
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.jpeg import exif_of
from mmcgan.metadata.containers.tiff import read_tiff

_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_XMP_TYPE = b"application/rdf+xml"
_MAX_BOXES = 10_000  # beside one another
_IN_FILE, _IN_META = 0, 1  # where the parts of an item are


@dataclass
class _Reader:
    """Reads whole numbers, big-endian, and texts one after the other; raises `IndexError`."""

    data: bytes
    place: int = 0

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        self.place += size
        if self.place > len(self.data):
            raise IndexError("cut short")
        return self.data[self.place - size : self.place]

    def text(self) -> bytes:
        found = self.data[self.place :].partition(b"\0")[0]
        self.place += len(found) + 1
        return found


@dataclass
class _Item:
    """An item: whether its parts are in the file or in the meta box, and where these are."""

    method: int
    parts: list[tuple[int, int]] = field(default_factory=list)


def read_boxes(data: Encoded, found: Found) -> None:
    """Add the blocks of a HEIC, AVIF or CR3."""
    with found.noted("a box structure"):
        for kind, start, end in _boxes(data, 0, len(data)):
            if kind == b"uuid" and data[start : start + 16] == _XMP_UUID:
                found.packets.append(found.take(data, start + 16, end))
            elif kind == b"meta":
                _read_meta(data, start + 4, end, found)


def _boxes(data: Encoded, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box."""
    for _ in range(_MAX_BOXES):
        head = data[place : place + 16]
        if place + 8 > end:
            return
        size, kind, start = int.from_bytes(head[:4], "big"), head[4:8], place + 8
        if size == 1:
            size, start = int.from_bytes(head[8:], "big"), place + 16
        stop = place + size if size else end
        if not start <= stop <= end:
            raise ValueError("a box leads beyond the end")
        yield kind, start, stop
        place = stop


def _read_meta(data: Encoded, start: int, end: int, found: Found) -> None:
    boxes = {kind: (first, last) for kind, first, last in _boxes(data, start, end)}
    if not {b"iinf", b"iloc"} <= boxes.keys():
        return
    kinds = dict(_items(found.take(data, *boxes[b"iinf"])))
    places = dict(_locations(found.take(data, *boxes[b"iloc"])))
    idat = boxes.get(b"idat", (0, 0))[0]
    for number in sorted(kinds.keys() & places.keys()):
        item = places[number]
        base = idat if item.method == _IN_META else 0
        parts = [found.take(data, base + first, base + last) for first, last in item.parts]
        if kinds[number] == _XMP_TYPE:
            found.packets.append(b"".join(parts))
        else:
            _read_exif(b"".join(parts), found)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and kind of each item of EXIF or XMP in the content of an iinf box."""
    first = 6 if data[0] == 0 else 8
    for kind, start, end in _boxes(data, first, len(data)):
        reader = _Reader(data[start:end])
        version = reader.number(4) >> 24
        if kind != b"infe" or version < 2:
            continue
        number = reader.number(2 if version == 2 else 4)
        reader.number(2)  # how it is protected
        item_type, _name, mime_type = reader.take(4), reader.text(), reader.text()
        if item_type == b"Exif" or (item_type == b"mime" and mime_type == _XMP_TYPE):
            yield number, mime_type if item_type == b"mime" else item_type


def _locations(data: bytes) -> Iterator[tuple[int, _Item]]:
    """Yield number and place of each item in the content of an iloc box."""
    reader = _Reader(data)
    version = reader.number(4) >> 24
    sizes = reader.number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    wide = 2 if version < 2 else 4
    for _ in range(reader.number(wide)):
        number = reader.number(wide)
        item = _Item(reader.number(2) & 15 if version in (1, 2) else _IN_FILE)
        reader.number(2)  # which file: 0 is this one
        base = reader.number(base_size)
        n_parts = reader.number(2)
        for _ in range(n_parts if length_size else 0):
            reader.number(index_size)
            start = base + reader.number(offset_size)
            item.parts.append((start, start + reader.number(length_size)))
        yield number, item


def _read_exif(content: bytes, found: Found) -> None:
    """Add the blocks of EXIF; first comes how much there is before the TIFF."""
    if not content.startswith(STARTS):
        content = exif_of(content) or content[4 + int.from_bytes(content[:4], "big") :]
    read_tiff(content, found)
