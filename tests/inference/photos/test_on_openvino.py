"""Networks that were converted before run again without torch, where nothing speaks against it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mmcgan.errors import MmcganError, RunError
from mmcgan.inference.model import read_model
from mmcgan.inference.photos import on_openvino
from mmcgan.inference.photos.backbone import restore_backbone
from mmcgan.inference.photos.on_openvino import read_kept_runtime
from mmcgan.inference.photos.runtimes import PixelNetwork, build_runtime
from mmcgan.inference.photos.sources import Source
from mmcgan.inference.tagger import Tagger
from mmcgan.training.runs import RunDir

openvino = pytest.importorskip("openvino")

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)


class MeanColour(nn.Module):
    """The mean of each colour, some times over."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)).repeat(1, self.times)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(on_openvino.shutil, "which", lambda name: None)


@pytest.fixture
def keep() -> Callable[..., Source]:
    """A function that converts a network under a name that no library has."""

    def keep(times: int = 1, size: int = 4, pooling: dict[str, Any] | None = None) -> Source:
        colours = (0.0,) * 3, (1.0,) * 3
        source = Source("timm:of-no-library", MeanColour(times), size, *colours, pooling)
        build_runtime(source.on_pixels(), size, "openvino", "float32", source.facts)
        return source

    return keep


def record_of(source: Source) -> dict[str, Any]:
    return {
        **source.facts,
        "feature_size": 3,
        "resize": "shorter side bicubic, centre crop",
        "detail": 2,
        "runtime": "torch",
        "precision": "float32",
    }


def test_a_kept_network_is_restored_without_the_library_it_is_from(keep):
    record = record_of(keep())
    restored = restore_backbone(json.loads(json.dumps(record)))
    assert restored.record == record | {"runtime": "openvino"}
    expected = PIXELS.mean((1, 2)) / 255
    for n in (3, 1):
        np.testing.assert_allclose(restored.features_of_pixels(PIXELS[:n]), expected[:n], rtol=1e-3)


def test_a_kept_network_of_all_levels_is_restored_with_what_its_record_says(keep):
    source = keep(pooling={"how": ["in some way"], "parts": [3], "classes": 2})
    record = record_of(source)
    restored = restore_backbone(json.loads(json.dumps(record)))
    assert restored.record == record | {"runtime": "openvino"}
    probabilities = restored.class_probabilities(restored.features_of_pixels(PIXELS))
    expected = np.square(PIXELS.mean((1, 2))[:, 1:] / 255)
    np.testing.assert_allclose(probabilities, expected, rtol=3e-3)


def test_a_network_pooled_in_another_way_is_not_taken_for_it(keep):
    source = keep(pooling={"how": ["in some way"], "parts": [3], "classes": 2})
    assert read_kept_runtime(source.facts, "float32") is not None
    for other in ({"parts": [3], "classes": 1}, {}):
        assert read_kept_runtime({**source.facts, "pooling": other}, "float32") is None
    without = {key: value for key, value in source.facts.items() if key != "pooling"}
    assert read_kept_runtime(without, "float32") is None


def test_a_network_of_other_weights_is_not_taken_for_it(keep):
    source = keep()
    assert read_kept_runtime(source.facts, "float32") is not None
    assert read_kept_runtime({**source.facts, "weights_sha256": "0" * 64}, "float32") is None


def test_nothing_kept_gives_none():
    assert read_kept_runtime({"name": "timm:of-no-library"}, "float32") is None


def test_a_kept_network_is_left_where_there_is_a_gpu(keep, monkeypatch):
    source = keep()
    monkeypatch.setattr(on_openvino.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert read_kept_runtime(source.facts, "float32") is None


def test_a_kept_network_is_left_where_openvino_is_missing(keep, monkeypatch):
    source = keep()
    monkeypatch.setattr(on_openvino, "has_openvino", lambda: False)
    assert read_kept_runtime(source.facts, "float32") is None


def test_a_kept_network_is_left_where_the_cpu_lacks_its_precision(keep, monkeypatch):
    class OldCore:
        def get_property(self, device: str, name: str) -> list[str]:
            return ["FP32", "INT8"]

    source = keep()
    monkeypatch.setattr(openvino, "Core", OldCore)
    assert read_kept_runtime(source.facts, "bfloat16") is None


def test_a_kept_network_in_no_known_precision_is_refused(keep):
    record = record_of(keep()) | {"precision": "int8"}
    with pytest.raises(MmcganError):
        restore_backbone(record)
    assert read_kept_runtime(keep().facts, "int8") is None


def test_tagging_with_a_kept_network_loads_no_torch(trained_modern, keep, tmp_path):
    run = trained_modern[1]
    model = read_model(RunDir(run))
    size, n_features = model.backbone["image_size"], len(model.standardizer.mean)
    module = PixelNetwork(MeanColour(n_features // 3), model.backbone["mean"], (0.5,) * 3)
    facts = {k: model.backbone[k] for k in ("name", "weights_sha256", "image_size", "mean", "std")}
    with pytest.raises(RunError, match="weights of efficientnet-lite0"):
        restore_backbone(model.backbone)
    _, run_network = build_runtime(module, size, "openvino", "float32", facts)

    photo = tmp_path / "photo.png"
    Image.new("RGB", (300, 300), (200, 90, 20)).save(photo)
    code = (
        "import json, sys, mmcgan\n"
        f"tags = mmcgan.tag({str(photo)!r}, k=4, run={str(run)!r})\n"
        "print(json.dumps([tags, sorted({'torch', 'scipy'} & sys.modules.keys())]))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    tags, loaded = json.loads(done.stdout)
    assert loaded == []

    pixels = np.full((1, size, size, 3), (200, 90, 20), np.uint8)
    (expected,) = Tagger(model).tag_features(run_network(pixels), 4)
    assert [word for word, _ in tags] == [tag.word for tag in expected]
    assert [score for _, score in tags] == pytest.approx([t.score for t in expected], abs=1e-3)
