"""TIFF structures: EXIF blocks with maker notes, and whole files in both orders and BigTIFF."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from laws.drawing import Draw, Odd

Entry = tuple[int, int, bytes]  # tag, type, value in the order of the file

BYTE, ASCII, SHORT, LONG, UNDEFINED = 1, 2, 3, 4, 7
_SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, UNDEFINED: 1, 16: 8}

# A number that stands for the offset of a preview until it is known.
PREVIEW_AT = 0x7E5A43C1
PREVIEW_LENGTH = 0x7E5A43C2


def short(order: str, *values: int) -> bytes:
    return struct.pack(f"{order}{len(values)}H", *values)


def long(order: str, *values: int) -> bytes:
    return struct.pack(f"{order}{len(values)}I", *values)


def header(order: str, big: bool = False) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    if big:
        return mark + struct.pack(f"{order}HHHQ", 43, 8, 0, 16)
    return mark + struct.pack(f"{order}HI", 42, 8)


def directory(
    order: str, entries: Sequence[Entry], start: int, next_at: int = 0, big: bool = False
) -> bytes:
    """An IFD at the offset `start`, with the values that do not fit into it behind it."""
    size, fits, word = (20, 8, "Q") if big else (12, 4, "I")
    head = struct.pack(f"{order}{'Q' if big else 'H'}", len(entries))
    values_at = start + len(head) + size * len(entries) + fits
    table, values = b"", b""
    for tag, kind, value in sorted(entries, key=lambda entry: entry[0]):
        place = value.ljust(fits, b"\0")
        if len(value) > fits:
            place = struct.pack(order + word, values_at + len(values))
            values += value + b"\0" * (len(value) % 2)
        table += struct.pack(f"{order}HH{word}", tag, kind, len(value) // _SIZES[kind]) + place
    return head + table + struct.pack(order + word, next_at) + values


def _casio(order: str, start: int) -> bytes:
    entries = [(3, LONG, long(order, PREVIEW_LENGTH)), (4, LONG, long(order, PREVIEW_AT))]
    return b"QVC\0\0\0" + directory(order, entries, start + 6)


def _minolta(order: str, start: int) -> bytes:
    entries = [(0x88, LONG, long(order, PREVIEW_AT)), (0x89, LONG, long(order, PREVIEW_LENGTH))]
    return directory(order, [(0, UNDEFINED, b"MLT0"), *entries], start)


def _olympus(order: str, start: int) -> bytes:
    settings = start + 8 + 2 + 12 + 4
    entries = [(0x100, LONG, long(order, 1)), (0x101, LONG, long(order, PREVIEW_AT))]
    entries += [(0x102, LONG, long(order, PREVIEW_LENGTH))]
    outer = directory(order, [(0x2020, LONG, long(order, settings))], start + 8)
    return b"OLYMP\0\1\0" + outer + directory(order, entries, settings)


def _pentax(order: str, start: int) -> bytes:
    entries = [(2, SHORT, short(order, 16, 12)), (3, LONG, long(order, PREVIEW_LENGTH))]
    entries += [(4, LONG, long(order, PREVIEW_AT))]
    mark = b"II" if order == "<" else b"MM"
    return b"AOC\0" + mark + directory(order, entries, start + 6)


def _nikon(order: str, start: int) -> bytes:
    entries = [(0x201, LONG, long(order, PREVIEW_AT)), (0x202, LONG, long(order, PREVIEW_LENGTH))]
    outer = directory(order, [(0x11, LONG, long(order, 26))], 8)
    inner = header(order) + outer + directory(order, entries, 26)
    return b"Nikon\0\2\x10\0\0" + inner


MAKERS = {
    "CASIO": _casio,
    "Minolta": _minolta,
    "OLYMPUS": _olympus,
    "PENTAX": _pentax,
    "NIKON": _nikon,
}
_EXIF_AT = 8 + 2 + 12 * 4 + 4 + 40 + 60


def exif(order: str, maker: str = "", windows: bytes = b"", thumbnail: bytes = b"") -> bytes:
    """An EXIF block; the note of a `maker` points at a preview that lies behind the picture."""
    note_at = _EXIF_AT + 2 + 12 * 2 + 4
    fields: list[Entry] = [(0x9000, UNDEFINED, b"0231")]
    if maker:
        fields.append((0x927C, UNDEFINED, MAKERS[maker](order, note_at).ljust(200, b"\0")))
    inner = directory(order, fields, _EXIF_AT)
    thumbnail_at = _EXIF_AT + len(inner)
    entries = [(0x010F, ASCII, (maker or "Some maker").encode() + b"\0")]
    entries += [(0x0112, SHORT, short(order, 1)), (0x8769, LONG, long(order, _EXIF_AT))]
    entries += [(0x9C9E, BYTE, windows)] if windows else []
    outer = header(order) + directory(order, entries, 8, thumbnail_at if thumbnail else 0)
    assert len(outer) <= _EXIF_AT
    block = outer.ljust(_EXIF_AT, b"\0") + inner
    if not thumbnail:
        return block
    places = long(order, thumbnail_at + 2 + 12 * 3 + 4), long(order, len(thumbnail))
    found = [(0x0103, SHORT, short(order, 6)), (0x201, LONG, places[0]), (0x202, LONG, places[1])]
    return block + directory(order, found, thumbnail_at) + thumbnail


def draw_tiff(draw: Draw, packet: Odd | None, iptc: bytes, windows: bytes) -> Odd:
    """A whole TIFF: 16 × 12 pixels, RGB, one strip."""
    order, big = draw.one("<", ">"), draw.chance(0.25)
    start = 16 if big else 8
    pixels = bytes(range(192)) * 3
    entries: list[Entry] = [
        (256, SHORT, short(order, 16)),
        (257, SHORT, short(order, 12)),
        (258, SHORT, short(order, 8, 8, 8)),
        (259, SHORT, short(order, 1)),
        (262, SHORT, short(order, 2)),
        (277, SHORT, short(order, 3)),
        (278, SHORT, short(order, 12)),
        (279, LONG, long(order, len(pixels))),
    ]
    entries += [(700, BYTE, packet.data)] if packet else []
    entries += [(33723, UNDEFINED, iptc)] if iptc else []
    entries += [(0x9C9E, BYTE, windows)] if windows else []
    is_raw = draw.chance(0.2)
    entries += [(0xC612, BYTE, b"\1\4\0\0")] if is_raw else []
    empty = directory(order, [*entries, (273, LONG, bytes(4))], start, big=big)
    placed = (273, LONG, long(order, start + len(empty)))
    data = header(order, big) + directory(order, [*entries, placed], start, big=big) + pixels
    label = f"{'BigTIFF' if big else 'TIFF'} {order}{', DNG' if is_raw else ''}"
    return (packet or Odd(b"")).odder(data, label, "format", "broken photo")
