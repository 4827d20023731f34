"""Find the photos that a command is given: named files, and files in folders by their suffixes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmcgan.errors import DataError
from mmcgan.inference.photos.extra_formats import EXTRAS
from mmcgan.inference.photos.kinds import BUILT_IN
from mmcgan.metadata.sidecar import sidecar_names


@dataclass(frozen=True)
class Found:
    """Photos in a stable order, as the command spells them, and the counts of left-out files."""

    photos: tuple[str, ...]
    left_out: Counter[str] = field(default_factory=Counter)


def find_photos(paths: Sequence[str], with_lost: bool = False) -> Found:
    """Return the files among `paths`, whatever they are, and all photos in the folders among them.

    `with_lost` adds photos that are no longer in a folder but left a sidecar there, so that our
    tags can be taken out of it. Raises `DataError` if nothing is found.
    """
    named = [path for path in paths if not Path(path).is_dir()]
    left_out: Counter[str] = Counter()
    walked: set[str] = set()
    for folder in (path for path in paths if Path(path).is_dir()):
        files = list(visible_files(Path(folder), left_out))
        photos = photos_in(files, left_out)
        walked.update(map(str, [*photos, *(_lost(files, photos) if with_lost else ())]))
    if not (named or walked):
        raise DataError(no_photo_in(", ".join(paths), left_out))
    return Found((*named, *sorted(walked - set(named))), +left_out)


def _lost(files: Iterable[Path], photos: Iterable[Path]) -> list[Path]:
    """Return the paths of missing photos: sidecars among `files` that belong to no photo there."""
    known = {sidecar for photo in photos for sidecar in sidecar_names(photo)}
    sidecars = (path for path in files if path.suffix.lower() == ".xmp")
    return [path.with_suffix("") for path in sidecars if path not in known]


def photos_in(files: Iterable[Path], left_out: Counter[str]) -> list[Path]:
    """Return the photos among `files`, sorted; count in `left_out` those that need a package."""
    readable = _suffixes()
    missing = {suffix: e.needed for e in EXTRAS if not e.is_installed for suffix in e.suffixes}
    photos = []
    for path in files:
        suffix = path.suffix.lower()
        if suffix in readable:
            photos.append(path)
        elif suffix in missing:
            left_out[missing[suffix]] += 1
    return sorted(photos)


def no_photo_in(folder: str, left_out: Counter[str]) -> str:
    """Return the message that there is no photo under `folder`."""
    but = "".join(f"; left out: {n} {reason}" for reason, n in left_out.items())
    known = " ".join(sorted(_suffixes()))
    return f"no photo under {folder}; a photo's name ends in one of {known}{but}"


def _suffixes() -> frozenset[str]:
    return BUILT_IN.union(*(extra.suffixes for extra in EXTRAS if extra.is_installed))


def visible_files(root: Path, left_out: Counter[str]) -> Iterator[Path]:
    """Yield the visible regular files under `root`; count in `left_out` what is skipped.

    Links that lead out of `root` are skipped, and linked folders are not entered, so that no link
    leads in circles.
    """

    def unreadable(reason: OSError) -> None:
        left_out["folders that cannot be read"] += 1

    for folder, folders, names in os.walk(root, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            if path.is_symlink() and not _lies_within(path, root):
                left_out["links that lead outside the folder"] += 1
            elif not _is_utf8(path):
                left_out["files whose path is not UTF-8"] += 1
            elif path.is_file():
                yield path


def _lies_within(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
