"""The blocks in the chunks of a PNG: XMP, EXIF, and the profiles that ImageMagick writes.

PNG, 11.3.3 (tEXt, zTXt, iTXt) and 11.3.4.5 (eXIf); XMP part 3, 1.1.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mmcgan.inference.photos.formats.segments import Encoded, png_chunks
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.jpeg import XMP_HEADER, exif_of
from mmcgan.metadata.containers.photoshop import JPEG_HEADERS, read_resources
from mmcgan.metadata.containers.tiff import read_tiff

XMP_KEYWORD = b"XML:com.adobe.xmp"

_PROFILE = b"raw profile type "
_PROFILES = (b"xmp", b"iptc", b"exif", b"app1", b"8bim")
_PROFILE_TEXT = re.compile(rb"\n[^\n]*\n\s*\d+\n(.*)", re.S)  # a title and the size, then hex


def read_png(data: Encoded, found: Found) -> None:
    """Add the blocks of a PNG, which may come before and behind its pixels."""
    with found.noted("a PNG structure"):
        for start, end, kind in png_chunks(data):
            read = _READERS.get(kind)
            if read and (kind == b"eXIf" or _is_wanted(data[start + 8 : start + 108])):
                with found.noted(f"a chunk {kind.decode()}"):
                    read(found.take(data, start + 8, end - 4), found)


def _is_wanted(content: bytes) -> bool:
    """Whether the first bytes of a chunk of text are a keyword of metadata."""
    keyword = content.partition(b"\0")[0]
    profile = keyword.lower().removeprefix(_PROFILE)
    return keyword == XMP_KEYWORD or (profile != keyword.lower() and profile in _PROFILES)


def _read_exif(content: bytes, found: Found) -> None:
    read_tiff(exif_of(content) or content, found)


def _read_plain(content: bytes, found: Found) -> None:
    keyword, _, text = content.partition(b"\0")
    _read_text(keyword, text, found)


def _read_compressed(content: bytes, found: Found) -> None:
    keyword, _, text = content.partition(b"\0")
    _read_text(keyword, found.inflate(text[1:]), found)


def _read_international(content: bytes, found: Found) -> None:
    keyword, _, rest = content.partition(b"\0")
    text = rest[2:].split(b"\0", 2)[2]  # behind a language, and the keyword in that language
    _read_text(keyword, found.inflate(text) if rest[:1] != b"\0" else text, found)


_READERS: dict[bytes, Callable[[bytes, Found], None]] = {
    b"eXIf": _read_exif,
    b"tEXt": _read_plain,
    b"zTXt": _read_compressed,
    b"iTXt": _read_international,
}


def _read_text(keyword: bytes, text: bytes, found: Found) -> None:
    if keyword == XMP_KEYWORD:
        found.packets.append(text)
        return
    profile = _PROFILE_TEXT.match(text)
    if not profile:
        raise ValueError("it is no profile")
    content = bytes.fromhex(profile[1].decode("ascii", "replace"))
    _read_profile(content, found, is_xmp=keyword.lower().endswith(b"xmp"))


def _read_profile(content: bytes, found: Found, is_xmp: bool) -> None:
    """Add the blocks of a profile, which may hold another kind than its keyword says."""
    if content.startswith(XMP_HEADER):
        found.packets.append(content[len(XMP_HEADER) :])
    elif is_xmp:
        found.packets.append(content)
    elif content.startswith(b"\x1c"):
        found.iptc.append(content)
    elif content.startswith((b"8BIM", *JPEG_HEADERS)):
        read_resources(content, found)
    else:
        _read_exif(content, found)
