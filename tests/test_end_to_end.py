"""The documented path with a real backbone, on a folder of drawn photos."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.datasets import SMALL_NETWORKS

import mmcgan
from data_prep.sample import read_sample
from mmcgan import evaluate, prepare, tagging, train
from mmcgan.cli import run_command
from mmcgan.inference.words.vocabulary import printed
from mmcgan.training.prepared.dataset import read_dataset

N_PHOTOS = 90
PREPARE = shlex.split(
    "--dataset folder --root photos --out data/mine --backbone efficientnet-lite0 "
    "--word-epochs 2 --word-size 8 --min-photos 3"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder in which prepare, train and evaluate ran one after the other."""
    home = tmp_path_factory.mktemp("home")
    photos = read_sample(home / "drawn", frozenset(), 0).photos[:N_PHOTOS]
    (home / "photos").mkdir()
    for photo in photos:
        drawn = home / "drawn" / f"im{photo.image_id}.jpg"
        shutil.copy(drawn, home / "photos")
        if photo.tags:
            (home / "photos" / f"{drawn.stem}.txt").write_text("\n".join(photo.tags))
    (home / "photos" / "broken.jpg").write_bytes(b"not a photo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert run_command(prepare.main, PREPARE) == 0
        assert run_command(train.main, ["--epochs", "1", *SMALL_NETWORKS]) == 0
        assert run_command(evaluate.main, []) == 0
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


def test_every_stage_leaves_its_file_under_its_default_name(home):
    assert (home / "data" / "mine" / "dataset.h5").is_file()
    assert not (home / "data" / "mine" / "partial").exists()
    assert (home / "runs" / "0001" / "model.safetensors").is_file()
    assert (home / "runs" / "0001" / "report-val" / "report.html").is_file()


def test_prepared_file_says_what_was_kept_and_what_could_not_be_read(home):
    dataset = read_dataset(home / "data" / "mine")
    assert len(dataset.features) == N_PHOTOS
    assert dataset.feature_size == 3848
    assert dataset.counts["unreadable_photos"][0][0].endswith("broken.jpg")
    assert dataset.backbone["precision"] == "float32"
    assert dataset.vocabularies["user"].vectors.shape[1] == 8


def test_prepare_again_does_nothing_and_with_other_options_refuses(home, capsys):
    before = (home / "data" / "mine" / "dataset.h5").stat().st_mtime_ns
    assert run_command(prepare.main, PREPARE) == 0
    assert (home / "data" / "mine" / "dataset.h5").stat().st_mtime_ns == before
    assert run_command(prepare.main, [*PREPARE, "--seed", "4"]) == 2
    assert "--seed" in capsys.readouterr().err


def test_a_photos_tags_are_those_of_its_stored_features(home):
    dataset = read_dataset(home / "data" / "mine")
    tagger = mmcgan.load()
    for row in (0, 40):
        path = home / "photos" / str(dataset.image_ids[row])
        with mmcgan.inference.photos.images.open_photo(path, at_least=224) as image:
            features = tagger.backbone.features([image])
        assert np.allclose(features[0], dataset.features[row], atol=1e-4)
        words = [tag.word for tag in mmcgan.tag(path)]
        expected = tagger.tag_features(dataset.features[row : row + 1])[0]
        assert words == [tag.word for tag in expected]


def test_command_line_tags_a_photo(home, capsys):
    assert run_command(tagging.main, ["photos/im1.jpg", "--json", "--k", "10"]) == 0
    out = capsys.readouterr().out
    assert [(t["word"], t["score"]) for t in json.loads(out)["tags"]] == [
        tuple(tag) for tag in mmcgan.tag("photos/im1.jpg")
    ]


@pytest.mark.parametrize("place", ["sidecar", "embedded"])
def test_a_library_is_tagged_seen_by_other_software_and_as_before_in_the_end(
    home, tmp_path, capsys, place
):
    new = tmp_path / "new"
    (new / "sub").mkdir(parents=True)
    for i in range(1, 7):
        shutil.copy(f"photos/im{i}.jpg", new / ("sub" if i % 2 else "."))
    before = {path: path.read_bytes() for path in new.rglob("*.jpg")}
    assert run_command(tagging.main, [str(new), "--json", "--write", place]) == 0
    lines = capsys.readouterr().out.splitlines()
    answers = [json.loads(line) for line in lines]
    tags = {a["path"]: [printed(tag["word"]) for tag in a["tags"]] for a in answers}
    assert tags.keys() == {str(path) for path in before}
    assert all(1 <= len(words) <= 10 for words in tags.values())
    if shutil.which("exiftool"):
        for path, words in tags.items():
            seen = Path(f"{path}.xmp" if place == "sidecar" else path)
            found = subprocess.run(
                ["exiftool", "-j", "-XMP:Subject", "-sep", "|", seen],
                capture_output=True,
                text=True,
                check=True,
            )
            assert json.loads(found.stdout)[0]["Subject"].split("|") == words
    assert run_command(tagging.main, [str(new), "--remove"]) == 0
    assert {path: path.read_bytes() for path in new.rglob("*") if path.is_file()} == before


def test_prepare_names_what_is_wrong_with_a_collection(tmp_path, capsys):
    def error(*options):
        status = run_command(prepare.main, ["--out", str(tmp_path / "out"), *map(str, options)])
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        return status, lines[0]

    status, line = error("--dataset", "folder", "--root", tmp_path / "none")
    assert status == 1
    assert "none" in line
    assert error("--dataset", "folder") == (
        2,
        "mmcgan.prepare: error: --root: --dataset folder needs the folder of its photos",
    )
    (tmp_path / "one").mkdir()
    shutil.copy("photos/im1.jpg", tmp_path / "one")
    status, line = error("--dataset", "folder", "--root", tmp_path / "one")
    assert status == 1
    assert "tag" in line
    status, line = error("--vectors", tmp_path / "none.txt")
    assert status == 2
    assert "--vectors" in line
    status, line = error("--dataset", "folder", "--root", "photos", "--backbone", "nonsense")
    assert status == 2
    assert "--backbone" in line
    assert not (tmp_path / "out" / "dataset.h5").exists()


def test_prepare_goes_on_with_a_higher_max_failed_as_its_error_advises(tmp_path, capsys):
    for i in range(1, 9):
        shutil.copy(f"photos/im{i}.jpg", tmp_path / f"{i}.jpg")
        (tmp_path / f"{i}.txt").write_text("sea")
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    options = shlex.split(
        "--dataset folder --backbone efficientnet-lite0 --min-photos 1 --word-epochs 1"
    )
    options += ["--root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert run_command(prepare.main, options) == 1
    assert "--max-failed" in capsys.readouterr().err
    assert run_command(prepare.main, [*options, "--max-failed", "0.5"]) == 0
    assert len(read_dataset(tmp_path / "out").features) == 8
    assert run_command(prepare.main, options) == 2
