"""HEIC and camera RAW, each of which needs a package: pip install 'mmcgan[heic]', 'mmcgan[raw]'.

As in `images.py`, the content of a file says what it is, not its name. Many RAW formats begin like
a TIFF; their first picture is then the sensor's, or a small preview.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Set
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Any

from PIL import Image, ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from mmcgan.errors import DependencyError
from mmcgan.inference.photos import kinds

Decoder = Callable[[IO[bytes]], Image.Image]

MAX_SENSOR = 400_000_000  # pixels of a sensor; the largest have 150,000,000

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_CR3_START = b"ftypcrx "  # from byte 4
_RAW_STARTS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM")
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_SUBFILE_TYPE, _PHOTOMETRIC, _DNG_VERSION = 254, 262, 50706
_IS_SMALLER = 1  # a picture of reduced size, which in a TIFF of a photo never comes first
_OF_SENSOR = (32803, 34892)  # colour filter array, linear raw


@dataclass(frozen=True)
class Extra:
    """A family of formats: the suffixes of its files, and the package that reads them."""

    what: str
    suffixes: Set[str]
    package: str
    extra: str

    @property
    def is_installed(self) -> bool:
        """Whether its package is installed."""
        return find_spec(self.package) is not None

    @property
    def needed(self) -> str:
        """The end of a message that tells how to install the package."""
        return f"{self.what} files, which take: pip install 'mmcgan[{self.extra}]'"

    def load(self) -> Any:
        """Return its package; without it, raise a `DependencyError` that names the command."""
        try:
            return importlib.import_module(self.package)
        except ImportError:
            raise DependencyError(f"it is one of the {self.needed}") from None


HEIC = Extra("HEIC", kinds.HEIC, "pillow_heif", "heic")
RAW = Extra("camera RAW", kinds.RAW, "rawpy", "raw")
EXTRAS = (HEIC, RAW)


def find_extra_decoder(stream: IO[bytes]) -> Decoder | None:
    """Return the decoder of a photo of these formats, None for others. Leaves the stream at 0.

    The decoder raises `DependencyError` if its package is missing.
    """
    head = stream.read(16)
    stream.seek(0)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return _open_heic
    is_raw = head[4:12] == _CR3_START or head.startswith(_RAW_STARTS)
    if is_raw or (head.startswith(_TIFF_STARTS) and _is_raw_tiff(stream)):
        return _open_raw
    return None


def _is_raw_tiff(stream: IO[bytes]) -> bool:
    try:
        directory = ImageFileDirectory_v2(stream.read(8))
        stream.seek(directory.next)
        directory.load(stream)
        first = {tag: directory.get(tag) for tag in (_SUBFILE_TYPE, _PHOTOMETRIC, _DNG_VERSION)}
    except Exception:  # broken, which Pillow's own TIFF decoder will say
        return False
    finally:
        stream.seek(0)
    return (
        first[_SUBFILE_TYPE] == _IS_SMALLER
        or first[_PHOTOMETRIC] in _OF_SENSOR
        or first[_DNG_VERSION] is not None
    )


def _open_heic(stream: IO[bytes]) -> ImageFile.ImageFile:
    return HEIC.load().HeifImageFile(stream)  # upright already


def _open_raw(stream: IO[bytes]) -> Image.Image:
    """Develop a RAW to half its size, upright, with the camera's white balance."""
    with RAW.load().imread(stream) as raw:
        if raw.sizes.raw_width * raw.sizes.raw_height > MAX_SENSOR:
            raise ValueError(f"its sensor has more than {MAX_SENSOR:,} pixels")
        pixels = raw.postprocess(half_size=True, use_camera_wb=True)
    return Image.fromarray(pixels)
