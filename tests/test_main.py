import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.photos import make_photo

import mmcgan
from mmcgan.__main__ import COMMANDS, run
from mmcgan.cli import run_command
from mmcgan.errors import PhotoError, RunError
from mmcgan.inference import model_dir
from mmcgan.inference.photos import feature_cache
from mmcgan.inference.tagger import Tagger
from mmcgan.tagging import main


@pytest.fixture
def photos(tmp_path):
    paths = [tmp_path / "größe 1.png", tmp_path / "broken.jpg", tmp_path / "two.png"]
    for path, data in zip(paths, [make_photo("red"), b"", make_photo("blue")], strict=True):
        path.write_bytes(data)
    return [str(path) for path in paths]


@pytest.fixture
def tag(trained, stand_in):
    return lambda *args: run_command(main, [*map(str, args), "--run", str(trained[1])])


def test_tagging_prints_the_run_then_each_photo_and_its_tags(tag, photos, trained, capsys):
    assert tag(photos[0], photos[2], "--k", 3) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"run: {trained[1]}"
    assert [lines[1], lines[5]] == [photos[0], photos[2]]
    assert len(lines) == 9
    assert all(0 <= float(line.split()[0]) <= 1 for line in (*lines[2:5], *lines[6:]))


def test_cache_size_is_in_gib_and_holds_for_later_calls(tag, photos):
    limits = []
    for options in (["--cache-size", 0.5], [], ["--cache-size", 2]):
        assert tag(photos[0], *options) == 0
        with sqlite3.connect(feature_cache.cache_path()) as database:
            limits += database.execute("SELECT value FROM settings").fetchall()
    assert limits == [(2**29,), (2**29,), (2**31,)]


@pytest.mark.parametrize("size", ["-1", "nan", "1e30"])
def test_cache_size_out_of_range_is_a_wrong_option(tag, photos, size, capsys):
    assert tag(photos[0], "--cache-size", size) == 2
    assert "--cache-size" in capsys.readouterr().err


@pytest.mark.usefixtures("stand_in", "packaged")
def test_tagging_without_a_run_says_that_it_takes_the_packaged_model(photos, capsys):
    first = "model: the one that ships with mmcgan"
    assert run_command(main, [photos[0]]) == 0
    assert capsys.readouterr().out.splitlines()[0] == first
    assert run_command(main, [photos[0], "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == f"{first}\n"
    assert json.loads(out)["path"] == photos[0]


@pytest.mark.usefixtures("stand_in", "packaged")
def test_tagging_without_a_run_says_which_of_runs_it_takes(photos, trained, capsys):
    model_dir.RUNS.mkdir()
    (model_dir.RUNS / "mine").symlink_to(trained[1])
    assert run_command(main, [photos[0]]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"run: {model_dir.RUNS / 'mine'}"


def test_tagging_without_any_model_is_one_line(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_dir, "PRETRAINED", tmp_path / "none")
    assert run_command(main, [photos[0]]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "python -m mmcgan.train" in err


def test_tagging_as_json_prints_one_object_a_photo_and_nothing_else(tag, photos, capsys):
    assert tag(*photos, "--json", "--k", 2) == 1
    out, err = capsys.readouterr()
    objects = [json.loads(line) for line in out.splitlines()]
    assert [o["path"] for o in objects] == photos
    assert [len(objects[i]["tags"]) for i in (0, 2)] == [2, 2]
    assert set(objects[0]["tags"][0]) == {"word", "score"}
    assert set(objects[1]) == {"path", "error"}
    assert "broken.jpg" in err


def test_json_and_api_give_the_same_tags(tag, photos, trained, capsys):
    assert tag(photos[0], "--json", "--k", 10) == 0
    printed = json.loads(capsys.readouterr().out)["tags"]
    tags = mmcgan.tag(photos[0], run=trained[1])
    assert [(t["word"], t["score"]) for t in printed] == [tuple(t) for t in tags]


@pytest.mark.usefixtures("stand_in")
def test_an_empty_path_is_none_in_python_either(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for tag_it in (
        lambda: mmcgan.tag("", run=trained[1]),
        lambda: mmcgan.load(trained[1]).tag(""),
        lambda: mmcgan.load(trained[1]).features(""),
    ):
        with pytest.raises(PhotoError, match="the path of the photo is empty"):
            tag_it()
    monkeypatch.chdir(trained[1])
    for load in (mmcgan.load, Tagger.load):
        with pytest.raises(RunError, match="the name of the run is empty"):
            load("")
    assert mmcgan.load(".").model.vocabulary


def test_a_broken_photo_is_named_on_stderr_and_the_others_are_tagged(tag, photos, capsys):
    assert tag(*photos) == 1
    out, err = capsys.readouterr()
    assert photos[0] in out
    assert photos[2] in out
    assert err.count("\n") == 1
    assert "broken.jpg" in err


@pytest.mark.parametrize("called", [["tag"], []], ids=["tag", "short"])
@pytest.mark.parametrize(
    "args", [["--k", "0", "x.jpg"], ["--k", "x", "x.jpg"], ["--json"], ["--nope", "x"]]
)
def test_wrong_options_are_one_line_with_status_2(called, args, capsys):
    assert run([*called, *args]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{' '.join(['mmcgan', *called])}: error: ")


def test_a_folder_that_holds_no_run_is_named(tmp_path, photos, capsys):
    assert run_command(main, [photos[0], "--run", str(tmp_path)]) == 1
    assert "holds no run" in capsys.readouterr().err


def test_model_card_is_printed_without_a_photo(capsys):
    assert run_command(main, ["--model-card"]) == 0
    assert capsys.readouterr().out == (model_dir.PRETRAINED / "MODEL_CARD.md").read_text("utf-8")


@pytest.mark.parametrize(("args", "status"), [(["--help"], 0), ([], 2)], ids=["--help", "none"])
def test_overview_lists_all_commands_with_a_line_each(args, status, capsys):
    assert run(args) == status
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    listed = [(line[0], line[1]) for line in lines if line and line[0] in COMMANDS]
    assert listed == [(name, help) for name, (_, help) in COMMANDS.items()]


def test_version_is_that_of_the_package(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"mmcgan {mmcgan.__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_its_own_help(name, capsys):
    assert run([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: mmcgan {name} [OPTIONS]")


@pytest.mark.parametrize(
    "options", [["--k", "2", "--json"], ["--json", "--k=2"]], ids=["k first", "json first"]
)
@pytest.mark.usefixtures("stand_in", "packaged")
def test_photos_without_a_command_are_tagged_with_options_before_and_behind(
    options, photos, capsys
):
    printed = []
    for args in (["tag", photos[0], *options], [photos[0], *options], [*options, photos[0]]):
        assert run(args) == 0
        printed.append(capsys.readouterr().out)
    assert len(json.loads(printed[0])["tags"]) == 2
    assert len(set(printed)) == 1


@pytest.mark.usefixtures("stand_in", "packaged")
def test_a_first_word_that_names_a_command_is_that_command(photos, capsys):
    Path("train").mkdir()
    Path("train", "photo.png").write_bytes(make_photo("red"))
    assert run(["train", "--nope"]) == 2
    assert capsys.readouterr().err.startswith("mmcgan train: error: ")
    for args in (["./train"], ["tag", "train"], ["--json", "train"]):
        assert run(args) == 0
        assert "train/photo.png" in capsys.readouterr().out


@pytest.mark.usefixtures("stand_in", "packaged")
def test_lines_about_broken_photos_begin_with_what_was_called(photos, capsys):
    for called in (["tag"], []):
        assert run([*called, *photos]) == 1
        start = f"{' '.join(['mmcgan', *called])}: error: "
        assert capsys.readouterr().err.splitlines()[-1].startswith(start)


def test_commands_are_told_how_they_were_called_as_if_by_their_module(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["mmcgan", "prepare", "--dataset", "sample"])
    seen = []
    monkeypatch.setattr("mmcgan.prepare.run", lambda args, name: seen.append((args, name)) or 0)
    assert run() == 0
    assert seen == [(["--dataset", "sample"], "mmcgan prepare")]
    assert sys.argv == ["mmcgan", "--dataset", "sample"]


SLOW = {"scipy", "sklearn", "pandas", "matplotlib", "h5py", "gensim"}


@pytest.mark.parametrize(
    ("args", "unwanted"),
    [(args, {*SLOW, "torch"}) for args in (["--help"], ["--version"], [], ["tag", "--help"])]
    + [(["x.png"], SLOW)],
)
def test_tagging_and_the_overview_load_nothing_that_takes_long(args, unwanted, tmp_path):
    (tmp_path / "x.png").write_bytes(make_photo("blue"))
    script = (
        "import sys; from mmcgan.__main__ import run; run(sys.argv[1:]); "
        f"print('loaded:', sorted({unwanted} & sys.modules.keys()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *args], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.stdout.splitlines()[-1] == "loaded: []"
