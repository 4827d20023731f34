"""Scores as probabilities that the user wrote a tag: two numbers that keep the ranking.

They are fitted on dev once a run is trained (`mmcgan.training.calibrate`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmcgan.arrays import DoubleArray, FloatArray
from mmcgan.inference.words.ranking import sigmoid

CLOSEST = 1e-7  # to 0 and 1, where the logit has no end


def logit(scores: FloatArray) -> DoubleArray:
    """Return log(score / (1 - score)) of scores (…) in [0, 1], finite for all."""
    inside = np.clip(np.asarray(scores, np.float64), CLOSEST, 1 - CLOSEST)
    return np.log(inside / (1 - inside))


@dataclass(frozen=True)
class Calibration:
    """What makes scores probabilities, and the probability from which on a tag is given.

    `threshold` is the one that maximises F1 on dev, of the ten best tags a photo.
    """

    scale: float
    shift: float
    threshold: float

    def __post_init__(self) -> None:
        """Raise `ValueError` unless the ranking is kept."""
        values = self.scale, self.shift, self.threshold
        if not (all(map(math.isfinite, values)) and self.scale > 0):
            raise ValueError(f"no calibration keeps a ranking with {values}")

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Return the probabilities of `scores` (…) in [0, 1]; of 0, which says nothing, 0."""
        probabilities = sigmoid(self.scale * logit(scores) + self.shift)
        return np.where(scores > 0, probabilities, 0).astype(np.float32)
