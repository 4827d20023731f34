"""Conversions in bands of rows are those of the whole picture, to the last bit."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from mmcgan.inference.photos import rgb
from mmcgan.inference.photos.rgb import to_rgb

SIZES = [(1, 1), (1, 9), (53, 31), (101, 3), (250, 2), (3, 77)]


@pytest.fixture(autouse=True)
def small_bands(monkeypatch):
    monkeypatch.setattr(rgb, "BAND_PIXELS", 100)


def random(size: tuple[int, int], *more: int) -> np.ndarray:
    return np.random.default_rng(size[0]).integers(0, 256, (size[1], size[0], *more), np.uint8)


def on_white(image: Image.Image) -> Image.Image:
    """The plain formula."""
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def scaled(samples: np.ndarray, low: float, high: float) -> Image.Image:
    """The plain formula."""
    grey = np.nan_to_num(np.asarray(samples, np.float32), posinf=0, neginf=0)
    grey = ((grey - low) * (255 / (high - low)) + 0.5).clip(0, 255)
    return Image.fromarray(grey.astype("u1")).convert("RGB")


def same(a: Image.Image, b: Image.Image) -> bool:
    return a.mode == b.mode == "RGB" and a.size == b.size and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "LAB"])
def test_colours_are_those_of_the_whole_picture(mode, size):
    image = Image.fromarray(random(size, 3))
    image = Image.merge("LAB", image.split()) if mode == "LAB" else image.convert(mode, dither=None)
    assert same(to_rgb(image), image.convert("RGB"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA", "RGBa"])
def test_alpha_is_laid_on_white_as_in_the_whole_picture(mode, size):
    source = Image.fromarray(random(size, 4))
    if mode == "PA":
        source = source.convert("RGB").convert("P")
    image = source.convert(mode)
    assert same(to_rgb(image), on_white(image))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transparency", [0, bytes(range(256)), (10, 20, 30)])
def test_transparent_colours_are_laid_on_white_as_in_the_whole_picture(transparency, size):
    image = Image.fromarray(random(size, 3) // 25 * 10)
    if not isinstance(transparency, tuple):
        image = image.convert("P")
    image.info["transparency"] = transparency
    assert same(to_rgb(image), on_white(image))


@pytest.mark.parametrize("size", SIZES)
def test_deep_samples_are_scaled_by_the_range_of_the_whole_picture(size):
    ramp = np.linspace(0, 1, size[0] * size[1]).reshape(size[::-1])
    end = max(float((4000 * ramp - 1000).astype(np.float32).max()), -999)
    for samples, low, high in [
        ((65535 * ramp).astype(np.uint16), 0, 65535),
        ((60000 * ramp).astype(np.int32), 0, 65535),
        (ramp.astype(np.float32), 0, 1),
        ((200 * ramp + 2).astype(np.float32), 0, 255),
        ((4000 * ramp - 1000).astype(np.float32), -1000, end),
    ]:
        assert same(to_rgb(Image.fromarray(samples)), scaled(samples, low, high))


def test_samples_of_12_bits_have_their_own_white(monkeypatch):
    buffer = BytesIO()
    Image.fromarray(np.full((30, 30), 4095, np.uint16)).save(buffer, "TIFF")
    image = TiffImageFile(BytesIO(buffer.getvalue()))
    image.load()
    image.tag_v2._tags_v2[258] = (12,)
    assert np.asarray(to_rgb(image)).min() == 255


def test_what_is_rgb_is_not_copied_and_keeps_its_profile():
    image = Image.fromarray(random((30, 20), 3))
    assert to_rgb(image) is image
    grey = image.convert("L")
    grey.info["icc_profile"] = b"profile"
    assert to_rgb(grey).info == {"icc_profile": b"profile"}
