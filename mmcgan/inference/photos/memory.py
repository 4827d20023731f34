"""Room in memory: what all threads of a process decode at one time stays within a budget.

A photo holds room for its encoded file while it is open, and room for its pixels from before they
are decoded until they have become what the caller wanted (`mmcgan.inference.photos.images`). All
photos together hold at most TOGETHER. One that needs more than that waits until it is alone, and
may need up to ALONE; beyond that it is refused.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from threading import Condition

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    IMAGELENGTH,
    IMAGEWIDTH,
    ROWSPERSTRIP,
    STRIPBYTECOUNTS,
    TILEBYTECOUNTS,
    TILELENGTH,
    TILEWIDTH,
    TiffImageFile,
)

# A picture in one piece goes back to the system when it is freed. Of pieces of 16 MiB, which Pillow
# takes otherwise, Linux keeps for each thread what its largest picture had.
Image.core.set_block_size(2**30)  # type: ignore[attr-defined]

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def memory_size() -> int | None:
    """Return the bytes of memory that this process may use; None where the system does not say."""
    sizes = []
    with suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):
        sizes.append(int(_CGROUP_LIMIT.read_text()))
    return min((size for size in sizes if size > 0), default=None)


ALONE = (memory_size() or 8 * 2**30) // 2  # bytes, half of the memory
TOGETHER = min(2 * 2**30, ALONE)


class Room:
    """So many bytes of memory for several threads; who comes first is let in first."""

    def __init__(self, size: int):
        self.size = size
        self.free = size
        self._waiting: deque[object] = deque()
        self._changed = Condition()

    @contextmanager
    def hold(self, n_bytes: int) -> Iterator[None]:
        """Hold `n_bytes` in the block, and wait before it until they are free.

        More than there is of them is all of them. A thread that holds some never asks for more.
        """
        n_bytes = min(n_bytes, self.size)
        with self._changed:
            self._wait(n_bytes)
            self.free -= n_bytes
        try:
            yield
        finally:
            with self._changed:
                self.free += n_bytes
                self._changed.notify_all()

    def _wait(self, n_bytes: int) -> None:
        turn = object()
        self._waiting.append(turn)
        try:
            self._changed.wait_for(lambda: self._waiting[0] is turn and n_bytes <= self.free)
        finally:  # after Ctrl-C too
            self._waiting.remove(turn)
            self._changed.notify_all()


FILES = Room(TOGETHER // 4)  # encoded, of which decoders may hold copies
PIXELS = Room(TOGETHER - FILES.size)

_RGB_BYTES = 4  # of a pixel, as Pillow stores it
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
# What decoders need beside the pixels that they give, in bytes a pixel.
_BESIDE = {
    "WEBP": 13,  # two canvases and a copy of one; of lossless ones the decoder's own
    "HEIF": 6,  # the planes, and what is made of them
    "BMP": 2,  # a copy of one that is run-length encoded
    "GIF": 4,
}


def pixel_bytes(image: Image.Image) -> int:
    """Estimate, at the upper end, the memory of a photo's pixels in the size that it is decoded in.

    Counted are the pixels as they are stored, a second picture, turned or converted to RGB, a third
    of one byte a pixel for the caller, and what the decoder has of its own for each pixel.
    """
    stored = _STORED.get(image.mode, 4)
    beside = _BESIDE.get(image.format or "", 0)
    return image.width * image.height * (stored + beside + _RGB_BYTES + 1)


def buffer_bytes(image: Image.Image, n_file_bytes: int) -> int:
    """Estimate, from the header, what a decoder takes beside the pixels that it gives."""
    if isinstance(image, JpegImageFile):
        return _coefficient_bytes(image)
    if isinstance(image, TiffImageFile):
        return _strip_bytes(image, n_file_bytes)
    return int(getattr(image, "beside_bytes", 0))


def _coefficient_bytes(image: JpegImageFile) -> int:
    """Return the bytes of all coefficients, which a JPEG of several scans has in memory at once."""
    if _has_one_scan(image):
        return 0
    samples = [across * down for _, across, down, _ in image.layer]
    most = max(max(s[1] for s in image.layer) * max(s[2] for s in image.layer), 1)
    width, height = image.size
    return 2 * width * height * sum(samples) // most


def _has_one_scan(image: JpegImageFile) -> bool:
    """Whether the header of the first scan, behind which Pillow stands, names all components."""
    if image.info.get("progressive") or image.fp is None:
        return False
    length = 6 + 2 * image.layers
    end = image.fp.tell()
    image.fp.seek(max(0, end - length))
    return image.fp.read(3) == bytes([0, length, image.layers])


def _strip_bytes(image: TiffImageFile, n_file_bytes: int) -> int:
    """Return the bytes of the largest strip or tile of a TIFF, encoded and decoded."""

    def numbers(tag: int, *otherwise: int) -> tuple[int, ...]:
        value = image.tag_v2.get(tag, otherwise)
        return tuple(map(int, value if isinstance(value, tuple) else (value,)))

    width, height = (max(numbers(tag, 0)) for tag in (TILEWIDTH, TILELENGTH))
    if not width:
        width, n_rows = (max(numbers(tag, 0)) for tag in (IMAGEWIDTH, IMAGELENGTH))
        height = min(n_rows, *numbers(ROWSPERSTRIP, n_rows))
    bits = max(sum(numbers(BITSPERSAMPLE, 1)), 8 * _RGB_BYTES)
    gaps = (b.offset - a.offset for a, b in pairwise(sorted(image.tile, key=lambda t: t.offset)))
    counts = numbers(STRIPBYTECOUNTS) + numbers(TILEBYTECOUNTS)
    encoded = min(max((*counts, *gaps), default=n_file_bytes), n_file_bytes)
    return width * height * bits // 8 + encoded
