"""The blocks in the chunks of a WebP: XMP and EXIF.

https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mmcgan.inference.photos.formats.segments import Encoded
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.jpeg import exif_of
from mmcgan.metadata.containers.tiff import read_tiff

_XMP = (b"XMP ", b"XMP\0")  # the second one is a common mistake


def read_webp(data: Encoded, found: Found) -> None:
    """Add the blocks of a WebP."""
    with found.noted("a WebP structure"):
        for kind, start, end in _chunks(data):
            if kind in _XMP:
                found.packets.append(found.take(data, start, end))
            elif kind == b"EXIF":
                content = found.take(data, start, end)
                read_tiff(exif_of(content) or content, found)


def _chunks(data: Encoded) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk."""
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack("<4sI", data[place : place + 8])
        if kind == bytes(4):
            raise ValueError(f"what is at byte {place} is no chunk")
        yield kind, place + 8, place + 8 + length
        place += 8 + length + length % 2
