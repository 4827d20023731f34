"""Broken XML as photo software reads it: a mended copy, and the way back to the real bytes.

Programs that search for tags instead of parsing read on where a parser stops: at control
characters, at a bare & or <, at bytes of another encoding, at prefixes that nobody declared. Only
what is parsed is mended; whoever edits the packet edits its real bytes.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

MAX_MENDS = 200_000  # what is broken more often was never XML
MAX_PREFIXES = 100

_TOKEN = re.compile(
    rb"""(?P<data><!\[CDATA\[.*?(?:\]\]>|\Z))
    | (?P<dropped><!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z))
    | (?P<reference>&(?:\#[0-9]{1,9};|\#x[0-9A-Fa-f]{1,8};|(?:amp|lt|gt|quot|apos);)?)
    | (?P<less><(?![A-Za-z_/!?:\x80-\xff]))
    | (?P<bytes>[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\xff]+)""",
    re.DOTALL | re.VERBOSE,
)
_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\xff]+")
_START_TAG = re.compile(rb"<([A-Za-z_:\x80-\xff][^\s/>]*)")
_PREFIX = re.compile(rb"""(?:</?|\s)([A-Za-z_][\w.-]*):[A-Za-z_][\w.-]*(?=[\s/>]|\s*=\s*["'])""")
_DECLARED = re.compile(rb"\sxmlns:([A-Za-z_][\w.-]*)\s*=")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")  # half of a character
_NOT_IN_XML = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Source:
    """XML to be parsed. Each of `places` pairs an offset in `text` with one in the real bytes."""

    text: bytes
    places: tuple[tuple[int, int], ...] = ((0, 0),)

    def start(self, offset: int) -> int:
        """Return where in the real bytes something starts."""
        return self._real(offset, bisect_right(self.places, offset, key=lambda place: place[0]))

    def end(self, offset: int) -> int:
        """Return where in the real bytes something ends that is not empty."""
        return self._real(offset, bisect_left(self.places, offset, key=lambda place: place[0]))

    def _real(self, offset: int, index: int) -> int:
        mended, real = self.places[index - 1]
        return offset - mended + real


def xml_safe(text: str) -> str:
    """Return `text` without control characters, line breaks too, and what XML cannot hold."""
    return _NOT_IN_XML.sub("", text)


def repair(data: bytes, prefixes: Mapping[str, str]) -> Source:
    """Return a copy of `data`, XML in UTF-8, that a parser is likely to read.

    Prefixes that are nowhere declared get their namespace from `prefixes`, or else one that
    nothing has.
    """
    pieces: list[bytes] = []
    places, length, position = [(0, 0)], 0, 0
    for start, end, replacement in sorted([*_declarations(data, prefixes), *_mends(data)]):
        pieces += [data[position:start], replacement]
        length += start - position + len(replacement)
        position = end
        places.append((length, position))
    return Source(b"".join([*pieces, data[position:]]), tuple(places))


def _declarations(data: bytes, prefixes: Mapping[str, str]) -> list[tuple[int, int, bytes]]:
    """Return the edit that declares, in the first start tag, what `data` uses undeclared."""
    first = _START_TAG.search(data)
    missing = set(_PREFIX.findall(data)) - set(_DECLARED.findall(data)) - {b"xml", b"xmlns"}
    if first is None or not 0 < len(missing) <= MAX_PREFIXES:
        return []
    names = {
        name: prefixes.get(name.decode(), f"urn:undeclared:{name.decode()}") for name in missing
    }
    text = "".join(f' xmlns:{name.decode()}="{names[name]}"' for name in sorted(missing))
    return [(first.end(), first.end(), text.encode())]


def _mends(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return the edits that mend what no XML may hold, `MAX_MENDS` at most."""
    found = ((token.start(), token.end(), _mended(token)) for token in _TOKEN.finditer(data))
    return list(islice((edit for edit in found if data[edit[0] : edit[1]] != edit[2]), MAX_MENDS))


def _mended(token: re.Match[bytes]) -> bytes:
    text = token[0]
    match token.lastgroup:
        case "data":
            return _BYTES.sub(lambda found: _readable(found[0]), text)
        case "dropped":
            return b""
        case "reference":
            return _valid_reference(text)
        case "less":
            return b"&lt;"
    return _readable(text)


def _valid_reference(text: bytes) -> bytes:
    """Return a reference, or nothing for one to a character that XML cannot hold."""
    if not text.startswith(b"&#"):
        return text if text != b"&" else b"&amp;"
    digits = text[2:-1].decode()
    number = int(digits[1:], 16) if digits.startswith("x") else int(digits)
    is_valid = number in (9, 10, 13) or (number <= 0x10FFFF and xml_safe(chr(number)))
    return text if is_valid else b""


def _readable(data: bytes) -> bytes:
    """Return bytes as UTF-8: what is none is taken for Windows-1252, control characters go."""
    return xml_safe(_SURROGATE.sub(b"", data).decode("utf-8", "windows-1252")).encode()


def _as_windows_1252(reason: UnicodeError) -> tuple[str, int]:
    assert isinstance(reason, UnicodeDecodeError)
    wrong = reason.object[reason.start : reason.end]
    return wrong.decode("cp1252", "replace"), reason.end


codecs.register_error("windows-1252", _as_windows_1252)
