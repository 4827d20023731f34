"""The encodings of XMP packets, without the loss of a single byte.

A packet says its encoding by a byte order mark, by its first characters, or in its declaration.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from mmcgan.metadata.xmp.names import OWN

UTF_8 = "utf-8"

_BOMS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([\w.:-]+)["']""", re.I)
_ONE_BYTE = re.compile(r"iso8859-\d+|cp125\d|koi8-[ru]|mac-\w+")
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_OWN_MARKS = tuple(OWN.rstrip("/").encode(codec) for codec in (UTF_8, *_WIDE))


@dataclass(frozen=True)
class Encoded:
    """Bytes in three parts: before the first <, the XML itself in `codec`, and what is no text."""

    ahead: bytes
    codec: str
    xml: bytes
    behind: bytes

    @classmethod
    def of(cls, data: bytes) -> Encoded:
        """Split the bytes of a packet; one without any < has no XML."""
        first = data.find(b"<")
        if first < 0:
            return cls(data, UTF_8, b"", b"")
        codec = _codec(data, first)
        width = {"utf-16-be": 1, "utf-32-be": 3}.get(codec, 0)
        ahead, xml = data[: first - width], data[first - width :]
        try:
            xml.decode(codec, _errors(codec))
            behind = b""
        except UnicodeDecodeError as reason:  # half a character at the end, or other data
            xml, behind = xml[: reason.start], xml[reason.start :]
        return cls(ahead, codec, xml, behind)

    def text(self) -> bytes:
        """Return the XML in UTF-8; bytes of UTF-8 itself stay, even if they are invalid."""
        if self.codec == UTF_8:
            return self.xml
        return self.xml.decode(self.codec, _errors(self.codec)).encode(UTF_8, "surrogatepass")


def encoded(text: bytes, codec: str) -> bytes:
    """Return what `Encoded.text` gave in its own encoding again."""
    if codec == UTF_8:
        return text
    return text.decode(UTF_8, "surrogatepass").encode(codec, _errors(codec))


def has_marks(data: bytes) -> bool:
    """Whether bytes may hold marks of ours, in whatever encoding: whether they name our namespace.

    It is a search, so that it can be asked of anything, however broken.
    """
    return any(mark in data for mark in _OWN_MARKS)


def _codec(data: bytes, first: int) -> str:
    """Return the encoding of a packet whose first "<" has its byte at the offset `first`."""
    ahead = data[:first]
    is_wide = data[first + 1 : first + 2] == b"\0"
    if is_wide:
        for bom, codec in _BOMS:
            if bom in ahead:
                return codec
        if data[first + 1 : first + 4] == bytes(3):
            return "utf-32-be" if first % 4 == 3 and ahead.endswith(bytes(3)) else "utf-32-le"
        return "utf-16-be" if first % 2 == 1 and ahead.endswith(b"\0") else "utf-16-le"
    declared = _DECLARED.match(data, first)
    if declared is None or b"\xef\xbb\xbf" in ahead:
        return UTF_8
    try:
        codec = codecs.lookup(declared[1].decode()).name
    except LookupError:
        return UTF_8
    return codec if _ONE_BYTE.fullmatch(codec) else UTF_8


def _errors(codec: str) -> str:
    return "surrogatepass" if codec in _WIDE else "surrogateescape"
