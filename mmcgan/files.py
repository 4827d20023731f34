"""Files that appear under their final name only when they are whole, and are read within limits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from mmcgan.errors import DataError, MmcganError


def user_cache(part: str) -> Path:
    """Return the file or folder of a part of what is kept for the user; it can be deleted."""
    return user_cache_path("mmcgan", appauthor=False) / part


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; give it the final name when the block ends well.

    If the block raises, the temporary file is removed and `path` is as it was.
    """
    partial = partial_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say what it had no room for
        raise


def partial_path(path: Path) -> Path:
    """Return the temporary name under which `path` is written."""
    return path.with_name(path.name + ".partial")


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all. NaN is refused (`ValueError`)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, error: type[MmcganError]) -> Any:
    """Read a JSON file; `error` is raised with one line if it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{path} is missing") from None
    except (OSError, ValueError) as reason:
        raise error(f"{path} cannot be read as JSON: {reason}") from None


def read_file(path: Path, limit: int, error: type[MmcganError] = DataError) -> bytes:
    """Return a file of at most `limit` bytes; raise `error` if that cannot be done."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as reason:
        raise error(f"{path} cannot be read: {reason.strerror}") from None
    return within(data, limit, str(path), error)


def within(data: bytes, limit: int, label: str, error: type[MmcganError]) -> bytes:
    """Return `data`, read with one byte beyond `limit` to spare; raise `error` if it is longer."""
    if len(data) > limit:
        raise error(f"{label} holds more than {limit / 2**20:g} MiB, the most that is read")
    return data
