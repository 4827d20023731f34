"""Features of photos, kept in the user's cache folder by the hash of their encoded pixels.

In a JPEG or PNG, metadata are no part of the hash, but for the orientation: a photo that was
moved, renamed or given keywords is neither decoded nor computed again. Of other formats it is the
whole file that counts.

One SQLite file of at most about MAX_BYTES; the oldest features go first. It can be deleted at any
time, and is when it is broken; whatever is wrong with it, features are computed as without it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmcgan.errors import MetadataError, PhotoError
from mmcgan.files import user_cache
from mmcgan.inference.photos.images import orientation_of
from mmcgan.metadata.containers import JPEG_START, PNG_START, jpeg_segments, png_chunks

MAX_BYTES = 2**30
KEEP_SHARE = 0.9  # of MAX_BYTES, when the oldest go
BUSY_SECONDS = 5.0  # to wait for another process
VERSION = 1  # of what makes features of a photo; a new one when other features would come of it

_METADATA_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"})
FloatArray = npt.NDArray[np.float32]


def cache_path() -> Path:
    """Return the file of what is kept."""
    return user_cache("features.sqlite")


class FeatureCache:
    """The features that one backbone made; safe to use from several threads and processes."""

    def __init__(self, backbone: Mapping[str, Any], path: Path | None = None):
        """Open the cache for the features of a backbone's record, at `path` if not the usual."""
        facts = json.dumps({**backbone, "cache": VERSION}, sort_keys=True)
        self._prefix = hashlib.sha256(facts.encode()).digest()
        self._size = int(backbone["feature_size"])
        self._path = path or cache_path()
        self._lock = threading.Lock()
        self._database = self._open()

    def key(self, data: bytes) -> bytes:
        """Return what an encoded photo is kept under."""
        digest = hashlib.sha256(self._prefix)
        try:
            orientation = orientation_of(data)
        except PhotoError:
            orientation = None
        digest.update(repr(orientation).encode())
        for part in pixel_parts(data):
            digest.update(part)
        return digest.digest()

    def get(self, key: bytes) -> FloatArray | None:
        """Return features (D,), None where none are kept."""
        rows = self._run("SELECT value FROM features WHERE key = ?", (key,))
        value = rows[0][0] if rows else b""
        if not isinstance(value, bytes) or len(value) != 4 + 4 * self._size:
            return None
        if struct.pack("<I", zlib.crc32(value[4:])) != value[:4]:
            return None
        return np.frombuffer(value[4:], "<f4").astype(np.float32)

    def put(self, found: Mapping[bytes, FloatArray]) -> None:
        """Keep features (D,) by their keys; those that are not finite are left out."""
        rows = []
        for key, features in found.items():
            data = features.astype("<f4").tobytes()
            if np.isfinite(features).all():
                rows.append((key, struct.pack("<I", zlib.crc32(data)) + data))
        if rows:
            self._run("INSERT OR REPLACE INTO features (key, value) VALUES (?, ?)", *rows)
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        ((n_bytes,),) = self._run(
            "SELECT (page_count - freelist_count) * page_size "
            "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        ) or [(0,)]
        if n_bytes > MAX_BYTES:
            share = 1 - KEEP_SHARE * MAX_BYTES / n_bytes
            self._run(
                "DELETE FROM features WHERE place <= (SELECT MIN(place) + (MAX(place) - MIN(place))"
                " * ? FROM features)", (share,),
            )  # fmt: skip

    def _run(self, statement: str, *rows: tuple[Any, ...]) -> list[Any]:
        """Run a statement for each of `rows`, or once, in one transaction; [] if that fails."""
        with self._lock:
            if self._database is None:
                return []
            try:
                with self._database:
                    cursor = self._database.cursor()
                    for row in rows or [()]:
                        cursor.execute(statement, row)
                    return cursor.fetchall()
            except sqlite3.OperationalError:  # locked by another, a full disk: not this time
                return []
            except sqlite3.DatabaseError:
                self._database.close()
                self._path.unlink(missing_ok=True)
                self._database = self._open()
                return []

    def _open(self) -> sqlite3.Connection | None:
        for _ in range(2):
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                database = sqlite3.connect(self._path, BUSY_SECONDS, check_same_thread=False)
                database.execute(
                    "CREATE TABLE IF NOT EXISTS features "
                    "(place INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB UNIQUE, value BLOB)"
                )
                return database
            except sqlite3.OperationalError:
                return None
            except sqlite3.DatabaseError:  # it is none
                self._path.unlink(missing_ok=True)
            except OSError:
                return None
        return None


def pixel_parts(data: bytes) -> Iterator[bytes]:
    """Yield the parts of an encoded photo that its pixels depend on."""
    try:
        yield from list(_parts(data))
    except (MetadataError, struct.error, IndexError):  # broken, or not as expected
        yield data


def _parts(data: bytes) -> Iterator[bytes]:
    if data.startswith(JPEG_START):
        end = 2
        for start, end, marker in jpeg_segments(data, ""):
            is_metadata = 0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)
            if not is_metadata:  # E0 and EE say what the colours are
                yield data[start:end]
        yield data[end:]
    elif data.startswith(PNG_START):
        for start, end, kind in png_chunks(data):
            if kind not in _METADATA_CHUNKS:
                yield data[start:end]
    else:
        yield data
