"""The edits that take our keywords, copies of a person's, and the record out of a packet."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from mmcgan.inference.words.vocabulary import normalize_tag
from mmcgan.metadata.xmp.elements import Element, tag_name
from mmcgan.metadata.xmp.names import AUTOMATIC, IDENTITY, OWN, SUBJECT, WRITTEN_LISTS
from mmcgan.metadata.xmp.packet import Edit, KeywordList, Packet, keyword_path, leaf_of, text_of
from mmcgan.metadata.xmp.record import Record

_OWN_DECLARATION = re.compile(
    rb"""\s+xmlns(?::[^\s=]+)?\s*=\s*["']%b/?["']""" % re.escape(OWN.rstrip("/").encode())
)

_TAG = re.compile(r"<([^\s/>]+)")
_PREFIX = re.compile(r"</?([^\s/>:]+):")


def cut(packet: Packet, record: Record) -> Packet:
    """Return a packet without our marks, of which `record` is the record."""
    packet = packet.edited(_mark_cuts(packet, record))
    packet = packet.edited(_holder_cuts(packet))
    return packet.edited(_closing(packet) if record.closed else ())


def _mark_cuts(packet: Packet, record: Record) -> Iterator[Edit]:
    """Yield the edits that take our keywords and the record out."""
    for keywords in packet.first_lists().values():
        yield from _list_cuts(packet, keywords, record)
    for found in packet.properties(AUTOMATIC):
        yield packet.before(found), found.end, b""


def _list_cuts(packet: Packet, keywords: KeywordList, record: Record) -> Iterable[Edit]:
    """Return the edits that take our keywords out of a list, or the whole list if it has no others.

    Each is taken out once: if a person added the same keyword again behind ours, that one stays.
    """
    wanted = Counter(keyword.replace("|", keywords.separator) for keyword in record.keywords)
    found = keywords.element
    is_subject = found.name == SUBJECT
    if is_subject:
        wanted.update([*record.copied, *_bare_levels(packet, keywords, record)])
    ours: list[Element] = []
    rest: list[Element] = []
    for item in keywords.items:
        text = text_of(item).replace("|", keywords.separator)  # some copy dc:subject as it is
        wanted[text] -= 1
        (ours if wanted[text] >= 0 else rest).append(item)
    was_plain = is_subject and _texts(rest) == _plain_texts(record.replaced)
    if was_plain and _fits(record.replaced, packet, found):
        return [(found.start, found.end, record.replaced.encode())]
    if rest or not ours:
        return [(packet.before(item), item.end, b"") for item in ours]
    return [(packet.before(found), found.end, b"")]


def _bare_levels(packet: Packet, subject: KeywordList, record: Record) -> list[str]:
    """Return the levels of ours that another program put into dc:subject for the whole paths.

    Programs that keep lists in step do so. It is certain only where they put the path into a list
    that we never write to, or put none of our paths into dc:subject; and where no other path has
    the same level: such a program would have listed a person's word likewise.
    """
    ours = {keyword_path(keyword) for keyword in record.keywords}
    entries = [(name, path) for name, path in packet.entries() if name != SUBJECT]
    shown = ours & {keyword_path(text) for text in subject.texts}
    copied = {path for name, path in entries if not shown or name not in WRITTEN_LISTS}
    others = {_word(level) for _, path in entries if path not in ours for level in _levels(path)}
    moved = [path for path in ours & copied - shown if leaf_of(path) != path]
    levels = dict.fromkeys(level for path in moved for level in _levels(path))
    return [level for level in levels if _word(level) not in others]


def _levels(path: str) -> list[str]:
    return path.split("|")


def _word(text: str) -> str:
    return normalize_tag(text) or text


def _fits(source: str, packet: Packet, found: Element) -> bool:
    """Whether the source of an element may stand for `found`: programs rename prefixes."""
    tag = _TAG.match(source)
    prefixes = set(_PREFIX.findall(source))
    if tag is None or tag[1] != tag_name(found, packet.text):
        return False
    return prefixes <= found.scope.keys()


def _texts(items: Iterable[Element]) -> list[str]:
    return [text for item in items if (text := text_of(item))]


def _plain_texts(source: str) -> list[str]:
    """Return the text of an element without a list, if it has one."""
    text = html.unescape(re.sub(r"<[^>]*>", "", source)).strip()
    return [text] if text else []


def _holder_cuts(packet: Packet) -> Iterator[Edit]:
    """Yield the edits that take out descriptions of ours that are empty now, else our namespace."""
    has_own = False
    for holder in packet.descriptions:
        declared = _declaration(packet, holder)
        names = [child.name for child in holder.children]
        names += list(holder.attributes.keys() - {*IDENTITY})
        is_own = any(name.startswith(f"{OWN} ") for name in names)
        has_own |= is_own
        if declared and not names:
            yield packet.before(holder), holder.end, b""
        elif declared and not is_own:
            yield declared
    declared = _declaration(packet, packet.rdf)
    if declared and not has_own:
        yield declared


def _declaration(packet: Packet, holder: Element) -> Edit | None:
    """Return the edit that takes the declaration of our namespace out of a start tag."""
    found = _OWN_DECLARATION.search(packet.text, holder.start, holder.open_end)
    return (found.start(), found.end(), b"") if found else None


def _closing(packet: Packet) -> Iterator[Edit]:
    """Yield the edit that makes <rdf:RDF></rdf:RDF> one tag again."""
    rdf = packet.rdf
    end_tag = f"</{tag_name(rdf, packet.text)}>".encode()
    if packet.text[rdf.open_end : rdf.end] == end_tag:
        yield rdf.open_end - 1, rdf.end, b"/>"
