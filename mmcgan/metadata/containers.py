"""Find the XMP packet in a JPEG or PNG, and put another one in its place.

Only the segment or chunk of the packet changes; every other byte of the photo stays.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from mmcgan.errors import MetadataError
from mmcgan.inference.photos.segments import JPEG_START, PNG_START, jpeg_segments, png_chunks

WRITABLE = "JPEG and PNG"

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_FIRST = (b"JFIF\0", b"JFXX\0", b"Exif\0")  # what has to come before XMP
_MAX_SEGMENT = 65533  # bytes, without the two of its length
_PNG_XMP = b"XML:com.adobe.xmp\0"
_PNG_PLAIN = bytes(4)  # not compressed, and neither a language nor a translated keyword


@dataclass(frozen=True)
class Slot:
    """A place for a packet: the bytes from `start` to `end`, none where there is no packet yet."""

    start: int
    end: int
    packet: bytes | None


def is_writable(photo: Path) -> bool:
    """Whether a photo's first bytes are of a format that tags are written into.

    Raises `MetadataError` if the file cannot be read.
    """
    try:
        with photo.open("rb") as file:
            return file.read(len(PNG_START)).startswith((JPEG_START, PNG_START))
    except OSError as reason:
        raise MetadataError(f"{photo} cannot be read: {reason.strerror}") from None


def find_slot(data: bytes, name: str) -> Slot:
    """Return where the packet of an encoded photo is, or where one can be put.

    Raises `MetadataError` if the photo is of another format or broken; the message calls it `name`.
    """
    try:
        if data.startswith(JPEG_START):
            return _jpeg_slot(data)
        if data.startswith(PNG_START):
            return _png_slot(data, name)
    except (struct.error, IndexError):
        raise MetadataError(f"{name} is broken or cut short") from None
    except ValueError as reason:
        raise MetadataError(f"{name} is broken: {reason}") from None
    raise MetadataError(f"tags are written into {WRITABLE} only, and {name} is neither")


def with_packet(data: bytes, packet: bytes | None, name: str) -> bytes:
    """Return the photo with `packet` in place of its own, or without any.

    Raises `MetadataError` as `find_slot` does, or if the packet is too large for a JPEG.
    """
    slot = find_slot(data, name)
    wrapped = b""
    if packet is not None:  # an empty one is a place all the same
        is_jpeg = data.startswith(JPEG_START)
        wrapped = _jpeg_segment(packet, name) if is_jpeg else _png_chunk(packet)
    return data[: slot.start] + wrapped + data[slot.end :]


def _jpeg_slot(data: bytes) -> Slot:
    place = 2
    for start, end, marker in jpeg_segments(data):
        content = data[start + 4 : end]
        if marker == 0xE1 and content.startswith(_JPEG_XMP):
            return Slot(start, end, content[len(_JPEG_XMP) :])
        if marker == 0xE2 and content.startswith(b"MPF\0"):
            break  # it holds distances from itself, so that nothing behind it may grow
        if start == place and content.startswith(_JPEG_FIRST):
            place = end
    return Slot(place, place, None)


def _jpeg_segment(packet: bytes, name: str) -> bytes:
    content = _JPEG_XMP + packet
    if len(content) > _MAX_SEGMENT:
        raise MetadataError(f"the XMP in {name} would be larger than a JPEG can hold")
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def _png_slot(data: bytes, name: str) -> Slot:
    place = 0
    for start, end, kind in png_chunks(data):
        content = data[start + 8 : end - 4]
        if kind == b"iTXt" and content.startswith(_PNG_XMP):
            packet = content[len(_PNG_XMP) + len(_PNG_PLAIN) :]
            if data[start:end] != _png_chunk(packet):
                raise MetadataError(f"the XMP in {name} is compressed or broken")
            return Slot(start, end, packet)
        place = place or end  # behind the header, which is the first
    return Slot(place, place, None)


def _png_chunk(packet: bytes) -> bytes:
    content = b"iTXt" + _PNG_XMP + _PNG_PLAIN + packet
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
