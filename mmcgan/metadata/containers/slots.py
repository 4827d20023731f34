"""Find the XMP packet in a JPEG or PNG, and put another one in its place.

Only the segment or chunk of the packet changes; every other byte of the photo stays.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmcgan.errors import MetadataError
from mmcgan.inference.photos.formats.segments import (
    JPEG_START,
    PNG_START,
    jpeg_segments,
    png_chunks,
)
from mmcgan.metadata.containers.found import BROKEN
from mmcgan.metadata.containers.jpeg import APP1, XMP_HEADER
from mmcgan.metadata.containers.png import XMP_KEYWORD

WRITABLE = "JPEG and PNG"

_JPEG_FIRST = (b"JFIF\0", b"JFXX\0", b"Exif\0")  # what has to come before XMP
_MAX_SEGMENT = 65533  # bytes, without the two of its length
_PNG_XMP = XMP_KEYWORD + b"\0"
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


def slots_of(data: bytes) -> list[Slot]:
    """Return the places of all packets in an encoded photo that can be changed in place.

    Of a photo that is broken these are the ones before the break, of other formats there are none.
    """
    slots: list[Slot] = []
    try:
        if data.startswith(JPEG_START):
            slots.extend(_jpeg_slots(data))
        elif data.startswith(PNG_START):
            slots.extend(_png_slots(data))
    except BROKEN:
        pass
    return slots


def find_slot(data: bytes, name: str) -> Slot:
    """Return where the packet of an encoded photo is, or where one can be put.

    Where there are several packets, it is the first. Raises `MetadataError` if the photo is of
    another format or broken, or has its only packet in a form that cannot be changed in place; the
    message calls it `name`.
    """
    try:
        if data.startswith(JPEG_START):
            return next(_jpeg_slots(data), None) or _jpeg_place(data)
        if data.startswith(PNG_START):
            return next(_png_slots(data), None) or _png_place(data, name)
    except (struct.error, IndexError):
        raise MetadataError(f"{name} is broken or cut short") from None
    except ValueError as reason:
        raise MetadataError(f"{name} is broken: {reason}") from None
    raise MetadataError(f"tags are written into {WRITABLE} only, and {name} is neither")


def with_packet(data: bytes, packet: bytes | None, name: str) -> bytes:
    """Return the photo with `packet` in place of its own, or without any.

    Raises `MetadataError` as `find_slot` does, or if the packet is too large for a JPEG.
    """
    return with_slot(data, find_slot(data, name), packet, name)


def with_slot(data: bytes, slot: Slot, packet: bytes | None, name: str) -> bytes:
    """Return the photo with `packet`, or nothing, in a slot of it.

    Raises `MetadataError` if the packet is too large for a JPEG.
    """
    wrapped = b""
    if packet is not None:  # an empty one is a place all the same
        is_jpeg = data.startswith(JPEG_START)
        wrapped = _jpeg_segment(packet, name) if is_jpeg else _png_chunk(packet)
    return data[: slot.start] + wrapped + data[slot.end :]


def _jpeg_slots(data: bytes) -> Iterator[Slot]:
    for start, end, marker in jpeg_segments(data):
        if marker == APP1 and data.startswith(XMP_HEADER, start + 4):
            yield Slot(start, end, data[start + 4 + len(XMP_HEADER) : end])


def _jpeg_place(data: bytes) -> Slot:
    place, is_first = 2, True
    for start, end, _ in jpeg_segments(data):  # to the pixels, as a broken photo is refused
        is_first = is_first and data.startswith(_JPEG_FIRST, start + 4)
        place = end if is_first else place
    return Slot(place, place, None)


def _jpeg_segment(packet: bytes, name: str) -> bytes:
    content = XMP_HEADER + packet
    if len(content) > _MAX_SEGMENT:
        raise MetadataError(f"the XMP in {name} would be larger than a JPEG can hold")
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def _png_slots(data: bytes) -> Iterator[Slot]:
    for start, end, kind in png_chunks(data):
        if kind == b"iTXt" and data.startswith(_PNG_XMP, start + 8):
            packet = data[start + 8 + len(_PNG_XMP) + len(_PNG_PLAIN) : end - 4]
            if data[start:end] == _png_chunk(packet):
                yield Slot(start, end, packet)


def _png_place(data: bytes, name: str) -> Slot:
    place = 0
    for start, end, kind in png_chunks(data):
        if kind == b"iTXt" and data.startswith(_PNG_XMP, start + 8):
            raise MetadataError(f"the XMP in {name} is compressed or broken")
        place = place or end  # behind the header, which is the first
    return Slot(place, place, None)


def _png_chunk(packet: bytes) -> bytes:
    content = b"iTXt" + _PNG_XMP + _PNG_PLAIN + packet
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
