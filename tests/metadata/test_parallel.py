"""Several processes write tags of one photo at once: none fails, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from helpers.keyword_photos import encode
from helpers.packets import LIGHTROOM, marks

from mmcgan.errors import MetadataError
from mmcgan.files import locked
from mmcgan.metadata import plan_embedded, plan_removal, plan_sidecar

N_PROCESSES, N_TIMES = 4, 10
PHOTO = encode("JPEG", LIGHTROOM)


def _write(photo: Path, place: str, worker: int, failed: multiprocessing.Queue[str]) -> None:
    plan = plan_sidecar if place == "sidecar" else plan_embedded
    for i in range(N_TIMES):
        try:
            with locked(photo):
                plan(photo, marks("sea", f"word {worker} {i}", model=f"model {worker}")).apply()
        except MetadataError as error:
            failed.put(str(error))


@pytest.mark.parametrize("place", ["sidecar", "embedded"])
def test_processes_that_write_one_photo_at_once_do_not_fail(tmp_path, monkeypatch, place):
    for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    photo = tmp_path / "photos" / "a.jpg"
    photo.parent.mkdir()
    photo.write_bytes(PHOTO)
    photo.with_name("a.xmp").write_bytes(LIGHTROOM)
    start = multiprocessing.get_context("spawn")
    failed = start.Queue()
    workers = [
        start.Process(target=_write, args=(photo, place, i, failed)) for i in range(N_PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * N_PROCESSES
    assert failed.empty()
    written = photo if place == "embedded" else photo.with_name("a.xmp")
    assert any(f"model {i}".encode() in written.read_bytes() for i in range(N_PROCESSES))
    removal = plan_removal(photo)
    for change in removal:
        change.apply()
    assert removal.problems == []
    contents = {path.name: path.read_bytes() for path in photo.parent.iterdir()}
    assert contents == {"a.jpg": PHOTO, "a.xmp": LIGHTROOM}
    copies = tmp_path / "XDG_DATA_HOME" / "mmcgan" / "originals"
    assert not copies.exists() or os.listdir(copies) == []  # noqa: PTH208 - names alone
