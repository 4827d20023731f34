"""Converted networks are kept, read again, and made again where they are broken or others."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mmcgan.files import user_cache
from mmcgan.inference.photos import on_openvino, runtimes
from mmcgan.inference.photos.runtimes import PixelNetwork, build_runtime

pytest.importorskip("openvino")

TWO, THREE = np.float32(2).tobytes(), np.float32(3).tobytes()
CHANGES = {
    "network.bin": (TWO, THREE),
    "network.xml": (b"Multiply", b"Divide"),
    "sha256": (b"a", b"b"),
}

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)


class Mean(nn.Module):
    def __init__(self, weight: float):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weight * images.mean((2, 3))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return user_cache("openvino")


@pytest.fixture
def conversions(monkeypatch) -> list[int]:
    """One more for each conversion."""
    done: list[int] = []
    convert = runtimes._convert
    monkeypatch.setattr(runtimes, "_convert", lambda *args: done.append(1) or convert(*args))
    return done


def features(weight: float, facts: dict | None) -> np.ndarray:
    module = PixelNetwork(Mean(weight), (0.0,) * 3, (1.0,) * 3)
    name, run = build_runtime(module, 4, "openvino", "float32", facts)
    assert name == "openvino"
    return run(PIXELS)


def test_network_is_converted_once_and_then_read(folder, conversions):
    first, again = features(2.0, {"weights": "a"}), features(2.0, {"weights": "a"})
    assert len(conversions) == 1
    assert np.array_equal(first, again)
    assert first == pytest.approx(2 * PIXELS.mean((1, 2)) / 255, abs=1e-5)
    assert [path.name for path in folder.glob("*/*.xml")] == ["network.xml"]


def test_network_with_other_facts_or_without_is_another(folder, conversions):
    assert not np.allclose(features(2.0, {"weights": "a"}), features(3.0, {"weights": "b"}))
    assert len(conversions) == len(list(folder.iterdir())) == 2
    features(2.0, None)
    assert len(conversions) == 3
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("name", ["network.xml", "network.bin"])
def test_network_that_is_kept_broken_is_made_again(folder, conversions, name):
    first = features(2.0, {"weights": "a"})
    (path,) = folder.glob(f"*/{name}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert np.array_equal(features(2.0, {"weights": "a"}), first)
    n_conversions = len(conversions)
    assert np.array_equal(features(2.0, {"weights": "a"}), first)
    assert len(conversions) == n_conversions


@pytest.mark.parametrize("name", ["network.xml", "network.bin", "sha256"])
def test_network_that_was_changed_since_is_made_again(folder, conversions, name):
    first = features(2.0, {"weights": "a"})
    (path,) = folder.glob(f"*/{name}")
    path.write_bytes(path.read_bytes().replace(*CHANGES[name]))
    assert np.array_equal(features(2.0, {"weights": "a"}), first)
    assert len(conversions) == 2


def test_network_of_another_version_is_made_again(folder, conversions, monkeypatch):
    features(2.0, {"weights": "a"})
    monkeypatch.setattr(on_openvino, "VERSION", on_openvino.VERSION + 1)
    features(2.0, {"weights": "a"})
    assert len(conversions) == 2


def test_folder_that_cannot_be_written_keeps_nothing(tmp_path, monkeypatch, conversions):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert features(2.0, {"weights": "a"}).shape == (2, 3)
    assert np.array_equal(features(2.0, {"weights": "a"}), features(2.0, {"weights": "a"}))
    assert len(conversions) == 3


def test_name_of_what_is_kept_says_nothing_of_the_user(folder):
    features(2.0, {"weights": "a"})
    assert all(re.fullmatch("[0-9a-f]{32}", path.name) for path in folder.iterdir())
