"""The ablation: its rows, and one call from end to end on small data."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.studies import SMALL, small_baselines

from eval.studies import ablation
from eval.studies.ablation import STEPS, WITHOUT, ablation_rows, main
from mmcgan.cli import run_command
from mmcgan.errors import RunError
from mmcgan.files import read_json
from mmcgan.training.config import PRESETS, TrainConfig
from mmcgan.training.prepared.dataset import FILE_NAME, write_dataset
from mmcgan.training.runs import RunDir
from mmcgan.training.terms import options_of

NOT_OF_THE_MODEL = ("data", "out", "preset")
FIRST, LAST = STEPS[0][0], WITHOUT[-1][0]


def settings(row: dict, preset: str | None = None) -> dict:
    config = TrainConfig.of(preset) if preset else TrainConfig.from_options(**row)
    return {k: v for k, v in config.options().items() if k not in NOT_OF_THE_MODEL}


def test_rows_go_from_paper_to_exactly_modern():
    rows = ablation_rows()
    assert settings(rows["paper"]) == settings({}, "paper")
    assert settings(rows[STEPS[-1][0]]) == settings({}, "modern")
    # So that a row says of its runs what they are, and a run of `mmcgan.train` can stand in.
    assert [row.get("preset", "paper") for row in rows.values()].count("paper") == len(STEPS) - 1


def test_each_step_takes_settings_over_that_no_other_does():
    rows, seen = list(ablation_rows().values()), set()
    for before, after, (name, terms, step) in zip(rows, rows[1:], STEPS[1:], strict=False):
        changed = {k for k, v in settings(after).items() if settings(before)[k] != v}
        assert changed - options_of(terms).keys() == set(step.split()), name
        assert not changed & seen
        seen |= changed
    assert seen == PRESETS["modern"].keys()


def test_last_rows_take_one_part_out_of_modern():
    rows, modern = ablation_rows(), settings({}, "modern")
    changes = [
        {k: v for k, v in settings(rows[name]).items() if modern[k] != v} for name, _, _ in WITHOUT
    ]
    assert changes == [
        {"adversarial_share": 0.0},
        {"likelihood": 0.0},
        {"untagged": 0},
        {"members": 1},
    ]


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_dataset):
    """A finished call for the first and the last row, two seeds each: (data, out)."""
    folder = tmp_path_factory.mktemp("ablation")
    write_dataset(make_dataset(n_images=200, annotations=True), folder / "data" / FILE_NAME)
    assert call(folder / "data", folder / "out") == 0
    return folder / "data", folder / "out"


def call(data: Path, out: Path, *options: str) -> int:
    options = options or ("--split", "val", "--seeds", "2", "--rows", FIRST, "--rows", LAST)
    rows = {name: row | SMALL for name, row in ablation_rows().items()}
    with small_baselines(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablation, "ablation_rows", lambda: rows)
        return run_command(main, ["--data", str(data), "--out", str(out), *options])


def test_call_measures_each_row_and_the_mlp(study):
    table = read_json(study[1] / "ablation-user-val.json", RunError)
    assert list(table["rows"]) == [FIRST, LAST, "the MLP"]  # no ensemble: one generator each
    assert table["n_images"] == 20
    for name, row in table["rows"].items():
        measures = row["measures"]
        assert row["n_seeds"] == len(measures["P@10"]["seeds"]) == 2
        assert ("distinct words" in measures) == (name != "the MLP")
        ratio = row["P@10 against the MLP"]
        assert ratio["low"] <= ratio["value"] <= ratio["high"]
    precision = {name: row["measures"]["P@10"]["mean"] for name, row in table["rows"].items()}
    expected = precision[FIRST] / precision["the MLP"]
    assert table["rows"][FIRST]["P@10 against the MLP"]["value"] == pytest.approx(expected)


def test_call_writes_the_table_as_markdown(study):
    lines = (study[1] / "ablation-user-val.md").read_text().splitlines()
    assert lines[0].startswith("| | P@1 | P@10 | MAP |")
    assert lines[0].endswith("| P@10 against the MLP | P@10 against the ensemble |")
    names = [line.split(" | ")[0] for line in lines[2:]]
    assert names == [f"| {FIRST}", f"| {LAST}", "| the MLP"]
    assert len({line.count("|") for line in lines}) == 1
    assert lines[-1].endswith(" |")
    assert " | – | " in lines[-1]  # the MLP has no draws


def test_call_again_trains_only_what_is_not_finished(study):
    data, out = study
    runs = [RunDir(path) for path in sorted((out / "runs").iterdir())]
    assert len(runs) == 4
    runs[2].weights_path.unlink()
    before = [run.weights_path.stat().st_mtime_ns for run in runs if run.is_finished]
    first = read_json(out / "ablation-user-val.json", RunError)["rows"]
    assert call(data, out) == 0
    after = [run.weights_path.stat().st_mtime_ns for run in runs]
    assert [t in before for t in after] == [True, True, False, True]
    again = read_json(out / "ablation-user-val.json", RunError)["rows"]
    for name in first:
        for measure in ("P@10", "coverage", "MAP"):
            assert again[name]["measures"][measure] == first[name]["measures"][measure]


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--rows", "nothing"], 2, "--rows: no row's name holds nothing; the rows are: paper;"),
        (["--seeds", "0"], 2, "--seeds: 0 is out of range"),
        (["--data", "missing"], 1, "dataset.h5 is missing"),
    ],
)
def test_wrong_input_is_one_line(study, tmp_path, capsys, options, status, words):
    assert call(study[0], tmp_path / "out", *options) == status
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert words in error[0]
    assert not (tmp_path / "out").exists()


def test_data_without_annotations_are_named(make_dataset, tmp_path, capsys):
    write_dataset(make_dataset(), tmp_path / FILE_NAME)
    assert call(tmp_path, tmp_path / "out", "--tags", "user+annotations") == 1
    assert "use --tags user" in capsys.readouterr().err
