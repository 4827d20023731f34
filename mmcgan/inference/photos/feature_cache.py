"""Features of photos, kept in the user's cache folder by the hash of their encoded pixels.

Metadata of a JPEG or PNG are not hashed, except the orientation: a photo that was moved, renamed or
given keywords is neither decoded nor computed again. Other formats are hashed as whole files.

The cache is one SQLite file of at most about its limit: DEFAULT_BYTES, or what was last asked for,
which the file itself remembers. What another VERSION kept is dropped at once, features of a
backbone that nobody has used for UNUSED_DAYS when the cache is opened. Where it grows too large,
those go first that another network or pooling of the same name made, then the oldest. Features are
kept in half precision, in which backbones give them.

The cache may be deleted at any time. A broken one is deleted, and whatever else is wrong with it,
features are computed as if there were none.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
import threading
import time
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

DEFAULT_BYTES = 2**30  # about 125,000 photos with 4,000 features
KEEP_SHARE = 0.9  # of the limit, when the oldest go
UNUSED_DAYS = 90
BUSY_SECONDS = 5.0  # to wait for another process
VERSION = 2  # of the way from photo to features; raise it when the same photo gives other features

_BEGIN_ANEW = (
    "DROP TABLE IF EXISTS features",
    "DROP TABLE IF EXISTS backbones",
    "CREATE TABLE features (place INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB UNIQUE, "
    "backbone BLOB, value BLOB)",
    "CREATE INDEX features_of_backbone ON features (backbone)",
    "CREATE TABLE backbones (backbone BLOB PRIMARY KEY, name TEXT, kind TEXT, used_at REAL)",
    "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    f"PRAGMA user_version = {VERSION}",
)
_USE = "INSERT OR REPLACE INTO backbones VALUES (?, ?, ?, ?)"
_DROP_UNUSED = (
    "DELETE FROM features WHERE backbone IN (SELECT backbone FROM backbones WHERE used_at < ?)",
    "DELETE FROM backbones WHERE used_at < ?",
)
_DROP_REPLACED = (
    "DELETE FROM features WHERE backbone IS NULL OR backbone IN "
    "(SELECT backbone FROM backbones WHERE name = ? AND kind != ?)"
)
_DROP_OLDEST = (
    "DELETE FROM features WHERE place <= (SELECT place FROM features ORDER BY place LIMIT 1 "
    "OFFSET (SELECT CAST((COUNT(*) - 1) * ? AS INTEGER) FROM features))"
)
_USED_BYTES = (
    "SELECT (page_count - freelist_count) * page_size "
    "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)
_LIMIT = "SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'limit'"
_SET_LIMIT = "INSERT OR REPLACE INTO settings VALUES ('limit', ?)"


def cache_path() -> Path:
    """Return the file of the cache."""
    return user_cache("features.sqlite")


class FeatureCache:
    """The features that one backbone made; safe to use from several threads and processes."""

    def __init__(
        self, backbone: Mapping[str, Any], path: Path | None = None, limit: int | None = None
    ):
        """Open the cache for a backbone's record, at `path` or in the user's cache folder.

        `limit` is the most bytes that it may take from now on, for later calls too.
        """
        facts = json.dumps({**backbone, "cache": VERSION}, sort_keys=True)
        self._prefix = hashlib.sha256(facts.encode()).digest()
        self._name = str(backbone.get("name"))
        made_by = [backbone.get(name) for name in ("weights_sha256", "pooling", "feature_size")]
        self._kind = json.dumps(made_by, sort_keys=True)
        self._size = int(backbone["feature_size"])
        self._path = path or cache_path()
        self._lock = threading.Lock()
        self._database = self._open()
        self._begin(limit)

    def _begin(self, limit: int | None) -> None:
        """Note that the backbone is used, drop those that are not, and set the limit."""
        now = time.time()
        self._run(_USE, (self._prefix, self._name, self._kind, now))
        for statement in _DROP_UNUSED:
            self._run(statement, (now - UNUSED_DAYS * 24 * 3600,))
        if limit is not None:
            self._run(_SET_LIMIT, (limit,))
            self._drop_what_is_too_much()
            self._run("VACUUM")  # what is free goes back to the disk

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
        if not isinstance(value, bytes) or len(value) != 4 + 2 * self._size:
            return None
        if struct.pack("<I", zlib.crc32(value[4:])) != value[:4]:
            return None
        return np.frombuffer(value[4:], "<f2").astype(np.float32)

    def put(self, found: Mapping[bytes, FloatArray]) -> None:
        """Keep features (D,) by their keys, rounded to half precision.

        Those that are not finite then are left out.
        """
        rows = []
        for key, features in found.items():
            with np.errstate(over="ignore"):
                halved = features.astype("<f2")
            if np.isfinite(halved).all():
                data = halved.tobytes()
                rows.append((key, self._prefix, struct.pack("<I", zlib.crc32(data)) + data))
        if rows:
            statement = "INSERT OR REPLACE INTO features (key, backbone, value) VALUES (?, ?, ?)"
            self._run(statement, *rows)
            self._drop_what_is_too_much()

    def _drop_what_is_too_much(self) -> None:
        ((limit,),) = self._run(_LIMIT) or [(DEFAULT_BYTES,)]
        if self._used_bytes() > limit:
            self._run(_DROP_REPLACED, (self._name, self._kind))
        if (n_bytes := self._used_bytes()) > limit:
            self._run(_DROP_OLDEST, (1 - KEEP_SHARE * limit / n_bytes,))

    def _used_bytes(self) -> int:
        ((n_bytes,),) = self._run(_USED_BYTES) or [(0,)]
        return int(n_bytes)

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
                _begin_version(database)
                return database
            except (OSError, sqlite3.OperationalError):  # no folder, or locked by another process
                return None
            except sqlite3.DatabaseError:  # not a database: begin anew, once
                self._path.unlink(missing_ok=True)
        return None


def _begin_version(database: sqlite3.Connection) -> None:
    """Drop what another version has kept."""
    if _version_of(database) == VERSION:
        return
    with database:
        database.execute("BEGIN IMMEDIATE")
        if _version_of(database) != VERSION:  # unless another process was faster
            for statement in _BEGIN_ANEW:
                database.execute(statement)
    with suppress(sqlite3.OperationalError):  # another process reads: the room is used again
        database.execute("VACUUM")


def _version_of(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])
