"""The blocks in camera RAWs that are no TIFF, but hold one or a JPEG: Fujifilm's and Minolta's.

Panasonic's are a TIFF that holds a JPEG too.
"""

from __future__ import annotations

import struct

from mmcgan.inference.photos.formats.tiff import Tiff
from mmcgan.inference.photos.formats.view import View
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.jpeg import read_jpeg
from mmcgan.metadata.containers.tiff import read_tiff

FUJIFILM = b"FUJIFILMCCD-RAW "
MINOLTA = b"\0MR"  # M or I behind it, by the order of bytes
PANASONIC = b"IIU\0"

_PANASONIC_JPEG = 0x2E


def read_fujifilm(data: View, found: Found) -> None:
    """Add the blocks of the JPEG in a RAF."""
    with found.noted("a RAF structure"):
        start, size = struct.unpack(">II", data[84:92])
        read_jpeg(data.part(start, start + size), found)


def read_minolta(data: View, found: Found) -> None:
    """Add the blocks of the TIFF in an MRW."""
    order = ">" if data[3:4] == b"M" else "<"
    with found.noted("an MRW structure"):
        place, end = 8, 8 + struct.unpack(f"{order}I", data[4:8])[0]
        while place < end:
            kind, size = struct.unpack(f"{order}4sI", data[place : place + 8])
            if kind == bytes(4):
                raise ValueError(f"what is at byte {place} is no block")
            if kind.strip(b"\0") == b"TTW":
                read_tiff(data.part(place + 8, place + 8 + size), found)
            place += 8 + size


def read_panasonic(data: View, found: Found) -> None:
    """Add the blocks of an RW2 and of the JPEG in it."""
    read_tiff(data, found, "an RW2 structure")
    with found.noted("an RW2 structure"):
        for entry in Tiff(data).entries():
            if entry.tag == _PANASONIC_JPEG:
                read_jpeg(data.part(entry.start, entry.end), found)
                break
