"""On a GPU: the numbers of the CPU within rounding. Skipped where there is none."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch

from mmcgan.inference.photos.backbone import load_backbone
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.config import TrainConfig
from mmcgan.training.setup import build_setup

has_gpu = torch.cuda.is_available()
needs_gpu = pytest.mark.skipif(not has_gpu, reason="needs a GPU")

SMALL = {
    "dropout": 0.0,
    "d_dropout": 0.0,
    "image_units": 16,
    "noise_units": 8,
    "maxout_units": 4,
    "d_word_units": 8,
    "d_image_units": 8,
    "epochs": 2,
}
PRESETS = {"paper": {}, "modern": {"input_dropout": 0.0, "members": 2, "draws": 4}}


@needs_gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("bfloat16", 0.2)])
def test_features_are_those_of_the_cpu(monkeypatch, precision, tolerance):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    on_gpu = load_backbone("efficientnet-lite0", "torch", precision).features_of_pixels(pixels)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_cpu = load_backbone("efficientnet-lite0", "torch", "float32").features_of_pixels(pixels)
    assert np.abs(on_gpu - on_cpu).max() < tolerance * np.abs(on_cpu).max()


@needs_gpu
@pytest.mark.parametrize("preset", PRESETS)
def test_training_takes_the_steps_of_the_cpu(make_dataset, monkeypatch, preset):
    config = TrainConfig.of(preset=preset, **SMALL, **PRESETS[preset])
    on_gpu = build_setup(make_dataset(), config, "user").trainer
    assert on_gpu.task.device.type == "cuda"
    measured = [on_gpu.step() for _ in range(4)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_cpu = build_setup(make_dataset(), config, "user").trainer
    for found in measured:
        for name, value in on_cpu.step().items():
            expected = float(value.detach())
            assert float(found[name].detach()) == pytest.approx(expected, rel=1e-2, abs=1e-3)


@pytest.mark.skipif(
    getattr(faiss, "get_num_gpus", lambda: 0)() == 0, reason="needs faiss-gpu and a GPU"
)
@pytest.mark.parametrize("has_bias", [False, True])
def test_search_is_that_of_the_cpu(has_bias):
    random = np.random.default_rng(0)
    words = unit_rows(random.normal(size=(500, 20)))
    bias = random.normal(size=500).astype(np.float32) if has_bias else None
    index = WordIndex(words, bias)
    queries = index.queries(random.normal(size=(50, 20)).astype(np.float32))
    scores, rows = index.search(queries, 10)
    dense = queries @ index.table.T
    assert np.allclose(scores, np.sort(dense, axis=1)[:, :-11:-1], atol=1e-4)
    assert np.mean(rows == np.argsort(-dense, axis=1)[:, :10]) > 0.99
