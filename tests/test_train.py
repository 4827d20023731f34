import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.datasets import RUN, SMALL_MODERN, SMALL_NETWORKS

from mmcgan import train as train_module
from mmcgan.cli import run_command
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.train import main
from mmcgan.training.prepared.dataset import FILE_NAME, SPLITS, read_dataset, write_dataset
from mmcgan.training.runs import RunDir


def train(data, run, *options):
    sizes = ["--data", str(data), "--out", str(run), *RUN, *SMALL_NETWORKS]
    return run_command(main, [*sizes, *map(str, options)])


def train_modern(data, run, *options):
    sizes = ["--data", str(data), "--out", str(run), *RUN, *SMALL_MODERN]
    return run_command(main, [*sizes, *map(str, options)])


def model_files(run):
    return [(run / name).read_bytes() for name in ("model.safetensors", "model.json")]


def last_error(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "Traceback" not in lines[0]
    return lines[0]


def test_train_leaves_a_finished_run_with_its_settings_frozen(trained):
    data, run = trained
    assert {p.name for p in run.iterdir()} == {
        "config.json",
        "log.jsonl",
        "model.json",
        "model.safetensors",
    }
    frozen = json.loads((run / "config.json").read_text())
    assert frozen["dataset_id"] == read_dataset(data).dataset_id
    assert frozen["format_version"] == 2
    settings = frozen["settings"]
    assert list(settings) == ["generator", "discriminator", "objective", "optimiser", "run"]
    assert settings["run"]["tags"] == "user+annotations"
    assert settings["generator"]["noise_units"] == 8
    assert settings["optimiser"]["learning_rate"] == 0.1
    flat = RunDir(run).read_settings()
    assert (flat["tags"], flat["noise_units"], flat["learning_rate"]) == (
        "user+annotations",
        8,
        0.1,
    )
    assert not {"out", "resume", "dry_run"} & flat.keys()
    facts = json.loads((run / "model.json").read_text())["facts"]
    assert facts["n_pairs"] > facts["n_photos"] > 0
    assert facts["refitted_on_dev"] is False


def test_modern_run_freezes_its_settings_and_says_what_it_found(trained_modern):
    data, run = trained_modern
    assert {p.name for p in run.iterdir()} == {
        "config.json",
        "log.jsonl",
        "model.json",
        "model.safetensors",
    }
    frozen = RunDir(run).read_settings()
    assert (frozen["preset"], frozen["members"], frozen["ranking"]) == ("modern", 2, "mean")
    facts = json.loads((run / "model.json").read_text())["facts"]
    dataset = read_dataset(data)
    assert facts["n_photos"] == len(dataset.rows("train"))
    assert facts["refitted_on_dev"] is False
    assert str(facts["spread"]).removesuffix(".0") in facts["spread_tries"]
    # It has learnt the topics: photos have 2.5 tags on average, and ten words of 17 at random
    # would hold 0.15 of them.
    assert facts["best_dev_P@10"] > 0.2


def test_preset_is_modern_if_none_is_named(trained, tmp_path, capsys):
    for options, preset in ([], "modern"), (["--preset", "paper"], "paper"):
        assert run_command(main, ["--data", str(trained[0]), "--dry-run", *options]) == 0
        assert f"training {preset} on" in capsys.readouterr().out


def test_train_says_first_what_it_took(trained, tmp_path, capsys):
    data, _ = trained
    assert train(data, tmp_path / "run", "--dry-run") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"data: {data} → run: {tmp_path / 'run'}"
    assert "pairs of" in out[1]
    assert not (tmp_path / "run").exists()


def test_train_without_options_takes_the_newest_data_and_the_next_run(
    trained, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    dataset = read_dataset(trained[0])
    write_dataset(dataset, tmp_path / "data" / "old" / FILE_NAME)
    write_dataset(dataset, tmp_path / "data" / "new" / FILE_NAME)
    os.utime(tmp_path / "data" / "old" / FILE_NAME, (1, 1))
    (tmp_path / "runs" / "0007").mkdir(parents=True)
    assert run_command(main, ["--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "data: data/new → run: runs/0008"


def test_same_seed_gives_the_same_model_file_and_another_seed_another(trained, tmp_path):
    data, run = trained
    assert train(data, tmp_path / "same") == 0
    assert train(data, tmp_path / "other", "--seed", 1) == 0
    expected = (run / "model.safetensors").read_bytes()
    assert (tmp_path / "same" / "model.safetensors").read_bytes() == expected
    assert (tmp_path / "other" / "model.safetensors").read_bytes() != expected


def test_same_seed_gives_the_same_modern_model_file_and_another_seed_another(trained, tmp_path):
    files = {}
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        assert train_modern(trained[0], tmp_path / name, "--seed", seed) == 0
        files[name] = model_files(tmp_path / name)
    assert files["one"] == files["same"]
    assert files["one"][0] != files["other"][0]


def test_refit_learns_from_train_and_dev_and_says_so(trained, tmp_path, capsys):
    data, _ = trained
    dataset = read_dataset(data)
    assert train_modern(data, tmp_path / "run", "--refit", "--patience", 1) == 0
    facts = json.loads((tmp_path / "run" / "model.json").read_text())["facts"]
    assert facts["refitted_on_dev"] is True
    assert facts["n_photos"] == len(dataset.rows("train")) + len(dataset.rows("dev"))
    assert facts["epochs"] == 2
    assert facts["best_update"] == facts["n_updates"]
    assert f"{facts['n_photos']} photos" in capsys.readouterr().out


def test_resume_starts_an_absent_run_and_leaves_a_finished_one(trained, tmp_path, capsys):
    data, _ = trained
    assert train(data, tmp_path / "run", "--resume") == 0
    changed_at = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    assert train(data, tmp_path / "run", "--resume") == 0
    assert "finished" in capsys.readouterr().out.splitlines()[-1]
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == changed_at
    assert run_command(main, ["--out", str(tmp_path / "run"), "--resume"]) == 0


def test_resume_after_an_interruption_gives_the_same_model_file(trained, tmp_path, monkeypatch):
    data, run = trained
    monkeypatch.setattr(RunDir, "save_checkpoint", interrupting(RunDir.save_checkpoint))
    assert train(data, tmp_path / "run") == 130
    monkeypatch.undo()
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    assert not list((tmp_path / "run").glob("*.safetensors"))
    assert train(data, tmp_path / "run", "--resume") == 0
    expected = (run / "model.safetensors").read_bytes()
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize("after", [1, 3])
def test_modern_run_resumes_to_the_same_model_file(trained, tmp_path, monkeypatch, after):
    data, _ = trained
    options = ["--epochs", 4]  # of six updates each: evaluations after 10, 20 and 24
    assert train_modern(data, tmp_path / "whole", *options) == 0
    save, n_left = RunDir.save_checkpoint, iter(range(after - 1, -1, -1))

    def interrupted(self, state):
        save(self, state)
        if next(n_left) == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunDir, "save_checkpoint", interrupted)
    assert train_modern(data, tmp_path / "cut", *options) == 130
    monkeypatch.undo()
    assert not list((tmp_path / "cut").glob("*.safetensors"))
    assert train_modern(data, tmp_path / "cut", *options, "--resume") == 0
    assert model_files(tmp_path / "cut") == model_files(tmp_path / "whole")
    logs = [RunDir(tmp_path / name).read_log() for name in ("whole", "cut")]
    for record in (r for log in logs for r in log):
        record.pop("photos_per_second", None)
    assert logs[0] == logs[1]


def test_modern_run_goes_on_without_its_options_and_refuses_another_preset(
    trained, tmp_path, monkeypatch, capsys
):
    data, _ = trained
    assert train_modern(data, tmp_path / "whole") == 0
    monkeypatch.setattr(RunDir, "save_checkpoint", interrupting(RunDir.save_checkpoint))
    assert train_modern(data, tmp_path / "cut") == 130
    monkeypatch.undo()
    capsys.readouterr()
    resume = ["--out", str(tmp_path / "cut"), "--resume"]
    assert run_command(main, [*resume, "--preset", "paper"]) == 2
    assert "--preset" in last_error(capsys)
    assert run_command(main, resume) == 0
    assert model_files(tmp_path / "cut") == model_files(tmp_path / "whole")


def test_run_of_an_earlier_version_goes_on_to_the_same_model_file(trained, tmp_path, monkeypatch):
    """Its settings lie side by side, and among them are options that there are no more."""
    data, run = trained
    monkeypatch.setattr(RunDir, "save_checkpoint", interrupting(RunDir.save_checkpoint))
    assert train(data, tmp_path / "run") == 130
    monkeypatch.undo()
    cut = RunDir(tmp_path / "run")
    former = {"vector_size": 640, "momentum_start": 0.5, "learning_rate_floor": 1e-6}
    settings = cut.read_settings() | former
    cut.write_config({"settings": settings, "dataset_id": cut.read_config()["dataset_id"]})
    assert train(data, cut.path, "--resume", "--seed", 1) == 2
    assert train(data, cut.path, "--resume") == 0
    expected = (run / "model.safetensors").read_bytes()
    assert (cut.path / "model.safetensors").read_bytes() == expected


def test_run_with_another_value_of_a_former_option_is_refused(tmp_path, capsys):
    RunDir(tmp_path).write_config({"settings": {"data": "x", "momentum_start": 0.9}})
    assert run_command(main, ["--out", str(tmp_path), "--resume"]) == 1
    assert "there is no option momentum_start" in last_error(capsys)


def interrupting(save):
    def interrupted(self, state):
        save(self, state)
        raise KeyboardInterrupt

    return interrupted


def test_run_killed_at_any_moment_resumes_to_the_same_model_file(trained, tmp_path):
    data, _ = trained
    options = [
        "--data",
        str(data),
        "--epochs",
        "30",
        "--patience",
        "30",
        "--evaluate-every",
        "7",
        *SMALL_NETWORKS,
    ]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run_command(main, [*options, "--out", str(whole)]) == 0
    command = [sys.executable, "-m", "mmcgan.train", *options, "--out", str(cut), "--resume"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (cut / "checkpoint.pt").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run_command(main, [*options, "--out", str(cut), "--resume"]) == 0
    names = ("model.safetensors", "model.json")
    assert [(cut / n).read_bytes() for n in names] == [(whole / n).read_bytes() for n in names]
    assert not [p.name for p in cut.iterdir() if p.name.startswith((".", "checkpoint"))]


def test_train_refuses_a_run_that_is_there(trained, capsys):
    assert train(*trained) == 2
    assert "--resume" in last_error(capsys)


@pytest.mark.parametrize(
    ("option", "value"), [("--seed", 5), ("--tags", "user"), ("--epochs", 9), ("--dropout", 0.1)]
)
def test_resume_refuses_other_options_than_the_runs(trained, capsys, option, value):
    data, run = trained
    status = run_command(
        main, ["--data", str(data), "--out", str(run), "--resume", option, str(value)]
    )
    assert status == 2
    assert option in last_error(capsys)


def test_resume_refuses_other_data(trained, tmp_path, capsys):
    data, _ = trained
    dataset = read_dataset(data)
    run = RunDir(tmp_path / "run")
    run.write_config({"settings": {"data": str(data)}, "dataset_id": "another"})
    assert run_command(main, ["--out", str(run.path), "--resume"]) == 2
    assert "--data" in last_error(capsys)
    assert dataset.dataset_id != "another"


def test_resume_of_broken_settings_is_a_run_error(trained, tmp_path, capsys):
    (tmp_path / "config.json").write_text('{"settings": {"data": "x", "nonsense": 1}}')
    assert run_command(main, ["--out", str(tmp_path), "--resume"]) == 1
    assert "frozen settings" in last_error(capsys)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--preset", "none", "paper"),
        ("--tags", "all", "user+annotations"),
        ("--epochs", "0", "at least 1"),
        ("--dropout", "1.5", "at most 0.99"),
        ("--loss", "x", "non-saturating"),
        ("--epochs", "many", "integer"),
    ],
)
def test_wrong_values_are_one_line_with_status_2(trained, capsys, option, value, words):
    data, _ = trained
    assert run_command(main, ["--data", str(data), option, value]) == 2
    error = last_error(capsys)
    assert option in error
    assert words in error


def test_missing_data_is_named(tmp_path, capsys, monkeypatch):
    assert train(tmp_path / "none", tmp_path / "run") == 1
    assert "dataset.h5 is missing" in last_error(capsys)
    monkeypatch.chdir(tmp_path)
    assert run_command(main, []) == 1
    assert "mmcgan.prepare" in last_error(capsys)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_empty_split_is_named(trained, tmp_path, capsys, split):
    dataset = read_dataset(trained[0])
    moved = dataset.split.copy()
    moved[moved == SPLITS.index(split)] = SPLITS.index("test")
    write_dataset(replace(dataset, split=moved), tmp_path / FILE_NAME)
    assert train(tmp_path, tmp_path / "run") == 1
    assert f"the split {split}" in last_error(capsys)
    assert not (tmp_path / "run").exists()


def test_annotations_that_are_not_there_are_named(make_dataset, tmp_path, capsys):
    write_dataset(make_dataset(), tmp_path / FILE_NAME)
    assert train(tmp_path, tmp_path / "run", "--tags", "user+annotations") == 1
    assert "--tags user" in last_error(capsys)


def test_vocabulary_of_one_word_is_refused(make_dataset, tmp_path, capsys):
    dataset = make_dataset()
    user = dataset.vocabularies["user"]
    one = {"user": Vocabulary(user.words[:1], user.vectors[:1], user.n_photos[:1])}
    write_dataset(replace(dataset, vocabularies=one), tmp_path / FILE_NAME)
    assert train(tmp_path, tmp_path / "run") == 1
    assert "one word" in last_error(capsys)


def test_full_disk_while_training_is_one_line_and_the_run_goes_on_after(
    trained, tmp_path, capsys, full_disk
):
    data, run = trained
    with full_disk(2000):
        assert train(data, tmp_path / "run") == 1
    assert str(tmp_path / "run") in last_error(capsys)
    assert not list((tmp_path / "run").glob("*.safetensors"))
    assert train(data, tmp_path / "run", "--resume") == 0
    expected = (run / "model.safetensors").read_bytes()
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize(
    ("distinct", "is_said"), [(1, True), (16, False)], ids=["collapsed", "various"]
)
def test_failed_checks_of_variety_are_said_and_logged(
    trained, tmp_path, capsys, monkeypatch, distinct, is_said
):
    data, run = trained
    shutil.copytree(run, tmp_path / "run")
    found = {"distinct_words": float(distinct), "noise_variance_share": 0.5}
    monkeypatch.setattr(train_module, "variety", lambda *args: found)
    train_module.warn_of_failed_checks(RunDir(tmp_path / "run"), read_dataset(data), 17)
    warnings = [line for line in capsys.readouterr().err.splitlines() if "distinct_words" in line]
    assert len(warnings) == is_said
    logged = [r for r in RunDir(tmp_path / "run").read_log() if "distinct" in r.get("message", "")]
    assert len(logged) == is_said
    if is_said:
        assert "distinct_words is 1 on dev, wanted at least 10" in warnings[0]


@pytest.mark.parametrize("fixture", ["trained", "trained_modern"])
def test_model_files_hold_no_path_and_no_time(fixture, request):
    _, run = request.getfixturevalue(fixture)
    for name in ("model.safetensors", "model.json"):
        assert str(Path(run).parent).encode() not in (run / name).read_bytes()
