"""Data as bad as people have them, through the command line: a model, or one line that says why."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.datasets import RECORD
from helpers.studies import small_baselines

from mmcgan import evaluate, train
from mmcgan.cli import run_command
from mmcgan.inference.model import read_model
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows
from mmcgan.training.prepared.dataset import (
    FILE_NAME,
    SPLITS,
    Dataset,
    TagTable,
    read_dataset,
    write_dataset,
)
from mmcgan.training.runs import RunDir

SMALL = [
    "--image-units",
    "16",
    "--noise-units",
    "8",
    "--noise-size",
    "8",
    "--members",
    "2",
    "--draws",
    "4",
    "--d-word-units",
    "8",
    "--d-image-units",
    "8",
    "--maxout-units",
    "4",
    "--epochs",
    "2",
]
FEATURE_SIZE, VECTOR_SIZE = 6, 5


def dataset_of(
    lists: list[list[int]],
    n_words: int | None = None,
    features: np.ndarray | None = None,
    vectors: np.ndarray | None = None,
) -> Dataset:
    """Photos with the word rows `lists`; of each ten six are train, two dev, one val, one test."""
    random = np.random.default_rng(0)
    n_images, n_words = len(lists), n_words or 1 + max(max(words) for words in lists if words)
    words = tuple(f"w{i:05d}" for i in range(n_words))
    table = TagTable.from_lists([[words[i] for i in own] for own in lists], words)
    if features is None:
        features = random.normal(size=(n_images, FEATURE_SIZE))
    if vectors is None:
        vectors = random.normal(size=(n_words, VECTOR_SIZE))
    split = np.array([0, 1, 0, 2, 0, 3, 0, 0, 1, 0], np.uint8)[np.arange(n_images) % 10]
    n_photos = np.bincount([i for own in lists for i in own], minlength=n_words)
    return Dataset(
        name="bad",
        image_ids=np.arange(n_images),
        split=split,
        features=features.astype(np.float32),
        tags={"user": table},
        vocabularies={"user": Vocabulary(words, unit_rows(vectors), n_photos.astype(np.int64))},
        thumbnails={},
        truth=None,
        config={"dataset": "folder"},
        backbone=RECORD | {"feature_size": features.shape[1]},
        counts={"photos": n_images, "splits": dict.fromkeys(SPLITS, 1)},
        versions={},
        command="python -m mmcgan.prepare",
    )


def some_lists(n_images: int, n_words: int, n_each: int | tuple[int, int]) -> list[list[int]]:
    """Random tags: so many of each photo, or a number between two."""
    random = np.random.default_rng(1)
    low, high = n_each if isinstance(n_each, tuple) else (n_each, n_each)
    return [
        random.choice(n_words, random.integers(low, high + 1), replace=False).tolist()
        for _ in range(n_images)
    ]


def ordinary(n_images: int = 60) -> list[list[int]]:
    return some_lists(n_images, 12, (1, 4))


def constant(value: float, n_images: int = 60) -> np.ndarray:
    return np.full((n_images, FEATURE_SIZE), value)


# What people have, and what still can be learnt from.
TRAINS: dict[str, Callable[[], Dataset]] = {
    "one tag a photo": lambda: dataset_of(some_lists(60, 12, 1)),
    "50 tags a photo": lambda: dataset_of(some_lists(60, 120, 50), 120),
    "more tags a photo than a set holds": lambda: dataset_of(some_lists(60, 120, 90), 120),
    "ten photos": lambda: dataset_of(ordinary(10), 12),
    "ten photos, most words unseen": lambda: dataset_of(some_lists(10, 300, 1), 300),
    "two words": lambda: dataset_of([[i % 2] for i in range(60)]),
    "two words, both on every photo": lambda: dataset_of([[0, 1]] * 60),
    "every word on every photo": lambda: dataset_of([list(range(12))] * 60),
    "the same word on every photo": lambda: dataset_of([[3]] * 60, 12),
    "constant features": lambda: dataset_of(ordinary(), features=constant(3.0)),
    "features all 0": lambda: dataset_of(ordinary(), features=constant(0.0)),
    "one feature": lambda: dataset_of(ordinary(), features=np.arange(60.0)[:, None]),
    "one photo with another feature": lambda: dataset_of(
        ordinary(), features=np.where(np.arange(60)[:, None] == 2, 9000.0, constant(1.0))
    ),
    "every photo twice": lambda: dataset_of(
        ordinary(), features=np.repeat(np.random.default_rng(2).normal(size=(30, 6)), 2, axis=0)
    ),
    "most photos untagged": lambda: dataset_of(
        [own if i % 4 < 2 else [] for i, own in enumerate(ordinary())], 12
    ),
    "the same vector for every word": lambda: dataset_of(ordinary(), vectors=np.ones((12, 5))),
    "no vector for any word": lambda: dataset_of(ordinary(), vectors=np.zeros((12, 5))),
    "fewer words than components": lambda: dataset_of(
        some_lists(60, 3, (1, 2)), vectors=np.random.default_rng(3).normal(size=(3, 20))
    ),
    "20,000 words": lambda: dataset_of(some_lists(40, 20_000, 5), 20_000),
}
REFUSED: dict[str, tuple[Callable[[], Dataset], str]] = {
    "one photo": (lambda: dataset_of([[0, 1]]), "the split dev of bad has no photo"),
    "one word": (lambda: dataset_of([[0]] * 60), "at least 2"),
    "features beyond half precision": (
        lambda: dataset_of(ordinary(), features=1e9 * np.arange(60.0)[:, None]),
        "half precision ends at 65504",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def run_train(dataset: Dataset, folder: Path, *options: str) -> int:
    write_dataset(dataset, folder / "data" / FILE_NAME)
    return run_command(
        train.main, ["--data", str(folder / "data"), "--out", str(folder / "run"), *SMALL, *options]
    )


def assert_is_a_model(run: Path, dataset: Dataset) -> None:
    """Every weight is a number, the log has no other, and photos get tags with scores."""
    model = read_model(RunDir(run))
    weights = model.network.weights
    assert [name for name, array in weights.items() if not np.isfinite(array).all()] == []
    assert np.isfinite(model.vocabulary.vectors).all()
    assert np.isfinite(model.bias).all()
    log = RunDir(run).log_path.read_text()
    assert "NaN" not in log
    assert "Infinity" not in log
    evaluations = [r for r in RunDir(run).read_log() if r["event"] == "evaluate"]
    assert all(math.isfinite(r["P@10"]) for r in evaluations)
    assert evaluations
    n_words = len(model.vocabulary)
    for tags in Tagger(model).tag_features(dataset.features[:3], 10):
        assert len({tag.word for tag in tags}) == min(10, n_words)
        assert all(0 <= tag.score <= 1 for tag in tags)


@pytest.mark.parametrize("name", TRAINS)
def test_bad_data_trains_to_finite_weights(name, tmp_path, capsys):
    dataset = TRAINS[name]()
    assert run_train(dataset, tmp_path) == 0
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert "nan" not in error.lower()
    assert_is_a_model(tmp_path / "run", dataset)


@pytest.mark.parametrize("name", REFUSED)
def test_data_that_cannot_be_learnt_from_are_refused_in_one_line(name, tmp_path, capsys):
    make, words = REFUSED[name]
    assert run_train(make(), tmp_path) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert not RunDir(tmp_path / "run").is_finished


@pytest.mark.parametrize("options", [["--refit"], ["--ranking", "vote"], ["--examples", "pairs"]])
def test_ten_photos_train_with_other_settings_too(options, tmp_path):
    dataset = dataset_of(ordinary(10), 12)
    assert run_train(dataset, tmp_path, *options) == 0
    assert_is_a_model(tmp_path / "run", dataset)


@pytest.mark.parametrize(
    "name",
    [
        "one tag a photo",
        "50 tags a photo",
        "ten photos",
        "two words",
        "two words, both on every photo",
        "every word on every photo",
        "constant features",
        "the same vector for every word",
    ],
)
def test_bad_data_can_be_evaluated(name, tmp_path, capsys):
    dataset = TRAINS[name]()
    assert run_train(dataset, tmp_path) == 0
    capsys.readouterr()
    with small_baselines():
        assert (
            run_command(
                evaluate.main, ["--run", str(tmp_path / "run"), "--out", str(tmp_path / "out")]
            )
            == 0
        )
    assert "Traceback" not in capsys.readouterr().err
    report = json.loads((tmp_path / "out" / "report.json").read_text(), parse_constant=_refuse)
    precision: dict[str, Any] = report["systems"]["cgan"]["user"]["P@10"]
    assert 0 <= precision["low"] <= precision["value"] <= precision["high"] <= 1
    stored = pd.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert np.isfinite(stored.score).all()
    n_words = len(read_dataset(tmp_path / "data").vocabularies["user"])
    ours = stored[stored.system == "cgan"]
    assert (ours.groupby("image_id").word.nunique() == min(n_words, ours["rank"].max())).all()


def _refuse(constant: str) -> None:
    raise AssertionError(f"the report holds {constant}")
