"""Any mode of Pillow → RGB, in bands of rows, so that little more than both pictures is in memory.

Samples deeper than 8 bits are scaled, and alpha is laid on white. Each pixel comes out as if the
whole picture were converted at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from mmcgan.arrays import FloatArray

BAND_PIXELS = 2**20

Range = tuple[float, float]  # the samples that are black and white


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image to RGB: deep samples scaled, alpha laid on white. One in RGB is itself."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    deep = _sample_range(image) if _is_deep(image) else None
    if image.width * image.height <= BAND_PIXELS:
        return _convert(image, deep)
    rgb = Image.new("RGB", image.size)
    for band, place in _bands(image):
        rgb.paste(_convert(band, deep), place)
    if deep is None and not image.has_transparency_data:
        rgb.info = dict(image.info)
    return rgb


def _bands(image: Image.Image) -> Iterator[tuple[Image.Image, tuple[int, int]]]:
    """Yield bands of an image, each with its place (left, top)."""
    width = min(image.width, BAND_PIXELS)
    height = BAND_PIXELS // width
    for top in range(0, image.height, height):
        for left in range(0, image.width, width):
            right, bottom = min(left + width, image.width), min(top + height, image.height)
            yield image.crop((left, top, right, bottom)), (left, top)


def _convert(image: Image.Image, deep: Range | None) -> Image.Image:
    if deep:
        image = _to_8_bits(image, *deep)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or image.mode in ("I", "F")


def _samples(image: Image.Image) -> FloatArray:
    """Return grey samples of 16 or 32 bits or floats as floats (H, W), 0 for what is no number."""
    return np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)


def _to_8_bits(image: Image.Image, low: float, high: float) -> Image.Image:
    scaled = (_samples(image) - low) * (255 / (high - low)) + 0.5
    return Image.fromarray(scaled.clip(0, 255).astype("u1"))


def _sample_range(image: Image.Image) -> Range:
    """Return the values of black and white."""
    if image.mode.startswith("I;16"):
        return _whole_range(image)
    extremes = [(float(s.min()), float(s.max())) for s in (_samples(b) for b, _ in _bands(image))]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    if image.mode != "F" and low >= 0 and high <= 65535:
        return _whole_range(image)
    if low >= 0 and high <= 255:  # floats are written as 0…1 or as 0…255
        return (0, 1) if high <= 1 else (0, 255)
    return low, max(high, low + 1)


def _whole_range(image: Image.Image) -> Range:
    """Return the range of samples of at most 16 bits."""
    bits = image.tag_v2.get(BITSPERSAMPLE) if isinstance(image, TiffImageFile) else None
    return (0, 4095) if bits == (12,) else (0, 65535)
