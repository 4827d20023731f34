"""A table (CSV) of tagged photos, to which each call adds rows; photos in it are done.

    path     the photo, as the command line named it
    tags     its tags, best first, with ", " between
    scores   their scores, in the same way
    model    the model and options, the same in all rows (`tagging_name` of
             `mmcgan.folders.photo_library`)

Parallel calls may add to the same table: each takes note of the rows of the others before it adds
one. `prepare` does not mistake it for a table of what people wrote, which has other columns.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mmcgan.errors import DataError, OptionError
from mmcgan.files import locked, within, write_text
from mmcgan.inference.tagger import Tag
from mmcgan.inference.words.vocabulary import printed

COLUMNS = ("path", "tags", "scores", "model")
MAX_BYTES = 2**30


class TagList:
    """The table at `path` of photos that `model` tagged."""

    def __init__(self, path: Path, model: str):
        """Read the table or start it; a last row that was cut short is dropped.

        Raises `DataError` if the file is another kind of table, `OptionError` if its tags are by
        another model or with other options.
        """
        self.path, self.model = path, model
        self._photos: set[str] = set()
        self._size = 0  # bytes of the rows that are known
        with locked(path):
            if not path.exists():
                write_text(path, _line(COLUMNS))
            self._read_on()

    def has(self, photo: str) -> bool:
        """Whether the photo is in the table."""
        return photo in self._photos

    def put(self, photo: str, tags: Sequence[Tag]) -> None:
        """Add a photo, unless it is there; raise `DataError` if the table cannot be written."""
        words = ", ".join(printed(tag.word) for tag in tags)
        scores = ", ".join(f"{tag.score:.3f}" for tag in tags)
        row = _line((photo, words, scores, self.model)).encode("utf-8", "surrogateescape")
        with locked(self.path):
            self._read_on()
            if not self.has(photo):
                self._append(row)
                self._photos.add(photo)

    def _append(self, row: bytes) -> None:
        try:
            with self.path.open("ab") as file:
                file.write(row)
        except OSError as reason:
            with suppress(OSError):  # half a row is none
                os.truncate(self.path, self._size)
            raise DataError(f"{self.path} cannot be written: {reason.strerror}") from None
        self._size += len(row)

    def _read_on(self) -> None:
        """Take note of the rows that are new in the file; drop a last one that was cut short."""
        text = self._read_new().decode("utf-8", "surrogateescape")
        n_whole = 0  # characters
        try:
            for row, source in _rows(text):
                if not self._size + n_whole:
                    self._check_columns(row)
                elif n_whole + len(source) == len(text) and self._is_cut(source):
                    break
                elif row:
                    self._learn(row, source)
                n_whole += len(source)
        except csv.Error as reason:
            raise DataError(f"{self.path} is no table of tags: {reason}") from None
        if not self._size + n_whole:
            self._check_columns([])  # the file is empty
        self._size += len(text[:n_whole].encode("utf-8", "surrogateescape"))
        if n_whole < len(text):
            os.truncate(self.path, self._size)

    def _read_new(self) -> bytes:
        """Return what was added to the file, or all of it if it was written anew."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._size:
                    self._photos, self._size = set(), 0
                file.seek(self._size)
                return within(file.read(MAX_BYTES + 1), MAX_BYTES, str(self.path), DataError)
        except OSError as reason:
            raise DataError(f"{self.path} cannot be read: {reason.strerror}") from None

    def _is_cut(self, last_row: str) -> bool:
        """Whether a writer was stopped in the last row; what a person changed is not such a row."""
        is_open = not last_row.endswith("\n") or last_row.count('"') % 2 == 1
        return is_open and _line(("", self.model)) not in last_row

    def _check_columns(self, row: list[str]) -> None:
        if row != list(COLUMNS):
            raise DataError(
                f"{self.path} is another kind of file: a table of tags has the columns "
                f"{', '.join(COLUMNS)}; name a new file with --csv"
            )

    def _learn(self, row: list[str], source: str) -> None:
        """Take note of a photo; raise `DataError` or `OptionError` if its row cannot be here."""
        if len(row) != len(COLUMNS) or not source.endswith("\n"):
            raise DataError(
                f"{self.path} has a row that is not as mmcgan wrote it: {source.strip()[:80]}; "
                "mend it, or name a new file with --csv"
            )
        if row[-1] != self.model:
            raise OptionError(
                f"--csv: {self.path} holds tags of another model or of other options ({row[-1]}, "
                f"this call is {self.model}); name another file, or delete that one"
            )
        self._photos.add(row[0])


def _rows(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield each row of a table, and the text that it was read from."""
    lines = list(io.StringIO(text, newline=""))
    rows, start = csv.reader(lines), 0
    for row in rows:
        yield row, "".join(lines[start : rows.line_num])
        start = rows.line_num


def _line(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if "\r" in "".join(cells):  # of the ends of lines, it quotes by itself only its own
        writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(cells)
    return buffer.getvalue()
