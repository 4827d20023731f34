"""Files out of folders and zip archives, neither of which is trusted.

A `Member` reads one file, so that a reader need not know whether the files were unpacked. An
archive is never unpacked: its members are read into memory, within a limit that what its headers
claim cannot move.
"""

from __future__ import annotations

import os
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmcgan.errors import DataError, MmcganError, one_line
from mmcgan.files import read_file, within
from mmcgan.inference.photos.images import MAX_IMAGE_BYTES

MAX_TEXT_BYTES = 16 * 2**20
MAX_RATIO = 200  # photos shrink by a few per cent and text tenfold; only a bomb by more
RATIO_FREE_BYTES = 2**20  # a small file of blanks may well shrink by more

# Deflate can be stopped after so many bytes; the module zipfile cannot stop bzip2 and LZMA.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)


@dataclass(frozen=True)
class Member:
    """One file of a folder or an archive.

    `name` is its POSIX path there, `label` what messages call it. `read(limit, error)` returns the
    file, of at most `limit` bytes, and raises `error`, a `DataError` if none is given, if that
    cannot be done.
    """

    name: str
    label: str
    read: Callable[..., bytes]


class ZipSource:
    """The members of a zip archive, read from several threads if need be.

    The archive stays open as long as the source lives.
    """

    def __init__(self, path: Path):
        """Open `path` and check what it declares.

        Raises `DataError` if it is no whole zip archive, or holds a member that unpacks to far
        more than it takes.
        """
        self.path = path
        self._lock = threading.Lock()
        try:
            self._zip = zipfile.ZipFile(path)
        except (*_BROKEN, OSError) as reason:
            raise DataError(
                f"{path} is not a whole zip archive ({one_line(reason)}); it may be truncated: "
                "fetch it again"
            ) from None
        self._members = {i.filename: i for i in self._zip.infolist() if not i.is_dir()}
        for info in self._members.values():
            _check_member(path, info)

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return sorted(self._members)

    def read(self, name: str, limit: int, error: type[MmcganError] = DataError) -> bytes:
        """Return a member of at most `limit` bytes, its checksum verified; else raise `error`."""
        try:
            with self._lock, self._zip.open(self._members[name]) as member:
                data = member.read(limit + 1)
        except (*_BROKEN, OSError) as reason:
            raise error(f"{self.path}/{name} cannot be unpacked: {one_line(reason)}") from None
        return within(data, limit, f"{self.path}/{name}", error)

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()


def find_members(root: Path, depth: int, skip: frozenset[str]) -> list[Member]:
    """Return the files in zip archives and the visible files under `root`, by name in each.

    Archives in `root` and the folders directly below it come first because they carry checksums.
    Folders more than `depth` below `root`, or named in `skip`, are not looked into. Raises
    `DataError` if `root` is no folder.
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "missing"
        raise DataError(f"--root {root} is {found}; it must be a folder")
    names = sorted(_walk(root, depth, skip))
    members = []
    for path in (n for n in names if n.lower().endswith(".zip") and n.count("/") <= 1):
        archive = ZipSource(root / path)
        for name in archive.names():
            members.append(Member(name, f"{archive.path}/{name}", partial(archive.read, name)))
    return members + [Member(n, f"{root}/{n}", partial(read_file, root / n)) for n in names]


def _walk(path: Path, depth: int, skip: frozenset[str]) -> Iterator[str]:
    """Yield the visible files under `path` as POSIX paths relative to it."""
    for folder, folders, files in os.walk(path, followlinks=True):
        below = Path(folder).relative_to(path)
        if len(below.parts) >= depth:
            folders.clear()
        folders[:] = [f for f in folders if not f.startswith(".") and f not in skip]
        yield from ((below / file).as_posix() for file in files if not file.startswith("."))


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    if info.compress_type not in _METHODS:
        raise DataError(
            f"{path} is refused: its member {info.filename!r} is compressed by method "
            f"{info.compress_type}; only stored and deflated members are read"
        )
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > MAX_IMAGE_BYTES or (
        info.file_size > RATIO_FREE_BYTES and ratio > MAX_RATIO
    ):
        raise DataError(
            f"{path} is refused as a zip bomb: its member {info.filename!r} unpacks from "
            f"{info.compress_size} to {info.file_size} bytes; at most {MAX_IMAGE_BYTES} bytes "
            f"and {MAX_RATIO} times its size are allowed"
        )
