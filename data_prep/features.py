"""Bulk feature extraction: photos → features, resumable after any interruption.

Files in the work folder
    job.json        what is computed: backbone, number of photos, SHA-256 of their ids and names
    features.f16    raw float16 rows of D values, appended a batch at a time, in the order of the
                    photos; a row of NaN for a photo that cannot be read
    failures.jsonl  {"row", "name", "reason"} a line for each of those, written before its row
    readable.f16    the other rows, written at the end where there are failures
    r0of2/ …        the work folder of each rank, where several share the work
Killed at any moment, an extraction loses at most the batch that was being computed: what is on
disk is cut back to whole batches and goes on from there, to the same features bit for bit.
Ranks have shares of whole batches that follow each other, so that the joined features are those
of one process.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep.photos import Photo
from mmcgan.arrays import FloatArray, HalfArray, IntArray
from mmcgan.errors import DataError, PhotoError
from mmcgan.files import atomic_path, read_json, write_json, write_text
from mmcgan.inference.photos.backbone import Backbone
from mmcgan.inference.photos.decoding import Seen, compute_features, decode_ahead, look_at
from mmcgan.inference.photos.feature_cache import FeatureCache
from mmcgan.inference.photos.images import shorter_side
from mmcgan.training.prepared.feature_rows import chunks
from mmcgan.training.ranks import Ranks

DETAIL_SAMPLE = 200  # photos whose sizes are looked at


@dataclass(frozen=True)
class Extracted:
    """Features of the photos that could be read, and the photos that could not.

    `features` (N', D) float16, all finite, mapped from disk; `rows` (N',), their places among the
    photos; `failures` the name and the reason of each of the others.
    """

    features: HalfArray
    rows: IntArray
    failures: list[tuple[str, str]]


def find_detail(photos: Sequence[Photo], image_size: int) -> int | None:
    """Return the median shorter side of `photos`, None if it is not below `image_size`.

    An evenly spaced sample is looked at; photos of it that cannot be read are left out.
    """
    n_sampled = min(DETAIL_SAMPLE, len(photos))
    sample = [photos[i * len(photos) // n_sampled] for i in range(n_sampled)]
    sides = [side for photo in sample if (side := _shorter_side(photo)) is not None]
    median = int(np.median(sides)) if sides else image_size
    return median if median < image_size else None


def _shorter_side(photo: Photo) -> int | None:
    try:
        return shorter_side(photo.read(), photo.name)
    except (PhotoError, OSError):
        return None


@dataclass(frozen=True)
class Extractor:
    """Computes the features of photos by a backbone, a batch at a time.

    Photos are decoded in threads beside the backbone. A photo that cannot be read, or whose
    features are not finite, is a failure; at most the share `max_failed` of all photos may fail.
    What `cache` has is not computed.
    """

    backbone: Backbone
    batch_size: int
    max_failed: float
    cache: FeatureCache | None = None

    def extract(self, photos: Sequence[Photo], work_dir: Path) -> Extracted:
        """Compute the features of `photos`, or go on with what lies in `work_dir`.

        Raises `DataError` as soon as too many photos failed, or if `work_dir` holds another job;
        `OSError` if the disk is full. Either way, and after Ctrl-C, what is done is kept.
        """
        return self._complete(photos, work_dir, len(photos)).read()

    def extract_shared(
        self, photos: Sequence[Photo], work_dir: Path, ranks: Ranks
    ) -> Extracted | None:
        """Compute the features of `photos` together; the first rank gets all, the others None.

        Raises what `extract` raises, and `RankError` where a rank ended or has other photos.
        """
        if ranks.size == 1:
            return self.extract(photos, work_dir)
        ranks.agree([_describe_job(photos, self.backbone), self.batch_size], "photos")
        shares = split_in_batches(photos, self.batch_size, ranks.size)
        folders = [work_dir / f"r{rank}of{ranks.size}" for rank in range(ranks.size)]
        self._complete(shares[ranks.rank], folders[ranks.rank], len(photos))
        ranks.wait()
        if not ranks.is_first:
            return None
        self.join(dict(zip(folders, shares, strict=True)), work_dir)
        return self.extract(photos, work_dir)

    def join(self, shares: dict[Path, Sequence[Photo]], work_dir: Path) -> None:
        """Join in `work_dir` what other work folders hold, each of its share of the photos.

        `extract` of all shares, one after the other, then finds its work done in `work_dir`.
        Raises `DataError` where a folder does not hold all features of its photos.
        """
        parts = [self._store(photos, folder) for folder, photos in shares.items()]
        for part, photos in zip(parts, shares.values(), strict=True):
            if part.n_rows < len(photos):
                raise DataError(
                    f"{part.work_dir} does not hold the features of all its {len(photos)} photos; "
                    "all machines of a job need the same data folder, on a disk that they share"
                )
        whole = self._store([photo for share in shares.values() for photo in share], work_dir)
        whole.replace_by(parts)

    def _store(self, photos: Sequence[Photo], work_dir: Path) -> _Store:
        return _Store(work_dir, photos, self.backbone, self.batch_size)

    def _complete(self, photos: Sequence[Photo], work_dir: Path, n_all: int) -> _Store:
        """Store what is not yet stored of `photos`, which are among `n_all` that may fail."""
        store = self._store(photos, work_dir)
        bar = tqdm(
            total=len(photos), initial=store.n_rows, unit="photo", desc="features", disable=None
        )
        with bar:
            self._check_failures(store, n_all)
            for batch in decode_ahead(self._decode, photos[store.n_rows :], self.batch_size):
                store.append(*self._compute(batch))
                bar.update(len(batch))
                self._check_failures(store, n_all)
        return store

    def _decode(self, photo: Photo) -> _Decoded:
        seen, reason = None, ""
        try:
            seen = look_at(photo.read(), self.backbone, self.cache, photo.name)
        except PhotoError as error:
            reason = str(error)
        except OSError as error:
            reason = f"{photo.name} cannot be read: {error.strerror or error}"
        if reason.startswith(f"{photo.name} "):  # which will stand beside it
            reason = "the file" + reason.removeprefix(photo.name)
        return _Decoded(photo.name, seen, reason)

    def _compute(self, batch: Sequence[_Decoded]) -> tuple[FloatArray, dict[int, _Decoded]]:
        """Return the features (B, D), NaN where there are none, and the failures by place."""
        features = np.full((len(batch), self.backbone.feature_size), np.nan, np.float32)
        readable = [i for i, photo in enumerate(batch) if photo.seen is not None]
        seen = [photo.seen for photo in batch if photo.seen is not None]
        features[readable] = compute_features(seen, self.backbone, self.cache)
        failures = {i: photo for i, photo in enumerate(batch) if photo.reason}
        for i in readable:
            if not np.isfinite(features[i]).all():
                failures[i] = _Decoded(batch[i].name, None, "its features are not finite numbers")
                features[i] = np.nan
        return features, failures

    def _check_failures(self, store: _Store, n_all: int) -> None:
        failed = store.failures
        if len(failed) <= self.max_failed * n_all:
            return
        first = "; ".join(f"{name}: {reason}" for name, reason in list(failed.values())[:3])
        raise DataError(
            f"{len(failed)} of {n_all} photos ({len(failed) / n_all:.1%}) cannot be read, more "
            f"than --max-failed {self.max_failed:g} allows ({first}); raise --max-failed to go on "
            f"without them, or repair them, delete {store.work_dir} and start over"
        )


def split_in_batches(
    photos: Sequence[Photo], batch_size: int, n_shares: int
) -> list[Sequence[Photo]]:
    """Split `photos` into shares of whole batches; some are empty where photos are few."""
    n_batches = -(-len(photos) // batch_size)
    edges = [n_batches * i // n_shares * batch_size for i in range(n_shares + 1)]
    return [photos[edges[i] : edges[i + 1]] for i in range(n_shares)]


@dataclass(frozen=True)
class _Decoded:
    """A decoded photo, or the reason why it cannot be read."""

    name: str
    seen: Seen | None
    reason: str


def _describe_job(photos: Sequence[Photo], backbone: Backbone) -> dict[str, Any]:
    """Describe all that the features depend on; another runtime may go on with the work."""
    names = json.dumps([[photo.image_id, photo.name] for photo in photos])
    return {
        "backbone": {key: v for key, v in backbone.record.items() if key != "runtime"},
        "n_photos": len(photos),
        "photos_sha256": hashlib.sha256(names.encode()).hexdigest(),
    }


class _Store:
    """The files in the work folder. `failures` maps a row to the photo's name and the reason."""

    def __init__(
        self, work_dir: Path, photos: Sequence[Photo], backbone: Backbone, batch_size: int
    ):
        """Find how far the same job came, or start it. Raises `DataError` for another job."""
        self.work_dir = work_dir
        self.failures: dict[int, tuple[str, str]] = {}
        self._feature_size = backbone.feature_size
        self._row_bytes = np.dtype(np.float16).itemsize * backbone.feature_size
        self._features_path = work_dir / "features.f16"
        self._failures_path = work_dir / "failures.jsonl"
        job_path, job = work_dir / "job.json", _describe_job(photos, backbone)
        if job_path.exists():
            self._check_job(read_json(job_path, DataError), job)
        else:
            self._features_path.unlink(missing_ok=True)
            self._failures_path.unlink(missing_ok=True)
            write_json(job_path, job)
        self._features_path.touch()
        self._failures_path.touch()
        self._cut_to_whole_batches(len(photos), batch_size)

    def append(self, features: FloatArray, failures: dict[int, _Decoded]) -> None:
        """Add the rows of a batch, (B, D), its failures first.

        Half precision is what the backbone gives them in.
        """
        found = {self.n_rows + i: (photo.name, photo.reason) for i, photo in failures.items()}
        if found:
            _append(self._failures_path, _failure_lines(found).encode())
        _append(self._features_path, features.astype(np.float16).tobytes())
        self.failures |= found
        self.n_rows += len(features)

    def replace_by(self, parts: Sequence[_Store]) -> None:
        """Replace all rows by those of `parts`, one after the other."""
        self.n_rows, self.failures = 0, {}
        for part in parts:
            self.failures |= {self.n_rows + row: found for row, found in part.failures.items()}
            self.n_rows += part.n_rows
        write_text(self._failures_path, _failure_lines(self.failures))
        with atomic_path(self._features_path) as partial, partial.open("wb") as joined:
            for part in parts:
                with part._features_path.open("rb") as file:
                    shutil.copyfileobj(file, joined)

    def read(self) -> Extracted:
        """Return all that was stored; the features stay on disk."""
        rows = np.setdiff1d(np.arange(self.n_rows), list(self.failures))
        features = self._map(self._features_path, self.n_rows)
        if self.failures:
            readable = self.work_dir / "readable.f16"
            with readable.open("wb") as file:
                for part in chunks(len(rows), self._row_bytes):
                    file.write(features[rows[part]].tobytes())
            features = self._map(readable, len(rows))
        return Extracted(features, rows, [self.failures[row] for row in sorted(self.failures)])

    def _map(self, path: Path, n_rows: int) -> HalfArray:
        shape = n_rows, self._feature_size
        # An empty file cannot be mapped.
        return np.memmap(path, np.float16, "r", 0, shape) if n_rows else np.empty(shape, np.float16)

    def _check_job(self, found: Any, wanted: dict[str, Any]) -> None:
        if found == wanted:
            return
        same_backbone = isinstance(found, dict) and found.get("backbone") == wanted["backbone"]
        what = "photos have" if same_backbone else "backbone or the size of the photos has"
        raise DataError(
            f"the {what} changed since the features in {self.work_dir} were begun; delete that "
            "folder to start over"
        )

    def _cut_to_whole_batches(self, n_photos: int, batch_size: int) -> None:
        """Drop what an interruption left half done.

        It keeps whole batches, not just whole rows, so that each photo is computed in the same
        batch as without the interruption.
        """
        n_rows = self._features_path.stat().st_size // self._row_bytes
        self.n_rows = n_rows if n_rows == n_photos else n_rows - n_rows % batch_size
        os.truncate(self._features_path, self.n_rows * self._row_bytes)
        known = _read_failures(self._failures_path)
        self.failures = {row: known[row] for row in sorted(known) if row < self.n_rows}
        write_text(self._failures_path, _failure_lines(self.failures))


def _failure_lines(failures: dict[int, tuple[str, str]]) -> str:
    return "".join(
        json.dumps({"row": row, "name": name, "reason": reason}) + "\n"
        for row, (name, reason) in failures.items()
    )


def _read_failures(path: Path) -> dict[int, tuple[str, str]]:
    """Read failures by row; the last line may be cut short, and belongs to no stored row then."""
    failures = {}
    for line in path.read_text("utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        failures[int(entry["row"])] = (str(entry["name"]), str(entry["reason"]))
    return failures


def _append(path: Path, data: bytes) -> None:
    """Append to a file and flush it to disk; if that fails, leave the file as it was."""
    size = path.stat().st_size
    try:
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:  # a full disk, Ctrl-C
        os.truncate(path, size)
        raise
