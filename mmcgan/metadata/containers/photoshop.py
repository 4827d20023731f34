"""Photoshop's image resources, among them IPTC and XMP: in JPEG, in TIFF, in profiles of PNG.

https://www.adobe.com/devnet-apps/photoshop/fileformatashtml/ (Image Resource Blocks)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mmcgan.metadata.containers.found import Found

JPEG_HEADERS = (b"Photoshop 3.0\0", b"Adobe_Photoshop2.5:")

_START = b"8BIM"
_IPTC, _XMP = 0x0404, 0x0424


def read_resources(data: bytes, found: Found) -> None:
    """Add the IPTC and XMP in `data`, whatever stands before the first resource."""
    with found.noted("a Photoshop block"):
        for number, start, end in _resources(data):
            if number == _IPTC:
                found.iptc.append(found.take(data, start, end))
            elif number == _XMP:
                found.packets.append(found.take(data, start, end))


def _resources(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each resource; what lies between two is passed over."""
    place = data.find(_START)
    while place >= 0:
        number, name_length = struct.unpack_from(">HB", data, place + 4)
        place += 6 + (name_length + 2) // 2 * 2  # the name and its length are padded
        (length,) = struct.unpack_from(">I", data, place)
        yield number, place + 4, place + 4 + length
        place = data.find(_START, place + 4 + length)
