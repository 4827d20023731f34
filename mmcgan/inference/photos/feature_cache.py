"""Features of photos, kept in the user's cache folder by the hash of their encoded pixels.

Metadata of a JPEG or PNG are not hashed, except the orientation: a photo that was moved, renamed or
given keywords is neither decoded nor computed again. Other formats are hashed as whole files.

The cache is one SQLite file of at most about MAX_BYTES; the oldest features are dropped first. It
may be deleted at any time. A broken one is deleted, and whatever else is wrong with it, features
are computed as if there were none.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
import threading
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from mmcgan.arrays import FloatArray
from mmcgan.errors import PhotoError
from mmcgan.files import user_cache
from mmcgan.inference.photos.formats.segments import pixel_parts
from mmcgan.inference.photos.formats.view import View
from mmcgan.inference.photos.images import orientation_of

MAX_BYTES = 2**30
KEEP_SHARE = 0.9  # of MAX_BYTES, when the oldest go
BUSY_SECONDS = 5.0  # to wait for another process
VERSION = 1  # of the way from photo to features; raise it when the same photo gives other features

_CREATE = (
    "CREATE TABLE IF NOT EXISTS features "
    "(place INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB UNIQUE, value BLOB)"
)
_USED_BYTES = (
    "SELECT (page_count - freelist_count) * page_size "
    "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)
_DROP_SHARE = (
    "DELETE FROM features WHERE place <= "
    "(SELECT MIN(place) + (MAX(place) - MIN(place)) * ? FROM features)"
)


def cache_path() -> Path:
    """Return the file of the cache."""
    return user_cache("features.sqlite")


class FeatureCache:
    """The features that one backbone made; safe to use from several threads and processes."""

    def __init__(self, backbone: Mapping[str, Any], path: Path | None = None):
        """Open the cache for a backbone's record, at `path` or in the user's cache folder."""
        facts = json.dumps({**backbone, "cache": VERSION}, sort_keys=True)
        self._prefix = hashlib.sha256(facts.encode()).digest()
        self._size = int(backbone["feature_size"])
        self._path = path or cache_path()
        self._lock = threading.Lock()
        self._database = self._open()

    def key(self, data: bytes | IO[bytes], name: str | None = None) -> bytes:
        """Return the key of an encoded photo: a hash of its pixels, orientation and backbone.

        Of an open file no more than a piece is in memory. Raises `PhotoError`, and calls the photo
        `name`, where it cannot be read.
        """
        digest = hashlib.sha256(self._prefix)
        orientation = None
        with suppress(PhotoError):
            orientation = orientation_of(data)
        digest.update(repr(orientation).encode())
        try:
            for part in pixel_parts(data if isinstance(data, bytes) else View(data)):
                digest.update(part)
        except OSError as reason:
            raise PhotoError(f"{name} cannot be read: {reason.strerror or reason}") from None
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
        ((n_bytes,),) = self._run(_USED_BYTES) or [(0,)]
        if n_bytes > MAX_BYTES:
            self._run(_DROP_SHARE, (1 - KEEP_SHARE * MAX_BYTES / n_bytes,))

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
                database.execute(_CREATE)
                return database
            except (OSError, sqlite3.OperationalError):  # no folder, or locked by another process
                return None
            except sqlite3.DatabaseError:  # not a database: begin anew, once
                self._path.unlink(missing_ok=True)
        return None
