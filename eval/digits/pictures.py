"""Pictures of digits for a report: a grid of images as one PNG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from mmcgan.arrays import FloatArray

MIN_HEIGHT = 28  # pixels that a digit is shown with, at least
GAP_GREY = 64  # apart from the black around a digit, and not glaring on a dark page


def grid(images: FloatArray, gap: int = 2) -> bytes:
    """Return `images` (R, C, H, W) in [0, 1] as the PNG of one grey picture, `gap` pixels apart.

    Low images are enlarged, each pixel to a square of them, to MIN_HEIGHT or more. Values outside
    [0, 1] are drawn as the nearer end. Raises `ValueError` for other than R x C images.
    """
    if images.ndim != 4 or not images.size:
        raise ValueError(f"images must be (rows, columns, height, width), not {images.shape}")
    n_rows, n_columns, height, width = images.shape
    scale = -(-MIN_HEIGHT // height)
    grey = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    cells = np.full(
        (n_rows, n_columns, height * scale + gap, width * scale + gap), GAP_GREY, np.uint8
    )
    cells[:, :, : height * scale, : width * scale] = grey.repeat(scale, 2).repeat(scale, 3)
    whole = cells.swapaxes(1, 2).reshape(n_rows * cells.shape[2], n_columns * cells.shape[3])
    buffer = io.BytesIO()
    picture = whole[: whole.shape[0] - gap, : whole.shape[1] - gap]  # none after the last
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
