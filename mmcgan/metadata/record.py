"""The record that mmcgan writes into a packet: its own keywords, their model, and the time.

The record is one property, `automatic`, in the namespace `urn:mmcgan:xmp/1.0/`. It is a struct, so
that programs that rewrite the packet keep it as one element, and it holds text only:

    model      the model that the tags are from
    time       the time when they were written, ISO 8601
    prefix     the text before each word, such as auto|
    made       "True" if there was no packet before
    replaced   the source of an empty dc:subject that ours replaced
    tags       a bag of structs: keyword, as it is in dc:subject, and score

A keyword of the record that is no longer in any list was removed by a person, and is not written
again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from mmcgan.metadata.elements import Element
from mmcgan.metadata.packet import AUTOMATIC, DESCRIPTION, OWN, Packet, items_of

_KEPT = {"\r": "&#13;", "\n": "&#10;"}  # unescaped, a parser would read both as "\n"
_TEXT_FIELDS = ("model", "time", "prefix", "made", "replaced")


@dataclass(frozen=True)
class Record:
    """Our part of a packet. `scores` are pairs of keyword and score, best first."""

    scores: tuple[tuple[str, str], ...]
    model: str
    time: str
    prefix: str = ""
    made: bool = False
    replaced: str = ""

    @property
    def keywords(self) -> list[str]:
        """The keywords as they are spelled in dc:subject."""
        return [keyword for keyword, _ in self.scores]

    @classmethod
    def of(cls, packet: Packet) -> Record | None:
        """Return the record in a packet, however a program spells it; None without one."""
        found = packet.properties(AUTOMATIC)
        if not found:
            return None
        fields = dict(_fields(found[0]))
        bags = [bag for holder in _holders(found[0]) for bag in holder.all(f"{OWN} tags")]
        tags = [dict(_fields(item)) for bag in bags for item in items_of(bag)]
        scores = tuple((tag.get("keyword", ""), tag.get("score", "")) for tag in tags)
        model, time, prefix, made, replaced = (fields.get(name, "") for name in _TEXT_FIELDS)
        return cls(scores, model, time, prefix, made == "True", replaced)

    def lines(self) -> list[str]:
        """Return the property as lines of XML, one space for each level."""
        values = {**vars(self), "made": "True" if self.made else ""}
        fields = ((name, values[name]) for name in _TEXT_FIELDS)
        tags = (_field("keyword", word) + _field("score", score) for word, score in self.scores)
        return [
            '<mmcgan:automatic rdf:parseType="Resource">',
            *(f" {_field(name, value)}" for name, value in fields if value),
            " <mmcgan:tags>",
            "  <rdf:Bag>",
            *(f'   <rdf:li rdf:parseType="Resource">{tag}</rdf:li>' for tag in tags),
            "  </rdf:Bag>",
            " </mmcgan:tags>",
            "</mmcgan:automatic>",
        ]


def _field(name: str, value: str) -> str:
    return f"<mmcgan:{name}>{escape(value, _KEPT)}</mmcgan:{name}>"


def _holders(element: Element) -> list[Element]:
    """Return the elements that may hold the fields of a struct: itself, or descriptions in it."""
    return [element, *element.all(DESCRIPTION)]


def _fields(element: Element) -> Iterator[tuple[str, str]]:
    """Yield the name and text of our fields, which may be attributes or elements."""
    for holder in _holders(element):
        elements = ((child.name, child.text) for child in holder.children)
        for name, text in [*holder.attributes.items(), *elements]:
            if name.startswith(f"{OWN} "):
                yield name.removeprefix(f"{OWN} "), text
