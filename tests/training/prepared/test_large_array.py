"""An array larger than memory in an HDF5 file: as HDF5 itself would have it, mapped when read."""

from __future__ import annotations

import tracemalloc

import h5py
import numpy as np
import pytest

from mmcgan.training.prepared.large_array import map_array, write_around

ARRAYS = {
    "rows": np.arange(7000, dtype=np.float32).reshape(70, 100),
    "one value": np.ones((1, 1), np.float32),
    "numbers": np.arange(5),
    "no rows": np.zeros((0, 4), np.float32),
}


def fill(file: h5py.File) -> None:
    """Small and larger things of each kind that a prepared file has."""
    file.attrs["name"] = "around"
    file.create_dataset("text", data=["ä" * 50] * 300, dtype=h5py.string_dtype("utf-8"))
    for i in range(40):
        file[f"group{i}/table"] = np.full((i + 1, 20), i)
    parts = file.create_dataset("parts", (3,), h5py.vlen_dtype(np.uint8))
    for i in range(3):
        parts[i] = np.arange(1000 * i, dtype=np.uint8)


@pytest.mark.parametrize("name", ARRAYS)
def test_file_is_read_by_hdf5_as_it_was_meant(name, tmp_path):
    path, array = tmp_path / "deep" / "file.h5", ARRAYS[name]
    with write_around(path, "large", array) as file:
        fill(file)
    with h5py.File(path) as file:
        assert np.array_equal(file["large"][:], array)
        assert file["large"].dtype == array.dtype
        assert file.attrs["name"] == "around"
        assert file["text"].asstr()[:].tolist() == ["ä" * 50] * 300
        assert all((file[f"group{i}/table"][:] == i).all() for i in range(40))
        assert [len(part) for part in file["parts"][:]] == [0, 1000, 2000]
    assert [p.name for p in path.parent.iterdir()] == ["file.h5"]


@pytest.mark.parametrize("name", ARRAYS)
def test_mapped_array_is_the_one_written(name, tmp_path):
    with write_around(tmp_path / "file.h5", "large", ARRAYS[name]) as file:
        fill(file)
    with h5py.File(tmp_path / "file.h5") as file:
        mapped = map_array(file["large"])
    assert np.array_equal(mapped, ARRAYS[name])  # also once the file is closed
    assert isinstance(mapped, np.memmap) == bool(ARRAYS[name].size)


def test_array_that_is_stored_in_chunks_is_read_too(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("large", data=ARRAYS["rows"], compression="gzip")
        assert np.array_equal(map_array(file["large"]), ARRAYS["rows"])


def test_mapped_array_cannot_be_written(tmp_path):
    with write_around(tmp_path / "file.h5", "large", ARRAYS["rows"]):
        pass
    with h5py.File(tmp_path / "file.h5") as file, pytest.raises(ValueError, match="read-only"):
        map_array(file["large"])[0] = 1


def test_neither_writing_nor_mapping_holds_the_array(tmp_path):
    source = np.lib.format.open_memmap(tmp_path / "source.npy", "w+", np.float32, (2**14, 1024))
    tracemalloc.start()
    with write_around(tmp_path / "file.h5", "large", source) as file:
        fill(file)
    with h5py.File(tmp_path / "file.h5") as file:
        total = sum(float(map_array(file["large"])[rows].sum()) for rows in (0, 77, 2**14 - 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 0
    assert peak < source.nbytes / 4


@pytest.mark.parametrize("n_bytes", [0, 900, 12_000, 30_000])
def test_full_disk_is_an_error_and_leaves_nothing(n_bytes, tmp_path, full_disk):
    with (
        full_disk(n_bytes),
        pytest.raises(OSError) as caught,
        write_around(tmp_path / "file.h5", "large", ARRAYS["rows"]) as file,
    ):
        fill(file)
    assert caught.value.filename == str(tmp_path / "file.h5")
    assert not list(tmp_path.iterdir())
