"""Whether a photo has room for a packet: whether one of another size may be put into it.

A photo that grows moves all that lies behind the packet. What other bytes of the photo point at
there, by a distance from a place before the packet, would be lost. These are

- the pictures of a multi-picture JPEG, whose index (MPF) tells their distance from itself,
- previews behind the picture that maker notes point at, or blocks with a preview in them, by a
  distance from the start of the file, of the EXIF, or of the maker note, with or without its
  header, as each maker wishes,
- values of EXIF outside its segment, and
- trailers that hold places in the file, such as AFCP.

Maker notes are not documented, so that their pointers are looked for among all four bytes of the
EXIF. Where bytes follow the picture that are of no known kind, a photo with EXIF is refused.

CIPA DC-007 (MPF); Exif 2.32, 4.6.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from mmcgan.errors import MetadataError
from mmcgan.inference.photos.formats.segments import JPEG_START, jpeg_segments, png_chunks
from mmcgan.inference.photos.formats.tiff import MAKER_NOTE, Tiff
from mmcgan.metadata.containers.found import BROKEN
from mmcgan.metadata.containers.jpeg import APP1, exif_of
from mmcgan.metadata.containers.reading import read_blocks
from mmcgan.metadata.containers.slots import find_slot
from mmcgan.metadata.xmp.packet import Packet

_APP2 = 0xE2
_EXIF_POINTERS = (330, 34665, 34853, 40965)  # further pictures, EXIF, GPS, interoperability
_PICTURE_STARTS = (273, 324, 513)  # of a thumbnail
_MP_ENTRIES = 0xB002
_MARKER = re.compile(rb"\xff[\xc4\xcc\xd8-\xef\xfe]")  # those that may come among the pixels
_PICTURE = re.compile(rb"\xd8\xff[\xc0-\xc4\xdb\xe0-\xef\xfe]")  # some makers change the first byte
_ENTRIES = {  # of a directory, whose place is not known: a tag, a kind, the count, and the place
    "<": re.compile(rb"(?=..[\x01-\x12]\0(.{8}))", re.S),
    ">": re.compile(rb"(?=..\0[\x01-\x12](.{8}))", re.S),
}
_MAX_HEAD = 1024  # bytes of a block before the picture in it
_HEADERS = range(33)  # bytes before a maker note's own directory
_AFCP = re.compile(rb"AXS[!*]")  # AXS File Concatenation Protocol


@dataclass
class _Layout:
    """Where the parts are of a photo with pointers in it.

    `exif` are the start and end of each block, `pictures` those of the ones that an MPF at `index`
    lists. The picture ends at `end`; what lies behind `pixels` is compressed.
    """

    pixels: int = 0
    end: int = 0
    exif: list[tuple[int, int]] = field(default_factory=list)
    index: int = 0
    pictures: list[tuple[int, int]] = field(default_factory=list)


def require_room(before: bytes, after: bytes, name: str) -> None:
    """Raise `MetadataError` where the change of a photo's packet would break something.

    It would if others point at what moves. A photo with a second packet that may hold keywords is
    refused too, as programs differ in which one they read. The message calls the photo `name`.
    """
    if after == before:
        return
    _require_one_packet(after, name)
    for data in (before, after) if len(after) != len(before) else ():  # there, and back again
        if reason := obstacle(data, find_slot(data, name).end):
            raise MetadataError(
                f"{name} cannot change its size, as {reason}; use --write sidecar for it"
            )


def _require_one_packet(data: bytes, name: str) -> None:
    found = read_blocks(data)
    if len(found.packets) + sum(map(_may_have_keywords, found.extended)) > 1:
        raise MetadataError(
            f"{name} has XMP in more than one place, and programs differ in which they read; use "
            "--write sidecar for it"
        )


def _may_have_keywords(packet: bytes) -> bool:
    try:
        return bool(Packet.parse(packet, "").keywords())
    except MetadataError:
        return True


def obstacle(data: bytes, edge: int) -> str | None:
    """Return why nothing behind `edge` may move; None where it may."""
    is_jpeg = data.startswith(JPEG_START)
    try:
        layout = _jpeg_layout(data) if is_jpeg else _png_layout(data)
    except BROKEN:
        return "its parts cannot be told apart"
    if _AFCP.search(data, layout.end):
        return "the bytes behind the picture (AFCP) tell places in the file"
    if layout.index < edge and layout.pictures:
        return "it holds further pictures, whose places are told before its XMP"
    if layout.exif and not _is_known(data[layout.end :], layout):
        return "bytes of an unknown kind follow the picture, and its EXIF may point at them"
    if any(_points_outside(data, block, edge) for block in layout.exif):
        return "its EXIF points at what is outside of it"
    if _points_at_pictures(data, layout, edge):
        return "its EXIF points at a preview that would move"
    return None


def _jpeg_layout(data: bytes) -> _Layout:
    layout = _Layout(pixels=2)
    for start, end, marker in jpeg_segments(data):
        content = data[start + 4 : end]
        if marker == APP1 and (exif := exif_of(content)):
            layout.exif.append((end - len(exif), end))
        elif marker == _APP2 and content.startswith(b"MPF\0"):
            layout.index = start + 8
            layout.pictures += _listed(content[4:], layout.index)
        layout.pixels = end
    layout.end = _end_of_jpeg(data, layout.pixels)
    return layout


def _png_layout(data: bytes) -> _Layout:
    layout = _Layout()
    for start, end, kind in png_chunks(data):
        if kind == b"eXIf":
            layout.exif.append((start + 8, end - 4))
        layout.end = end
    return layout


def _end_of_jpeg(data: bytes, place: int) -> int:
    """Return the end of the picture whose pixels begin behind `place`; a cut one ends with data."""
    while found := _MARKER.search(data, place):
        marker = found[0][1]
        if marker in (0xD8, 0xD9):  # another picture begins where this one was cut
            return found.end() if marker == 0xD9 else found.start()
        place = found.end() + struct.unpack_from(">H", data, found.end())[0]
    return len(data)


def _listed(index: bytes, start: int) -> list[tuple[int, int]]:
    """Return start and end of the pictures behind the first that an MPF at `start` lists."""
    tiff = Tiff(index)
    tables = [index[e.start : e.end] for e in tiff.entries() if e.tag == _MP_ENTRIES]
    rows = struct.iter_unpack(f"{tiff.sign}IIIHH", b"".join(tables))
    return [(start + row[2], start + row[2] + row[1]) for row in rows if row[2]]


def _is_known(trailer: bytes, layout: _Layout) -> bool:
    """Whether `trailer` is listed pictures, padding, and a film or what is counted from its end.

    Phones put the film of a moving photo there, and data that end in SEFT.
    """
    rest = bytearray(trailer)
    for start, end in layout.pictures:
        place = slice(max(0, start - layout.end), max(0, end - layout.end))
        rest[place] = bytes(len(rest[place]))
    rest = rest.strip(b"\0\t\n\r \xff")
    return not rest or b"ftyp" in rest[:8] or rest.endswith(b"SEFT")


def _points_outside(data: bytes, block: tuple[int, int], edge: int) -> bool:
    """Whether EXIF that stays points at something of the file that is behind it and moves."""
    start, end = block
    if start >= edge:
        return False
    moves = range(max(end, edge), len(data))
    return any(start + place in moves for place in _places(data[start:end]))


def _places(exif: bytes) -> Iterator[int]:
    """Yield the places that EXIF tells: of directories, of thumbnails, and the ends of values."""
    with suppress(*BROKEN):
        tiff = Tiff(exif)
        with suppress(*BROKEN):
            for entry in tiff.entries(*_EXIF_POINTERS):
                yield entry.end - 1
                if entry.tag in _PICTURE_STARTS:
                    yield from tiff.numbers(entry)
        yield from tiff.starts


def _points_at_pictures(data: bytes, layout: _Layout, edge: int) -> bool:
    """Whether four bytes of the EXIF tell the place of a picture that moves."""
    areas = ((edge, layout.pixels), (layout.end, len(data)))
    places = {found.start() - 1 for area in areas for found in _PICTURE.finditer(data, *area)}
    places |= {start for start, _ in layout.pictures}
    for start, end in layout.exif:
        exif, moves = data[start:end], range(max(edge, end), len(data) + 1)
        bases = [0, *(base for base in (start, *_note_bases(exif, start)) if base < edge)]
        wanted = {place - base + d for place in places for base in bases for d in (-1, 0, 1)}
        if wanted & _numbers(exif) or _points_around(exif, bases, places, moves):
            return True
    return False


def _points_around(exif: bytes, bases: list[int], places: set[int], moves: range) -> bool:
    """Whether an entry's values, one byte each at least, move and have a picture near the start."""
    for order, pattern in _ENTRIES.items():
        for entry in pattern.finditer(exif):
            count, place = struct.unpack(f"{order}II", entry[1])
            blocks = (range(base + place, base + place + count) for base in bases)
            heads = [b[:_MAX_HEAD] for b in blocks if b.start in moves and b.stop in moves]
            if any(picture in head for head in heads for picture in places):
                return True
    return False


def _note_bases(exif: bytes, start: int) -> Iterator[int]:
    """Yield the places that offsets of the maker note may be counted from."""
    with suppress(*BROKEN):
        for entry in Tiff(exif).entries(*_EXIF_POINTERS):
            if entry.tag == MAKER_NOTE:
                yield from (start + entry.start + header for header in _HEADERS)


def _numbers(exif: bytes) -> set[int]:
    """Return what any four bytes of the EXIF mean as a number, in either order."""
    found: set[int] = set()
    for shift in range(4):
        count = len(exif[shift:]) // 4
        whole = exif[shift : shift + 4 * count]
        found.update(struct.unpack(f"<{count}I", whole), struct.unpack(f">{count}I", whole))
    return found
