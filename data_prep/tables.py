"""Tables of tags: text with the columns `file` and `tags`, perhaps `not`, as spreadsheets write it.

Commas, semicolons or tabs are between the cells, as the header has them. A file is named by its
path from the folder of the table, in any spelling that a person would take for it.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

from data_prep.text import decode_text, is_binary
from mmcgan.errors import DataError

TABLE_NAME = "tags.csv"
MAX_TABLE_BYTES = 256 * 2**20

_FILE, _TAGS, _DENIED = "file", "tags", "not"
_SEPARATORS = ",;\t"
_DECLARED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # the first line, for a spreadsheet


def is_table(path: Path) -> bool:
    """Whether a file is named as a table of tags."""
    return path.name.lower() == TABLE_NAME or path.name.lower().endswith(f".{TABLE_NAME}")


def read_table(data: bytes, name: str, dropped: Counter[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the file, the tags and the wrong tags of each row of the table `name`.

    Cells beyond the last column are tags too: they come from tags written without quotes. Raises
    `DataError` if the table lacks the column file or tags, or is no text.
    """
    if is_binary(data):
        raise DataError(f"{name} is a binary file; it must be text with the columns file, tags")
    lines = io.StringIO(decode_text(data, dropped), newline="")
    columns, separator = _read_header(lines)
    if not {_FILE, _TAGS} <= set(columns):
        raise DataError(f"{name} has the columns {columns}; it must have file and tags")
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        for row in filter(any, rows):
            cells = dict(zip_longest(columns, row[: len(columns)], fillvalue=""))
            tags = ",".join([cells[_TAGS], *row[len(columns) :]])
            yield cells[_FILE], tags, cells.get(_DENIED, "")
    except csv.Error as reason:
        raise DataError(f"{name}, line {rows.line_num + 1}: {reason}") from None


def _read_header(lines: Iterable[str]) -> tuple[list[str], str]:
    """Return the columns, and the separator with which they are `file`, `tags` and others."""
    # Of its blanks, a tab is between cells: the first may have no name.
    waiting = (line.rstrip("\r\n") for line in lines if line.strip())
    first = next(waiting, "")
    declared = _DECLARED.fullmatch(first)
    header = next(waiting, "") if declared else first
    separators = declared[1] if declared else _SEPARATORS
    found = [(_columns(header, separator), separator) for separator in separators]
    fitting = (pair for pair in found if {_FILE, _TAGS} <= set(pair[0]))
    return next(fitting, found[0])


def _columns(header: str, separator: str) -> list[str]:
    cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
    return [cell.strip().lower() for cell in cells]


class PhotoNames:
    """Finds photos by what tables call them."""

    def __init__(self, photos: Iterable[Path]):
        self._photos = frozenset(photos)
        self._composed = {_composed(path): path for path in self._photos}

    def find(self, folder: Path, file: str) -> Path | None:
        """Return the photo that a table in `folder` names; None if it is none of the photos.

        Where no photo has the very name, blanks around it do not count, the two forms of Unicode
        are the same, and a backslash may stand between folders, as on Windows.
        """
        for spelling in (file, file.strip(), file.strip().replace("\\", "/")):
            path = Path(os.path.normpath(folder / spelling))
            if path in self._photos:
                return path
            if found := self._composed.get(_composed(path)):
                return found
        return None


def _composed(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path))
