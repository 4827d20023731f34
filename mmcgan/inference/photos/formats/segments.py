"""The parts of an encoded JPEG or PNG, told apart without decoding a pixel.

Tags are written into one of these parts, and features are kept under the hash of those that the
pixels depend on.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Protocol

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"

METADATA_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"})
_MARKER = re.compile(rb"\xff[\x01-\xfe]")  # FF 00 stands for a byte FF, FF FF for a gap
_PIECE = 2**20  # bytes that are read at once
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_MAX_STRAY = 2**20  # bytes between two segments that are looked through for the next one


class Encoded(Protocol):
    """An encoded photo: bytes, or a file of which only the slices that are asked for are read."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: slice, /) -> bytes: ...


def jpeg_segments(data: Encoded) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and marker of each segment before the pixels.

    Between segments there may be any fill bytes, and bytes that belong to none, which viewers pass
    over too. Raises `ValueError` at what is no segment, `IndexError` where the photo is cut short.
    """
    start, marker = _next_marker(data, 2)
    while marker != 0xDA:
        end = start + 2
        if marker not in _WITHOUT_LENGTH:
            length = int.from_bytes(data[end : end + 2], "big")
            if marker == 0xD9 or length < 2:
                raise ValueError(f"what is at byte {start} is no JPEG segment")
            end += length
            if end > len(data):
                raise IndexError("cut short")
            yield start, end, marker
        start, marker = _next_marker(data, end)


def _next_marker(data: Encoded, start: int) -> tuple[int, int]:
    """Return the place of the first marker from `start` on, and its second byte."""
    size = 2
    while size <= _MAX_STRAY:  # small steps first, so that many short gaps are read once each
        if found := _MARKER.search(data[start : start + size]):
            return start + found.start(), found[0][1]
        size *= 2
    raise IndexError("cut short")


def png_chunks(data: Encoded) -> Iterator[tuple[int, int, bytes]]:
    """Yield start, end and kind of each chunk.

    Raises `ValueError` at what is no chunk, `struct.error` where the photo is cut short.
    """
    start, kind = len(PNG_START), b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        if not kind.isalpha():
            raise ValueError(f"what is at byte {start} is no PNG chunk")
        yield start, start + 12 + length, kind
        start += 12 + length


def pixel_parts(data: Encoded) -> Iterator[bytes]:
    """Yield, piece by piece, the parts of an encoded photo that its pixels depend on.

    Where they cannot be told apart, in a broken photo or another format, that is all of it.
    """
    try:
        parts = _pixel_places(data)
    except (ValueError, struct.error, IndexError):
        parts = [(0, len(data))]
    for start, end in parts:
        for place in range(start, end, _PIECE):
            yield data[place : min(place + _PIECE, end)]


def _pixel_places(data: Encoded) -> list[tuple[int, int]]:
    if data[: len(JPEG_START)] == JPEG_START:
        return list(_jpeg_pixel_places(data))
    if data[: len(PNG_START)] == PNG_START:
        return [(s, end) for s, end, kind in png_chunks(data) if kind not in METADATA_CHUNKS]
    return [(0, len(data))]


def _jpeg_pixel_places(data: Encoded) -> Iterator[tuple[int, int]]:
    end = 2
    for start, end, marker in jpeg_segments(data):
        is_metadata = 0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)
        if not is_metadata:  # E0 and EE say what the colours are
            yield start, end
    yield end, len(data)
