"""Features as the networks take them: with mean 0 and variance 1 over the photos learnt from."""

from __future__ import annotations

from dataclasses import dataclass

from mmcgan.arrays import FloatArray


@dataclass(frozen=True)
class Standardizer:
    """The `mean` and `scale`, (D,) float32, of the features learnt from.

    A feature that never varies is only centred.
    """

    mean: FloatArray
    scale: FloatArray

    def __call__(self, features: FloatArray) -> FloatArray:
        """Standardise `features` (N, D)."""
        return (features - self.mean) / self.scale
