"""HEIC and camera RAW, each of which needs a package: pip install 'mmcgan[heic]', 'mmcgan[raw]'.

As in `images.py`, the content of a file says what it is, not its name. Many RAW formats begin like
a TIFF; their first picture is then the sensor's, or a small preview.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Any

from PIL import Image, ImageFile

from mmcgan.errors import DependencyError
from mmcgan.inference.photos.formats import kinds, tiff
from mmcgan.inference.photos.formats.segments import Encoded
from mmcgan.inference.photos.formats.view import View

Decoder = Callable[[IO[bytes]], Image.Image]

MAX_SENSOR = 400_000_000  # pixels of a sensor; the largest have 150,000,000

_MAX_BRANDS = 64
_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_OTHER_PICTURES = frozenset({b"avif", b"avis", b"crx "})  # files of the same build
_RAW_START = re.compile(
    rb"IIR[OS]|MMOR|IIU\0"  # Olympus, Panasonic and Leica
    rb"|FUJIFILMCCD-RAW|FOVb|\0MRM"  # Fujifilm, Sigma, Minolta
    rb"|....ftypcrx |II\x1a\0\0\0HEAPCCDR|II\*\0....CR"  # Canon CR3, CRW, CR2
    rb"|(?:........)?(?:IIII.waR|MMMMRaw.)"  # Phase One
    rb"|.{25}ARECOYK|DSC-Image|PWAD|NOKIARAW|PXN|qkt[kn]",  # Contax, Rollei, Sinar, …
    re.DOTALL,
)
_IS_SMALLER = 1  # a picture of reduced size, which in a TIFF of a photo never comes first
_OF_SENSOR, _LINEAR_RAW = 32803, 34892
_FOVEON_START = b"FOVb"
_ON_THEIR_SIDE = (5, 6)  # LibRaw's numbers of pictures that are turned by a quarter
_FLAT, _STACKED = 4, 26  # bytes that LibRaw takes a pixel of the sensor, the file's apart


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
    data = View(stream)
    head = data[:32]
    try:
        if head[4:8] == b"ftyp" and _is_heic(brands(data)):
            return _open_heic
        if _RAW_START.match(head) or (head.startswith(tiff.STARTS) and _is_raw_tiff(data)):
            return RawImageFile
        return None
    finally:
        stream.seek(0)


def brands(data: Encoded) -> list[bytes]:
    """Return the brands of a file of boxes, the major one first (ISO 14496-12, 4.3)."""
    end = min(int.from_bytes(data[:4], "big"), 16 + 4 * _MAX_BRANDS)
    return [data[8:12], *(data[place : place + 4] for place in range(16, end, 4))]


def _is_heic(brands: Sequence[bytes]) -> bool:
    """Whether one of the brands is HEIC's, which cameras list behind those of their own."""
    return not _OTHER_PICTURES.intersection(brands) and not _HEIC_BRANDS.isdisjoint(brands)


def _is_raw_tiff(data: Encoded) -> bool:
    found = list(tiff.pictures(data))
    if not found:
        return False
    return (
        found[0].first(tiff.SUBFILE_TYPE) == _IS_SMALLER
        or bool(found[0].numbers(tiff.DNG_VERSION))
        or any(d.first(tiff.PHOTOMETRIC) in (_OF_SENSOR, _LINEAR_RAW) for d in found)
    )


def _open_heic(stream: IO[bytes]) -> ImageFile.ImageFile:
    """Open a HEIC, which comes upright: its own turn counts, and that of its EXIF does not."""
    return HEIC.load().HeifImageFile(stream)


class RawImageFile(ImageFile.ImageFile):
    """A camera RAW, developed to half its size, upright, with the camera's white balance."""

    format = "RAW"
    _raw: Any = None

    def _open(self) -> None:
        assert self.fp is not None
        self._raw = RAW.load().imread(self.fp)
        sizes = self._raw.sizes
        n_pixels = sizes.raw_width * sizes.raw_height
        if n_pixels > MAX_SENSOR:
            raise ValueError(f"its sensor has more than {MAX_SENSOR:,} pixels")
        self._mode = "RGB"
        size = (sizes.width + 1) // 2, (sizes.height + 1) // 2
        self._size = size[::-1] if sizes.flip in _ON_THEIR_SIDE else size
        self.beside_bytes = (_FLAT if self._is_flat() else _STACKED) * n_pixels

    def _is_flat(self) -> bool:
        """Whether the sensor's pixels have one colour each, so that half of its size is made."""
        assert self.fp is not None
        data = View(self.fp)
        photometric = (d.first(tiff.PHOTOMETRIC) for d in tiff.pictures(data))
        is_tiff = data[:4] in tiff.STARTS
        return data[:4] != _FOVEON_START and not (is_tiff and _LINEAR_RAW in photometric)

    def load(self) -> Any:
        """Develop it, once."""
        if self._raw is not None:
            with self._raw as raw:
                pixels = raw.postprocess(half_size=True, use_camera_wb=True)
            self._raw = None
            image = Image.fromarray(pixels)
            self._size, self.im = image.size, image.im
        return Image.Image.load(self)
