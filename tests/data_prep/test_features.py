"""Bulk feature extraction: what comes out, and what is left after every kind of interruption."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
from helpers.extraction import (
    BATCH,
    N_PHOTOS,
    assert_same,
    collection,
    extract,
    missing,
    photo,
    project,
    tiny,
    unreadable,
)
from helpers.photos import decoded
from PIL import Image

from data_prep import features as features_module
from data_prep.features import DETAIL_SAMPLE, Extracted, Extractor, find_detail
from data_prep.photos import Photo, photo_of_file
from mmcgan.errors import DataError, PhotoError, PhotoWarning
from mmcgan.inference.photos.backbone import load_backbone
from mmcgan.inference.photos.decoding import BATCHES_IN_FLIGHT

IO_ERROR, STALE = (errno.EIO, "Input/output error"), (errno.ESTALE, "Stale file handle")


@pytest.fixture
def uninterrupted(tmp_path) -> Extracted:
    return extract(tmp_path / "uninterrupted")


def test_extract_features_gives_the_features_of_each_readable_photo(uninterrupted):
    readable = [i for i in range(N_PHOTOS) if i not in (1, 10)]
    images = [Image.open(BytesIO(photo(i).read())) for i in readable]
    np.testing.assert_array_equal(uninterrupted.features, tiny().features(images))
    assert uninterrupted.features.dtype == np.float16
    assert uninterrupted.rows.tolist() == readable
    assert uninterrupted.failures == [
        ("im1.png", "the file is empty (0 bytes)"),
        ("im10.png", "the file cannot be read: No such file or directory"),
    ]


def test_extract_features_is_the_same_in_batches_of_any_size(tmp_path, uninterrupted):
    for size in (1, 7, 100):
        assert_same(extract(tmp_path / str(size), batch_size=size), uninterrupted)


def test_extract_features_takes_the_reason_of_the_reader(tmp_path):
    def read() -> bytes:
        raise PhotoError("im3.png: the member's checksum is wrong")

    photos = [photo(i) for i in range(10)]
    photos[3] = unreadable(3, read)
    assert extract(tmp_path, photos=photos).failures == [
        ("im3.png", "im3.png: the member's checksum is wrong")
    ]


def test_extract_features_skips_photos_on_disk_that_vanish_or_fail_midway(tmp_path, monkeypatch):
    photos = []
    for i in range(10):
        path = tmp_path / f"im{i}.png"
        path.write_bytes(photo(i).read())
        photos.append(photo_of_file(path, i, "train", ()))
    (tmp_path / "im2.png").unlink()
    real = Path.open

    def fail(self, *args, **options):
        if self.name in ("im5.png", "im7.png"):
            raise OSError(*STALE if self.name == "im7.png" else IO_ERROR)
        return real(self, *args, **options)

    monkeypatch.setattr(Path, "open", fail)
    extracted = extract(tmp_path / "work", photos=photos, max_failed=0.5)
    assert extracted.rows.tolist() == [0, 1, 3, 4, 6, 8, 9]
    assert extracted.failures == [
        (str(tmp_path / "im2.png"), f"{tmp_path / 'im2.png'}: there is no such file"),
        (str(tmp_path / "im5.png"), "the file cannot be read: Input/output error"),
        (str(tmp_path / "im7.png"), "the file cannot be read: Stale file handle"),
    ]
    images = [Image.open(BytesIO(photo(i).read())) for i in extracted.rows]
    np.testing.assert_array_equal(extracted.features, tiny().features(images))


def test_a_photo_that_is_cut_short_is_learnt_from_and_warned_of_by_its_name(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-3])
    photos = [photo_of_file(tmp_path / "a.jpg", 0, "train", ())]
    with pytest.warns(PhotoWarning, match=r"/a\.jpg is cut short"):
        assert extract(tmp_path / "work", photos=photos).rows.tolist() == [0]


def test_extract_features_of_nothing_is_empty(tmp_path):
    extracted = extract(tmp_path, photos=[], max_failed=0)
    assert extracted.features.shape == (0, 8)
    assert extracted.rows.shape == (0,)


def test_extract_features_leaves_out_features_that_are_no_numbers(tmp_path):
    def run(pixels: np.ndarray) -> np.ndarray:
        features = project(pixels)
        features[features[:, 0] == features[:, 0].max(), 3] = np.inf
        return features

    extracted = extract(tmp_path, tiny(run), photos=[photo(i) for i in range(8)], max_failed=1)
    assert np.isfinite(extracted.features).all()
    assert [reason for _, reason in extracted.failures] == 2 * [
        "its features are not finite numbers"
    ]
    assert len(extracted.rows) == 6


def test_extract_features_decodes_a_bounded_number_of_photos_ahead(tmp_path):
    n_read, ahead = [], []

    def counted(number: int) -> Photo:
        def read() -> bytes:
            n_read.append(number)
            return photo(number).read()

        return unreadable(number, read)

    def run(pixels: np.ndarray) -> np.ndarray:
        ahead.append(len(n_read) - sum(n_computed))
        n_computed.append(len(pixels))
        return project(pixels)

    n_computed: list[int] = []
    extract(tmp_path, tiny(run), photos=[counted(i) for i in range(100)])
    assert sum(n_computed) == 100
    assert max(ahead) <= BATCHES_IN_FLIGHT * BATCH


# --- the detail of the photos -----------------------------------------------------------------


def sized(number: int, size: tuple[int, int]) -> Photo:
    buffer = BytesIO()
    Image.new("RGB", size).save(buffer, "PNG")
    return Photo(number, f"im{number}.png", buffer.getvalue, "train")


def test_find_detail_is_the_median_shorter_side():
    sizes = [(30, 90), (90, 40), (50, 50), (60, 61), (700, 800)]
    photos = [sized(i, size) for i, size in enumerate(sizes)]
    assert find_detail(photos, 51) == 50
    assert find_detail(photos, 50) is None
    assert find_detail(photos[:4], 100) == 45


def test_find_detail_leaves_out_photos_that_cannot_be_read():
    bad = [unreadable(0, missing), unreadable(1, lambda: b""), unreadable(2, lambda: b"text")]
    assert find_detail([*bad, sized(3, (8, 20))], 10) == 8
    assert find_detail(bad, 10) is None
    assert find_detail([], 10) is None


def test_find_detail_looks_at_an_evenly_spaced_sample():
    asked = []

    def counted(number: int) -> Photo:
        def read() -> bytes:
            asked.append(number)
            return photo(0).read()

        return unreadable(number, read)

    n = 5 * DETAIL_SAMPLE
    assert find_detail([counted(i) for i in range(n)], 10) == 6
    assert asked == list(range(0, n, 5))


# --- going on ---------------------------------------------------------------------------------


class StopBackboneError(Exception):
    """Stands for anything that stops the backbone."""


def stopping_after(n_batches: int, error: type[BaseException]) -> Callable:
    done = []

    def run(pixels: np.ndarray) -> np.ndarray:
        if len(done) == n_batches:
            raise error
        done.append(len(pixels))
        return project(pixels)

    return run


@pytest.mark.parametrize("error", [StopBackboneError, KeyboardInterrupt])
def test_extract_features_goes_on_where_it_stopped(tmp_path, uninterrupted, error):
    with pytest.raises(error):
        extract(tmp_path, tiny(stopping_after(4, error)))
    computed = []

    def run(pixels: np.ndarray) -> np.ndarray:
        computed.append(len(pixels))
        return project(pixels)

    assert_same(extract(tmp_path, tiny(run)), uninterrupted)
    assert sum(computed) == N_PHOTOS - 4 * BATCH  # none of the first four batches again


def test_extract_features_computes_nothing_when_it_is_done(tmp_path, uninterrupted):
    extract(tmp_path)
    again = extract(tmp_path, tiny(stopping_after(0, StopBackboneError), runtime="another"))
    assert_same(again, uninterrupted)


def test_extract_features_goes_on_with_another_batch_size(tmp_path, uninterrupted):
    with pytest.raises(StopBackboneError):
        extract(tmp_path, tiny(stopping_after(3, StopBackboneError)))
    assert_same(extract(tmp_path, batch_size=5), uninterrupted)


def test_extract_features_survives_kill_9(tmp_path, uninterrupted):
    marker = tmp_path / "reached"
    work_dir = tmp_path / "work"
    process = subprocess.Popen(
        [sys.executable, "-m", "helpers.extraction", str(work_dir), str(marker)],
        cwd=Path(__file__).parents[1],
    )
    try:
        while not marker.exists():
            assert process.poll() is None, "the extraction ended by itself"
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    stored = (work_dir / "features.f16").stat().st_size
    assert stored == 5 * BATCH * 8 * 2  # all batches but the one that was being computed
    assert_same(extract(work_dir), uninterrupted)


def test_extract_features_drops_what_a_kill_left_half_written(tmp_path, uninterrupted):
    with pytest.raises(StopBackboneError):
        extract(tmp_path, tiny(stopping_after(2, StopBackboneError)))
    with (tmp_path / "features.f16").open("ab") as file:
        file.write(np.full(13, 9, np.float16).tobytes() + b"\x01\x02\x03")  # 1 row and a part
    with (tmp_path / "failures.jsonl").open("a") as file:
        file.write('{"row": 10, "name": "im10.png", "reason": "written before its row"}\n')
        file.write('{"row": 11, "na')
    assert_same(extract(tmp_path), uninterrupted)
    lines = (tmp_path / "failures.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"] for line in lines] == [1, 10]


def test_extract_features_starts_over_without_its_description(tmp_path, uninterrupted):
    extract(tmp_path)
    (tmp_path / "job.json").unlink()
    (tmp_path / "features.f16").write_bytes(b"rubbish" * 1000)
    assert_same(extract(tmp_path), uninterrupted)


def test_extract_features_computes_again_what_was_deleted(tmp_path, uninterrupted):
    extract(tmp_path)
    (tmp_path / "features.f16").unlink()
    assert_same(extract(tmp_path), uninterrupted)


# --- what is refused --------------------------------------------------------------------------


def test_extract_features_refuses_when_too_many_failed(tmp_path):
    with pytest.raises(DataError) as error:
        extract(tmp_path, max_failed=0.05)
    message = str(error.value)
    assert "2 of 30 photos (6.7%)" in message
    assert "--max-failed 0.05" in message
    assert "im1.png: the file is empty (0 bytes); im10.png:" in message
    assert "\n" not in message
    assert len(extract(tmp_path, max_failed=0.07).rows) == 28


def test_extract_features_gives_up_early(tmp_path):
    computed = []

    def run(pixels: np.ndarray) -> np.ndarray:
        computed.append(len(pixels))
        return project(pixels)

    photos = [unreadable(i, missing) for i in range(20)] + [photo(i) for i in range(20, 100)]
    with pytest.raises(DataError, match=r"12 of 100 photos \(12.0%\)"):
        extract(tmp_path, tiny(run), photos=photos, max_failed=0.1)
    assert not computed


def test_extract_features_takes_no_failure_or_any(tmp_path):
    with pytest.raises(DataError, match="1 of 30"):
        extract(tmp_path / "none", max_failed=0)
    broken = [unreadable(i, missing) for i in range(3)]
    extracted = extract(tmp_path / "any", photos=broken, max_failed=1)
    assert extracted.features.shape == (0, 8)
    assert len(extracted.failures) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"photos": collection(29)}, "photos have changed"),
        ({"photos": collection()[::-1]}, "photos have changed"),
        ({"backbone": tiny(weights_sha256="1")}, "backbone or .* has changed"),
        ({"backbone": tiny(precision="bfloat16")}, "backbone or .* has changed"),
        ({"backbone": tiny(detail=3)}, "the size of the photos has changed"),
    ],
)
def test_extract_features_refuses_another_job(tmp_path, change, words):
    before = extract(tmp_path)
    with pytest.raises(DataError, match=rf"{words}.*delete that folder") as error:
        extract(tmp_path, **change)
    assert str(tmp_path) in str(error.value)
    assert_same(extract(tmp_path), before)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_extract_features_refuses_a_broken_description(tmp_path, text):
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(DataError, match=r"job\.json|delete that folder"):
        extract(tmp_path)


@pytest.mark.parametrize("file_name", ["features.f16", "failures.jsonl"])
def test_extract_features_keeps_whole_batches_when_the_disk_is_full(
    tmp_path, monkeypatch, uninterrupted, file_name
):
    real_fsync, written = os.fsync, []

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == file_name:
            written.append(descriptor)
            if len(written) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real_fsync(descriptor)

    monkeypatch.setattr(features_module.os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left") as error:
        extract(tmp_path)
    assert error.value.errno == errno.ENOSPC
    size = (tmp_path / "features.f16").stat().st_size
    assert size == {"features.f16": 1, "failures.jsonl": 2}[file_name] * BATCH * 8 * 2
    assert_same(extract(tmp_path), uninterrupted)


def test_extract_features_keeps_whole_batches_when_a_write_is_cut_short(tmp_path, uninterrupted):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # in the middle of the sixteenth batch
    try:
        with pytest.raises(OSError, match="too large"):
            extract(tmp_path, photos=collection(100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert (tmp_path / "features.f16").stat().st_size == 1000 // (BATCH * 16) * (BATCH * 16)
    wanted = extract(tmp_path / "other", photos=collection(100))
    assert_same(extract(tmp_path, photos=collection(100)), wanted)


def test_extract_features_shows_progress_from_where_it_is(tmp_path, monkeypatch):
    bars = []
    real = features_module.tqdm

    def tqdm(**options: object) -> object:
        bars.append(real(**options | {"disable": False, "file": StringIO()}))
        return bars[-1]

    monkeypatch.setattr(features_module, "tqdm", tqdm)
    with pytest.raises(StopBackboneError):
        extract(tmp_path, tiny(stopping_after(3, StopBackboneError)))
    extract(tmp_path)
    assert [bar.initial for bar in bars] == [0, 3 * BATCH]
    assert [bar.n for bar in bars] == [3 * BATCH, N_PHOTOS]
    assert bars[0].unit == "photo"


def test_extract_features_of_real_photos_is_that_of_the_tagger(tmp_path, shared_dir):
    archive = zipfile.ZipFile(shared_dir / "mirflickr" / "mirflickr25k.zip")

    def member(number: int) -> Callable[[], bytes]:
        return lambda: archive.read(f"mirflickr/im{number}.jpg")

    photos = [Photo(i, f"im{i}.jpg", member(i), "train") for i in range(1, 8)]
    backbone = load_backbone("efficientnet-lite0")
    extracted = Extractor(backbone, 3, 0).extract(photos, tmp_path)
    alone = [backbone.features([decoded(photo.read())]) for photo in photos]
    assert np.allclose(extracted.features, np.concatenate(alone), rtol=2**-10, atol=1e-5)
