"""A file system of which some entries cannot be looked at."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Entry:
    """An entry of a folder that cannot be looked at: each question fails as its file does."""

    def __init__(self, entry: os.DirEntry[str], number: int):
        self.name, self.path, self._number = entry.name, entry.path, number

    def _fail(self, **_: Any) -> bool:
        raise OSError(self._number, os.strerror(self._number), self.path)

    is_dir = is_file = is_symlink = is_junction = stat = _fail


def fail_at(patch: pytest.MonkeyPatch, listing: dict[Path, int], entries: dict[Path, int]) -> None:
    """Let the folders of `listing` fail when they are listed, and `entries` when looked at.

    Each fails with the error of its number. A folder of `listing` gives its first entry before.
    """
    scandir = os.scandir

    @contextmanager
    def failing(folder: Any = ".") -> Iterator[Iterable[Any]]:
        with scandir(folder) as found:
            yield given(Path(folder), sorted(found, key=lambda entry: entry.name))

    def given(folder: Path, found: list[os.DirEntry[str]]) -> Iterator[Any]:
        for place, entry in enumerate(found):
            if place and folder in listing:
                break
            number = entries.get(Path(entry.path))
            yield entry if number is None else Entry(entry, number)
        if folder in listing:
            raise OSError(listing[folder], os.strerror(listing[folder]), str(folder))

    patch.setattr(os, "scandir", failing)


ERRORS = (errno.EACCES, errno.EIO, errno.ESTALE, errno.ENAMETOOLONG, errno.ELOOP)
