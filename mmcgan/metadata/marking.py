"""Put our tags into a packet and take them out again, without changing any other byte.

Our keywords are added at the end of each list that has some. Where there is no dc:subject, they go
into a description of our own, which also holds the record of what is ours
(`mmcgan.metadata.record`). The packet holds all that is needed to take them out: nothing is kept
elsewhere, and a photo may be moved, renamed or copied with its sidecar. Before a marked packet is
returned, its marks are taken out as a test; unless that gives the same bytes, it is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from mmcgan.errors import MetadataError
from mmcgan.inference.words.vocabulary import normalize_tag, printed
from mmcgan.metadata.elements import Element, tag_name
from mmcgan.metadata.packet import (
    ABOUT,
    AUTOMATIC,
    DC,
    OWN,
    RDF,
    SUBJECT,
    Edit,
    KeywordList,
    Packet,
    keyword_path,
    tag_words,
    text_of,
    xml_safe,
)
from mmcgan.metadata.record import Record

EMPTY_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()

_OWN_DECLARATION = re.compile(rb"""\s+xmlns:[^\s=]+\s*=\s*["']%b["']""" % re.escape(OWN.encode()))


@dataclass(frozen=True)
class Marks:
    """The tags to write on a photo, pairs of word and score, best first, and their model.

    Words are written as a person writes them, after `prefix`: with "auto|", software that shows a
    hierarchy shows them all below one keyword.
    """

    tags: tuple[tuple[str, float], ...]
    model: str
    time: datetime
    prefix: str = ""


def mark(data: bytes | None, marks: Marks, taken: frozenset[str], name: str) -> bytes | None:
    """Return the packet `data` with `marks` in place of any that it has; None stands for no packet.

    `taken` are the normalised words that the photo carries elsewhere. A tag that is among them or
    in the packet is left out, and so is one of ours that a person removed; no packet is made if
    none is left. Writing the same marks again gives the same bytes, at any time. Raises
    `MetadataError` as `Packet.parse` does, and if the marks could not be taken out again.
    """
    base = None if data is None else unmark(data, name)
    clean = Packet.parse(EMPTY_PACKET if base is None else base, name)
    old, rejected = _old_record(data, name)
    words = _words(marks, rejected, taken | tag_words(clean.keywords()))
    prefix = xml_safe(marks.prefix).lstrip()
    record = Record(
        scores=tuple((prefix + word, score) for word, score in words.items()),
        model=xml_safe(marks.model),
        time=marks.time.isoformat(timespec="seconds"),
        prefix=prefix,
        made=base is None or (old is not None and old.made),
        replaced=_empty_subject(clean),
    )
    if old == replace(record, time=old.time if old else ""):
        return data
    if not words:
        return base
    shown = [prefix + word for word in words if normalize_tag(word) not in rejected]
    marked = _add(clean, record, shown).encode()
    if unmark(marked, name) != base:
        raise MetadataError(
            f"{name} is written in a way in which tags could not be taken out again without a "
            "trace; it is left as it is"
        )
    return marked


def unmark(data: bytes, name: str) -> bytes | None:
    """Return the packet `data` without our marks; None if we made it and it holds nothing else.

    A packet without marks is returned as it is. Raises `MetadataError` as `Packet.parse` does.
    """
    packet = Packet.parse(data, name)
    record = Record.of(packet)
    if record is None:
        return data
    packet = packet.edited(_mark_cuts(packet, record))
    packet = packet.edited(_holder_cuts(packet))
    return None if record.made and packet.is_empty() else packet.encode()


def automatic_words(packet: Packet) -> frozenset[str]:
    """Return the normalised words of our keywords in `packet`.

    Each level of a keyword counts too, as some programs list the levels one by one.
    """
    record = Record.of(packet)
    paths = record.keywords if record else []
    parts = (part for path in paths for part in [path, *path.split("|")])
    return frozenset(word for part in parts if (word := normalize_tag(part)))


def _old_record(data: bytes | None, name: str) -> tuple[Record | None, dict[str, tuple[str, str]]]:
    """Return the record in `data`, and its tags that a person removed: word → (text, score)."""
    packet = None if data is None else Packet.parse(data, name)
    record = None if packet is None else Record.of(packet)
    if packet is None or record is None:
        return None, {}
    present = frozenset(packet.keywords())
    gone = [pair for pair in record.scores if keyword_path(pair[0]) not in present]
    words = [(keyword.removeprefix(record.prefix), score) for keyword, score in gone]
    return record, {normalize_tag(text) or "": (text, score) for text, score in words}


def _words(
    marks: Marks, rejected: dict[str, tuple[str, str]], taken: frozenset[str]
) -> dict[str, str]:
    """Return the tags of the record, text → score: new ones, then those that a person removed."""
    found = [(xml_safe(printed(word)).strip(), f"{score:.3f}") for word, score in marks.tags]
    words: dict[str, tuple[str, str]] = {}
    for text, score in [*found, *rejected.values()]:
        word = normalize_tag(text)
        if word and word not in taken:
            words.setdefault(word, (text, score))
    return dict(words.values())


def _add(packet: Packet, record: Record, shown: list[str]) -> Packet:
    """Return a packet without marks with the keywords `shown` in its lists, and with `record`."""
    if packet.has_plain_subject():
        raise MetadataError(
            f"{packet.name} has its keywords (dc:subject) as a text, not as a list; no tag can be "
            "added without changing them"
        )
    if packet.text[: packet.rdf.open_end].endswith(b"/>"):
        raise MetadataError(f"{packet.name} is empty (<rdf:RDF/>); remove it to have tags written")
    lists = _first_lists(packet) if shown else {}
    edits = [_append(packet, found, shown) for found in lists.values() if found.items]
    subject = lists.get(SUBJECT)
    if subject and not subject.items:
        found = subject.element
        edits.append((found.start, found.end, _subject(packet, found, shown)))
    own = _own_description(packet, record, shown if subject is None else [])
    place = packet.rdf.children[-1].end if packet.rdf.children else packet.rdf.open_end
    return packet.edited([*edits, (place, place, own)])


def _first_lists(packet: Packet) -> dict[str, KeywordList]:
    """Return the first list of each property."""
    return {found.element.name: found for found in reversed(packet.lists())}


def _append(packet: Packet, keywords: KeywordList, shown: list[str]) -> Edit:
    """Return the edit that adds keywords at the end of a list, in the layout of its last item."""
    last = keywords.items[-1]
    space = packet.text[packet.before(last) : last.start]
    tag = tag_name(last, packet.text)
    items = (_item(tag, keyword.replace("|", keywords.separator)) for keyword in shown)
    return last.end, last.end, b"".join(space + item for item in items)


def _item(tag: str, keyword: str) -> bytes:
    return f"<{tag}>{escape(keyword)}</{tag}>".encode()


def _empty_subject(packet: Packet) -> str:
    """Return the source of a dc:subject without keywords; "" if there is none."""
    subject = _first_lists(packet).get(SUBJECT)
    if subject is None or subject.items:
        return ""
    return packet.text[subject.element.start : subject.element.end].decode()


def _subject(packet: Packet, found: Element, shown: list[str]) -> bytes:
    """Return the source of a dc:subject that replaces `found`, which is empty."""
    tag = tag_name(found, packet.text).encode()
    items = b"".join(_item("rdf:li", keyword) for keyword in shown)
    declared = _rdf_declaration(packet).encode()
    return b"<%b%b><rdf:Bag>%b</rdf:Bag></%b>" % (tag, declared, items, tag)


def _own_description(packet: Packet, record: Record, shown: list[str]) -> bytes:
    """Return the source of our description: the record, and a dc:subject if any is `shown`."""
    # All descriptions of a packet must be about the same thing.
    about = packet.descriptions[0].attributes.get(ABOUT, "") if packet.descriptions else ""
    declared = _rdf_declaration(packet) + (f' xmlns:dc="{DC}"' if shown else "")
    subject = [
        "<dc:subject>",
        " <rdf:Bag>",
        *("  " + _item("rdf:li", keyword).decode() for keyword in shown),
        " </rdf:Bag>",
        "</dc:subject>",
    ]
    lines = [
        f'<rdf:Description rdf:about={quoteattr(about)}{declared} xmlns:mmcgan="{OWN}">',
        *(f" {line}" for line in (subject if shown else []) + record.lines()),
        "</rdf:Description>",
    ]
    newline = "\r\n" if b"\r\n" in packet.text else "\n"
    return "".join(f"{newline}  {line}" for line in lines).encode()


def _rdf_declaration(packet: Packet) -> str:
    """Return a declaration of the prefix rdf; "" where the packet has it."""
    return "" if tag_name(packet.rdf, packet.text) == "rdf:RDF" else f' xmlns:rdf="{RDF}"'


def _mark_cuts(packet: Packet, record: Record) -> Iterator[Edit]:
    """Yield the edits that take our keywords and the record out."""
    for keywords in _first_lists(packet).values():
        yield from _list_cuts(packet, keywords, record)
    for found in packet.properties(AUTOMATIC):
        yield packet.before(found), found.end, b""


def _list_cuts(packet: Packet, keywords: KeywordList, record: Record) -> Iterable[Edit]:
    """Return the edits that take our keywords out of a list, or the whole list if it has no others.

    Each is taken out once: if a person added the same keyword again behind ours, that one stays.
    """
    wanted = Counter(keyword.replace("|", keywords.separator) for keyword in record.keywords)
    ours = []
    for item in keywords.items:
        wanted[text_of(item)] -= 1
        if wanted[text_of(item)] >= 0:
            ours.append(item)
    found = keywords.element
    if not ours or len(ours) < len(keywords.items):
        return [(packet.before(item), item.end, b"") for item in ours]
    if found.name == SUBJECT and record.replaced:
        return [(found.start, found.end, record.replaced.encode())]
    return [(packet.before(found), found.end, b"")]


def _holder_cuts(packet: Packet) -> Iterator[Edit]:
    """Yield the edits that take out descriptions of ours that are empty now, else our namespace."""
    for holder in packet.descriptions:
        declared = _OWN_DECLARATION.search(packet.text, holder.start, holder.open_end)
        names = [child.name for child in holder.children] + list(holder.attributes.keys() - {ABOUT})
        if declared and not names:
            yield packet.before(holder), holder.end, b""
        elif declared and not any(name.startswith(f"{OWN} ") for name in names):
            yield declared.start(), declared.end(), b""
