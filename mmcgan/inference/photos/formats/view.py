"""A part of a file of which only what is asked for is read."""

from __future__ import annotations

from io import BytesIO
from typing import IO


class View:
    """The bytes of `file` from `start` to `end`, read slice by slice, as those of bytes are."""

    def __init__(self, file: bytes | IO[bytes], start: int = 0, end: int | None = None):
        self._file = BytesIO(file) if isinstance(file, bytes) else file
        self._start = start
        self._size = (self._file.seek(0, 2) if end is None else end) - start

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: slice, /) -> bytes:
        start, end, _ = place.indices(self._size)
        self._file.seek(self._start + start)
        return self._file.read(max(0, end - start))

    def part(self, start: int, end: int) -> View:
        """Return what lies from `start` to `end`, or to the end of this view."""
        start, end, _ = slice(start, end).indices(self._size)
        return View(self._file, self._start + start, self._start + max(start, end))
