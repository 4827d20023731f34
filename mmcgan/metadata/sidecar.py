"""The XMP sidecar of a photo: which file it is, and what writing to it or removing it changes.

darktable and digiKam call it photo.jpg.xmp, Lightroom and its kin photo.xmp. A sidecar that is
there is written to, so that the photo's keywords stay in one place. A new one is photo.jpg.xmp, as
only that says which of photo.jpg and photo.cr2 it is of; for the same reason a photo.xmp is not
written to where there are both.
"""

from __future__ import annotations

from pathlib import Path

from mmcgan.errors import MetadataError
from mmcgan.files import partial_path, read_file
from mmcgan.metadata.change import Change
from mmcgan.metadata.keywords import read_keywords
from mmcgan.metadata.marking import Marks, mark, unmark
from mmcgan.metadata.names import tag_words
from mmcgan.metadata.packet import MAX_PACKET_BYTES, Packet
from mmcgan.metadata.record import Record

_NO_PHOTO = frozenset({".xmp", ".txt", ".csv", ".json"})  # of the same name, and yet no other photo


def sidecar_names(photo: Path) -> list[Path]:
    """Return all paths at which a sidecar of `photo` may be."""
    return [
        path
        for suffix in (".xmp", ".XMP")
        for path in (photo.with_name(photo.name + suffix), photo.with_suffix(suffix))
    ]


def find_sidecars(photo: Path) -> list[Path]:
    """Return the sidecars of `photo` that there are."""
    found: dict[tuple[int, int], Path] = {}
    for path in sidecar_names(photo):
        if path.is_file():
            status = path.stat()  # where case does not count, two names are one file
            found.setdefault((status.st_dev, status.st_ino), path)
    return list(found.values())


def model_of_sidecar(photo: Path) -> str | None:
    """Return what the marks in the sidecars of `photo` are from, None where there are none.

    Raises `MetadataError` if a sidecar cannot be read.
    """
    for path in find_sidecars(photo):
        record = Record.of(
            Packet.parse(read_file(path, MAX_PACKET_BYTES, MetadataError), str(path))
        )
        if record is not None:
            return record.model
    return None


def plan_sidecar(photo: Path, marks: Marks) -> Change:
    """Return what writing `marks` to the sidecar of `photo` changes.

    Raises `MetadataError` if the sidecar cannot be read, or not be written to so that the marks
    can be taken out again.
    """
    sidecars = find_sidecars(photo)
    path = _sidecar_to_write(photo, sidecars)
    before = read_file(path, MAX_PACKET_BYTES, MetadataError) if path in sidecars else None
    elsewhere = read_keywords(photo, [sidecar for sidecar in sidecars if sidecar != path])
    return Change(path, before, mark(before, marks, tag_words(elsewhere.texts), str(path)))


def plan_sidecar_removal(photo: Path) -> list[Change]:
    """Return what taking our marks out of all sidecars of `photo` changes.

    What a write that was killed has left of a sidecar goes too. Raises `MetadataError` if a
    sidecar cannot be read.
    """
    changes = []
    for path in find_sidecars(photo):
        data = read_file(path, MAX_PACKET_BYTES, MetadataError)
        changes.append(Change(path, data, unmark(data, str(path))))
    rests = [partial_path(path) for path in sidecar_names(photo)]
    changes += [Change(path, path.read_bytes(), None) for path in rests if path.is_file()]
    return [change for change in changes if change.is_needed]


def _sidecar_to_write(photo: Path, sidecars: list[Path]) -> Path:
    own = [path for path in sidecars if path.stem == photo.name]
    if own or not sidecars or _has_namesake(photo):
        return own[0] if own else photo.with_name(photo.name + ".xmp")
    return sidecars[0]


def _has_namesake(photo: Path) -> bool:
    """Whether another photo has the name of this one but for its suffix."""
    return any(
        path.stem == photo.stem and path != photo and path.suffix.lower() not in _NO_PHOTO
        for path in photo.parent.iterdir()
    )
