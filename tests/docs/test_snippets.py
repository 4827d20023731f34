"""The Python of the README and of the page about metadata runs as it is written."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers.pages import ROOT, blocks
from PIL import Image

PRETRAINED = ROOT / "mmcgan" / "pretrained"


@pytest.fixture
def photo_folder(tmp_path, monkeypatch):
    """A working folder with photos and a run, the names those of the pages."""
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        Image.new("RGB", (64, 48), "teal").save(tmp_path / name)
    run = tmp_path / "runs" / "0001"
    run.mkdir(parents=True)
    for file in ("model.json", "model.safetensors"):
        shutil.copy(PRETRAINED / file, run)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readmes_snippet_runs(photo_folder):
    (snippet,) = blocks(ROOT / "README.md", "python")
    feature_size = json.loads((PRETRAINED / "model.json").read_text())["backbone"]["feature_size"]
    names = {"features": np.zeros((2, feature_size), np.float32)}
    exec(compile(snippet, "README.md", "exec"), names)
    assert len(names["tagger"].tag_features(names["features"])) == 2


def test_snippets_of_the_page_about_metadata_run(photo_folder, capsys):
    before = {path: path.read_bytes() for path in photo_folder.glob("*.*")}
    for snippet in blocks(ROOT / "docs" / "metadata.md", "python"):
        exec(compile(snippet, "metadata.md", "exec"), {})
    out = capsys.readouterr().out
    assert "+" in out  # the difference that writing makes
    assert "auto|sea" in out
    assert {path: path.read_bytes() for path in photo_folder.glob("*.*")} == before
