"""Photos decoded in threads, ahead of the backbone that takes them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mmcgan.backbone import Backbone
from mmcgan.images import open_photo

BATCHES_IN_FLIGHT = 3  # decoded ahead of the backbone; bounds the memory
MAX_DECODERS = 8

Pixels = npt.NDArray[np.uint8]
Item = TypeVar("Item")
Decoded = TypeVar("Decoded")


def decode_pixels(data: bytes | Path, backbone: Backbone, name: str | None = None) -> Pixels:
    """Return what the backbone sees of an encoded photo, (H, W, 3); `PhotoError` if broken."""
    return backbone.preprocess(open_photo(data, name, at_least=backbone.image_size))


def decode_ahead(
    decode: Callable[[Item], Decoded], items: Iterable[Item], batch_size: int
) -> Iterator[list[Decoded]]:
    """Yield what `decode` makes of the items, in their order, `batch_size` at a time.

    It is made in threads, a few batches ahead of whoever takes them; a single item needs none.
    What `decode` raises is raised in its place.
    """
    waiting = iter(items)
    first = list(islice(waiting, 2))
    if len(first) == 1:  # not worth a thread
        yield [decode(first[0])]
        return
    waiting = chain(first, waiting)
    pending: deque[Future[Decoded]] = deque()
    pool = ThreadPoolExecutor(min(MAX_DECODERS, os.cpu_count() or 1))
    try:
        while True:
            room = BATCHES_IN_FLIGHT * batch_size - len(pending)
            pending.extend(pool.submit(decode, item) for item in islice(waiting, room))
            if not pending:
                return
            yield [pending.popleft().result() for _ in range(min(batch_size, len(pending)))]
    finally:
        pool.shutdown(cancel_futures=True)
