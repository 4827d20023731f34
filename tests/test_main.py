import json

import pytest
from helpers.photos import make_photo

from mmcgan.__main__ import main
from mmcgan.cli import run_command
from mmcgan.inference import model_dir


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
    import mmcgan

    assert tag(photos[0], "--json", "--k", 10, "--no-fold") == 0
    printed = json.loads(capsys.readouterr().out)["tags"]
    tags = mmcgan.tag(photos[0], run=trained[1])
    assert [(t["word"], t["score"]) for t in printed] == [tuple(t) for t in tags]


def test_a_broken_photo_is_named_on_stderr_and_the_others_are_tagged(tag, photos, capsys):
    assert tag(*photos) == 1
    out, err = capsys.readouterr()
    assert photos[0] in out
    assert photos[2] in out
    assert err.count("\n") == 1
    assert "broken.jpg" in err


@pytest.mark.parametrize(
    "args", [["--k", "0", "x.jpg"], ["--k", "x", "x.jpg"], [], ["--nope", "x"]]
)
def test_wrong_options_are_one_line_with_status_2(args, capsys):
    assert run_command(main, args) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_folder_that_holds_no_run_is_named(tmp_path, photos, capsys):
    assert run_command(main, [photos[0], "--run", str(tmp_path)]) == 1
    assert "holds no run" in capsys.readouterr().err


def test_model_card_is_printed_without_a_photo(capsys):
    assert run_command(main, ["--model-card"]) == 0
    assert capsys.readouterr().out == (model_dir.PRETRAINED / "MODEL_CARD.md").read_text("utf-8")
