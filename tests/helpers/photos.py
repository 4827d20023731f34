"""Small photos, and a backbone that takes no time."""

from __future__ import annotations

import shutil
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mmcgan.inference import model_dir
from mmcgan.inference import tagger as tagger_module
from mmcgan.inference.photos.backbone import Backbone
from mmcgan.inference.photos.images import open_photo


def make_photo(colour, size=(8, 8)):
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def decoded(data, name=None, at_least=None):
    """A photo as `open_photo` gives it."""
    with open_photo(data, name, at_least) as image:
        return image


@pytest.fixture
def stand_in(monkeypatch):
    """A backbone whose six features are the mean colour, twice."""

    def run(pixels):
        mean = pixels.reshape(len(pixels), -1, 3).mean(axis=1) / 255
        return np.tile(mean, 2).astype(np.float32)

    backbone = Backbone({"feature_size": 6, "image_size": 4}, run)
    monkeypatch.setattr(tagger_module, "restore_backbone", lambda record: backbone)


@pytest.fixture
def packaged(trained, tmp_path, monkeypatch):
    """The folder of a packaged model, without any run under ./runs."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    for name in ("model.json", "model.safetensors"):
        shutil.copy(trained[1] / name, folder)
    monkeypatch.setattr(model_dir, "PRETRAINED", folder)
    monkeypatch.chdir(tmp_path)
    return folder
