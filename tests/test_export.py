"""The exported tagger gives the tags of ours, in ONNX Runtime, without any of our code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mmcgan import export as export_module
from mmcgan.cli import run_command
from mmcgan.errors import DependencyError
from mmcgan.export import Rank, export, main
from mmcgan.inference.model_dir import PRETRAINED
from mmcgan.inference.photos.runtimes import PixelNetwork
from mmcgan.inference.scorers import SCORERS
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.ranking import Draws
from mmcgan.training.prepared.dataset import read_dataset

onnxruntime = pytest.importorskip("onnxruntime")

FILES = ["backbone.onnx", "generator.onnx", "words.onnx", "tagger.json"]


def run(path: Path, value: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: value})


def tags_of(folder: Path, features: np.ndarray, k: int = 10) -> list[list[tuple[str, float]]]:
    """What a stranger makes of the files by their description."""
    words = json.loads((folder / "tagger.json").read_text())["words"]
    (vectors,) = run(folder / "generator.onnx", features)
    scores, ties = run(folder / "words.onnx", vectors)
    best = [np.lexsort((-t, -s))[:k] for s, t in zip(scores, ties, strict=True)]
    return [[(words[w], float(s[w])) for w in order] for order, s in zip(best, scores, strict=True)]


def assert_same(found: list[list[tuple[str, float]]], tagger: Tagger, features: np.ndarray):
    own = replace(tagger, objects=False, folds=False)
    for ours, theirs in zip(own.tag_features(features), found, strict=True):
        assert [tag.word for tag in ours] == [word for word, _ in theirs]
        assert [tag.score for tag in ours] == pytest.approx([s for _, s in theirs], abs=1e-4)


@pytest.fixture
def small_backbone(monkeypatch):
    """A backbone in place of the one that a made-up record names."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 16))
    module = PixelNetwork(network, (0.5,) * 3, (0.5,) * 3)
    monkeypatch.setattr(export_module, "restore_network", lambda record: module)


@pytest.mark.parametrize("fixture", ["trained", "trained_modern"])
def test_exported_tagger_gives_the_same_tags(fixture, request, tmp_path, small_backbone):
    data, run_folder = request.getfixturevalue(fixture)
    tagger, dataset = Tagger.load(run_folder), read_dataset(data)
    assert [path.name for path in export(tagger, tmp_path)] == FILES
    for rows in (dataset.rows("val"), dataset.rows("val")[:1]):
        features = dataset.features[rows]
        assert_same(tags_of(tmp_path, features), tagger, features)


@pytest.mark.parametrize("rule", ["mean", "vote"])
@pytest.mark.parametrize("has_bias", [True, False])
def test_words_rank_as_ours_do(trained_modern, rule, has_bias):
    tagger = Tagger.load(trained_modern[1])
    bias = tagger.model.bias if has_bias else None
    object.__setattr__(tagger.model, "bias", bias)
    object.__setattr__(tagger.model, "ranking", rule)
    size = tagger.model.vocabulary.vector_size
    samples = np.random.default_rng(0).normal(size=(5, 30, size)).astype(np.float32)
    is_calibrated = rule == "vote" or has_bias  # cosines are no probabilities
    index = tagger.model.build_index()
    ours = SCORERS[rule](tagger.model.network, index, 30, 0).of(Draws.of(samples, index))
    every = np.arange(len(tagger.model.vocabulary))
    scores, ties = Rank(tagger.model)(torch.from_numpy(samples))
    for theirs, mine in zip((scores, ties), ours.scores_of(every), strict=True):
        expected = tagger.model.calibrated(mine) if is_calibrated and theirs is scores else mine
        assert theirs.numpy() == pytest.approx(expected, abs=1e-5)


def test_model_that_ships_gives_the_same_tags_from_pixels(tmp_path, capsys):
    assert run_command(main, ["--run", str(PRETRAINED), "--out", str(tmp_path)]) == 0
    assert [str(tmp_path / name) in capsys.readouterr().out for name in FILES[:1]] == [True]
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    image = Image.fromarray(pixels).resize((640, 480))
    tagger = Tagger.load(PRETRAINED)
    (features,) = run(tmp_path / "backbone.onnx", tagger.backbone.preprocess(image)[None])
    halved = tagger.backbone.features([image])
    assert features == pytest.approx(halved, rel=2**-10, abs=2e-3)
    assert_same(tags_of(tmp_path, features), tagger, features)
    description = json.loads((tmp_path / "tagger.json").read_text())
    assert description["pixels"]["size"] == tagger.backbone.image_size
    assert description["pixels"]["detail"] == tagger.backbone.detail


def test_export_without_its_packages_names_them(trained, tmp_path, monkeypatch, small_backbone):
    def missing(*args, **kwargs):
        raise ModuleNotFoundError("No module named 'onnxscript'")

    monkeypatch.setattr(torch.onnx, "export", missing)
    with pytest.raises(DependencyError, match=r"mmcgan\[export\]"):
        export(Tagger.load(trained[1]), tmp_path)
    assert list(tmp_path.iterdir()) == []
