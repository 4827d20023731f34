"""The store of an evaluation: what is written is what is read; what is broken is named."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from helpers.answers import answers_of
from helpers.datasets import build_dataset
from scipy import sparse

from eval import store
from eval.answers import Answers, Compared, Drawn, Scores
from eval.evaluation import gallery_photos
from eval.figures.distribution import Photos
from eval.predictions import SystemPredictions
from eval.setting import Setting
from eval.store import ANSWERS, read_store, write_store
from mmcgan.errors import DataError
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.words.ranking import rank_scores


def setting(**options) -> Setting:
    data = build_dataset(annotations=True, truth=True, n_thumbnails=6, **options)
    tags = "user+annotations"
    return Setting(data, "val", tags, data.vocabularies[tags])


def system(where: Setting, name: str, role: str, seed: int) -> SystemPredictions:
    scores = np.random.default_rng(seed).random((len(where.rows), len(where.vocabulary)))
    own = scores[:, where.concept_rows].astype(np.float32)
    return SystemPredictions(name, role, rank_scores(scores, 1000), own, -own)


def compared(where: Setting, scored: list) -> Compared:
    """Draws and logits of dev's and the measured photos; `scored` collects what is asked for."""
    random, n_words = np.random.default_rng(1), len(where.vocabulary)
    tags = where.dataset.tag_matrix(where.tags, where.vocabulary.words)
    photos = []
    for own in (tags[where.measured_rows("dev")], where.relevant[where.tags]):
        logits = random.normal(size=own.shape).astype(np.float32)
        draws = random.integers(n_words, size=(own.shape[0], 30)).astype(np.int16)

        def score(block, logits=logits):
            scored.append(len(logits[block]))
            return logits[block]

        photos.append(Photos(sparse.csr_array(own), draws, score))
    return Compared(*photos)


def full(where: Setting, **changes) -> Answers:
    """Answers with all parts that there may be."""
    n, n_words = len(where.rows), len(where.vocabulary)
    random = np.random.default_rng(0)
    truth = where.dataset.truth
    found = {
        "has_duplicate": random.random(n) < 0.5,
        "drawn": Drawn(
            random.integers(n_words, size=(n, 100)),
            random.integers(n_words, size=(n, 20, 10)),
            {"distinct_words": 1 / 3, "noise_variance_share": None},
        ),
        "scores": Scores(True, Calibration(1.1, -0.2, 1 / 3)),
        "tuning": {"knn": {"tried": [{"params": {"k": 1}, "P@10": 0.1}], "chosen": {"k": 1}}},
        "baselines_left_out": {"ridge": "too many weights"},
        "truth": replace(truth, scene=truth.scene[where.rows]),
        "compared": compared(where, []),
        "gallery": gallery_photos(where.dataset, where.rows),
        "log": [{"update": 1, "loss_d_real": 0.1}, {"update": 2, "note": "日本"}],
        "facts": {"command": "python -m mmcgan.evaluate", "run": {"seed": 3}},
        "seed": 7,
    }
    systems = [system(where, "cgan", "cgan", 0), system(where, "knn", "rival", 1)]
    return answers_of(where, systems, **(found | changes))


def same(one, other) -> bool:
    """Whether two parts of answers hold the same values."""
    if isinstance(one, sparse.csr_array):
        parts = ("indptr", "indices", "data")
        return one.shape == other.shape and all(
            np.array_equal(getattr(one, name), getattr(other, name)) for name in parts
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, Photos):
        rows = slice(0, one.tags.shape[0])
        return same(one.tags, other.tags) and all(
            np.array_equal(*pair) and pair[0].dtype == pair[1].dtype
            for pair in ((one.draws, other.draws), (one.logits(rows), other.logits(rows)))
        )
    if hasattr(one, "__dataclass_fields__"):
        names = one.__dataclass_fields__
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return np.array_equal(one, other)


@pytest.mark.parametrize("text_ids", [False, True])
def test_store_reads_back_what_was_written(tmp_path, text_ids):
    written = full(setting(text_ids=text_ids))
    write_store(tmp_path, written)
    found = read_store(tmp_path)
    assert [
        name
        for name in Answers.__dataclass_fields__
        if not same(getattr(found, name), getattr(written, name))
    ] == []
    assert type(found.systems["cgan"].ranking.rows[0, 0]) is np.int32


def test_store_without_optional_parts(tmp_path):
    bare = answers_of(where := setting(), [system(where, "cgan", "cgan", 0)])
    write_store(tmp_path, bare)
    found = read_store(tmp_path)
    assert (found.compared, found.truth, found.gallery, found.log) == (None, None, [], [])
    assert found.scores == Scores(False, None)
    assert found.drawn.nearest.shape == (len(where.rows), 0)


@pytest.mark.parametrize(("chunk", "block"), [(1, 3), (10_000, 3), (200, 2), (10_000, 256)])
def test_logits_are_made_in_the_same_blocks_however_they_are_written(
    tmp_path, monkeypatch, chunk, block
):
    monkeypatch.setattr("mmcgan.training.prepared.feature_rows.CHUNK_BYTES", chunk)
    monkeypatch.setattr("eval.figures.distribution.BLOCK", block)
    where, scored = setting(n_images=200), []
    answers = full(where, compared=compared(where, scored))
    write_store(tmp_path, answers)
    sizes = [len(where.measured_rows("dev")), len(where.rows)]
    expected = [min(block, n - start) for n in sizes for start in range(0, n, block)]
    assert scored[1:] == expected or scored == expected  # the first may be asked for its size
    assert same(read_store(tmp_path).compared, answers.compared)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def spoil_record(path):
    with h5py.File(path, "r+") as file:
        del file["record"]
        file["record"] = ["{"]


def other_format(path):
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "mmcgan-dataset"


def other_version(path):
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = store.FORMAT_VERSION + 1


def drop_words(path):
    with h5py.File(path, "r+") as file:
        del file["words"]


def wrong_words(path):
    with h5py.File(path, "r+") as file:
        file["relevant/user/indices"][...] = 999


def remove(path):
    path.unlink()


@pytest.mark.parametrize(
    "spoil",
    [truncate, spoil_record, other_format, other_version, drop_words, wrong_words, remove],
)
def test_broken_store_is_named(tmp_path, spoil):
    write_store(tmp_path, full(setting()))
    spoil(tmp_path / ANSWERS)
    with pytest.raises(DataError, match=ANSWERS) as error:
        read_store(tmp_path)
    assert "\n" not in str(error.value)


def test_store_of_an_interrupted_evaluation_is_not_taken_for_a_whole_one(tmp_path, monkeypatch):
    write_store(tmp_path, full(setting()))

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_around", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_store(tmp_path, full(setting(seed=1)))
    with pytest.raises(DataError, match="is missing"):
        read_store(tmp_path)


def test_record_is_plain_json(tmp_path):
    write_store(tmp_path, full(setting()))
    with h5py.File(tmp_path / ANSWERS) as file:
        record = json.loads(file["record"].asstr()[0])
    assert record["seed"] == 7
    assert record["checks"]["noise_variance_share"] is None
