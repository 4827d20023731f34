"""Find the XMP sidecar of a photo, and plan how our tags are written into it and taken out.

darktable and digiKam call it photo.jpg.xmp, Lightroom and similar programs photo.xmp. If the photo
has a sidecar, that is written to, so that its keywords stay in one place. A new one is called
photo.jpg.xmp, since photo.xmp may belong to photo.jpg or to photo.cr2; where there are both,
photo.xmp is not written to either.
"""

from __future__ import annotations

from pathlib import Path

from mmcgan.errors import MetadataError
from mmcgan.files import partial_path, read_file
from mmcgan.metadata.change import Change
from mmcgan.metadata.keywords import read_keywords
from mmcgan.metadata.marking import Marks, mark, unmark
from mmcgan.metadata.packet import MAX_PACKET_BYTES, Packet
from mmcgan.metadata.record import Record

_NO_PHOTO = frozenset({".xmp", ".txt", ".csv", ".json"})  # beside a photo, and no other photo


def sidecar_names(photo: Path) -> list[Path]:
    """Return all paths that a sidecar of `photo` may have."""
    return [
        path
        for suffix in (".xmp", ".XMP")
        for path in (photo.with_name(photo.name + suffix), photo.with_suffix(suffix))
    ]


def find_sidecars(photo: Path) -> list[Path]:
    """Return the existing sidecars of `photo`."""
    found: dict[tuple[int, int], Path] = {}
    for path in sidecar_names(photo):
        if path.is_file():
            status = path.stat()  # where case does not matter, two names are one file
            found.setdefault((status.st_dev, status.st_ino), path)
    return list(found.values())


def model_of_sidecar(photo: Path) -> str | None:
    """Return the model that wrote the marks in a sidecar of `photo`; None where there are none.

    Raises `MetadataError` if a sidecar cannot be read.
    """
    for path in find_sidecars(photo):
        record = Record.of(Packet.parse(_read(path), str(path)))
        if record is not None:
            return record.model
    return None


def plan_sidecar(photo: Path, marks: Marks) -> Change:
    """Return the change that writes `marks` to the sidecar of `photo`.

    Raises `MetadataError` if the sidecar cannot be read, or the marks could not be taken out again
    without a trace.
    """
    sidecars = find_sidecars(photo)
    path = _sidecar_to_write(photo, sidecars)
    before = _read(path) if path in sidecars else None
    elsewhere = read_keywords(photo, [sidecar for sidecar in sidecars if sidecar != path])
    return Change(path, before, mark(before, marks, elsewhere.keywords, str(path)))


def plan_sidecar_removal(photo: Path) -> list[Change]:
    """Return the changes that take our marks out of all sidecars of `photo`.

    Partial files of writes that were killed are removed too. Raises `MetadataError` if a sidecar
    cannot be read.
    """
    sidecars = {path: _read(path) for path in find_sidecars(photo)}
    changes = [Change(path, data, unmark(data, str(path))) for path, data in sidecars.items()]
    partials = [partial_path(path) for path in sidecar_names(photo)]
    changes += [Change(path, path.read_bytes(), None) for path in partials if path.is_file()]
    return [change for change in changes if change.is_needed]


def _read(sidecar: Path) -> bytes:
    return read_file(sidecar, MAX_PACKET_BYTES, MetadataError)


def _sidecar_to_write(photo: Path, sidecars: list[Path]) -> Path:
    own = [path for path in sidecars if path.stem == photo.name]
    if own or not sidecars or _has_namesake(photo):
        return own[0] if own else photo.with_name(photo.name + ".xmp")
    return sidecars[0]


def _has_namesake(photo: Path) -> bool:
    """Whether another photo has the same name with another suffix."""
    return any(
        path.stem == photo.stem and path != photo and path.suffix.lower() not in _NO_PHOTO
        for path in photo.parent.iterdir()
    )
