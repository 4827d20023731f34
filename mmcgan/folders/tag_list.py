"""A table (CSV) of tagged photos, to which each call adds rows; photos in it are done.

    path     the photo, as the command line named it
    tags     its tags, best first, with ", " between
    scores   their scores, in the same way
    model    the model and options, the same in all rows (`tagging_name` of
             `mmcgan.folders.photo_library`)

`prepare` does not mistake it for a table of what people wrote, which has other columns.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from mmcgan.errors import DataError, OptionError
from mmcgan.files import read_file, write_text
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
        if not path.exists():
            write_text(path, _line(COLUMNS))
        self._photos = self._read()

    def has(self, photo: str) -> bool:
        """Whether the photo is in the table."""
        return photo in self._photos

    def put(self, photo: str, tags: Sequence[Tag]) -> None:
        """Add a photo, unless it is there."""
        if self.has(photo):
            return
        words = ", ".join(printed(tag.word) for tag in tags)
        scores = ", ".join(f"{tag.score:.3f}" for tag in tags)
        with self.path.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(_line((photo, words, scores, self.model)))
        self._photos.add(photo)

    def _read(self) -> set[str]:
        text = read_file(self.path, MAX_BYTES).decode("utf-8", "surrogateescape")
        lines = list(io.StringIO(text, newline=""))
        rows = csv.reader(lines)
        photos, n_whole = set(), 0
        try:
            if next(rows, None) != list(COLUMNS):
                raise DataError(
                    f"{self.path} is another kind of file: a table of tags has the columns "
                    f"{', '.join(COLUMNS)}; name a new file with --csv"
                )
            for row in rows:
                if len(row) != len(COLUMNS) or not lines[rows.line_num - 1].endswith("\n"):
                    break
                self._check_model(row[-1])
                photos.add(row[0])
                n_whole = rows.line_num
        except csv.Error as reason:
            raise DataError(f"{self.path}, line {rows.line_num}: {reason}") from None
        whole = "".join(lines[: max(n_whole, 1)]).encode("utf-8", "surrogateescape")
        if len(whole) < self.path.stat().st_size:
            os.truncate(self.path, len(whole))
        return photos

    def _check_model(self, found: str) -> None:
        if found != self.model:
            raise OptionError(
                f"--csv: {self.path} holds tags of another model or of other options ({found}, "
                f"this call is {self.model}); name another file, or delete that one"
            )


def _line(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
