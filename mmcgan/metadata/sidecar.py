"""Find the XMP sidecars of a photo, and plan how our tags are written into one.

darktable and digiKam call it photo.jpg.xmp, Lightroom and similar programs photo.xmp. Whose a
sidecar S.xmp is, names alone say:

- If S ends as a photo or a video does, S.xmp is that of S and of no other file, even where S is
  missing: photo.jpg.xmp cannot be the photo.xmp of a photo called photo.jpg.jpg.
- Otherwise it is that of all photos and videos whose name is S and an ending. It is read for each,
  as Lightroom keeps one for the RAW and the JPEG of a shot, and written only where there is one.
- Where there is none, it is that of a file called S alone.

So no sidecar is written for two photos. If the photo has a sidecar of its own, that is written, so
that its keywords stay in one place; a new one is called photo.jpg.xmp. Our tags are in one sidecar
of a photo: those in another, from a time before it was shared, are taken out in the same change.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mmcgan.errors import MetadataError
from mmcgan.files import is_leftover, partial_prefix, read_file
from mmcgan.inference.photos.formats.kinds import PHOTOS_AND_VIDEOS
from mmcgan.metadata.change import Change
from mmcgan.metadata.keywords import read_keywords
from mmcgan.metadata.xmp.encodings import has_marks
from mmcgan.metadata.xmp.marking import Marks, mark, unmark
from mmcgan.metadata.xmp.packet import MAX_PACKET_BYTES, Packet
from mmcgan.metadata.xmp.record import Record

_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


def sidecar_names(photo: Path) -> list[Path]:
    """Return the paths that sidecars of `photo` have, by the usual spellings of their ending."""
    return [photo.parent / (s + suffix) for s in _stems(photo.name) for suffix in (".xmp", ".XMP")]


def find_sidecars(photo: Path, listings: Listings | None = None) -> list[Path]:
    """Return the existing sidecars of `photo`, its own first; never raises.

    With `listings`, its folder is listed once for all photos.
    """
    return look_for_sidecars(photo, listings or Listings(), [])


def look_for_sidecars(photo: Path, listings: Listings, problems: list[str]) -> list[Path]:
    """As `find_sidecars`, and add a line to `problems` if a sidecar cannot be looked at."""
    found: dict[object, Path] = {}
    try:
        for path in listings.candidates(photo):
            if status := file_status(path):  # where case does not matter, two names are one file
                found.setdefault((status.st_dev, status.st_ino) if status.st_ino else path, path)
    except OSError as reason:
        problems.append(f"sidecars of {photo} cannot be looked at: {reason.strerror}")
    return list(found.values())


def _all_sidecars(photo: Path, listings: Listings) -> list[Path]:
    """As `find_sidecars`, and raise `MetadataError` if one cannot be looked at."""
    problems: list[str] = []
    found = look_for_sidecars(photo, listings, problems)
    if problems:
        raise MetadataError(problems[0])
    return found


def file_status(path: Path) -> os.stat_result | None:
    """Return the status of a regular file; None if there is none of that name.

    Raises `OSError` where that cannot be known.
    """
    try:
        status = path.stat()
    except ValueError:  # a name that no system allows
        return None
    except OSError as reason:
        if reason.errno in _NO_FILE:
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) else None


@dataclass
class _Folder:
    """Names in a folder: of photos and videos by stem, of sidecars in .XMP or the like by stem."""

    photos: dict[str, list[str]] = field(default_factory=dict)
    sidecars: dict[str, list[str]] = field(default_factory=dict)
    partials: list[Path] = field(default_factory=list)
    is_listed: bool = False


class Listings:
    """What lies in folders, each listed once, however many of its photos are asked for.

    Sidecars that we make are looked up anew each time, since others may be made meanwhile.
    """

    def __init__(self) -> None:
        self._folders: dict[Path, _Folder] = {}
        self._sizes: dict[Path, frozenset[int]] = {}

    def sidecars(self, photo: Path) -> list[Path]:
        """Return the existing sidecars of `photo`, its own first."""
        return find_sidecars(photo, self)

    def candidates(self, photo: Path) -> Iterator[Path]:
        """Yield where sidecars of `photo` may be."""
        for stem in _stems(photo.name):
            yield photo.parent / f"{stem}.xmp"
            listed = self._folder(photo.parent).sidecars.get(stem, ())
            yield from (photo.parent / name for name in listed)

    def leftovers(self, path: Path) -> list[Path]:
        """Return the partial files of writes of `path` that were killed."""
        return self.leftovers_in(path.parent, partial_prefix(path))

    def leftovers_in(self, folder: Path, prefix: str = "") -> list[Path]:
        """Return the partial files in `folder` whose writes were killed, by their names' start."""
        partials = self._folder(folder).partials
        return [p for p in partials if p.name.startswith(prefix) and is_leftover(p)]

    def others(self, photo: Path, stem: str) -> list[str]:
        """Return the names of other photos and videos in the folder of `photo` with that stem.

        Case and Unicode form do not matter, as they do not on many disks.
        """
        names = self._folder(photo.parent).photos.get(_key(stem), [])
        return [name for name in names if not _is_same(photo, name)]

    def sizes(self, folder: Path) -> frozenset[int]:
        """Return the sizes in bytes of the files that were in `folder` when first asked for."""
        if folder not in self._sizes:
            self._sizes[folder] = _sizes(folder)
        return self._sizes[folder]

    def is_known(self, folder: Path) -> bool:
        """Whether `folder` could be listed."""
        return self._folder(folder).is_listed

    def _folder(self, path: Path) -> _Folder:
        if path not in self._folders:
            self._folders[path] = _list(path)
        return self._folders[path]


def _sizes(folder: Path) -> frozenset[int]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.stat().st_size for entry in entries)
    except OSError:
        return frozenset()


def _list(path: Path) -> _Folder:
    folder = _Folder()
    with suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            stem, suffix = _split(name)
            if suffix.lower() == ".xmp" and suffix != ".xmp":
                folder.sidecars.setdefault(stem, []).append(name)
            elif suffix == ".partial":
                folder.partials.append(path / name)
            elif _is_photo(name) and not _is_folder(entry):
                folder.photos.setdefault(_key(stem), []).append(name)
        folder.is_listed = True
    return folder


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_same(photo: Path, name: str) -> bool:
    """Whether `name` is another spelling of the photo's, on a disk where that is the same file."""
    if name == photo.name:
        return True
    if _key(name) != _key(photo.name):
        return False
    try:
        return os.path.samestat(photo.lstat(), photo.with_name(name).lstat())
    except OSError:
        return False


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _is_photo(name: str) -> bool:
    """Whether a name ends as that of a photo or video."""
    return _split(name)[1].lower() in PHOTOS_AND_VIDEOS


def _split(name: str) -> tuple[str, str]:
    """Return a name's stem and ending; dots that it begins with begin no ending."""
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem.strip(".") else (name, "")


def _stems(name: str) -> list[str]:
    """Return what the names of a photo's sidecars begin with."""
    stem = _split(name)[0]
    return [name, stem] if _is_photo(name) and not _is_photo(stem) else [name]


def model_of_sidecar(photo: Path, listings: Listings | None = None) -> str | None:
    """Return the model that wrote the marks in the sidecar of `photo`.

    None if there are none, or marks that have to be taken out of another sidecar. Raises
    `MetadataError` if a sidecar cannot be read, or the photo cannot have one.
    """
    listings = listings or Listings()
    sidecars = _all_sidecars(photo, listings)
    written = _sidecar_to_write(photo, sidecars, listings)
    models = {path: _model_in(path) for path in sidecars}
    model = models.pop(written, None)
    return None if any(other is not None for other in models.values()) else model


def _model_in(sidecar: Path) -> str | None:
    data = _read(sidecar)
    record = Record.of(Packet.parse(data, str(sidecar))) if has_marks(data) else None
    return None if record is None else record.model


@dataclass(frozen=True)
class SidecarChange(Change):
    """A change of a sidecar, and of `older` ones of the same photo, which lose our marks."""

    older: Sequence[Change] = ()

    @property
    def is_needed(self) -> bool:
        """Whether anything changes at all."""
        return super().is_needed or bool(self.older)

    def diff(self) -> str:
        """Return the changes as a unified diff of the XMP; empty if nothing changes."""
        return super().diff() + "".join(change.diff() for change in self.older)

    def require_one_name(self) -> None:
        """Raise `MetadataError` if a file has several names that the change would part."""
        super().require_one_name()
        for change in self.older:
            change.require_one_name()

    def apply(self) -> None:
        """Make the changes; each is wholly made or not at all, and the tags are never in no file.

        Raises `MetadataError` as `Change.apply` does.
        """
        super().apply()
        for change in self.older:
            change.apply()


def plan_sidecar(photo: Path, marks: Marks, listings: Listings | None = None) -> Change:
    """Return the change that writes `marks` to the sidecar of `photo`.

    Raises `MetadataError` if the sidecar cannot be read or written, or the marks could not be taken
    out again without a trace.
    """
    listings = listings or Listings()
    sidecars = _all_sidecars(photo, listings)
    path = _sidecar_to_write(photo, sidecars, listings)
    before = _read(path) if path in sidecars else None
    others = [sidecar for sidecar in sidecars if sidecar != path]
    # Its own record too says which of the keywords elsewhere are copies of ours.
    after = mark(before, marks, read_keywords(photo, sidecars).keywords, str(path))
    change = SidecarChange(path, before, after, tuple(_without_marks(others)))
    change.require_one_name()
    return change


def _without_marks(sidecars: Sequence[Path]) -> Iterator[Change]:
    """Yield the changes that take our marks out of sidecars; raise as `plan_sidecar` does."""
    for path in sidecars:
        try:
            data = path.read_bytes()
        except OSError as reason:
            raise MetadataError(f"{path} cannot be read: {reason.strerror}") from None
        change = Change(path, data, unmark(data, str(path)) if has_marks(data) else data)
        if change.is_needed:
            yield change


def _read(sidecar: Path) -> bytes:
    return read_file(sidecar, MAX_PACKET_BYTES, MetadataError)


def _sidecar_to_write(photo: Path, sidecars: list[Path], listings: Listings) -> Path:
    own = [path for path in sidecars if _split(path.name)[0] == photo.name]
    if not _is_photo(photo.name) and (owners := listings.others(photo, photo.name)):
        raise MetadataError(
            f"{photo} cannot have a sidecar: {photo.name}.xmp is that of {owners[0]}; give the "
            "photo's name an ending"
        )
    if own or not sidecars or _may_share(photo, listings):
        return own[0] if own else _new_sidecar(photo)
    return sidecars[0]


def _may_share(photo: Path, listings: Listings) -> bool:
    """Whether another photo may have the same name with another ending."""
    others = listings.others(photo, _split(photo.name)[0])
    return bool(others) or not listings.is_known(photo.parent)


def _new_sidecar(photo: Path) -> Path:
    path = photo.parent / f"{photo.name}.xmp"
    try:
        path.lstat()
    except OSError as reason:
        if reason.errno == errno.ENAMETOOLONG:
            raise MetadataError(
                f"{photo} has so long a name that its sidecar's, with .xmp behind it, does not fit "
                "on this disk; give the photo a shorter name"
            ) from None
    return path
