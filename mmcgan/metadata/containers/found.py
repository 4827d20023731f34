"""The blocks of metadata that the readers of containers find in a photo."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mmcgan.inference.photos.formats.segments import Encoded
from mmcgan.metadata.xmp.packet import MAX_PACKET_BYTES

MAX_BYTES = 4 * MAX_PACKET_BYTES  # of all blocks of a photo together

# What reading a broken container raises: all that the readers need not care for.
BROKEN = (ValueError, IndexError, struct.error, zlib.error)


@dataclass
class Found:
    """The blocks of a photo, each as it is stored.

    `packets` are XMP, `extended` the XMP that did not fit into the packet of a JPEG, `iptc` blocks
    of IPTC data sets, and `windows` texts of EXIF's XPKeywords. `problems` has a line for each part
    that is broken; reading goes on behind it.
    """

    packets: list[bytes] = field(default_factory=list)
    extended: list[bytes] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    windows: list[bytes] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    n_bytes: int = 0

    def take(self, data: Encoded, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`.

        Raises `ValueError` if they are not all there, or the photo has too many of them.
        """
        if not 0 <= start <= end <= len(data):
            raise ValueError("a part of it leads beyond the end")
        self.count(end - start)
        return data[start:end]

    def count(self, n_bytes: int) -> None:
        """Count bytes before they are read; raise `ValueError` if it is too many."""
        if n_bytes > MAX_PACKET_BYTES or self.n_bytes + n_bytes > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_PACKET_BYTES // 2**20} MiB")
        self.n_bytes += n_bytes

    def inflate(self, data: bytes) -> bytes:
        """Return compressed bytes as they were; raise as `count` does, or `zlib.error`."""
        stream = zlib.decompressobj()
        content = stream.decompress(data, MAX_PACKET_BYTES + 1)
        self.count(len(content))
        if not stream.eof:
            raise ValueError("it is cut short")
        return content

    @contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Note that `what` is broken, if the block finds it so."""
        try:
            yield
        except BROKEN as reason:
            detail = "it is cut short" if isinstance(reason, IndexError | struct.error) else reason
            line = f"{what} that cannot be read: {detail}"
            if line not in self.problems:
                self.problems.append(line)
