"""Photos → features: threads decode ahead of the backbone what the cache does not have."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from PIL import Image

from mmcgan.arrays import FloatArray, Pixels
from mmcgan.inference.photos.images import Source, is_cut_short, open_photo, open_stream

if TYPE_CHECKING:
    from mmcgan.inference.photos.feature_cache import FeatureCache

BATCHES_IN_FLIGHT = 3  # decoded ahead of the backbone; bounds the memory
MAX_DECODERS = 8

Item = TypeVar("Item")
Decoded = TypeVar("Decoded")


class Network(Protocol):
    """What makes features of photos: a `Backbone`, or the `TwoViews` of one."""

    @property
    def feature_size(self) -> int:
        """The size D of a feature vector."""

    @property
    def image_size(self) -> int:
        """The side of the square that it sees, in pixels."""

    def preprocess(self, image: Image.Image) -> Pixels:
        """Return the pixels (…, H, W, 3) of a photo as it takes them."""

    def features_of_pixels(self, pixels: Pixels) -> FloatArray:
        """Return the features (B, D) of preprocessed pixels (B, …, H, W, 3)."""


@dataclass(frozen=True)
class Seen:
    """A photo before the backbone: its `pixels`, or its `features` (D,) from the cache.

    The pixels are (H, W, 3), or more of them where the network takes several views. `key` is its
    key in the cache, empty if it should not be kept there.
    """

    pixels: Pixels | None = None
    features: FloatArray | None = None
    key: bytes = b""


def look_at(
    photo: bytes | Path, backbone: Network, cache: FeatureCache | None, name: str | None = None
) -> Seen:
    """Decode a photo unless its features are in the cache; raise `PhotoError` if it is broken."""
    if cache is None:
        return Seen(decode_pixels(photo, backbone, name))
    name = name or (str(photo) if isinstance(photo, Path) else None)
    with open_stream(photo, name) as stream:  # the same file for its key and for its pixels
        key = cache.key(stream, name)
        features = cache.get(key)
        if features is not None:
            return Seen(features=features)
        with open_photo(stream, name, at_least=backbone.image_size) as image:
            # What is not kept is decoded, and warned of, each time.
            return Seen(backbone.preprocess(image), key=b"" if is_cut_short(image) else key)


def decode_pixels(photo: Source, backbone: Network, name: str | None = None) -> Pixels:
    """Return the pixels (…, H, W, 3) of a photo as the backbone takes them; raise `PhotoError`."""
    with open_photo(photo, name, at_least=backbone.image_size) as image:
        return backbone.preprocess(image)


def compute_features(
    photos: Sequence[Seen], backbone: Network, cache: FeatureCache | None
) -> FloatArray:
    """Return the features (B, D) of photos, and put the new ones into the cache."""
    features = np.empty((len(photos), backbone.feature_size), np.float32)
    new: dict[int, Pixels] = {}
    for row, photo in enumerate(photos):
        if photo.features is not None:
            features[row] = photo.features
        elif photo.pixels is not None:
            new[row] = photo.pixels
    if new:
        features[list(new)] = backbone.features_of_pixels(np.stack(list(new.values())))
        if cache is not None:
            cache.put({photos[row].key: features[row] for row in new if photos[row].key})
    return features


def decode_ahead(
    decode: Callable[[Item], Decoded], items: Iterable[Item], batch_size: int
) -> Iterator[list[Decoded]]:
    """Yield the decoded items in their order, `batch_size` at a time.

    Threads decode a few batches ahead of the caller; a single item needs no thread. An error of
    `decode` is raised when its item's turn comes.
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
