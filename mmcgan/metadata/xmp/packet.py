"""An XMP packet: its bytes, the places of its keyword lists, and edits that leave the rest alone.

Each list spells keywords with levels in its own way; here there is | between the levels. Reading
ends where rdf:RDF ends: bytes behind it never matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from mmcgan.errors import MetadataError
from mmcgan.inference.words.vocabulary import normalize_tag
from mmcgan.metadata.xmp.elements import Element, find, parse
from mmcgan.metadata.xmp.encodings import UTF_8, Encoded, encoded
from mmcgan.metadata.xmp.names import (
    CATEGORIES,
    DESCRIPTION,
    IDENTITY,
    KEYWORD_LISTS,
    LI,
    MWG_KEYWORDS,
    RDF,
    STRUCTURE,
    SUBJECT,
    VALUE,
)

MAX_PACKET_BYTES = 16 * 2**20

Edit = tuple[int, int, bytes]  # start and end of a range of bytes, and its replacement

_CONTAINERS = tuple(f"{RDF} {kind}" for kind in ("Bag", "Seq", "Alt"))
_NUMBERED = re.compile(re.escape(f"{RDF} ") + r"_[1-9][0-9]*")


@dataclass(frozen=True)
class KeywordList:
    """A property that holds keywords. `items` are the elements of its bag or sequence."""

    element: Element
    items: tuple[Element, ...]

    @property
    def separator(self) -> str:
        """The separator of a hierarchy's levels in this list."""
        return KEYWORD_LISTS[self.element.name]

    @property
    def texts(self) -> list[str]:
        """The keywords as they are spelled, one for each item; of a plain text, itself alone."""
        return [text for item in self.items or (self.element,) if (text := text_of(item))]


@dataclass(frozen=True)
class Packet:
    """A parsed packet; errors call it `name`.

    `text` is its XML in UTF-8, `parts` say how it is encoded and what stands around it, and `rdf`
    is the element rdf:RDF.
    """

    name: str
    parts: Encoded
    text: bytes
    rdf: Element

    @classmethod
    def parse(cls, data: bytes, name: str) -> Packet:
        """Read the packet `data` in UTF-8, UTF-16, UTF-32 or the encoding that it declares.

        Raises `MetadataError` if it is no XMP, broken, unsafe or larger than `MAX_PACKET_BYTES`.
        """
        if len(data) > MAX_PACKET_BYTES:
            limit = MAX_PACKET_BYTES // 2**20
            raise MetadataError(f"{name} has {len(data):,} bytes; XMP is read up to {limit} MiB")
        parts = Encoded.of(data)
        return cls._of(name, parts, parts.text())

    @classmethod
    def _of(cls, name: str, parts: Encoded, text: bytes) -> Packet:
        rdf = find(text, name, f"{RDF} RDF")
        if rdf is None:
            raise MetadataError(f"{name} has no rdf:RDF in it; it is no XMP")
        return cls(name, parts, text, rdf)

    def encode(self) -> bytes:
        """Return the bytes of the packet in its own encoding."""
        return self.parts.ahead + encoded(self.text, self.parts.codec) + self.parts.behind

    def edited(self, edits: Iterable[Edit]) -> Packet:
        """Return the packet after `edits`, whose ranges do not overlap."""
        text = self.text
        for start, end, replacement in sorted(edits, reverse=True):
            text = text[:start] + replacement + text[end:]
        return self._of(self.name, self.parts, text)

    def fitted(self, source: bytes) -> bytes:
        """Return XML to be added, with references for what the packet's encoding cannot hold."""
        text = source.decode().encode(self._charset, "xmlcharrefreplace")
        return text.decode(self._charset).encode()

    @cached_property
    def _charset(self) -> str:
        if self.parts.codec != UTF_8:
            return self.parts.codec
        try:
            self.text[: self.rdf.end].decode()
        except UnicodeDecodeError:  # whoever reads that may take it for another encoding
            return "ascii"
        return UTF_8

    def before(self, element: Element) -> int:
        """Return the offset at which the white space before `element` begins."""
        return len(self.text[: element.start].rstrip(b" \t\r\n"))

    @property
    def descriptions(self) -> list[Element]:
        """The elements that hold the properties: rdf:Description, or nodes of another type."""
        return [e for e in self.rdf.children if e.name == DESCRIPTION or not _is_rdf(e.name)]

    def properties(self, *names: str) -> list[Element]:
        """Return the properties with one of `names` that are written as elements."""
        return [found for holder in self.descriptions for found in holder.all(*names)]

    def is_empty(self) -> bool:
        """Whether the packet says nothing about its photo."""
        return not any(
            holder.children or holder.name != DESCRIPTION or holder.attributes.keys() - {*IDENTITY}
            for holder in self.descriptions
        )

    def lists(self) -> list[KeywordList]:
        """Return all lists of keywords, in the order of the file."""
        return [KeywordList(found, items_of(found)) for found in self.properties(*KEYWORD_LISTS)]

    def first_lists(self) -> dict[str, KeywordList]:
        """Return the first list of each property, or the first with items where one has some."""
        ordered = sorted(self.lists(), key=lambda found: not found.items)
        return {found.element.name: found for found in reversed(ordered)}

    def has_subject_attribute(self) -> bool:
        """Whether dc:subject is an attribute, which the standard does not allow."""
        return any(SUBJECT in holder.attributes for holder in self.descriptions)

    def entries(self) -> list[tuple[str, str]]:
        """Return all keywords, each with the name of its property, with | between the levels."""
        found = [
            (keywords.element.name, text) for keywords in self.lists() for text in keywords.texts
        ]
        found += [
            (name, text)
            for holder in self.descriptions
            for name, text in holder.attributes.items()
            if name in KEYWORD_LISTS
        ]
        paths = [(name, keyword_path(text, KEYWORD_LISTS[name])) for name, text in found]
        paths += [
            (STRUCTURE, path) for found in self.properties(STRUCTURE) for path in _structure(found)
        ]
        paths += [(CATEGORIES, path) for path in self._categories()]
        return [(name, path) for name, path in paths if path]

    def keywords(self) -> list[str]:
        """Return all keywords, with | between their levels."""
        return [path for _, path in self.entries()]

    def _categories(self) -> list[str]:
        """Return the assigned keywords of acdsee:categories, which is XML within a text."""
        sources = [holder.attributes.get(CATEGORIES, "") for holder in self.descriptions]
        sources += [found.text for found in self.properties(CATEGORIES)]
        paths: list[str] = []
        for source in sources:
            with suppress(MetadataError):  # then it is some other text
                paths += _assigned(parse(source.encode(), self.name), ())
        return paths


def keyword_path(text: str, separator: str = "|") -> str:
    """Return the keyword `text` with | between its levels in place of `separator`."""
    return "|".join(level for level in map(str.strip, text.split(separator)) if level)


def leaf_of(path: str) -> str:
    """Return the last level of a keyword."""
    return path.rpartition("|")[2]


def tag_texts(path: str) -> list[str]:
    """Return the texts of a keyword's tags: its last level, and the path if it has several levels.

    A path is one tag, so that the Orange among the fruits and the one among the towns are two.
    """
    return list(dict.fromkeys([leaf_of(path), path]))


def tag_words(paths: Iterable[str]) -> frozenset[str]:
    """Return the normalised tags of keywords."""
    words = (normalize_tag(text) for path in paths for text in tag_texts(path))
    return frozenset(word for word in words if word)


def decoded(data: bytes) -> str:
    """Return the text of a packet for display, even if its encoding is broken."""
    parts = Encoded.of(data)
    ahead = parts.ahead.decode(UTF_8, "ignore").lstrip("\0\ufeff")
    return ahead + (parts.text() + parts.behind).decode(UTF_8, "replace")


def items_of(found: Element) -> tuple[Element, ...]:
    """Return the items of a bag, a sequence or alternatives: rdf:li, or rdf:_1, rdf:_2, …"""
    containers = _value_of(found).all(*_CONTAINERS)
    return tuple(item for container in containers for item in container.children if is_item(item))


def is_item(element: Element) -> bool:
    """Whether an element is an item of a list."""
    return element.name == LI or bool(_NUMBERED.fullmatch(element.name))


def text_of(element: Element) -> str:
    """Return the stripped text of a value, in whichever of RDF's forms it is written."""
    value = _value_of(element)
    holders = (value, element, *element.all(DESCRIPTION))
    attributes = (
        h.attributes[name]
        for h in holders
        for name in (VALUE, f"{RDF} resource")
        if name in h.attributes
    )
    return next(attributes, value.text).strip()


def fields_of(element: Element, namespace: str) -> dict[str, str]:
    """Return the texts of a struct's fields in a namespace, which are attributes or elements."""
    fields: dict[str, str] = {}
    for holder in holders_of(element):
        for name, text in [
            *holder.attributes.items(),
            *((c.name, c.text) for c in holder.children),
        ]:
            if name.startswith(f"{namespace} "):
                fields[name.removeprefix(f"{namespace} ")] = text
    return fields


def holders_of(element: Element) -> list[Element]:
    """Return the elements that may hold the fields of a struct: itself, or descriptions in it."""
    return [element, *element.all(DESCRIPTION)]


def _is_rdf(name: str) -> bool:
    return name.startswith(f"{RDF} ")


def _value_of(element: Element) -> Element:
    """Return the element that holds a value: itself, or the rdf:value of one with qualifiers."""
    values = (value for holder in (element, *element.children) for value in holder.all(VALUE))
    return next(values, element)


def _structure(found: Element) -> Iterator[str]:
    """Yield the applied keywords of the Metadata Working Group's tree (its guidelines, 5.10)."""
    for holder in holders_of(found):
        for bag in holder.all(f"{MWG_KEYWORDS} Hierarchy"):
            for item in items_of(bag):
                yield from _applied(item, ())


def _applied(item: Element, above: tuple[str, ...]) -> Iterator[str]:
    fields = fields_of(item, MWG_KEYWORDS)
    levels = (*above, fields.get("Keyword", "").strip())
    bags = [bag for holder in holders_of(item) for bag in holder.all(f"{MWG_KEYWORDS} Children")]
    children = [child for bag in bags for child in items_of(bag)]
    if fields.get("Applied", str(not children)).strip().lower() == "true":
        yield keyword_path("|".join(levels))
    for child in children:
        yield from _applied(child, levels)


def _assigned(category: Element, above: tuple[str, ...]) -> Iterator[str]:
    levels = (*above, category.text.strip())
    if category.attributes.get("Assigned") == "1":
        yield keyword_path("|".join(levels))
    for child in category.children:
        yield from _assigned(child, levels)
