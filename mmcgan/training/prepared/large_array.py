"""An HDF5 file with one array that may be larger than memory, written and read without holding it.

HDF5 itself would bring the whole process down on a full disk. So it writes into memory, with a hole
where the array belongs, and what goes to disk goes through Python.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mmcgan.errors import DataError
from mmcgan.files import atomic_path
from mmcgan.training.prepared.feature_rows import chunks_of


@contextmanager
def write_around(path: Path, name: str, array: npt.NDArray[Any]) -> Iterator[h5py.File]:
    """Yield a new HDF5 file that holds `array` (N, …) as `name`, and whatever else is put into it.

    It appears under `path` when the block ends, whole or not at all.
    """
    around = _Around()
    with h5py.File(around, "w") as file:
        around.start, around.size = _reserve(file, name, array), array.nbytes
        yield file
    with atomic_path(path) as partial, partial.open("wb") as out:
        written = around.inner.getbuffer()
        out.write(written[: around.start])
        for rows in chunks_of(array):
            out.write(np.ascontiguousarray(rows).data)
        out.write(written[around.start :])


@contextmanager
def open_whole(
    path: Path, maker: str, whole: str, again: str, format: str, versions: Sequence[int]
) -> Iterator[h5py.File]:
    """Yield an HDF5 file that `maker` wrote, in a `format` and one of its `versions`, to be read.

    Raises `DataError` that names the file and says how to make it `again`, where it is not one of
    these, or where the block finds it broken, and so not `whole`.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != format:
                raise DataError(f"{path} is an HDF5 file but not one of {maker}")
            found = int(file.attrs["format_version"])
            if found not in versions:
                known = " and ".join(map(str, versions))
                raise DataError(
                    f"{path} has format version {found}, this mmcgan reads {known}; {again}"
                )
            yield file
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as reason:
        said = " ".join(str(reason).split())
        raise DataError(f"{path} is not {whole} ({said}); {again}") from None


def map_array(stored: h5py.Dataset) -> npt.NDArray[Any]:
    """Return an array of an HDF5 file that is read from disk where it is used."""
    offset = stored.id.get_offset()
    if offset is None:  # in chunks, or empty
        return np.asarray(stored[:])
    return np.memmap(stored.file.filename, stored.dtype, "r", offset, stored.shape)


def _reserve(file: h5py.File, name: str, array: npt.NDArray[Any]) -> int:
    """Give `array` its place in the file without writing it; return the place, in bytes."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    stored = file.create_dataset(name, array.shape, array.dtype, dcpl=plan)
    return int(stored.id.get_offset() or 0)


class _Around(io.RawIOBase):
    """A file in memory but for a hole of `size` bytes from `start` on, where nobody writes."""

    def __init__(self) -> None:
        self.inner = io.BytesIO()
        self.start = self.size = self.position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place of the whole file."""
        end = len(self.inner.getbuffer())
        end += self.size if end > self.start else 0
        self.position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.position}.get(whence, end)
        return self.position

    def readinto(self, buffer: Any, /) -> int:
        """Read from the place."""
        self.inner.seek(self._inside(self.position))
        n_bytes = self.inner.readinto(buffer)
        self.position += n_bytes
        return n_bytes

    def write(self, data: Any, /) -> int:
        """Write at the place."""
        self.inner.seek(self._inside(self.position))
        n_bytes = self.inner.write(data)
        self.position += n_bytes
        return n_bytes

    def truncate(self, size: int | None = None, /) -> int:
        """Cut the file, or do nothing where it is shorter."""
        wanted = self.position if size is None else size
        self.inner.truncate(self._inside(wanted))
        return wanted

    def _inside(self, position: int) -> int:
        """Return the place in memory of a place outside of the hole."""
        return position if position <= self.start else position - self.size
