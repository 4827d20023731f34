"""What studies share: runs that are kept, answers measured by hand, rows and ratios."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.studies import SMALL, small_baselines

from eval.baselines import perceptrons
from eval.predictions import SystemPredictions
from eval.setting import Setting
from eval.studies import comparison
from eval.studies.comparison import (
    ENSEMBLE,
    MLP,
    Measured,
    as_markdown,
    fit_rivals,
    measure_answers,
    run_path,
    setting_of,
    summarize,
    train_run,
    write_results,
)
from mmcgan.errors import DataError, OptionError
from mmcgan.files import read_json
from mmcgan.inference.words.ranking import rank_scores
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.config import TrainConfig
from mmcgan.training.prepared.dataset import SPLITS, Dataset, TagTable
from mmcgan.training.runs import RunDir

CONFIG = TrainConfig.from_options(**SMALL, tags="user")


def three_photos(annotations: bool) -> Dataset:
    """Three words; the photos of val have the tags a, b and c, b; annotators gave b to the last."""
    tags = {"user": TagTable.from_lists([["a"], ["b"], ["a", "b"], ["c", "b"]])}
    if annotations:
        tags["annotations"] = TagTable.from_lists([[], [], [], ["b"]], ["b"])
    vocabulary = Vocabulary(("a", "b", "c"), np.eye(3, dtype=np.float32), np.ones(3, np.int64))
    return Dataset(
        name="three",
        image_ids=np.arange(4),
        split=np.array([0, 1, 2, 2], np.uint8),
        features=np.zeros((4, 2), np.float32),
        tags=tags,
        vocabularies={"user": vocabulary},
        thumbnails={},
        truth=None,
        config={},
        backbone={},
        counts={},
        versions={},
        command="",
    )


def answers(scores: np.ndarray) -> SystemPredictions:
    concept_scores = scores[:, 1:2]
    ties = np.zeros_like(concept_scores)
    return SystemPredictions("cgan", "cgan", rank_scores(scores, 10), concept_scores, ties)


def test_measure_answers_gives_the_values_of_each_photo_and_their_means():
    data = three_photos(annotations=True)
    setting = setting_of(data, "val", "user")
    # The first photo is tagged a first, b scores higher on the first than on the second.
    found = measure_answers(answers(np.array([[3, 2, 1], [3, 1, 2]], np.float32)), setting)
    assert found.precision == pytest.approx([0.2, 0.2])  # two of ten places, all three words shown
    assert found.measures == pytest.approx({"P@1": 0.5, "P@10": 0.2, "coverage": 1, "MAP": 0.5})


def test_measure_answers_leaves_out_what_the_data_cannot_give():
    setting = setting_of(three_photos(annotations=False), "val", "user")
    found = measure_answers(answers(np.eye(2, 3, dtype=np.float32)), setting)
    assert found.measures.keys() == {"P@1", "P@10", "coverage"}


def test_setting_of_names_what_the_data_lacks(make_dataset):
    data = make_dataset()
    assert isinstance(setting_of(data, "val", "user"), Setting)
    with pytest.raises(DataError, match=r"no vocabulary of user\+annotations; use --tags user"):
        setting_of(data, "val", "user+annotations")
    moved = np.where(data.split == SPLITS.index("test"), 0, data.split).astype(np.uint8)
    with pytest.raises(DataError, match="the split test"):
        setting_of(replace(data, split=moved), "test", "user")


def test_run_path_is_plain_and_different_for_each_row_and_seed():
    assert run_path(Path("out"), "user", "a b, c", 3) == Path("out/runs/user-a-b--c-3")


def test_train_run_trains_once(make_dataset, tmp_path):
    run = RunDir(tmp_path / "run")
    train_run(make_dataset(), CONFIG, run)
    assert run.is_finished
    before = run.weights_path.stat().st_mtime_ns
    train_run(make_dataset(), CONFIG, run)
    assert run.weights_path.stat().st_mtime_ns == before


def test_train_run_goes_on_with_a_run_that_was_cut_short(make_dataset, tmp_path, monkeypatch):
    whole, cut = RunDir(tmp_path / "whole"), RunDir(tmp_path / "cut")
    train_run(make_dataset(), CONFIG, whole)

    def stop(run: RunDir) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mmcgan.training.setup.Setup.finish", lambda setup, run, best: stop(run))
        with pytest.raises(KeyboardInterrupt):
            train_run(make_dataset(), CONFIG, cut)
    assert cut.is_started
    assert not cut.is_finished
    train_run(make_dataset(), CONFIG, cut)
    assert cut.weights_path.read_bytes() == whole.weights_path.read_bytes()


@pytest.mark.parametrize(
    ("changes", "seed", "message"),
    [
        ({"epochs": 3}, 0, "--epochs: .*run was started with 2, this call says 3; delete"),
        ({}, 1, "--data: .*run was started with other data; delete"),
    ],
)
def test_train_run_refuses_a_run_of_something_else(make_dataset, tmp_path, changes, seed, message):
    run = RunDir(tmp_path / "run")
    train_run(make_dataset(), CONFIG, run)
    with pytest.raises(OptionError, match=message):
        train_run(make_dataset(seed=seed), CONFIG.with_options(**changes), run)


def test_train_run_takes_a_run_that_is_older_than_a_setting(make_dataset, tmp_path):
    run = RunDir(tmp_path / "run")
    train_run(make_dataset(), CONFIG, run)
    frozen = run.read_config()
    del frozen["settings"]["objective"]["untagged"]
    run.write_config(frozen)
    train_run(make_dataset(), CONFIG.with_options(data=tmp_path), run)
    with pytest.raises(OptionError, match=r"--untagged: .*started with 0, this call says 8"):
        train_run(make_dataset(), CONFIG.with_options(untagged=8), run)


def test_rivals_are_fitted_once_for_each_seed_and_measured(make_dataset, tmp_path, monkeypatch):
    data, fitted = make_dataset(n_images=200), []
    setting = setting_of(data, "val", "user")
    run = RunDir(tmp_path / "run")
    train_run(data, CONFIG, run)

    def fit(learnt, settings, number):
        fitted.append((learnt.seed, settings, number))
        return perceptrons.fit_member(learnt, settings, number)

    monkeypatch.setattr(comparison, "fit_member", fit)
    with small_baselines():
        found = fit_rivals([(run, setting)] * 2, n_members=3)
    assert list(found) == [MLP, ENSEMBLE]
    assert [len(measured) for measured in found.values()] == [2, 2]
    assert len(set(fitted)) == len(fitted)
    # Two tries of two members and the third of the best one; then, of another seed, only that one
    # and the MLP's, which may be a member of it.
    assert sorted({number for _, _, number in fitted}) == [0, 1, 2]
    assert [seed for seed, _, _ in fitted].count(0) == 5
    assert [seed for seed, _, _ in fitted].count(1) in (3, 4)


def test_an_ensemble_of_one_is_not_fitted(make_dataset, tmp_path):
    data = make_dataset(n_images=200)
    run = RunDir(tmp_path / "run")
    train_run(data, CONFIG, run)
    with small_baselines():
        found = fit_rivals([(run, setting_of(data, "val", "user"))], n_members=1)
    assert list(found) == [MLP]


def measured(*precisions: float, **measures: float) -> Measured:
    return Measured(np.array(precisions), measures)


ROWS = {
    "ours": [measured(0.2, 0.4, x=1, y=3), measured(0.4, 0.6, x=2)],
    MLP: [measured(0.4, 0.4, x=20, y=1)],
}


def test_summarize_takes_means_over_seeds_and_ratios_of_means():
    table = summarize(ROWS, ["x", "y", "z"], {"against the MLP": MLP, "against none": "none"})
    assert table["n_images"] == 2
    ours = table["rows"]["ours"]
    assert (ours["n_seeds"], ours["measures"]) == (2, {"x": {"mean": 1.5, "seeds": [1, 2]}})
    ratio = ours["against the MLP"]
    assert ratio["value"] == pytest.approx(1.0)  # .4 / .4
    # Seeds and images together: from .2 / .4 (first seed, first image) to .6 / .4.
    assert 0.5 <= ratio["low"] < 1 < ratio["high"] <= 1.5
    assert "against none" not in ours
    assert table["rows"][MLP]["against the MLP"] == {"value": 1, "low": 1, "high": 1}


def test_as_markdown_has_a_row_each_and_a_dash_where_there_is_no_value():
    table = summarize(ROWS, ["x", "y"], {"ratio": MLP})
    lines = as_markdown(table, ["x", "y"], ["ratio", "other"]).splitlines()
    assert lines[:2] == ["| | x | y | ratio | other |", "|---|---|---|---|---|"]
    assert lines[2].startswith("| ours | 1.5 | – | 1.000 [")
    assert lines[3] == "| the MLP | 20.0 | 1.0 | 1.000 [1.000, 1.000] | – |"


def test_write_results_writes_both_files(tmp_path):
    write_results(tmp_path / "out", "few-0.1", {"a": 1}, "text\n")
    assert read_json(tmp_path / "out" / "few-0.1.json", DataError) == {"a": 1}
    assert (tmp_path / "out" / "few-0.1.md").read_text() == "text\n"
