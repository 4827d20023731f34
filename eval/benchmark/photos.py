"""Photos to measure with, as large as those of MIRFLICKR and as hard to decode, and features."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.config import PrepareConfig
from data_prep.features import extract_features
from data_prep.photos import Photo
from mmcgan.inference.photos.backbone import Backbone


def write_photos(folder: Path, n_photos: int) -> list[Path]:
    """Write JPEGs of clouds into a folder, made if need be, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"im{number}.jpg" for number in range(n_photos)]
    for seed, path in enumerate(paths):
        coarse = np.random.default_rng(seed).integers(0, 256, (75, 100, 3), np.uint8)
        Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
    return paths


def extract(paths: Sequence[Path], backbone: Backbone, work_dir: Path) -> None:
    """Extract the features of photos into an empty work folder, as `prepare` does by default."""
    config = PrepareConfig()
    photos = [Photo(i, path.name, path.read_bytes, "train") for i, path in enumerate(paths)]
    extract_features(photos, backbone, work_dir, config.batch_size, config.max_failed)


def extract_anew(paths: Sequence[Path], backbone: Backbone) -> None:
    """Extract features into a new work folder, and throw it away."""
    with tempfile.TemporaryDirectory() as work_dir:
        extract(paths, backbone, Path(work_dir))
