"""XML as a tree that knows the bytes of each element, so that text can be cut out and added.

Documents come from strangers. The parser is expat, which fetches nothing. A document with a DTD is
refused, so that no entity is ever expanded, and so is one with too many or too deep elements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from mmcgan.errors import MetadataError

MAX_ELEMENTS = 200_000
MAX_DEPTH = 100

_START_TAG = re.compile(rb"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")
_TAG_NAME = re.compile(rb"<([^\s/>]+)")


@dataclass(eq=False)
class Element:
    """One element; its name is "namespace local", or "local" where there is no namespace.

    Three offsets locate it: `start` is its first byte, `open_end` the byte behind its start tag,
    `end` the byte behind its end tag.
    """

    name: str
    attributes: dict[str, str]
    start: int
    open_end: int
    end: int = 0
    pieces: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text directly in the element, without that of its children."""
        return "".join(self.pieces)

    def all(self, *names: str) -> list[Element]:
        """Return the children with one of `names`."""
        return [child for child in self.children if child.name in names]


def parse(data: bytes, name: str) -> Element:
    """Return the root of an XML document in UTF-8, whatever encoding it declares.

    Raises `MetadataError`, which calls the document `name`, if it is not well-formed, has a DTD, or
    has too many elements.
    """
    builder = _Builder(data, name)
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.refuse_doctype
    parser.StartElementHandler = lambda tag, attributes: builder.start(
        tag, attributes, parser.CurrentByteIndex
    )
    parser.EndElementHandler = lambda tag: builder.end(parser.CurrentByteIndex)
    parser.CharacterDataHandler = builder.characters
    try:
        parser.Parse(data, True)
    except expat.ExpatError as reason:
        raise MetadataError(f"{name} is not well-formed XML: {reason}") from None
    return builder.top.children[0]


def tag_name(element: Element, data: bytes) -> str:
    """Return the name of `element` as it is spelled in `data`, with its prefix."""
    spelled = _TAG_NAME.match(data, element.start)
    assert spelled is not None
    return spelled[1].decode()


class _Builder:
    """Builds the tree from the parser's events."""

    def __init__(self, data: bytes, name: str):
        self.data, self.name = data, name
        self.top = Element("", {}, 0, 0)
        self.open = [self.top]
        self.n_elements = 0

    def refuse_doctype(self, *declaration: object) -> None:
        raise MetadataError(f"{self.name} has a document type declaration, which no XMP has")

    def start(self, tag: str, attributes: dict[str, str], start: int) -> None:
        self.n_elements += 1
        if self.n_elements > MAX_ELEMENTS or len(self.open) > MAX_DEPTH:
            raise MetadataError(
                f"{self.name} has more than {MAX_ELEMENTS:,} elements, or more than {MAX_DEPTH} "
                "within one another; that is no keyword list"
            )
        found = _START_TAG.match(self.data, start)
        assert found is not None  # the parser has just read it
        element = Element(tag, attributes, start, found.end())
        self.open[-1].children.append(element)
        self.open.append(element)

    def end(self, index: int) -> None:
        element = self.open.pop()
        is_empty = self.data[element.open_end - 2 : element.open_end] == b"/>"
        element.end = element.open_end if is_empty else self.data.index(b">", index) + 1

    def characters(self, text: str) -> None:
        self.open[-1].pieces.append(text)
