"""A small collection whose features are extracted.

python -m helpers.extraction WORK_DIR MARKER: the extraction waits in its sixth batch to be killed.
"""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.features import Extracted, Extractor
from data_prep.photos import Photo
from mmcgan.inference.photos.backbone import Backbone

BATCH = 4
N_PHOTOS = 30
RECORD = {"name": "tiny", "weights_sha256": "0", "feature_size": 8, "image_size": 4}


def project(pixels: np.ndarray) -> np.ndarray:
    """Map pixels (B, 4, 4, 3) to features (B, 8)."""
    return (pixels.reshape(len(pixels), -1)[:, ::6] / np.float32(7)).astype(np.float32)


def tiny(run: Callable[[np.ndarray], np.ndarray] = project, **changes: object) -> Backbone:
    return Backbone(RECORD | changes, run)


def photo(number: int) -> Photo:
    pixels = np.random.default_rng(number).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return Photo(number, f"im{number}.png", buffer.getvalue, "train")


def unreadable(number: int, read: Callable[[], bytes]) -> Photo:
    return Photo(number, f"im{number}.png", read, "train")


def missing() -> bytes:
    raise FileNotFoundError(errno.ENOENT, "No such file or directory")


def collection(n: int = N_PHOTOS) -> list[Photo]:
    """Photos of which the second and the eleventh cannot be read."""
    photos = [photo(i) for i in range(n)]
    photos[1] = unreadable(1, lambda: b"")
    photos[10] = unreadable(10, missing)
    return photos


def extract(
    work_dir: Path,
    backbone: Backbone | None = None,
    photos: list[Photo] | None = None,
    **changes: object,
) -> Extracted:
    extractor = Extractor(
        backbone or tiny(), **({"batch_size": BATCH, "max_failed": 0.1} | changes)
    )
    return extractor.extract(collection() if photos is None else photos, work_dir)


def assert_same(found: Extracted, wanted: Extracted) -> None:
    assert found.features.tobytes() == wanted.features.tobytes()
    assert found.rows.tolist() == wanted.rows.tolist()
    assert found.failures == wanted.failures


def wait_in_the_sixth_batch(work_dir: Path, marker: Path) -> None:
    n_batches = []

    def run(pixels: np.ndarray) -> np.ndarray:
        n_batches.append(len(pixels))
        if len(n_batches) == 6:
            marker.touch()
            time.sleep(600)
        return project(pixels)

    extract(work_dir, tiny(run))


if __name__ == "__main__":
    wait_in_the_sixth_batch(Path(sys.argv[1]), Path(sys.argv[2]))
