"""Files out of folders and zip archives, neither of which is trusted.

A `Source` lists names and reads one file at a time, so that a reader need not know whether the
files were unpacked. An archive is never unpacked: its members are read into memory, within a
limit that what its headers claim cannot move.
"""

from __future__ import annotations

import os
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmcgan.errors import DataError, MmcganError
from mmcgan.files import read_file, within
from mmcgan.inference.photos.images import MAX_IMAGE_BYTES

MAX_TEXT_BYTES = 16 * 2**20
MAX_RATIO = 200  # photos shrink by a few per cent and text tenfold; only a bomb by more
RATIO_FREE_BYTES = 2**20  # a small file of blanks may well shrink by more

# Deflate can be stopped after so many bytes; the module zipfile cannot stop bzip2 and LZMA.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)


class Source(Protocol):
    """Files by name; names are POSIX paths within the source, and nothing is written by them."""

    path: Path

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""

    def read(self, name: str, limit: int, error: type[MmcganError] = DataError) -> bytes:
        """Return a file of at most `limit` bytes; raise `error` if that cannot be done."""


@dataclass(frozen=True)
class Member:
    """One file of a source."""

    source: Source
    name: str

    @property
    def label(self) -> str:
        """The name that messages call the file by."""
        return f"{self.source.path}/{self.name}"

    def read(self, limit: int, error: type[MmcganError] = DataError) -> bytes:
        """Return the file, of at most `limit` bytes; raise `error` if that cannot be done."""
        return self.source.read(self.name, limit, error)


class FolderSource:
    """The visible files under a folder, down to `depth` folders below it."""

    def __init__(self, path: Path, depth: int, skip: frozenset[str] = frozenset()):
        """List `path`; folders named in `skip` are not looked into."""
        self.path = path
        self._names = sorted(_walk(path, depth, skip))

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        return self._names

    def read(self, name: str, limit: int, error: type[MmcganError] = DataError) -> bytes:
        """Return a file of at most `limit` bytes; raise `error` if that cannot be done."""
        return read_file(self.path / name, limit, error)


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
                f"{path} is not a whole zip archive ({_line(reason)}); it may be truncated: "
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
            raise error(f"{self.path}/{name} cannot be unpacked: {_line(reason)}") from None
        return within(data, limit, f"{self.path}/{name}", error)

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()


def find_sources(root: Path, depth: int, skip: frozenset[str] = frozenset()) -> list[Source]:
    """Return the zip archives in `root` and the folders directly below it, then `root` itself.

    Archives come first because they carry checksums. Raises `DataError` if `root` is no folder.
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "missing"
        raise DataError(f"--root {root} is {found}; it must be a folder")
    folder = FolderSource(root, depth, skip)
    archives = [n for n in folder.names() if n.lower().endswith(".zip") and n.count("/") <= 1]
    return [*(ZipSource(root / name) for name in archives), folder]


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


def _line(reason: BaseException) -> str:
    """Return the reason on one line; some exceptions have no text of their own."""
    return " ".join(str(reason).split()) or type(reason).__name__
