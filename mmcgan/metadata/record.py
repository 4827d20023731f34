"""What mmcgan writes of itself into a packet: which keywords are its own, from which model, when.

The record is one property, `automatic`, in the namespace `urn:mmcgan:xmp/1.0/`. It is a struct, so
that programs that write the packet anew keep it as one element, and holds text only:

    model      what the tags are from
    time       when they were written, ISO 8601
    prefix     what stands before each word, such as auto|
    made       "True" where there was no packet before
    replaced   the source of an empty dc:subject that stood where ours is
    tags       a bag of structs: keyword, as it is in dc:subject, and score

A keyword of the record that is no longer in any list was taken out by a person: it is not written
again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from mmcgan.metadata.elements import Element
from mmcgan.metadata.names import AUTOMATIC, DESCRIPTION, OWN
from mmcgan.metadata.packet import Packet, items_of

_KEPT = {"\r": "&#13;", "\n": "&#10;"}  # a parser would make one of both


@dataclass(frozen=True)
class Record:
    """What is ours in a packet. `scores` are pairs of keyword and score, best first."""

    scores: tuple[tuple[str, str], ...]
    model: str
    time: str
    prefix: str = ""
    made: bool = False
    replaced: str = ""

    @property
    def keywords(self) -> list[str]:
        """The keywords, as they are spelled in dc:subject."""
        return [keyword for keyword, _ in self.scores]

    @classmethod
    def of(cls, packet: Packet) -> Record | None:
        """Return the record in a packet, whatever program wrote the packet last."""
        found = packet.properties(AUTOMATIC)
        return cls._read(found[0]) if found else None

    @classmethod
    def _read(cls, element: Element) -> Record:
        fields = dict(_fields(element))
        tags = [dict(_fields(item)) for e in _children(element, "tags") for item in items_of(e)]
        return cls(
            scores=tuple((tag.get("keyword", ""), tag.get("score", "")) for tag in tags),
            model=fields.get("model", ""),
            time=fields.get("time", ""),
            prefix=fields.get("prefix", ""),
            made=fields.get("made") == "True",
            replaced=fields.get("replaced", ""),
        )

    def lines(self) -> list[str]:
        """Return the property as lines of XML, one space for each level."""
        fields = {"model": self.model, "time": self.time, "prefix": self.prefix,
                  "made": "True" if self.made else "", "replaced": self.replaced}  # fmt: skip
        tags = [
            f'   <rdf:li rdf:parseType="Resource">{_field("keyword", keyword)}'
            f"{_field('score', score)}</rdf:li>"
            for keyword, score in self.scores
        ]
        return [
            '<mmcgan:automatic rdf:parseType="Resource">',
            *(f" {_field(name, value)}" for name, value in fields.items() if value),
            " <mmcgan:tags>",
            "  <rdf:Bag>",
            *tags,
            "  </rdf:Bag>",
            " </mmcgan:tags>",
            "</mmcgan:automatic>",
        ]


def _field(name: str, value: str) -> str:
    return f"<mmcgan:{name}>{escape(value, _KEPT)}</mmcgan:{name}>"


def _holders(element: Element) -> list[Element]:
    """Return where the fields of a struct may be: in it, or in a description within it."""
    return [element, *element.all(DESCRIPTION)]


def _children(element: Element, name: str) -> list[Element]:
    return [child for holder in _holders(element) for child in holder.all(f"{OWN} {name}")]


def _fields(element: Element) -> Iterator[tuple[str, str]]:
    """Yield the name and text of our fields, written as attributes or as elements."""
    for holder in _holders(element):
        for name, value in holder.attributes.items():
            if name.startswith(f"{OWN} "):
                yield name.removeprefix(f"{OWN} "), value
        for child in holder.children:
            if child.name.startswith(f"{OWN} "):
                yield child.name.removeprefix(f"{OWN} "), child.text
