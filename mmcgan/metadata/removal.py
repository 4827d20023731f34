"""Plan how our tags are taken out of a photo and its sidecars, whatever these are like.

A file that does not hold our marks is not touched and is no problem, be it as broken as it may. One
that may hold them and cannot be cleaned is a problem with a line of its own; all others are cleaned
nevertheless.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmcgan.errors import MetadataError
from mmcgan.files import is_file
from mmcgan.metadata.change import Change, Leftover
from mmcgan.metadata.containers import is_writable, slots_of, with_slot
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.iptc import iptc_keywords
from mmcgan.metadata.containers.reading import read_blocks
from mmcgan.metadata.containers.room import obstacle
from mmcgan.metadata.embedded import (
    MAX_PHOTO_BYTES,
    PhotoChange,
    copies_folder,
    packet_name,
    safety_copy,
)
from mmcgan.metadata.keywords import windows_keywords
from mmcgan.metadata.sidecar import Listings, file_status, look_for_sidecars, sidecar_names
from mmcgan.metadata.xmp.encodings import has_marks
from mmcgan.metadata.xmp.marking import (
    copied_keywords,
    left_behind,
    left_in,
    person_keywords,
    unmark,
)
from mmcgan.metadata.xmp.packet import Packet, tag_words
from mmcgan.metadata.xmp.record import Record


class Removal(list[Change]):
    """The changes that take our marks out; `problems` has a line for each that cannot be."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note that something cannot be done, if the block finds it so."""
        try:
            yield
        except MetadataError as reason:
            self.problems.append(str(reason))

    def add(self, change: Change) -> None:
        """Add a change if it is one, and can be made."""
        with self.noted():
            change.require_one_name()
            if change.is_needed:
                self.append(change)


def plan_removal(photo: Path, listings: Listings | None = None) -> Removal:
    """Return the changes that take our marks out of `photo` and its sidecars; never raises.

    What writes that were killed left behind is removed too. Words of ours that another program has
    copied to where they cannot be told from a person's stay, and are a problem.
    """
    listings, removal = listings or Listings(), Removal()
    sidecars: dict[Path, bytes] = {}
    for path in look_for_sidecars(photo, listings, removal.problems):
        with removal.noted():
            sidecars[path] = _start(path)
    blocks = None
    with removal.noted():
        blocks = _blocks(photo)
    found = _Metadata(photo, sidecars, blocks or Found(), is_read=blocks is not None)
    for path in sidecars:
        with removal.noted():
            _clear_sidecar(path, found, removal)
    with removal.noted():
        _clear_photo(found, removal)
    removal.problems += found.left_behind()
    removal += [Leftover(path) for path in _leftovers(found, listings)]
    return removal


@dataclass(frozen=True)
class _Metadata:
    """The metadata in a photo and in its sidecars."""

    photo: Path
    sidecars: dict[Path, bytes]
    blocks: Found
    is_read: bool  # whether there is a photo

    @property
    def embedded(self) -> list[bytes]:
        """The packets in the photo that may hold marks."""
        return [p for p in self.blocks.packets + self.blocks.extended if has_marks(p)]

    def unmarked(self, packet: bytes, name: str) -> bytes | None:
        """Return a packet without our marks; raises as `unmark` does.

        Our copies of a person's keywords stay where a program has dropped the originals; if the
        photo itself has gone, these have gone with it.
        """
        copies = tag_words(copied_keywords(Packet.parse(packet, name)))
        is_dropped = self.is_read and bool(copies) and not copies <= self._words
        return unmark(packet, name, keep_copies=is_dropped)

    def left_behind(self) -> Iterator[str]:
        """Yield a line for each place where another program has put words of ours."""
        for place, words in self._left().items():
            if words:
                yield (
                    f"{self.photo} keeps {', '.join(words)} in {place}: another program has put "
                    "them there since mmcgan wrote them; remove by hand what is not yours"
                )

    def _left(self) -> dict[str, dict[str, None]]:
        """Return the words of ours that stay, by the name of their place."""
        found: dict[str, dict[str, None]] = {}
        for record in _records([*filter(has_marks, self.sidecars.values()), *self.embedded]):
            for place, keywords in self._elsewhere.items():
                found.setdefault(place, {}).update(dict.fromkeys(left_behind(keywords, record)))
            for place, packet in self._packets():
                with suppress(MetadataError):  # there is a line for that
                    found.setdefault(place, {}).update(dict.fromkeys(_left_in(packet, record)))
        return found

    def _packets(self) -> Iterator[tuple[str, bytes]]:
        """Yield all packets, each with the name of its place."""
        yield from ((path.name, data) for path, data in self.sidecars.items())
        yield from (("its XMP", data) for data in self.blocks.packets + self.blocks.extended)

    @cached_property
    def _words(self) -> frozenset[str]:
        """The words of the person's own keywords, wherever they are."""
        found = [keyword for keywords in self._elsewhere.values() for keyword in keywords]
        for _, packet in self._packets():
            with suppress(MetadataError):
                found += person_keywords(Packet.parse(packet, "XMP"))
        return tag_words(found)

    @cached_property
    def _elsewhere(self) -> dict[str, list[str]]:
        """The keywords in the photo that are not in XMP, by the name of their place."""
        iptc = [text for block in self.blocks.iptc for text in iptc_keywords(block)]
        windows = [text for block in self.blocks.windows for text in windows_keywords(block)]
        return {"IPTC": iptc, "XPKeywords": windows}


def _clear_sidecar(path: Path, found: _Metadata, removal: Removal) -> None:
    """Plan how a sidecar loses our marks."""
    data = found.sidecars[path]
    if has_marks(data):
        after = found.unmarked(data, str(path))
        removal.add(Change(path, data, after))
        if after is not None and _may_be_marked(after):
            raise MetadataError(f"tags of ours stay in {path}: it has two records of them")


def _clear_photo(found: _Metadata, removal: Removal) -> None:
    """Plan how a photo loses our marks."""
    photo = found.photo
    if not (found.embedded or found.blocks.problems):
        return
    data = _start(photo)
    if not (found.embedded or has_marks(data)):
        return
    if len(data) > MAX_PHOTO_BYTES:
        raise MetadataError(
            f"tags of ours stay in {photo}: it is larger than {MAX_PHOTO_BYTES / 2**30:g} GiB, the "
            "most that is written anew"
        )
    original = _cleaned(data, found, removal)
    removal.add(PhotoChange(photo, data, original, original))


def _cleaned(data: bytes, found: _Metadata, removal: Removal) -> bytes:
    """Return a photo without our marks; note what of them cannot be taken out.

    Raises `MetadataError` if the photo must not change its size.
    """
    photo, after, edge, n_problems = found.photo, data, len(data), len(removal.problems)
    for slot in reversed(slots_of(data)):  # so that the places before it still hold
        if slot.packet is not None and has_marks(slot.packet):
            with removal.noted():
                packet = found.unmarked(slot.packet, packet_name(photo))
                after, edge = with_slot(after, slot, packet, str(photo)), slot.end
    # Where a copy shows that the photo was just so before, nothing can be lost.
    is_new = len(after) != len(data) and not is_file(safety_copy(after))
    if is_new and (reason := obstacle(data, edge)) is not None:
        raise MetadataError(f"tags of ours stay in {photo}: it must not change its size: {reason}")
    if _holds_marks(after) and len(removal.problems) == n_problems:
        removal.problems.append(
            f"tags of ours may be in {photo}, in a place where they cannot be taken out"
        )
    return after


def _leftovers(found: _Metadata, listings: Listings) -> Iterator[Path]:
    """Yield what writes that were killed left behind: partial files, and a needless copy."""
    written = {Path(os.path.realpath(path)) for path in (found.photo, *found.sidecars)}
    written.update(sidecar_names(found.photo))
    if not found.embedded and (copy := _copy_of(found.photo, listings)) and is_file(copy):
        yield copy
    for path in sorted(written):
        yield from listings.leftovers(path)
    yield from listings.leftovers_in(copies_folder())  # a cut one does not tell its photo


def _copy_of(photo: Path, listings: Listings) -> Path | None:
    """Return the path of the safety copy of a photo without marks; None if there is none."""
    try:
        status = file_status(photo)
        # Of the same size: to read every photo would take long.
        if status and status.st_size in listings.sizes(copies_folder()) and is_writable(photo):
            return safety_copy(_start(photo))
    except (OSError, MetadataError):  # the photo has its line already
        pass
    return None


def _blocks(photo: Path) -> Found | None:
    """Return the blocks of metadata in a photo, None if there is no such file.

    Raises `MetadataError` if that cannot be known.
    """
    try:
        if file_status(photo) is None:
            return None
        with photo.open("rb") as file:
            return read_blocks(file)
    except OSError as reason:
        raise MetadataError(f"{photo} cannot be read: {reason.strerror}") from None


def _start(path: Path) -> bytes:
    """Return the bytes of a file, one more than can be written anew at the most."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_PHOTO_BYTES + 1)
    except OSError as reason:
        raise MetadataError(f"{path} cannot be read: {reason.strerror}") from None


def _holds_marks(photo: bytes) -> bool:
    """Whether an encoded photo may hold marks; in packets that can be read, only a record is."""
    blocks = read_blocks(photo)
    marked = [packet for packet in blocks.packets + blocks.extended if has_marks(packet)]
    return any(map(_may_be_marked, marked)) if marked else has_marks(photo)


def _may_be_marked(packet: bytes) -> bool:
    try:
        return has_marks(packet) and _record(packet) is not None
    except MetadataError:
        return True


def _left_in(packet: bytes, record: Record) -> list[str]:
    """Return what of ours stays in a packet; raise as `unmark` does."""
    clean = unmark(packet, "XMP")
    if clean is None:
        return []
    return left_in(Packet.parse(packet, "XMP"), Packet.parse(clean, "XMP"), record)


def _records(packets: list[bytes]) -> list[Record]:
    """Return the records of the packets that can be read."""
    found = []
    for packet in packets:
        with suppress(MetadataError):
            found.append(_record(packet))
    return [record for record in found if record is not None]


def _record(packet: bytes) -> Record | None:
    return Record.of(Packet.parse(packet, "XMP"))
