"""Folders of small photos, and a backbone that takes no time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.config import PrepareConfig
from data_prep.photos import split_of
from mmcgan.inference.photos.backbone import Backbone
from mmcgan.training.prepared.dataset import SPLITS

RECORD = {
    "name": "tiny",
    "weights_sha256": "0",
    "feature_size": 3,
    "image_size": 4,
    "precision": "float32",
}


COMMAND = "python -m mmcgan.prepare --dataset folder"


TAGS = ("sea", "sea, sky", "cat", "cat, sky", "sea, cat, rare")


class TinyBackbone(Backbone):
    """The mean colour of a photo; counts what it is asked for, and stops when it is told to."""

    def __init__(self) -> None:
        super().__init__(RECORD, self._mean)
        self.n_loads = self.n_photos = 0
        self.stop_after: int | None = None

    def _mean(self, pixels: np.ndarray) -> np.ndarray:
        if self.stop_after is not None and self.n_photos >= self.stop_after:
            raise KeyboardInterrupt
        self.n_photos += len(pixels)
        return pixels.mean(axis=(1, 2)).astype(np.float32)


def colour(number: int) -> tuple[int, int, int]:
    return (number * 37 % 256, number * 91 % 256, number * 53 % 256)


def names_of(*splits: str) -> Iterator[str]:
    """File names that fall into these splits, endlessly."""
    number = 0
    while True:
        name = f"im{number}.png"
        if split_of(name, 0) in splits:
            yield name
        number += 1


def put_photos(root: Path, n: int = 30, splits: tuple[str, ...] = SPLITS) -> Path:
    """Write photos of one colour each, with tags beside them."""
    root.mkdir(parents=True, exist_ok=True)
    for i, name in zip(range(n), names_of(*splits), strict=False):
        Image.new("RGB", (200, 120), colour(int(name[2:-4]))).save(root / name)
        (root / name).with_suffix(".txt").write_text(TAGS[i % len(TAGS)])
    return root


def files_of(config: PrepareConfig) -> list[str]:
    return sorted(path.name for path in config.folder.iterdir())
