"""Open a photo safely: whatever the file holds, return an upright RGB image or raise `PhotoError`.

Only formats of photos are tried, each with its own decoder, and the size is read from the header
and checked before any pixel is decoded. Pillow's own limit on pixels is lower than the photos of
today's phones and is a setting of the whole process, so it is neither used nor changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from PIL import ExifTags, Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from mmcgan.errors import DependencyError, PhotoError, one_line
from mmcgan.inference.photos.extra_formats import Decoder, find_extra_decoder
from mmcgan.inference.photos.segments import JPEG_START, PNG_START

MAX_IMAGE_BYTES = 256 * 2**20
MAX_PIXELS = 200_000_000  # the largest phone cameras take 16,320 × 12,240

_DECODERS: tuple[tuple[bytes | tuple[bytes, ...], Decoder], ...] = (
    (JPEG_START, JpegImageFile),  # of an MPO, the first picture
    (PNG_START, PngImageFile),
    (b"RIFF", WebPImageFile),
    (b"GIF8", GifImageFile),
    (b"BM", BmpImageFile),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImageFile),
)
_KNOWN_FORMATS = "JPEG, PNG, WebP, TIFF, GIF or BMP, with extras HEIC or camera RAW"

_BITS_PER_SAMPLE_TAG = 258


def open_photo(
    data: bytes | Path, name: str | None = None, at_least: int | None = None
) -> Image.Image:
    """Decode the encoded photo `data`, or the file at that path, as RGB, upright by its EXIF.

    Alpha is laid on white, of an animation the first frame is taken, and deeper samples are scaled
    to 8 bits. With `at_least`, a large JPEG may be decoded to a half, a quarter or an eighth, whose
    sides are at least twice `at_least`: shrunk to `at_least` or less it looks the same, and it
    decodes several times as fast.

    Raises `PhotoError`, one line that calls the photo `name`, if there is no such file, it is no
    photo of a known format, it is broken, or it has more than `MAX_PIXELS` pixels.
    """
    with open_header(data, name) as image:
        if at_least is not None:
            image.draft(None, (2 * at_least, 2 * at_least))
        image.load()
        with suppress(Exception):  # a broken EXIF block is no reason to refuse whole pixels
            ImageOps.exif_transpose(image, in_place=True)
        return _to_rgb(image)


def shorter_side(data: bytes | Path, name: str | None = None) -> int:
    """Return the shorter side of the encoded photo in pixels; only its header is decoded.

    Raises `PhotoError` as `open_photo` does, except for broken pixels, which it does not see.
    """
    with open_header(data, name) as image:
        return min(image.size)


def orientation_of(data: bytes) -> int | None:
    """Return the EXIF orientation of the encoded photo; raises as `shorter_side` does."""
    with open_header(data) as image:
        try:
            orientation = image.getexif().get(ExifTags.Base.Orientation)
        except Exception:  # a broken EXIF block
            return None
        return orientation if isinstance(orientation, int) else None


@contextmanager
def open_header(data: bytes | Path, name: str | None = None) -> Iterator[Image.Image]:
    """Give a photo with its pixels not yet decoded; an error in the block becomes a `PhotoError`.

    Errors call the photo `name`.
    """
    name = name or (str(data) if isinstance(data, Path) else "the photo")
    with _open_stream(data, name) as stream:
        try:
            decoder = find_extra_decoder(stream) or _find_decoder(stream, name)
            image = decoder(stream)
            check_size(image, name, MAX_PIXELS)
            yield image
        except PhotoError:
            raise
        except DependencyError as reason:
            raise PhotoError(f"{name} cannot be opened: {reason}") from None
        except Image.DecompressionBombError as reason:  # Pillow's own check, in WebP and tiles
            raise PhotoError(f"{name} has too many pixels: {one_line(reason)}") from None
        except Exception as reason:  # broken data makes decoders raise nearly anything
            raise PhotoError(f"{name} is broken or cut short: {one_line(reason)}") from None


@contextmanager
def _open_stream(data: bytes | Path, name: str) -> Iterator[IO[bytes]]:
    """Give a stream of the encoded photo that has at least one byte."""
    size = len(data) if isinstance(data, bytes) else _file_size(data, name)
    if not size:
        raise PhotoError(f"{name} is empty (0 bytes)")
    try:
        stream = BytesIO(data) if isinstance(data, bytes) else data.open("rb")
    except OSError as reason:
        raise PhotoError(f"{name} cannot be read: {reason.strerror}") from None
    with stream:
        yield stream


def _file_size(path: Path, name: str) -> int:
    try:
        if path.is_dir():
            raise PhotoError(f"{name} is a folder, not a photo")
        if path.exists() and not path.is_file():  # reading a pipe or a device might never end
            raise PhotoError(f"{name} is not a regular file")
        return path.stat().st_size
    except FileNotFoundError:
        raise PhotoError(f"{name}: there is no such file") from None
    except (OSError, ValueError) as reason:  # ValueError: a zero byte in the path
        raise PhotoError(f"{name} cannot be read: {one_line(reason)}") from None


def _find_decoder(stream: IO[bytes], name: str) -> Decoder:
    head = stream.read(16)
    stream.seek(0)
    for start, decoder in _DECODERS:
        if head.startswith(start) and (start != b"RIFF" or head[8:12] == b"WEBP"):
            return decoder
    raise PhotoError(f"{name} is not a photo of a known format ({_KNOWN_FORMATS})")


def check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    """Raise `PhotoError` if a photo has more than `max_pixels`; its header is enough to tell."""
    width, height = image.size
    if width * height > max_pixels:
        raise PhotoError(
            f"{name} has {width:,} × {height:,} pixels, more than the limit of "
            f"{max_pixels // 10**6} megapixels"
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode of Pillow to RGB: deep samples scaled, alpha laid on white."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale grey samples of 16 or 32 bits or floats, (H, W), to 8 bits."""
    grey = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
    low, high = _sample_range(image, float(grey.min()), float(grey.max()))
    return Image.fromarray(((grey - low) * (255 / (high - low)) + 0.5).clip(0, 255).astype("u1"))


def _sample_range(image: Image.Image, low: float, high: float) -> tuple[float, float]:
    """Return the values of black and white, from the least and greatest sample `low` and `high`."""
    if image.mode != "F" and low >= 0 and high <= 65535:
        bits = image.tag_v2.get(_BITS_PER_SAMPLE_TAG) if isinstance(image, TiffImageFile) else None
        return (0, 4095) if bits == (12,) else (0, 65535)
    if low >= 0 and high <= 255:  # floats are written as 0…1 or as 0…255
        return (0, 1) if high <= 1 else (0, 255)
    return low, max(high, low + 1)
