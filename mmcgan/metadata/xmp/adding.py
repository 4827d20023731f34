"""The edits that put our keywords, copies of a person's keywords, and the record into a packet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from mmcgan.errors import MetadataError
from mmcgan.metadata.xmp.dialect import Dialect
from mmcgan.metadata.xmp.elements import Element, tag_name
from mmcgan.metadata.xmp.names import SUBJECT, WRITTEN_LISTS
from mmcgan.metadata.xmp.packet import Edit, KeywordList, Packet
from mmcgan.metadata.xmp.record import Record

_NUMBER = re.compile(r"(?<=_)[0-9]+$")


def add(packet: Packet, record: Record, copies: Sequence[str], shown: Sequence[str]) -> Packet:
    """Return a packet without marks with the keywords `shown` in its lists, and with `record`.

    `copies` go into dc:subject alone, ahead of `shown`. Raises `MetadataError` where dc:subject is
    an attribute.
    """
    if packet.has_subject_attribute():
        raise MetadataError(
            f"{packet.name} has its keywords (dc:subject) as an attribute, not as a list; no tag "
            "can be added before a program that writes keywords has saved it anew"
        )
    dialect = Dialect.of(packet)
    lists = packet.first_lists()
    subject = lists.get(SUBJECT)
    wanted = {name: [*(copies if name == SUBJECT else ()), *shown] for name in WRITTEN_LISTS}
    edits = [
        _append(packet, found, wanted[name])
        for name, found in lists.items()
        if name in wanted and found.items
    ]
    if subject and not subject.items and wanted[SUBJECT]:
        edits.append(_subject(packet, subject, wanted[SUBJECT], dialect))
    own = _own_description(packet, record, [] if subject else wanted[SUBJECT], dialect)
    edits.append(_at_the_end(packet, own))
    return packet.edited((start, end, packet.fitted(source)) for start, end, source in edits)


def is_closed(packet: Packet) -> bool:
    """Whether rdf:RDF is one tag, <rdf:RDF/>."""
    return packet.text[: packet.rdf.open_end].endswith(b"/>")


def _append(packet: Packet, keywords: KeywordList, added: Sequence[str]) -> Edit:
    """Return the edit that adds keywords at the end of a list, in the layout of its last item."""
    last = keywords.items[-1]
    space = packet.text[packet.before(last) : last.start]
    tag = tag_name(last, packet.text)
    items = (
        _item(_next_tag(tag, number), keyword.replace("|", keywords.separator))
        for number, keyword in enumerate(added, 1)
    )
    return last.end, last.end, b"".join(space + item for item in items)


def _next_tag(tag: str, number: int) -> str:
    """Return the tag of the item that is `number` places behind: rdf:li, or rdf:_3 for rdf:_2."""
    return _NUMBER.sub(lambda found: str(int(found[0]) + number), tag)


def _item(tag: str, keyword: str) -> bytes:
    return f"<{tag}>{escape(keyword)}</{tag}>".encode()


def _subject(packet: Packet, found: KeywordList, added: Sequence[str], dialect: Dialect) -> Edit:
    """Return the edit that gives a dc:subject a list; its text, if any, is the first item."""
    element = found.element
    tag = tag_name(element, packet.text).encode()
    items = b"".join(_item(f"{dialect.rdf}li", keyword) for keyword in [*found.texts, *added])
    bag = f"{dialect.rdf}Bag".encode()
    declared = (dialect.declarations["rdf"] + _declaration(packet, element, tag)).encode()
    source = b"<%b%b><%b>%b</%b></%b>" % (tag, declared, bag, items, bag, tag)
    return element.start, element.end, source


def _declaration(packet: Packet, element: Element, tag: bytes) -> str:
    """Return a declaration of the prefix of `tag`, where the element itself declares it."""
    prefix = tag.decode().rpartition(":")[0]
    name = f"xmlns:{prefix}" if prefix else "xmlns"
    start_tag = packet.text[element.start : element.open_end]
    is_here = re.search(rf"\s{re.escape(name)}\s*=".encode(), start_tag)
    return f" {name}={quoteattr(element.scope[prefix])}" if is_here else ""


def _own_description(
    packet: Packet, record: Record, subject: Sequence[str], dialect: Dialect
) -> bytes:
    """Return the source of our description: the record, and a dc:subject if it is to have items."""
    rdf, dc = dialect.rdf, dialect.dc
    names = ("rdf", "dc", "mmcgan") if subject else ("rdf", "mmcgan")
    declared = "".join(dialect.declarations[name] for name in names)
    items = (_item(f"{rdf}li", keyword).decode() for keyword in subject)
    lines = [
        f"<{dc}subject>",
        f" <{rdf}Bag>",
        *(f"  {item}" for item in items),
        f" </{rdf}Bag>",
        f"</{dc}subject>",
    ]
    lines = [
        f"<{rdf}Description{dialect.identity}{declared}>",
        *(f" {line}" for line in (lines if subject else []) + record.lines(dialect.own, rdf)),
        f"</{rdf}Description>",
    ]
    newline = "\r\n" if b"\r\n" in packet.text else "\n"
    return "".join(f"{newline}  {line}" for line in lines).encode()


def _at_the_end(packet: Packet, source: bytes) -> Edit:
    """Return the edit that puts a description behind the others."""
    rdf = packet.rdf
    if is_closed(packet):
        end_tag = f"</{tag_name(rdf, packet.text)}>".encode()
        return rdf.open_end - 2, rdf.open_end, b">" + source + end_tag
    place = rdf.children[-1].end if rdf.children else rdf.open_end
    return place, place, source
