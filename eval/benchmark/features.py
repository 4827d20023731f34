"""Photos → features, beside the plain way and beside the backbone alone."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from data_prep.config import PrepareConfig
from data_prep.features import Extractor
from data_prep.photos import Photo
from eval.benchmark.rows import Row, median_seconds
from mmcgan.arrays import FloatArray, Pixels
from mmcgan.errors import OptionError
from mmcgan.inference.photos.backbone import Backbone, load_backbone, restore_network
from mmcgan.inference.photos.decoding import decode_pixels
from mmcgan.inference.photos.runtimes import PixelNetwork

N_PHOTOS = 200
PLAIN_SHARE = 10  # the plain way takes so many times as long, and sees so many times fewer photos


def feature_rows(n_photos: int = N_PHOTOS, repeats: int = 5) -> Iterator[Row]:
    """Yield the rows `features_plain`, `_bare` and `_levels`, with the defaults of `prepare`.

    The first one computes in bfloat16 where the processor has it, as `--precision` can.
    """
    config = PrepareConfig()
    backbone = load_backbone(config.backbone, config.runtime, config.precision)
    rounded = _try_bfloat16(config) or backbone
    last = load_backbone(f"{config.backbone}:mean", config.runtime, config.precision)
    network = restore_network(backbone.record)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), n_photos)
        few = paths[: max(n_photos // PLAIN_SHARE, 1)]
        pixels = np.stack([decode_pixels(path, backbone) for path in paths])
        seconds = median_seconds(
            {
                "ours": partial(extract_anew, paths, backbone),
                "last": partial(extract_anew, paths, last),
                "rounded": partial(extract_anew, paths, rounded),
                "plain": partial(plain_features, few, network, backbone.image_size),
                "bare": partial(bare_features, pixels, backbone, config.batch_size),
            },
            repeats,
        )
        decoding = decoding_seconds(few, backbone)
    ours, bare = n_photos / seconds["ours"], n_photos / seconds["bare"]
    plain, fastest = len(few) / seconds["plain"], n_photos / seconds["rounded"]
    runs_on, fast = (f"{b.record['runtime']} {b.record['precision']}" for b in (backbone, rounded))
    against = f"torch eager float32, one photo at a time (ours: {fast})"
    why = (
        f"in float32 the ratio is {ours / plain:.2f}; torch itself computes on all cores, and "
        f"decoding and resizing takes {1000 * decoding:.1f} ms of one"
    )
    yield Row("features_plain", against, fastest, plain, "photos/s", "more", 8, why)
    against = f"{runs_on} on pixels in memory, batches of {config.batch_size}"
    why = _why_not_bare(bare, decoding)
    yield Row("features_bare", against, ours, bare, "photos/s", "more", 0.9, why)
    against = f"the last level alone, {config.backbone}:mean"
    why = "to pool all levels reads their maps once more, and the head's weights for each photo"
    of_last = n_photos / seconds["last"]
    yield Row("features_levels", against, ours, of_last, "photos/s", "more", 0.97, why)


def _try_bfloat16(config: PrepareConfig) -> Backbone | None:
    """Return the backbone in bfloat16; None where the processor does not have it."""
    try:
        return load_backbone(config.backbone, config.runtime, "bfloat16")
    except OptionError:
        return None


def plain_features(paths: Sequence[Path], network: PixelNetwork, size: int) -> FloatArray:
    """Compute the features (N, D) in the plain way: open a photo, fit it, one forward pass."""
    network.eval()
    rows = []
    with torch.inference_mode():
        for path in paths:
            with Image.open(path) as image:
                square = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
            rows.append(network(torch.from_numpy(np.array(square)).unsqueeze(0)).numpy())
    return np.concatenate(rows)


def bare_features(pixels: Pixels, backbone: Backbone, batch_size: int) -> None:
    """Run the backbone on pixels (N, H, W, 3) that lie in memory."""
    for start in range(0, len(pixels), batch_size):
        backbone.features_of_pixels(pixels[start : start + batch_size])


def decoding_seconds(paths: Sequence[Path], backbone: Backbone) -> float:
    """Return the seconds of a core that decoding and resizing a photo takes."""
    start = time.thread_time()
    for path in paths:
        decode_pixels(path, backbone)
    return (time.thread_time() - start) / len(paths)


def _why_not_bare(bare: float, decoding: float) -> str:
    """Say how near to the bare rate (photos/s) one can come where the same cores decode too."""
    n_cores = len(os.sched_getaffinity(0))
    computing = n_cores / bare
    return (
        f"decoding and resizing takes {1000 * decoding:.1f} ms of a core, the backbone "
        f"{1000 * computing:.1f} ms of the same {n_cores} cores: at most "
        f"{computing / (computing + decoding):.2f} where neither ever waits"
    )


def write_photos(folder: Path, n_photos: int) -> list[Path]:
    """Write JPEGs of clouds into a folder, made if need be, and return their paths.

    They are as large as the photos of MIRFLICKR, and as hard to decode.
    """
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
    Extractor(backbone, config.batch_size, config.max_failed).extract(photos, work_dir)


def extract_anew(paths: Sequence[Path], backbone: Backbone) -> None:
    """Extract features into a new work folder, and throw it away."""
    with tempfile.TemporaryDirectory() as work_dir:
        extract(paths, backbone, Path(work_dir))
