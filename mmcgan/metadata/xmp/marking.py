"""Put our tags into a packet and take them out again, without changing any other byte.

Our keywords are added at the end of each list that has some. Where there is no dc:subject, they go
into a description of our own, which also holds the record of what is ours
(`mmcgan.metadata.xmp.record`). There, the person's keywords from elsewhere go ahead of them. The
packet holds all that is needed to take them out: nothing is kept elsewhere, and a photo may be
moved, renamed or copied with its sidecar. Before a marked packet is returned, its marks are taken
out as a test; unless that gives the same bytes, it is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mmcgan.errors import MetadataError
from mmcgan.inference.words.vocabulary import normalize_tag, printed
from mmcgan.metadata.xmp.adding import add, is_closed
from mmcgan.metadata.xmp.cutting import cut
from mmcgan.metadata.xmp.encodings import has_marks
from mmcgan.metadata.xmp.names import CATEGORIES, STRUCTURE, SUBJECT
from mmcgan.metadata.xmp.packet import Packet, keyword_path, leaf_of, tag_words
from mmcgan.metadata.xmp.record import Record
from mmcgan.metadata.xmp.repair import xml_safe
from mmcgan.metadata.xmp.software import is_software, software_words, without_root, without_software

EMPTY_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()

_BLANKS = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"  # white space, zero bytes, byte order marks
_END = EMPTY_PACKET[EMPTY_PACKET.index(b"\n</x:xmpmeta>") :]


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


def mark(data: bytes | None, marks: Marks, elsewhere: Sequence[str], name: str) -> bytes | None:
    """Return the packet `data` with `marks` in place of any that it has; None stands for no packet.

    `elsewhere` are the person's keywords outside this packet, with | between their levels. A tag
    that is among them or in the packet is left out, and so is one of ours that a person removed; no
    packet is made if none is left. Writing the same marks again gives the same bytes, at any time.
    Raises `MetadataError` as `Packet.parse` does, and if the marks could not be taken out again.
    """
    base = None if data is None else unmark(data, name)
    source = EMPTY_PACKET + (base or b"") if base is None or _is_blank(base) else base
    clean, old = Packet.parse(source, name), _Old.of(data, name)
    record = _record(marks, base, clean, elsewhere, old)
    if not record.scores:
        return base
    if old.record == replace(record, time=old.record.time if old.record else ""):
        return data
    marked = add(clean, record, *old.without_removed(record)).encode()
    if unmark(marked, name) != base:
        raise MetadataError(
            f"{name} is written in a way in which tags could not be taken out again without a "
            "trace; it is left as it is"
        )
    return marked


def unmark(data: bytes, name: str, keep_copies: bool = False) -> bytes | None:
    """Return the packet `data` without our marks; None if we made it and it holds nothing else.

    Copies of the person's keywords go too, unless `keep_copies` is set: after a program dropped the
    originals, they are the only ones. Data without marks are returned as they are, whatever they
    are. Raises `MetadataError` as `Packet.parse` does for others.
    """
    if not has_marks(data):
        return data
    packet = Packet.parse(data, name)
    record = Record.of(packet)
    if record is None:
        return data
    packet = cut(packet, replace(record, copied=()) if keep_copies else record)
    if not record.made or not packet.is_empty():
        return packet.encode()
    return _blanks(packet) if record.blank else None


def automatic_words(packet: Packet) -> frozenset[str]:
    """Return the normalised words of our keywords in `packet`.

    Each level of a keyword counts too, as some programs list the levels one by one.
    """
    record = Record.of(packet)
    paths = _spellings(record.keywords if record else [])
    parts = (part for path in paths for part in [path, *path.split("|")])
    return frozenset(word for part in parts if (word := normalize_tag(part)))


def person_keywords(packet: Packet) -> list[str]:
    """Return the keywords of a packet, with | between their levels, but not our copies of others.

    Those stand elsewhere too. What programs write for themselves is left out; our own keywords are
    not (`automatic_words`).
    """
    record = Record.of(packet)
    copied = Counter(record.copied if record else ())
    found = []
    for name, path in _person_entries(packet, record):
        if name == SUBJECT and copied[path] > 0:
            copied[path] -= 1
        else:
            found.append(path)
    return found


def copied_keywords(packet: Packet) -> list[str]:
    """Return those of our copies of the person's keywords that are still in `packet`."""
    record = Record.of(packet)
    present = {path for name, path in packet.entries() if name == SUBJECT}
    return [word for word in record.copied if word in present] if record else []


def left_behind(keywords: Iterable[str], record: Record) -> list[str]:
    """Return those of `keywords`, with | between levels, that are of ours by their words.

    After a removal they are where another program copied ours to. Of ours with levels, such
    programs may list the last level alone.
    """
    ours = tag_words(_spellings(record.keywords))
    return [keyword for keyword in dict.fromkeys(keywords) if normalize_tag(keyword) in ours]


def left_in(packet: Packet, clean: Packet, record: Record) -> list[str]:
    """Return those of ours that are in `clean`, which is `packet` without marks.

    They are in trees of keywords, or in a packet that we did not write into. Their last levels
    count where a program put these into dc:subject in place of the whole paths.
    """
    entries, paths = packet.entries(), [keyword_path(keyword) for keyword in record.keywords]
    missing = {path for _, path in entries} - {path for name, path in entries if name == SUBJECT}
    wanted = _words_of([*paths, *(leaf_of(path) for path in paths if path in missing)])
    return [path for path in dict.fromkeys(clean.keywords()) if normalize_tag(path) in wanted]


def _spellings(keywords: Iterable[str]) -> list[str]:
    """Return our keywords as they are read: a slash in a word parts two levels in some lists."""
    return [path for keyword in keywords for path in (keyword, keyword.replace("/", "|"))]


@dataclass(frozen=True)
class _Old:
    """What a packet was marked with, and what of that a person removed.

    `tags` maps the word of a removed tag to its text and score.
    """

    record: Record | None = None
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)
    removed_copies: frozenset[str] = frozenset()

    @classmethod
    def of(cls, data: bytes | None, name: str) -> _Old:
        """Return what is to be known of the packet `data`; None stands for no packet."""
        if data is None or not has_marks(data):
            return cls()
        packet = Packet.parse(data, name)
        record = Record.of(packet)
        if record is None:
            return cls()
        entries = packet.entries()
        present = frozenset(path for _, path in entries)
        gone = [pair for pair in record.scores if keyword_path(pair[0]) not in present]
        words = [(keyword.removeprefix(record.prefix), score) for keyword, score in gone]
        copies = frozenset(record.copied) - {path for found, path in entries if found == SUBJECT}
        return cls(record, {normalize_tag(text) or "": (text, s) for text, s in words}, copies)

    def without_removed(self, record: Record) -> tuple[list[str], list[str]]:
        """Return the copies and the keywords of a new record, except those that were removed."""
        words = [keyword.removeprefix(record.prefix) for keyword in record.keywords]
        shown = [record.prefix + word for word in words if normalize_tag(word) not in self.tags]
        return [word for word in record.copied if word not in self.removed_copies], shown


def _is_blank(data: bytes) -> bool:
    """Whether a file has nothing in it."""
    return not data.strip(_BLANKS)


def _record(
    marks: Marks, base: bytes | None, clean: Packet, elsewhere: Sequence[str], old: _Old
) -> Record:
    """Return the record of `marks` for `base`, a packet without marks that is parsed as `clean`."""
    is_blank = base is not None and _is_blank(base)
    present = [path for _, path in _not_ours(clean, old.record)]
    words = _words(marks, old.tags, tag_words([*elsewhere, *present]))
    prefix = xml_safe(marks.prefix).lstrip()
    return Record(
        scores=tuple((prefix + word, score) for word, score in words.items()),
        model=xml_safe(marks.model),
        time=marks.time.isoformat(timespec="seconds"),
        prefix=prefix,
        made=base is None or is_blank or bool(old.record and old.record.made),
        replaced=_replaced_subject(clean),
        copied=_copies(clean, elsewhere, old),
        blank=is_blank,
        closed=is_closed(clean),
    )


def _not_ours(packet: Packet, record: Record | None) -> list[tuple[str, str]]:
    """Return the keywords of a packet, each with the name of its property.

    In trees of keywords, which we do not write, ours are left out: a program has copied them there.
    """
    ours = _words_of(map(keyword_path, record.keywords)) if record else frozenset()
    return [
        (name, path)
        for name, path in packet.entries()
        if name not in (STRUCTURE, CATEGORIES) or normalize_tag(path) not in ours
    ]


def _words_of(paths: Iterable[str]) -> frozenset[str]:
    """Return the normalised words of whole keywords."""
    return frozenset(word for path in paths if (word := normalize_tag(path)))


def _person_entries(packet: Packet, record: Record | None) -> list[tuple[str, str]]:
    """Return the keywords that no program wrote for itself, each with the name of its property."""
    software = software_words(packet)
    entries = [
        (name, without_root(path))
        for name, path in _not_ours(packet, record)
        if not is_software(path) and path not in software
    ]
    return [(name, path) for name, path in entries if path]


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


def _copies(clean: Packet, elsewhere: Sequence[str], old: _Old) -> tuple[str, ...]:
    """Return the person's keywords that a dc:subject of ours would hide: their last levels.

    Programs that read dc:subject alone, or first, would no longer look elsewhere. None is copied
    where dc:subject has keywords of its own, unless we had copied some before the person added the
    first. If all others are gone, the copies that are left are the only ones, and stay.
    """
    subject = clean.first_lists().get(SUBJECT)
    own = subject.texts if subject else []
    before = old.record.copied if old.record else ()
    if own and not before:
        return ()
    others = [path for name, path in _person_entries(clean, old.record) if name != SUBJECT]
    kept = [word for word in before if word not in old.removed_copies]
    leaves = [leaf_of(path) for path in [*others, *without_software(elsewhere, clean)]] or kept
    found: dict[str, str] = {}
    for text in [*own, *(xml_safe(" ".join(leaf.split())).strip() for leaf in leaves)]:
        found.setdefault(normalize_tag(text) or text, text)
    return tuple(text for text in found.values() if text and text not in own)


def _blanks(packet: Packet) -> bytes:
    """Return what was in a file without a packet: what we wrote ours ahead of."""
    behind = packet.text[packet.rdf.end :]
    return behind.removeprefix(_END) if behind.startswith(_END) else b""


def _replaced_subject(packet: Packet) -> str:
    """Return the source of a dc:subject without a list; "" if there is none."""
    subject = packet.first_lists().get(SUBJECT)
    if subject is None or subject.items:
        return ""
    source = packet.text[subject.element.start : subject.element.end]
    return source.decode(errors="replace")
