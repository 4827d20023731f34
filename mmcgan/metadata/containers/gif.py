"""The XMP in a GIF: an application extension that is no chain of blocks, but looks like one.

GIF89a, 15 to 26; XMP part 3, 1.1.2 (the "magic trailer" that leads a chain to its end).
"""

from __future__ import annotations

from mmcgan.inference.photos.formats.segments import Encoded
from mmcgan.metadata.containers.found import Found

_EXTENSION, _IMAGE, _APPLICATION = 0x21, 0x2C, 0xFF
_XMP = b"\x0bXMP DataXMP"
_TRAILER = b"\x01" + bytes(range(255, -1, -1))


def read_gif(data: Encoded, found: Found) -> None:
    """Add the XMP of a GIF, before or behind any of its frames."""
    with found.noted("a GIF structure"):
        place = 13 + _table_size(data[10:11][0])
        while block := data[place : place + 11]:
            if block[0] == _EXTENSION:
                start = place + 2
                place = _chain_end(data, start)
                if block[1] == _APPLICATION and data[start : start + len(_XMP)] == _XMP:
                    content = found.take(data, start + len(_XMP), place)
                    found.packets.append(content.partition(_TRAILER)[0])
            elif block[0] == _IMAGE:
                place = _chain_end(data, place + 11 + _table_size(block[9]))
            else:
                break


def _table_size(flags: int) -> int:
    """Return the size of the table of colours that `flags` announce, in bytes."""
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0


def _chain_end(data: Encoded, place: int) -> int:
    """Return the place behind a chain of blocks, each of which begins with its length."""
    while length := data[place : place + 1][0]:
        place += 1 + length
    return place + 1
