"""Two views of a photo in one: the centre square, and the whole photo as the head sees it.

The generator knows photos as one square, at the detail that it was taught. The backbone's own head
names what stands in the picture, and does so best on all of it, at the size that it was made for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from mmcgan.arrays import FloatArray, Pixels
from mmcgan.inference.photos.backbone import Backbone


def described(record: dict[str, Any]) -> Backbone:
    """Return a backbone that knows all that its record says, without its network."""
    return Backbone(record, _no_network)


def stored_classes(record: dict[str, Any], features: FloatArray) -> FloatArray | None:
    """Return the class probabilities (N, 1000) that features (N, D) of a backbone's record hold.

    None if they hold none.
    """
    backbone = described(record)
    return backbone.class_probabilities(features) if backbone.n_classes else None


def _no_network(pixels: Pixels) -> FloatArray:
    raise NotImplementedError("a backbone without its network sees no photo")


class TwoViews:
    """A backbone with classes, as one network that takes both views of a photo at once.

    Its pixels are (B, 2, H, W, 3). Its features are those of the square, and after them the square
    roots of the class probabilities of the whole photo, in half precision like all features.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone

    @property
    def record(self) -> dict[str, Any]:
        """What identifies these features in a cache."""
        record = self._backbone.record
        # Another name: the cache forgets earlier networks of the same one first.
        name = f"{record['name']}, square and whole"
        return {**record, "name": name, "feature_size": self.feature_size}

    @property
    def feature_size(self) -> int:
        """The number of features of both views."""
        return self._backbone.feature_size + self._backbone.n_classes

    @property
    def image_size(self) -> int:
        """The side of both views, in pixels."""
        return self._backbone.image_size

    def preprocess(self, image: Image.Image) -> Pixels:
        """Return the pixels (2, H, W, 3) of both views of a photo."""
        backbone = self._backbone
        return np.stack([backbone.preprocess(image), backbone.preprocess_whole(image)])

    def features_of_pixels(self, pixels: Pixels) -> FloatArray:
        """Return the features (B, feature_size) of pixels (B, 2, H, W, 3)."""
        square, whole = (
            self._backbone.features_of_pixels(np.ascontiguousarray(pixels[:, view]))
            for view in (0, 1)
        )
        roots = np.sqrt(self._backbone.class_probabilities(whole))
        return np.hstack([square, roots.astype(np.float16).astype(np.float32)])

    def split(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the square's features (B, D) and the whole's class probabilities (B, classes)."""
        n_own = self._backbone.feature_size
        return features[:, :n_own], features[:, n_own:] ** 2
