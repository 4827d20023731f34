"""Write files that get their final name only when they are whole, and read files within limits."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from mmcgan.errors import DataError, MmcganError


def user_cache(part: str) -> Path:
    """Return the path of a file or folder in the user's cache, which may be deleted at any time."""
    return user_cache_path("mmcgan", appauthor=False) / part


def is_file(path: Path) -> bool:
    """Whether `path` is a regular file; False for what cannot be looked at, for whatever reason."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


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


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` while the block runs; other threads and processes wait for it."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:2]
    folder = user_cache("locks")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{name}.lock"):
        yield


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, wholly or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, wholly or not at all; raise `ValueError` for NaN."""
    write_text(path, json_text(value, indent=2) + "\n")


def json_text(value: Any, encoding: str = "utf-8", indent: int | None = None) -> str:
    """Return `value` as JSON that can be written in an encoding; raise `ValueError` for NaN.

    JSON is UTF-8: in another encoding, or where a file's name is none, escapes take its place.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        encoding = "ascii"
    if codecs.lookup(encoding).name == "utf-8":
        return text
    return json.dumps(value, indent=indent, allow_nan=False)


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
