"""The parts of an encoded JPEG or PNG, told apart without decoding a pixel.

Tags are written into one of these parts, and features are kept under the hash of those that the
pixels depend on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"

_METADATA_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"})


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and marker of each segment before the pixels.

    Raises `ValueError` at what is no segment, `struct.error` or `IndexError` where the photo is
    cut short.
    """
    start = 2
    while data[start + 1] != 0xDA:
        length = struct.unpack_from(">H", data, start + 2)[0]
        if data[start] != 0xFF or length < 2:
            raise ValueError(f"what is at byte {start} is no JPEG segment")
        if data[start + 1] != 0xFF:  # any number of these may fill the gap before a segment
            yield start, start + 2 + length, data[start + 1]
            start += 2 + length
        else:
            start += 1


def png_chunks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield start, end and kind of each chunk; raises as `jpeg_segments` does."""
    start, kind = len(PNG_START), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, start)
        yield start, start + 12 + length, kind
        start += 12 + length


def pixel_parts(data: bytes) -> list[bytes]:
    """Return the parts of an encoded photo that its pixels depend on.

    Where they cannot be told apart, in a broken photo or another format, that is all of it.
    """
    try:
        if data.startswith(JPEG_START):
            return _jpeg_pixel_parts(data)
        if data.startswith(PNG_START):
            chunks = png_chunks(data)
            return [data[s:end] for s, end, kind in chunks if kind not in _METADATA_CHUNKS]
    except (ValueError, struct.error, IndexError):
        pass
    return [data]


def _jpeg_pixel_parts(data: bytes) -> list[bytes]:
    parts, end = [], 2
    for start, end, marker in jpeg_segments(data):
        is_metadata = 0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)
        if not is_metadata:  # E0 and EE say what the colours are
            parts.append(data[start:end])
    return [*parts, data[end:]]
