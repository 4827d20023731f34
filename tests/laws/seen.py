"""The laws of what exiftool and exiv2 see: theirs as before, ours with it, nothing displaced."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from laws.views import File, View

_LISTS = re.compile(
    r"(XMP-\S+?|PNG|GIF|XMP):(Copy\d+:)?(Subject|HierarchicalSubject|TagsList|LastKeywordXMP|"
    r"CatalogSets|Keywords|WeightedFlatSubject)(_\d+)?"
    r"|Xmp\.(dc\.subject|lr\.hierarchicalSubject|digiKam\.TagsList|acdsee\.keywords|"
    r"MicrosoftPhoto\.LastKeywordXMP|mediapro\.CatalogSets)(\[\d+\](/\S+)?)?"
)
# A number that may change with the place of what it points at.
PLACE = re.compile(r"(Start|Offset|Offsets|InterchangeFormat)$")
_OURS = re.compile(r"XMP-mmcgan:|Xmp\.mmcgan\.")
_SUBJECT = re.compile(r"XMP-dc:Subject(_\d+)?|Xmp\.dc\.subject(\[\d+\])?")
READ = re.compile(
    r"(XMP-dc:Subject|XMP-lr:HierarchicalSubject|XMP-digiKam:TagsList|IPTC:Keywords|"
    r"XMP-microsoft:LastKeywordXMP|XMP-mediapro:CatalogSets|XMP-acdsee:Keywords|IFD0:XPKeywords)"
)


class Sight(NamedTuple):
    """What a program sees in a file before and after a write; `old` is None where it is new."""

    program: str
    old: File | None
    new: File
    was: View
    now: View

    @property
    def is_understood(self) -> bool:
        """Whether the program finds something in the file's packet, or there is none."""
        is_read = any(tag.startswith(("XMP-", "Xmp.")) for tag in self.was)
        return is_read or self.old is None or not re.search(rb"R\0?D\0?F", self.old.data)

    @property
    def is_joined(self) -> bool:
        """Whether dc:subject is there twice, of which programs make one list in some order."""
        data = self.old.data.replace(b"\0", b"") if self.old else b""
        return len(re.findall(rb"<\w*:subject\W", data)) > 1


def seen(sight: Sight, ours: list[str], theirs: Iterable[str]) -> Iterator[str]:
    """Yield the violations in what a program sees, where we wrote `ours`.

    `theirs` are the person's keywords in all files of the photo.
    """
    yield from _tags_unchanged(sight)
    yield from _lists_grow(sight, {*_levels(ours), *_levels(theirs)})
    yield from _pointers(sight)
    if sight.is_understood:
        yield from _ours_seen(sight, ours)


def _tags_unchanged(sight: Sight) -> Iterator[str]:
    was, now = sight.was, sight.now
    for tag in sorted(was.keys() | now.keys()):
        if was.get(tag) != now.get(tag) and not _may_change(tag, sight):
            how = "new" if tag not in was else "gone" if tag not in now else "changed"
            detail = f" {now[tag][0]}" if tag.endswith("Warning") and tag in now else ""
            yield f"a: {sight.program} sees a tag {how} — {plain(tag)}{detail}"


def _may_change(tag: str, sight: Sight) -> bool:
    if tag.startswith(("File:", "Composite:")):
        return sight.new.ending == "xmp"  # the kind of text that exiftool takes it for
    is_place = PLACE.search(tag) and sight.program == "exiftool"
    is_warning = tag.endswith(":Warning") and not sight.is_understood
    return bool(_LISTS.fullmatch(tag) or _OURS.match(tag) or is_place or is_warning)


def _lists_grow(sight: Sight, known: set[str]) -> Iterator[str]:
    """Yield the lists in which a person's keywords are not the first, in order, or others follow.

    What follows may be ours and copies of theirs.
    """
    for tag in sorted(sight.was.keys() | sight.now.keys()):
        if not _LISTS.fullmatch(tag) or (sight.is_joined and "ubject" in tag):
            continue
        rest = _rest(*([text for text in view.get(tag, []) if text] for view in sight[3:]))
        if rest is None and not sight.was[tag][0].startswith("lang="):  # one text to exiv2
            yield f"a: {sight.program} sees a person's keywords lost or moved — {plain(tag)}"
        elif rest and sight.program == "exiftool" and not _is_known(rest, known):
            yield f"a: {sight.program} sees keywords of neither — {plain(tag)}"


def _is_known(texts: list[str], known: set[str]) -> bool:
    return set(_levels(texts)) <= known or "\ufffd" in "".join(texts)  # no text for exiftool


def _pointers(sight: Sight) -> Iterator[str]:
    """Where a tag gives the place of a picture, the same picture must be there.

    exiftool looks for a lost preview in all the file, and exiv2 does not.
    """
    for tag in sight.was.keys() & sight.now.keys():
        length = sight.was.get(PLACE.sub("Length", tag)) or sight.was.get(f"{tag}Length")
        if not length or not PLACE.search(tag) or tag.startswith("MPImage1:"):  # the photo itself
            continue
        old, new = (
            file.data[_base(file, sight.program) + int(view[tag][0]) :][: int(length[0])]
            for file, view in ((sight.old, sight.was), (sight.new, sight.now))
            if file is not None
        )
        if old != new:
            yield f"a: what a tag points at is somewhere else — {plain(tag)}"


def _base(file: File, program: str) -> int:
    """Where the offsets that a program gives are counted from."""
    return 0 if program == "exiftool" else file.data.find(b"Exif\0\0") + 6


def _levels(texts: Iterable[str]) -> list[str]:
    return [re.sub(r"[\0-\x1f]", "", text).replace("/", "|").strip() for text in texts]


def _rest(was: list[str], now: list[str]) -> list[str] | None:
    """What comes behind the values from before; None if they are not the first."""
    if now[: len(was)] == was:
        return now[len(was) :]
    if now[:1] == was[:1] and Counter(was) <= Counter(now):  # of two lists, which a program joins
        return list((Counter(now) - Counter(was)).elements())
    if len(was) == len(now) == 1 and now[0].startswith(was[0]):
        return [now[0][len(was[0]) :].removeprefix(", ")]
    return None


def _ours_seen(sight: Sight, ours: list[str]) -> Iterator[str]:
    values = {tag: found for tag, found in sight.now.items() if _SUBJECT.fullmatch(plain(tag))}
    seen = [text for found in values.values() for text in found]
    seen = ", ".join(seen).split(", ") if sight.program == "exiv2" else seen
    missing = [word for word in ours if word not in seen]
    if missing:
        how_many = "none" if len(missing) == len(ours) else "not all"
        yield f"b: {sight.program} sees {how_many} of ours"
    if sight.program == "exiftool" and any(seen.count(word) > 1 for word in ours):
        yield f"b: {sight.program} sees ours twice"
    had_subject = any(_SUBJECT.fullmatch(plain(tag)) for tag in sight.was)
    theirs = {meant(text) for text in sight.was.get("IPTC:Keywords", [])}
    if ours and not had_subject and not theirs <= set(seen):
        yield "b: a person's IPTC keywords are hidden by ours in dc:subject"


def persons_keywords(views: Iterable[View]) -> set[str]:
    """A person's keywords as programs show them, whole and by level."""
    tags = [tag_values for view in views for tag_values in view.items()]
    texts = {text for tag, values in tags if READ.fullmatch(plain(tag)) for text in values}
    texts |= {meant(part) for text in texts for part in text.split(";")}
    levels = {level for text in texts for level in re.split(r"[|/]", text)}
    return {text.replace("/", "|").strip() for text in texts | levels}


def meant(text: str) -> str:
    """A keyword that exiftool takes for Windows-1252, or for no text at all, as it was meant."""
    if text.startswith("base64:"):
        return b64decode(text.removeprefix("base64:")).decode("windows-1252", "replace")
    with suppress(UnicodeError):
        return b"".join(_byte(character) for character in text).decode()
    return text


def _byte(character: str) -> bytes:
    with suppress(UnicodeError):
        return character.encode("windows-1252")
    return character.encode("latin-1")


def plain(tag: str) -> str:
    return re.sub(r"Copy\d+:", "", tag)
