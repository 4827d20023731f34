"""Write files that get their final name only when they are whole, and read files within limits.

A file is written under a hidden name beside its own, which says for which file, on which machine
and by which process. So parallel writers never meet in one partial file, a name may be as long as
the disk allows, and what a killed process left behind is told from what is still being written.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import platform
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock
from platformdirs import user_cache_path

from mmcgan.errors import DataError, MmcganError

_PARTIAL = re.compile(r"\.mmcgan-[0-9a-f]{16}-([0-9a-f]{8})-([0-9a-f]+)-[0-9a-f]{8}\.partial")
_ABANDONED_SECONDS = 24 * 3600  # longer than clocks of two machines differ by a time zone
_PATIENCE_SECONDS = 60.0

_held = threading.local()  # the names of the locks that this thread holds


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

    If the block raises, the temporary file is removed and `path` stays as it was. Folders that are
    missing are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        yield partial


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """As `atomic_path`, and raise `OSError` if the folder of `path` is missing.

    A drive that was unplugged is so not taken for an empty folder to be made anew.
    """
    partial = _partial_path(path)
    _sweep(path.parent)
    try:
        partial.touch(exist_ok=False)
        yield partial
        with partial.open("rb" if os.name == "posix" else "rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):  # the first error says what happened
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(partial), partial):
            error.filename, error.filename2 = str(path), None  # what the caller wanted to write
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Have a new name in `folder` on the disk before going on, where the system lets us."""
    if os.name == "posix":
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def partial_prefix(path: Path) -> str:
    """Return what the names begin with under which `path` is written; never over 255 bytes."""
    return f".mmcgan-{_digest(path.name, 16)}-"


def _partial_path(path: Path) -> Path:
    process = f"{_machine()}-{os.getpid():x}-{secrets.token_hex(4)}"
    return path.with_name(f"{partial_prefix(path)}{process}.partial")


def is_leftover(path: Path) -> bool:
    """Whether `path` is a partial file that nobody writes any more.

    Its process has ended; where that cannot be known, as of another machine on a network drive,
    nobody has written to it for a day.
    """
    name = _PARTIAL.fullmatch(path.name)
    if name is None:
        return False
    try:
        is_old = time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
    except OSError:
        return False
    return is_old or (name[1] == _machine() and _has_ended(int(name[2], 16)))


def _has_ended(process: int) -> bool:
    if os.name != "posix":  # elsewhere the same call would end it
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # a living process of another user
        return False
    return False


@cache  # once for each folder: listing a large one for each of its files takes quadratic time
def _sweep(folder: Path) -> None:
    """Remove what killed writes left in `folder`."""
    with suppress(OSError), os.scandir(folder) as entries:
        for path in [Path(e.path) for e in entries if _PARTIAL.fullmatch(e.name)]:
            if is_leftover(path):
                path.unlink(missing_ok=True)


@cache
def _machine() -> str:
    """Return what tells this machine, or container, from others that may see the same files."""
    name = platform.node()
    with suppress(OSError):
        name += os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - no path, but an identity
    return _digest(name, 8)


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:length]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` while the block runs; other threads and processes of this user wait for it.

    A thread may lock the same path again in the block. Who waits for more than a minute, or on a
    system without locks, goes on: nothing relies on a lock to be safe, only to be undisturbed.
    """
    # Many paths share a lock, so that the number of lock files is bounded.
    name = _digest(os.path.realpath(path), 2)
    lock = None if name in vars(_held) else _acquired(name)
    if lock is None:
        yield
        return
    setattr(_held, name, True)
    try:
        yield
    finally:
        delattr(_held, name)
        with suppress(OSError):
            lock.release()


def _acquired(name: str) -> BaseFileLock | None:
    try:
        folder = user_cache("locks")
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", timeout=_PATIENCE_SECONDS)
        lock.acquire()
        return lock
    except (OSError, NotImplementedError, RuntimeError):  # a read-only home, or one without locks
        return None


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
