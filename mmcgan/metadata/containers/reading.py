"""Find the blocks of metadata in a photo of any container, without decoding a pixel.

A photo of any size is read, by seeking from part to part; of what it holds, only a bounded amount
is read (`mmcgan.metadata.containers.found`). Broken parts are noted and passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from mmcgan.inference.photos.formats.segments import JPEG_START, PNG_START
from mmcgan.inference.photos.formats.tiff import RAW_STARTS, STARTS
from mmcgan.inference.photos.formats.view import View
from mmcgan.metadata.containers.boxes import read_boxes
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.gif import read_gif
from mmcgan.metadata.containers.jpeg import read_jpeg
from mmcgan.metadata.containers.png import read_png
from mmcgan.metadata.containers.raws import (
    FUJIFILM,
    MINOLTA,
    PANASONIC,
    read_fujifilm,
    read_minolta,
    read_panasonic,
)
from mmcgan.metadata.containers.tiff import read_tiff
from mmcgan.metadata.containers.webp import read_webp


def _read_tiff(data: View, found: Found) -> None:
    read_tiff(data, found, "a TIFF structure")


_READERS: dict[bytes | tuple[bytes, ...], Callable[[View, Found], None]] = {
    JPEG_START: read_jpeg,
    PNG_START: read_png,
    b"RIFF": read_webp,
    b"GIF8": read_gif,
    PANASONIC: read_panasonic,
    STARTS + RAW_STARTS: _read_tiff,
    FUJIFILM: read_fujifilm,
    MINOLTA: read_minolta,
}


def read_blocks(photo: bytes | BinaryIO) -> Found:
    """Return the blocks of metadata in an encoded photo; of an unknown container, none.

    Raises `OSError` if the file cannot be read, and nothing else.
    """
    data, found = View(photo), Found()
    head = data[:16]
    for starts, read in _READERS.items():
        if head.startswith(starts):
            read(data, found)
            return found
    if head[4:8] == b"ftyp":
        read_boxes(data, found)
    return found


def packets_in(data: bytes, name: str) -> list[bytes]:
    """Return every XMP packet in an encoded photo of any container, called `name`."""
    found = read_blocks(data)
    return found.packets + found.extended
