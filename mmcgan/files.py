"""Write files that get their final name only when they are whole, and read files within limits."""

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
    """Return the path of a file or folder in the user's cache, which may be deleted at any time."""
    return user_cache_path("mmcgan", appauthor=False) / part


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without error.

    If the block raises, the temporary file is removed and `path` stays as it was.
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
    """Write a UTF-8 text file, wholly or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, wholly or not at all; raise `ValueError` for NaN."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, error: type[MmcganError]) -> Any:
    """Read a JSON file; raise `error`, one line, if it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{path} is missing") from None
    except (OSError, ValueError) as reason:
        raise error(f"{path} cannot be read as JSON: {reason}") from None


def read_file(path: Path, limit: int, error: type[MmcganError] = DataError) -> bytes:
    """Return the bytes of a file, at most `limit`; raise `error` if it is longer or unreadable."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as reason:
        raise error(f"{path} cannot be read: {reason.strerror}") from None
    return within(data, limit, str(path), error)


def within(data: bytes, limit: int, label: str, error: type[MmcganError]) -> bytes:
    """Return `data` if it has at most `limit` bytes, or raise `error`.

    The caller reads one byte more than `limit`, so that a larger file is noticed.
    """
    if len(data) > limit:
        raise error(f"{label} holds more than {limit / 2**20:g} MiB, the most that is read")
    return data
