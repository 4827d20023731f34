"""XML as a tree that knows the bytes of each element, so that text can be cut out and added.

Documents come from strangers. The parser is expat, which fetches nothing. A document with a DTD is
refused, so that no entity is ever expanded, and so is one with too many or too deep elements.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from xml.parsers import expat

from mmcgan.errors import MetadataError
from mmcgan.metadata.xmp.names import PREFIXES, standard
from mmcgan.metadata.xmp.repair import Source, repair

MAX_ELEMENTS = 200_000
MAX_DEPTH = 100

_START_TAG = re.compile(rb"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")
_TAG_NAME = re.compile(rb"<([^\s/>]+)")


@dataclass(eq=False)
class Element:
    """One element; its name is "namespace local", or "local" where there is no namespace.

    Three offsets locate it: `start` is its first byte, `open_end` the byte behind its start tag,
    `end` the byte behind its end tag. `declared` are the namespaces that it declares, by prefix.
    """

    name: str
    attributes: dict[str, str]
    start: int
    open_end: int
    end: int = 0
    declared: dict[str, str] = field(default_factory=dict)
    holder: Element | None = field(default=None, repr=False)
    pieces: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text directly in the element, without that of its children."""
        return "".join(self.pieces)

    @property
    def scope(self) -> dict[str, str]:
        """The namespaces that hold in the element, by prefix."""
        return (self.holder.scope if self.holder else {}) | self.declared

    def all(self, *names: str) -> list[Element]:
        """Return the children with one of `names`."""
        return [child for child in self.children if child.name in names]


def parse(data: bytes, name: str) -> Element:
    """Return the root of an XML document in UTF-8, whatever encoding it declares.

    Raises `MetadataError`, which calls the document `name`, if it is not well-formed and cannot be
    read as if it were, has a DTD, or has too many elements.
    """
    return _build(data, name, None).top.children[0]


def find(data: bytes, name: str, wanted: str) -> Element | None:
    """Return the first element called `wanted` in an XML document; None without one.

    Nothing behind its end is read. Raises `MetadataError` as `parse` does.
    """
    return _build(data, name, wanted).found


def tag_name(element: Element, data: bytes) -> str:
    """Return the name of `element` as it is spelled in `data`, with its prefix."""
    spelled = _TAG_NAME.match(data, element.start)
    assert spelled is not None
    return spelled[1].decode()


def _build(data: bytes, name: str, wanted: str | None) -> _Builder:
    try:
        return _Builder(Source(data), name, wanted)
    except expat.ExpatError as first_reason:
        try:
            return _Builder(repair(data, PREFIXES), name, wanted)
        except expat.ExpatError:
            raise MetadataError(f"{name} is not well-formed XML: {first_reason}") from None


class _FoundError(Exception):
    """The end of the wanted element was reached."""


class _Builder:
    """Builds the tree from the parser's events, until the element `wanted` ends."""

    def __init__(self, source: Source, name: str, wanted: str | None):
        self.source, self.name, self.wanted = source, name, wanted
        self.found: Element | None = None
        self.top = Element("", {}, 0, 0)
        self.open = [(self.top, 0)]  # each with the end of its start tag in the source
        self.declared: dict[str, str] = {}
        self.n_elements = 0
        self.parser = self._parser()
        with suppress(_FoundError):
            self.parser.Parse(source.text, True)

    def _parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        return parser

    def _refuse_doctype(self, *declaration: object) -> None:
        raise MetadataError(f"{self.name} has a document type declaration, which no XMP has")

    def _declare(self, prefix: str | None, namespace: str | None) -> None:
        self.declared[prefix or ""] = namespace or ""

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.n_elements += 1
        if self.n_elements > MAX_ELEMENTS or len(self.open) > MAX_DEPTH:
            raise MetadataError(
                f"{self.name} has more than {MAX_ELEMENTS:,} elements, or more than {MAX_DEPTH} "
                "within one another; that is no keyword list"
            )
        start = self.parser.CurrentByteIndex
        found = _START_TAG.match(self.source.text, start)
        assert found is not None  # the parser has just read it
        holder = self.open[-1][0]
        element = Element(
            _standard_name(tag),
            {_standard_name(name): value for name, value in attributes.items()},
            self.source.start(start),
            self.source.end(found.end()),
            declared=self.declared,
            holder=holder,
        )
        self.declared = {}
        if element.name == self.wanted:
            self.found = self.found or element
        holder.children.append(element)
        self.open.append((element, found.end()))

    def _end(self, tag: str) -> None:
        element, open_end = self.open.pop()
        text = self.source.text
        is_empty = text[open_end - 2 : open_end] == b"/>"
        end = open_end if is_empty else text.index(b">", self.parser.CurrentByteIndex) + 1
        element.end = self.source.end(end)
        if element is self.found:
            raise _FoundError

    def _characters(self, text: str) -> None:
        self.open[-1][0].pieces.append(text)


def _standard_name(name: str) -> str:
    namespace, separator, local = name.rpartition(" ")
    return standard(namespace) + separator + local
