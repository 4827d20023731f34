"""Find the photos that a command is given: named files, and files in folders by their suffixes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmcgan.errors import DataError
from mmcgan.folders.system_folders import LEFT_OUT as OF_SYSTEM
from mmcgan.folders.system_folders import is_of_system
from mmcgan.inference.photos.formats.extra_formats import EXTRAS
from mmcgan.inference.photos.formats.kinds import BUILT_IN, NOT_READ
from mmcgan.metadata.sidecar import sidecar_names

Failures = list[tuple[str, str]]  # path of what cannot be looked at, and the error, one line
_FOLDER, _FILE, _PASSED_OVER = "folder", "file", ""


@dataclass(frozen=True)
class Found:
    """Photos in a stable order, as the command spells them, and the counts of left-out files.

    `failed` are the files and folders that could not be looked at, each with its error.
    """

    photos: tuple[str, ...]
    left_out: Counter[str] = field(default_factory=Counter)
    failed: tuple[tuple[str, str], ...] = ()


def find_photos(paths: Sequence[str], with_lost: bool = False) -> Found:
    """Return the files among `paths`, whatever they are, and all photos in the folders among them.

    `with_lost` adds photos that are no longer in a folder but left a sidecar there, so that our
    tags can be taken out of it. Raises `DataError` if nothing is found.
    """
    folders = [path for path in paths if is_folder(path)]
    others = set(paths) - set(folders)
    named = [path for path in paths if path in others]
    left_out: Counter[str] = Counter()
    failed: Failures = []
    walked: set[str] = set()
    for folder in folders:
        files = list(visible_files(Path(folder), left_out, failed))
        photos = photos_in(files, left_out)
        walked.update(map(str, [*photos, *(_lost(files, photos) if with_lost else ())]))
    if not (named or walked or failed):
        raise DataError(no_photo_in(", ".join(paths), left_out))
    return Found((*named, *sorted(walked - set(named))), +left_out, tuple(sorted(set(failed))))


def is_folder(path: str | Path) -> bool:
    """Whether `path` is a folder; False for what cannot be looked at."""
    return os.path.isdir(path)  # noqa: PTH112 - of pathlib, the answer may be an error


def _lost(files: Iterable[Path], photos: Iterable[Path]) -> list[Path]:
    """Return the paths of missing photos: sidecars among `files` that belong to no photo there."""
    known = {sidecar for photo in photos for sidecar in sidecar_names(photo)}
    sidecars = (path for path in files if path.suffix.lower() == ".xmp")
    return [path.with_suffix("") for path in sidecars if path not in known]


def photos_in(files: Iterable[Path], left_out: Counter[str]) -> list[Path]:
    """Return the photos among `files`, sorted; count in `left_out` those that cannot be read.

    These are kinds that take a package which is not installed, and kinds that are never read.
    """
    readable = _suffixes()
    missing = {suffix: e.needed for e in EXTRAS if not e.is_installed for suffix in e.suffixes}
    unreadable = {**NOT_READ, **missing}
    photos = []
    for path in files:
        suffix = path.suffix.lower()
        if suffix in readable:
            photos.append(path)
        elif suffix in unreadable:
            left_out[unreadable[suffix]] += 1
    return sorted(photos)


def no_photo_in(folder: str, left_out: Counter[str]) -> str:
    """Return the message that there is no photo under `folder`."""
    but = "".join(f"; left out: {n} {reason}" for reason, n in left_out.items())
    known = " ".join(sorted(_suffixes()))
    return f"no photo under {folder}; a photo's name ends in one of {known}{but}"


def _suffixes() -> frozenset[str]:
    return BUILT_IN.union(*(extra.suffixes for extra in EXTRAS if extra.is_installed))


def visible_files(root: Path, left_out: Counter[str], failed: Failures) -> Iterator[Path]:
    """Yield the visible regular files under `root`; count in `left_out` what is skipped.

    Hidden files are passed over, and folders of the system skipped. So are links that lead out of
    `root`, and linked folders are not entered, so that no link leads in circles. What cannot be
    looked at is added to `failed`, and all else is yielded.
    """
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        for entry in _entries(folder, failed):
            path = folder / entry.name
            try:
                kind = _kind(entry, folder, root)
            except OSError as reason:
                failed.append(_failure(path, reason))
                continue
            if kind == _FOLDER:
                waiting.append(path)
            elif kind == _FILE:
                yield path
            elif kind != _PASSED_OVER:
                left_out[kind] += 1


def _entries(folder: Path, failed: Failures) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder, as far as it can be listed."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as reason:
        failed.append(_failure(folder, reason))


def _failure(path: Path, reason: OSError) -> tuple[str, str]:
    return str(path), f"{path} cannot be read: {reason.strerror or reason}"


def _kind(entry: os.DirEntry[str], folder: Path, root: Path) -> str:
    """Return `_FOLDER`, `_FILE` or `_PASSED_OVER`, or why an entry of `folder` is left out.

    Raises `OSError` if it cannot be looked at.
    """
    is_hidden = entry.name.startswith(".")
    if is_hidden and not is_of_system(folder.name, entry.name):
        return _PASSED_OVER
    is_link = entry.is_symlink() or getattr(entry, "is_junction", bool)()  # since Python 3.12
    if entry.is_dir(follow_symlinks=False) and not is_link:
        return OF_SYSTEM if is_of_system(folder.name, entry.name) else _FOLDER
    if is_hidden:
        return _PASSED_OVER
    if is_link and not _lies_within(folder / entry.name, root):
        return "links that lead outside the folder"
    if not entry.is_file():
        return _PASSED_OVER if entry.is_dir() or not is_link else "links that lead nowhere"
    return _FILE if _is_utf8(folder / entry.name) else "files whose path is not UTF-8"


def _lies_within(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
