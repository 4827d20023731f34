"""Features computed by several ranks: the shares, their join, real jobs and a rank that dies."""

from __future__ import annotations

import os
import re
from pathlib import Path

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
from helpers.folders import files_of, put_photos
from helpers.torchrun import TESTS, run, said, torchrun

from data_prep.config import PrepareConfig
from data_prep.features import Extractor, split_in_batches
from mmcgan.errors import DataError
from mmcgan.training.prepared.dataset import read_dataset
from mmcgan.training.ranks import ALONE, Ranks


class LoneRanks(Ranks):
    """A rank that waits for no other."""

    def agree(self, value: object, what: str) -> None:
        pass


def extract_all(work_dir: Path, size: int, run_tiny=project, photos=None, max_failed=0.1):
    """What the ranks return when they work one after the other, the first one last."""
    extractor = Extractor(tiny(run_tiny), BATCH, max_failed)
    ranks = [LoneRanks(rank, size) for rank in reversed(range(size))]
    return [extractor.extract_shared(photos or collection(), work_dir, r) for r in ranks][::-1]


# Shares.


@pytest.mark.parametrize(
    ("n_photos", "n_shares", "sizes"),
    [(30, 1, [30]), (30, 2, [16, 14]), (30, 3, [8, 12, 10]), (5, 4, [0, 4, 0, 1]), (0, 2, [0, 0])],
)
def test_shares_are_whole_batches_that_follow_each_other(n_photos, n_shares, sizes):
    shares = split_in_batches(range(n_photos), 4, n_shares)
    assert [len(share) for share in shares] == sizes
    assert [i for share in shares for i in share] == list(range(n_photos))


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_ranks_compute_what_one_process_computes_byte_for_byte(tmp_path, size):
    # Of 20 ranks most have no photo.
    first, *others = extract_all(tmp_path / "shared", size)
    assert others == [None] * (size - 1)
    assert_same(first, extract(tmp_path / "whole"))


def test_no_rank_computes_another_ones_photos(tmp_path):
    computed = []
    extract_all(tmp_path, 3, lambda pixels: computed.append(len(pixels)) or project(pixels))
    # In all each batch once; two photos cannot be read.
    assert sum(computed) == N_PHOTOS - 2


def test_rank_goes_on_with_its_own_share(tmp_path):
    whole = extract(tmp_path / "whole")
    computed = []

    def stop(pixels):
        if len(computed) == 3:
            raise KeyboardInterrupt
        computed.append(len(pixels))
        return project(pixels)

    work_dir = tmp_path / "shared"
    with pytest.raises(KeyboardInterrupt):
        extract_all(work_dir, 2, stop)
    assert (work_dir / "r1of2" / "features.f16").stat().st_size == 3 * BATCH * 8 * 2
    first, _ = extract_all(work_dir, 2, lambda p: computed.append(len(p)) or project(p))
    assert_same(first, whole)
    assert sum(computed) == N_PHOTOS - 2


def test_join_that_was_done_is_done_again(tmp_path):
    extract_all(tmp_path, 2)
    first, _ = extract_all(tmp_path, 2)
    assert_same(first, extract(tmp_path / "whole"))


def test_failures_are_counted_over_all_photos(tmp_path):
    # A fifth of the first half, a tenth of all.
    photos = [unreadable(i, missing) if i < 3 else photo(i) for i in range(N_PHOTOS)]
    first, _ = extract_all(tmp_path / "shared", 2, photos=photos)
    assert len(first.failures) == 3
    # Each rank has few failures, together they are too many.
    photos[20], photos[21] = (unreadable(i, missing) for i in (20, 21))
    with pytest.raises(DataError, match=r"5 of 30 photos \(16\.7%\)"):
        extract_all(tmp_path / "many", 2, photos=photos, max_failed=0.12)
    photos[3] = unreadable(3, missing)
    with pytest.raises(DataError, match=r"4 of 30 photos \(13\.3%\)"):
        extract_all(tmp_path / "one", 2, photos=photos)


def test_join_names_a_share_that_is_not_whole(tmp_path):
    extract_all(tmp_path, 2)
    (tmp_path / "r1of2" / "features.f16").unlink()
    shares = split_in_batches(collection(), BATCH, 2)
    folders = {tmp_path / f"r{rank}of2": share for rank, share in enumerate(shares)}
    with pytest.raises(DataError, match=r"r1of2 does not hold the features of all its 14 photos"):
        Extractor(tiny(), BATCH, 0.1).join(folders, tmp_path)


def test_one_process_has_no_shares(tmp_path):
    found = Extractor(tiny(), BATCH, 0.1).extract_shared(collection(), tmp_path, ALONE)
    assert_same(found, extract(tmp_path))
    assert not list(tmp_path.glob("r*of*"))


# Real processes.


def test_rank_that_dies_ends_the_job_which_resumes_to_the_data_of_one_process(tmp_path):
    photos = put_photos(tmp_path / "photos")
    options = [
        "--dataset",
        "folder",
        "--root",
        photos,
        "--backbone",
        "efficientnet-lite0",
        "--batch-size",
        "4",
        "--min-photos",
        "2",
        "--word-size",
        "4",
        "--word-epochs",
        "2",
        "--out",
    ]
    shared, whole = (PrepareConfig(out=tmp_path / name) for name in ("shared", "whole"))
    result = torchrun(TESTS / "helpers" / "dying_prepare.py", *options, shared.folder)
    assert result.returncode != 0
    assert "Signal 9 (SIGKILL) received" in result.stderr
    assert [re.sub(r";.*", "", line) for line in said(result)] == [
        "mmcgan.prepare: error: another process of the job ended or does not answer"
    ]
    assert files_of(shared) == ["partial"]
    size = (shared.partial / "r1of2" / "features.f16").stat().st_size
    assert size == 2 * 4 * 3848 * 2  # two batches of four photos
    result = torchrun("-m", "mmcgan.prepare", *options, shared.folder)
    assert result.returncode == 0, result.stderr
    assert len(re.findall("^photos:", result.stdout, re.M)) == 1
    # Not from what the ranks have kept.
    (Path(os.environ["XDG_CACHE_HOME"]) / "mmcgan" / "features.sqlite").unlink()
    assert run("-m", "mmcgan.prepare", *options, whole.folder).returncode == 0
    assert files_of(shared) == files_of(whole) == ["dataset.h5"]
    found, expected = (read_dataset(config.folder) for config in (shared, whole))
    assert found.dataset_id == expected.dataset_id
    assert found.features.tobytes() == expected.features.tobytes()
    assert found.counts == expected.counts
