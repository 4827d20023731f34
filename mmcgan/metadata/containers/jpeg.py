"""The blocks in the segments of a JPEG: XMP and its extension, EXIF, and IPTC in Photoshop's.

XMP part 3, 1.1.3 (XMP and ExtendedXMP); Exif 2.32, 4.7; ITU-T T.81, B (segments).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from mmcgan.inference.photos.formats.segments import Encoded, jpeg_segments
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.photoshop import JPEG_HEADERS, read_resources
from mmcgan.metadata.containers.tiff import read_tiff

APP1, APP13 = 0xE1, 0xED
XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"

_EXTENSION_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
_EXIF_HEADER = re.compile(rb".{0,4}Exif\0.", re.I | re.S)
_OTHER_HEADER = re.compile(rb"http|XMP\0|.*?<(\?xpacket|exif:)", re.S)
_XMP_START = re.compile(rb"<\?xpacket|<\?xml|<[\w.-]+:(xmpmeta|xapmeta|RDF)\b")


def read_jpeg(data: Encoded, found: Found) -> None:
    """Add the blocks of the first picture in `data`; another one may follow it."""
    extension, resources = _Extension(), []
    with found.noted("a JPEG structure"):
        for start, end, marker in jpeg_segments(data):
            if marker == APP1:
                with found.noted("an APP1 segment"):
                    _read_app1(found.take(data, start + 4, end), found, extension)
            elif marker == APP13 and data[start + 4 : end].startswith(JPEG_HEADERS):
                resources.append(found.take(data, start + 4 + len(JPEG_HEADERS[0]), end))
    if resources:  # larger ones go on in the next segment
        read_resources(b"".join(resources), found)
    with found.noted("extended XMP"):
        found.extended += extension.packets(found.packets)


def exif_of(content: bytes) -> bytes | None:
    """Return the TIFF in the content of an APP1 segment with EXIF, or None."""
    header = _EXIF_HEADER.match(content)
    return content[header.end() :] if header else None


def other_packet(content: bytes) -> bytes | None:
    """Return the XMP in an APP1 segment whose header is not the standard's, or None."""
    start = _XMP_START.search(content) if _OTHER_HEADER.match(content) else None
    return content[start.start() :] if start else None


def _read_app1(content: bytes, found: Found, extension: _Extension) -> None:
    if content.startswith(XMP_HEADER):
        found.packets.append(content[len(XMP_HEADER) :])
    elif content.startswith(_EXTENSION_HEADER):
        extension.add(content[len(_EXTENSION_HEADER) :])
    elif exif := exif_of(content):
        read_tiff(exif, found)
    elif packet := other_packet(content):
        found.packets.append(packet)


@dataclass
class _Extension:
    """Extended XMP by its key (GUID): its size, and its pieces by their offsets."""

    sizes: dict[bytes, int] = field(default_factory=dict)
    pieces: dict[bytes, dict[int, bytes]] = field(default_factory=dict)

    def add(self, content: bytes) -> None:
        key, size, offset = struct.unpack_from(">32sII", content)
        self.sizes[key] = size
        self.pieces.setdefault(key, {})[offset] = content[40:]

    def packets(self, main: list[bytes]) -> list[bytes]:
        """Return the extensions that the packets `main` name.

        Raises `ValueError` if a piece is missing; others, which are left over, are not read.
        """
        texts = [packet.replace(b"\0", b"") for packet in main]  # of UTF-16 too
        named = [key for key in self.pieces if any(key in text for text in texts)]
        return [self._joined(key) for key in named]

    def _joined(self, key: bytes) -> bytes:
        joined, pieces = bytearray(), self.pieces[key]
        while piece := pieces.get(len(joined)):
            joined += piece
        if len(joined) != self.sizes[key]:
            raise ValueError("a piece of it is missing")
        return bytes(joined)
