"""Photos to measure with, as large as those of MIRFLICKR and as hard to decode, and features."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmcgan.inference.photos.backbone import Backbone

Extract = Callable[[Sequence[Path], Backbone, Path], object]
"""Puts the features of photos into an empty work folder, as `prepare` does."""


def write_photos(folder: Path, n_photos: int) -> list[Path]:
    """Write photos into a folder, made if need be, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"im{number}.jpg" for number in range(n_photos)]
    for seed, path in enumerate(paths):
        write_photo(path, seed)
    return paths


def write_photo(path: Path, seed: int = 0) -> None:
    """Write a JPEG of clouds."""
    coarse = np.random.default_rng(seed).integers(0, 256, (75, 100, 3), np.uint8)
    Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)


def extract_anew(extract: Extract, paths: Sequence[Path], backbone: Backbone) -> None:
    """Extract features into a new work folder, and throw it away."""
    with tempfile.TemporaryDirectory() as work_dir:
        extract(paths, backbone, Path(work_dir))
