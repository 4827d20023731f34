"""An XMP packet: its bytes, the places of its keyword lists, and edits that leave the rest alone.

Each list spells keywords with levels in its own way; here there is | between the levels.

https://developer.adobe.com/xmp/docs/xmp-specifications/ (part 1: the RDF; part 3: in files).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mmcgan.errors import MetadataError
from mmcgan.inference.words.vocabulary import normalize_tag
from mmcgan.metadata.elements import Element, parse

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
DIGIKAM = "http://www.digikam.org/ns/1.0/"
OWN = "urn:mmcgan:xmp/1.0/"  # ends in a slash because Exiv2 adds one where there is none

# Properties, as `mmcgan.metadata.elements` spells them.
ABOUT = f"{RDF} about"
DESCRIPTION = f"{RDF} Description"
LI = f"{RDF} li"
VALUE = f"{RDF} value"
SUBJECT = f"{DC} subject"
AUTOMATIC = f"{OWN} automatic"

# Lists of keywords, with the separator of a hierarchy's levels in each. A slash in dc:subject is
# part of a word: "b/w".
KEYWORD_LISTS = {
    SUBJECT: "|",
    f"{LIGHTROOM} hierarchicalSubject": "|",
    f"{DIGIKAM} TagsList": "/",
}

MAX_PACKET_BYTES = 16 * 2**20

Edit = tuple[int, int, bytes]  # start and end of a range of bytes, and its replacement

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_STARTS = {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}  # without a byte order mark
_DECLARED = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["'](iso-8859-1|windows-1252)["']""", re.I)
_CONTAINERS = tuple(f"{RDF} {kind}" for kind in ("Bag", "Seq", "Alt"))
_NOT_IN_XML = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class KeywordList:
    """A property that holds keywords. `items` are the elements of its bag or sequence."""

    element: Element
    items: tuple[Element, ...]

    @property
    def separator(self) -> str:
        """The separator of a hierarchy's levels in this list."""
        return KEYWORD_LISTS[self.element.name]


@dataclass(frozen=True)
class Packet:
    """A parsed packet; errors call it `name`.

    `text` is UTF-8 without the byte order mark `bom`, `codec` its own encoding, and `rdf` the
    element rdf:RDF.
    """

    name: str
    bom: bytes
    codec: str
    text: bytes
    rdf: Element

    @classmethod
    def parse(cls, data: bytes, name: str) -> Packet:
        """Read the packet `data` in UTF-8, UTF-16 or the encoding that it declares.

        Raises `MetadataError` if it is no XMP, broken, unsafe or larger than `MAX_PACKET_BYTES`.
        """
        if len(data) > MAX_PACKET_BYTES:
            limit = MAX_PACKET_BYTES // 2**20
            raise MetadataError(f"{name} has {len(data):,} bytes; XMP is read up to {limit} MiB")
        bom, codec = _encoding(data)
        try:
            text = data[len(bom) :].decode(codec).encode()
        except UnicodeError:
            raise MetadataError(f"{name} is not in the encoding it declares ({codec})") from None
        return cls._of(name, bom, codec, text)

    @classmethod
    def _of(cls, name: str, bom: bytes, codec: str, text: bytes) -> Packet:
        root = parse(text.rstrip(b"\0"), name)  # some programs pad with zero bytes
        rdf = next((e for e in (root, *root.children) if e.name == f"{RDF} RDF"), None)
        if rdf is None:
            raise MetadataError(f"{name} has no rdf:RDF in it; it is no XMP")
        return cls(name, bom, codec, text, rdf)

    def encode(self) -> bytes:
        """Return the bytes of the packet in its own encoding."""
        return self.bom + self.text.decode().encode(self.codec, "xmlcharrefreplace")

    def edited(self, edits: Iterable[Edit]) -> Packet:
        """Return the packet after `edits`, whose ranges do not overlap."""
        text = self.text
        for start, end, replacement in sorted(edits, reverse=True):
            text = text[:start] + replacement + text[end:]
        return self._of(self.name, self.bom, self.codec, text)

    def before(self, element: Element) -> int:
        """Return the offset at which the white space before `element` begins."""
        return len(self.text[: element.start].rstrip(b" \t\r\n"))

    @property
    def descriptions(self) -> list[Element]:
        """The elements rdf:Description, which hold the properties."""
        return self.rdf.all(DESCRIPTION)

    def properties(self, *names: str) -> list[Element]:
        """Return the properties with one of `names` that are written as elements."""
        return [found for holder in self.descriptions for found in holder.all(*names)]

    def is_empty(self) -> bool:
        """Whether the packet says nothing about its photo."""
        return not any(
            holder.children or holder.attributes.keys() - {ABOUT} for holder in self.descriptions
        )

    def lists(self) -> list[KeywordList]:
        """Return all lists of keywords, in the order of the file."""
        return [KeywordList(found, items_of(found)) for found in self.properties(*KEYWORD_LISTS)]

    def has_plain_subject(self) -> bool:
        """Whether dc:subject is a text, which the standard does not allow but programs write."""
        return any(SUBJECT in holder.attributes for holder in self.descriptions) or any(
            not found.all(*_CONTAINERS) and found.text.strip() for found in self.properties(SUBJECT)
        )

    def keywords(self) -> list[str]:
        """Return all keywords, with | between their levels."""
        found = [
            (keywords.element.name, text_of(item))
            for keywords in self.lists()
            for item in keywords.items or (keywords.element,)
        ]
        found += [
            (name, holder.attributes[name])
            for holder in self.descriptions
            for name in KEYWORD_LISTS.keys() & holder.attributes.keys()
        ]
        return [path for name, text in found if (path := keyword_path(text, KEYWORD_LISTS[name]))]


def keyword_path(text: str, separator: str = "|") -> str:
    """Return the keyword `text` with | between its levels in place of `separator`."""
    return "|".join(level for level in map(str.strip, text.split(separator)) if level)


def tag_texts(path: str) -> list[str]:
    """Return the texts of a keyword's tags: its last level, and the path if it has several levels.

    A path is one tag, so that the Orange among the fruits and the one among the towns are two.
    """
    last = path.rpartition("|")[2]
    return [last] if last == path else [last, path]


def tag_words(paths: Iterable[str]) -> frozenset[str]:
    """Return the normalised tags of keywords."""
    words = (normalize_tag(text) for path in paths for text in tag_texts(path))
    return frozenset(word for word in words if word)


def xml_safe(text: str) -> str:
    """Return `text` without control characters and others that XML cannot hold."""
    return _NOT_IN_XML.sub("", text)


def decoded(data: bytes) -> str:
    """Return the text of a packet for display, even if its encoding is broken."""
    bom, codec = _encoding(data)
    return data[len(bom) :].decode(codec, "replace")


def items_of(found: Element) -> tuple[Element, ...]:
    """Return the items of a bag, a sequence or alternatives."""
    return tuple(item for container in found.all(*_CONTAINERS) for item in container.all(LI))


def text_of(element: Element) -> str:
    """Return the stripped text of a value; one with qualifiers holds it in an rdf:value."""
    holders = (element, *element.all(DESCRIPTION))
    values = [value for holder in holders for value in holder.all(VALUE)]
    return (values[0] if values else element).text.strip()


def _encoding(data: bytes) -> tuple[bytes, str]:
    """Return the byte order mark of `data` and the codec of what follows."""
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return bom, codec
    declared = _DECLARED.match(data)
    return b"", declared[1].decode().lower() if declared else _STARTS.get(data[:2], "utf-8")
