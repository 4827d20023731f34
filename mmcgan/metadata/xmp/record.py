"""The record that mmcgan writes into a packet: its own keywords, their model, and the time.

The record is one property, `automatic`, in the namespace `urn:mmcgan:xmp/1.0/`. It is a struct, so
that programs that rewrite the packet keep it as one element, and it holds text only:

    model      the model that the tags are from
    time       the time when they were written, ISO 8601
    prefix     the text before each word, such as auto|
    made       "True" if there was no packet before
    blank      "True" if there was a file, but with nothing in it
    closed     "True" if rdf:RDF was one tag, <rdf:RDF/>
    replaced   the source of a dc:subject without a list that ours replaced
    copied     a bag of the person's keywords that we put into a dc:subject of ours, as they stand
               elsewhere, where programs that prefer dc:subject would no longer look
    tags       a bag of structs: keyword, as it is in dc:subject, and score

A keyword of the record that is no longer in any list was removed by a person, and is not written
again; nor is a copied one that is no longer in dc:subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from mmcgan.metadata.xmp.elements import Element
from mmcgan.metadata.xmp.names import AUTOMATIC, OWN
from mmcgan.metadata.xmp.packet import Packet, fields_of, holders_of, items_of, text_of

_KEPT = {"\r": "&#13;", "\n": "&#10;"}  # unescaped, a parser would read both as "\n"
_TEXTS = ("model", "time", "prefix", "replaced")
_FLAGS = ("made", "blank", "closed")


@dataclass(frozen=True)
class Record:
    """Our part of a packet. `scores` are pairs of keyword and score, best first."""

    scores: tuple[tuple[str, str], ...]
    model: str
    time: str
    prefix: str = ""
    made: bool = False
    replaced: str = ""
    copied: tuple[str, ...] = ()
    blank: bool = False
    closed: bool = False

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
        fields = fields_of(found[0], OWN)
        values: dict[str, Any] = {name: fields.get(name, "") for name in _TEXTS}
        values |= {name: fields.get(name) == "True" for name in _FLAGS}
        tags = [fields_of(item, OWN) for item in _bag(found[0], "tags")]
        return cls(
            scores=tuple((tag.get("keyword", ""), tag.get("score", "")) for tag in tags),
            copied=tuple(text_of(item) for item in _bag(found[0], "copied")),
            **values,
        )

    def lines(self, own: str, rdf: str) -> list[str]:
        """Return the property as lines of XML, one space for each level.

        `own` and `rdf` are the prefixes of our namespace and of RDF, each with its colon.
        """

        def field(name: str, value: str) -> str:
            return f"<{own}{name}>{escape(value, _KEPT)}</{own}{name}>"

        def bag(name: str, items: list[str]) -> list[str]:
            lines = [f"<{own}{name}>", f" <{rdf}Bag>", *items, f" </{rdf}Bag>", f"</{own}{name}>"]
            return lines if items else []

        texts = {name: getattr(self, name) for name in _TEXTS}
        texts |= {name: "True" for name in _FLAGS if getattr(self, name)}
        resource = f'{rdf}parseType="Resource"'
        tags = (field("keyword", word) + field("score", score) for word, score in self.scores)
        inner = [
            *(field(name, value) for name, value in texts.items() if value),
            *bag("copied", [f"  <{rdf}li>{escape(text)}</{rdf}li>" for text in self.copied]),
            *bag("tags", [f"  <{rdf}li {resource}>{tag}</{rdf}li>" for tag in tags]),
        ]
        start, end = f"<{own}automatic {resource}>", f"</{own}automatic>"
        return [start, *(f" {line}" for line in inner), end]


def _bag(record: Element, name: str) -> list[Element]:
    """Return the items of a bag in the record."""
    bags = [bag for holder in holders_of(record) for bag in holder.all(f"{OWN} {name}")]
    return [item for bag in bags for item in items_of(bag)]
