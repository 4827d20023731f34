"""PNGs as Pillow can read them.

Pillow refuses a PNG as broken for a large profile or text that no pixel depends on, by limits that
are settings of the whole process. It is given the file without such chunks. And it decodes all
pixels for an orientation that may stand behind them: for that it is given the metadata alone.

PNG, third edition, 5 and 11.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import SEEK_CUR, SEEK_END, SEEK_SET, BytesIO, RawIOBase
from itertools import accumulate
from typing import IO, cast

from PIL.PngImagePlugin import MAX_TEXT_CHUNK, MAX_TEXT_MEMORY

from mmcgan.inference.photos.formats.segments import METADATA_CHUNKS, PNG_START, png_chunks
from mmcgan.inference.photos.formats.view import View

Places = list[tuple[int, int]]  # start and end of parts of a file

_CUT = (ValueError, struct.error)  # raised at what is no chunk, and where a PNG is cut short
_TEXTS = frozenset({b"iCCP", b"tEXt", b"zTXt", b"iTXt"})


def readable_png(stream: IO[bytes]) -> IO[bytes]:
    """Return the stream of a PNG, or a stream of it without what Pillow would refuse it for."""
    data = View(stream)
    dropped = list(_refused(data))
    stream.seek(0)
    if not dropped:
        return stream
    ends = [0, *(end for _, end in dropped)]
    starts = [*(start for start, _ in dropped), len(data)]
    return cast("IO[bytes]", _Joined(stream, list(zip(ends, starts, strict=True))))


def metadata_of_png(stream: IO[bytes]) -> IO[bytes]:
    """Return a stream of a PNG of one pixel with the metadata of a PNG that Pillow would read."""
    data = View(readable_png(stream))
    chunks = []
    try:
        for start, end, kind in png_chunks(data):
            if kind in METADATA_CHUNKS:
                chunks.append(data[start:end])
            elif kind == b"fcTL" and chunks and chunks[-1] is _PIXEL:
                break  # of what follows the first frame, Pillow reads nothing
            elif kind == b"IDAT" and _PIXEL not in chunks:
                chunks.append(_PIXEL)
    except _CUT:  # it may still say how it is turned
        pass
    if _PIXEL not in chunks:
        chunks.append(_PIXEL)
    return BytesIO(b"".join([PNG_START, _HEADER, *chunks, _chunk(b"IEND", b"")]))


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


_HEADER = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
_PIXEL = _chunk(b"IDAT", zlib.compress(b"\0\0"))


def _refused(data: View) -> Iterator[tuple[int, int]]:
    """Yield start and end of the chunks that Pillow would refuse the whole PNG for."""
    left = MAX_TEXT_MEMORY
    try:
        for start, end, kind in png_chunks(data):
            if kind in _TEXTS:
                size = _expanded_size(data, start, end, kind, left)
                if size is None:
                    yield start, end
                else:
                    left -= size
    except _CUT:  # which Pillow will say
        pass


def _expanded_size(data: View, start: int, end: int, kind: bytes, limit: int) -> int | None:
    """Return how many bytes a chunk of text has; None if they are more than Pillow takes."""
    n_bytes = end - start - 12
    if n_bytes > limit or kind == b"tEXt":
        return None if n_bytes > limit else n_bytes
    packed = _compressed(data[start + 8 : end - 4], kind)
    if packed is None:
        return n_bytes
    method, packed = packed[:1], packed[1:]
    if method not in (b"\0", b""):  # Pillow knows no other
        return None
    unpacker = zlib.decompressobj()
    try:
        n_bytes = len(unpacker.decompress(packed, MAX_TEXT_CHUNK))
    except zlib.error:  # to Pillow it is no text then
        return 0
    return None if unpacker.unconsumed_tail else min(n_bytes, limit)


def _compressed(content: bytes, kind: bytes) -> bytes | None:
    """Return the method and the compressed text in a chunk; None where it is not compressed."""
    rest = content.partition(b"\0")[2]
    if kind != b"iTXt":
        return rest
    return None if rest[:1] in (b"\0", b"") else rest[1:2] + rest[2:].split(b"\0", 2)[-1]


class _Joined(RawIOBase):
    """Parts of a file as one file."""

    def __init__(self, file: IO[bytes], places: Places):
        self._file = file
        self._places = places
        self._starts = [0, *accumulate(end - start for start, end in places)]
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        base = {SEEK_SET: 0, SEEK_CUR: self._position, SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        wanted = range(self._position, self._starts[-1])
        wanted = wanted if size < 0 else wanted[:size]
        found = []
        for (start, end), first in zip(self._places, self._starts, strict=False):
            skipped = max(0, self._position - first)
            n_bytes = min(end, start + wanted.stop - first) - (start + skipped)
            if n_bytes > 0:
                self._file.seek(start + skipped)
                found.append(self._file.read(n_bytes))
        data = b"".join(found)
        self._position += len(data)
        return data
