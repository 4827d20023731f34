"""JPEGs that lack their last bytes, of an interrupted copy or a camera whose battery was empty.

Viewers show what is there. So is it here, with a warning, if that is nearly all of the picture.
The decoder is given the marker of the end that the file lacks, and makes grey of what is missing
(ITU-T T.81, B.1.1.3: EOI).
"""

from __future__ import annotations

from typing import IO

import numpy as np
from PIL import Image

MAX_MISSING = 0.1  # of the rows

_END = b"\xff\xd9"
_GREY = (127, 128)  # of each component, of CMYK inverted


class EndedStream:
    """A stream of a JPEG that ends with the marker of the end; `is_cut` if the file did not."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.is_cut = False

    def read(self, size: int = -1) -> bytes:
        """Read on in the file, and the marker behind its end, once."""
        data = self._file.read(size)
        if data or self.is_cut:
            return data
        self.is_cut = True
        return _END

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place in the file."""
        return self._file.seek(offset, whence)


def missing_share(image: Image.Image) -> float:
    """Return the share of rows at the bottom that are grey all over, as where nothing was read."""
    n_missing = 0
    for row in range(image.height - 1, -1, -1):
        samples = np.asarray(image.crop((0, row, image.width, row + 1)))
        if samples.min() < _GREY[0] or samples.max() > _GREY[1]:
            break
        n_missing += 1
    return n_missing / image.height
