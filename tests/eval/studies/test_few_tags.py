"""Few tags: which photos keep theirs, and one call from end to end on small data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.studies import SMALL, small_baselines

from eval.studies import few_tags
from eval.studies.few_tags import ROWS, WITHOUT, main, with_few_tags
from mmcgan.cli import run_command
from mmcgan.errors import RunError
from mmcgan.files import read_json
from mmcgan.training.config import TrainConfig
from mmcgan.training.prepared.dataset import FILE_NAME, SPLITS, write_dataset
from mmcgan.training.runs import RunDir


@pytest.mark.parametrize(("share", "n_kept"), [(0.1, 5), (0.5, 24), (0.001, 1), (1, 48)])
def test_with_few_tags_keeps_the_share_of_the_tagged_photos(make_dataset, share, n_kept):
    data = make_dataset(n_images=80)
    assert (len(data.rows("train")), len(data.untagged_rows("train"))) == (48, 0)
    few = with_few_tags(data, share, seed=0)
    assert len(few.rows("train")) == n_kept
    assert len(few.untagged_rows("train")) == 48 - n_kept


def test_with_few_tags_changes_no_other_tag(make_dataset):
    data = make_dataset(annotations=True)
    few = with_few_tags(data, 0.25, seed=0)
    taken = np.setdiff1d(data.rows("train"), few.rows("train"))
    for source, table in data.tags.items():
        assert few.tags[source].words == table.words
        for row in range(len(data.split)):
            assert few.tags[source].of(row) == ([] if row in taken else table.of(row))
    for split in SPLITS[1:]:
        assert np.array_equal(few.rows(split), data.rows(split))
    assert few.vocabularies is data.vocabularies
    assert few.features is data.features


def test_with_few_tags_keeps_other_photos_with_another_seed(make_dataset):
    data = make_dataset()
    kept = [with_few_tags(data, 0.2, seed).rows("train").tolist() for seed in (0, 0, 1)]
    assert kept[0] == kept[1] != kept[2]


def test_with_few_tags_can_be_stored_and_is_other_data(make_dataset, tmp_path):
    data = make_dataset()
    few = with_few_tags(data, 0.2, 0)
    write_dataset(few, tmp_path / FILE_NAME)  # the tables are whole
    assert few.dataset_id != data.dataset_id
    assert with_few_tags(data, 1, 0).dataset_id == data.dataset_id


def test_rows_differ_in_the_untagged_photos_alone():
    with_them, without = (TrainConfig.of("modern", **row).options() for row in ROWS.values())
    assert {k for k in without if without[k] != with_them[k]} == {"untagged"}
    assert without["untagged"] == 0 < with_them["untagged"]


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_dataset):
    """A finished call with two seeds: (data, out)."""
    folder = tmp_path_factory.mktemp("few")
    write_dataset(make_dataset(n_images=200, annotations=True), folder / "data" / FILE_NAME)
    assert call(folder / "data", folder / "out") == 0
    return folder / "data", folder / "out"


def call(data: Path, out: Path, *options: str) -> int:
    rows = {name: row | SMALL for name, row in ROWS.items()}
    options = options or ("--share", "0.2", "--seeds", "2")
    with small_baselines(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_tags, "ROWS", rows)
        return run_command(main, ["--data", str(data), "--out", str(out), *options])


def test_call_measures_both_rows_the_mlp_and_the_ensemble(study):
    results = read_json(study[1] / "few-tags-user-val-0.2.json", RunError)
    assert (results["share"], results["n_tagged"], results["n_untagged"]) == (0.2, 24, 96)
    assert (results["split"], results["tags"], results["n_images"]) == ("val", "user", 20)
    rows = results["rows"]
    assert list(rows) == ["modern", WITHOUT, "the MLP", "the MLP ensemble"]
    for row in rows.values():
        assert row["measures"].keys() == {"P@1", "P@10", "MAP", "coverage"}
        assert row["n_seeds"] == 2
    precision = {name: row["measures"]["P@10"]["mean"] for name, row in rows.items()}
    ours = rows["modern"]
    for ratio, divisor in few_tags.RATIOS.items():
        expected = precision["modern"] / precision[divisor]
        assert ours[ratio]["value"] == pytest.approx(expected)
        assert ours[ratio]["low"] <= ours[ratio]["value"] <= ours[ratio]["high"]


def test_call_writes_what_was_measured_as_markdown(study):
    first, _, *table = (study[1] / "few-tags-user-val-0.2.md").read_text().splitlines()
    assert first.startswith("24 photos of train with tags, 96 without; measured on 20 of val (user")
    assert "word vectors are made of all tags" in first
    columns = table[0].split(" | ")[-3:]
    assert columns[:2] == ["P@10 against the MLP", "P@10 against the ensemble"]
    assert columns[2] == "P@10 against no untagged photos |"
    names = [line.removeprefix("| ").split(" | ")[0] for line in table[2:]]
    assert names == ["modern", WITHOUT, "the MLP", "the MLP ensemble"]


def test_runs_learn_from_the_photos_of_their_seed(study):
    paths = sorted((study[1] / "runs").iterdir())
    assert len(paths) == 4
    facts = [read_json(RunDir(path).model_path, RunError)["facts"] for path in paths]
    assert [fact["n_photos"] for fact in facts] == [24] * 4
    assert sorted(fact["n_untagged_photos"] for fact in facts) == [0, 0, 96, 96]
    assert len({fact["dataset_id"] for fact in facts}) == 2


def test_call_again_trains_nothing_and_finds_the_same(study):
    data, out = study
    paths = sorted((out / "runs").iterdir())
    before = [RunDir(path).weights_path.stat().st_mtime_ns for path in paths]
    results = (out / "few-tags-user-val-0.2.json").read_bytes()
    assert call(data, out) == 0
    assert [RunDir(path).weights_path.stat().st_mtime_ns for path in paths] == before
    assert (out / "few-tags-user-val-0.2.json").read_bytes() == results


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--share", "1.5"], 2, "--share: 1.5 is out of range"),
        (["--share", "0"], 2, "--share: 0.0 is out of range"),
        (["--seeds", "0"], 2, "--seeds: 0 is out of range"),
        (["--data", "missing"], 1, "dataset.h5 is missing"),
    ],
)
def test_wrong_input_is_one_line(study, tmp_path, capsys, options, status, words):
    assert call(study[0], tmp_path / "out", *options) == status
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert words in error[0]


def test_data_without_annotations_are_named(make_dataset, tmp_path, capsys):
    write_dataset(make_dataset(), tmp_path / FILE_NAME)
    assert call(tmp_path, tmp_path / "out", "--tags", "user+annotations") == 1
    assert "use --tags user" in capsys.readouterr().err
