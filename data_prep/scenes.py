"""The scenes of the sample: photo-like pictures of sixteen kinds.

The same generator state gives the same picture on the same versions of NumPy and Pillow;
DRAWING_VERSION changes whenever the pictures do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from data_prep import portraits, scenery, subjects
from data_prep.drawing import Array, Shape, develop, glow, lay, polygon

DRAWING_VERSION = 1
LONG_SIDE, SHORT_SIDE = 192, 144

Rng = np.random.Generator


def black_and_white(rng: Rng, shape: Shape) -> Array:
    """A street with people, with hard contrast, dark corners and a white margin."""
    view = portraits.street(rng, shape)
    grey: Array = view @ np.array([0.30, 0.59, 0.11], np.float32)
    grey = (grey - 0.5) * rng.uniform(1.2, 1.7) + 0.5
    print_ = np.tile(grey[..., None] * glow(shape, (0.5, 0.5), 0.6)[..., None], (1, 1, 3))
    margin = rng.uniform(0.02, 0.06)
    corners = [
        (margin, margin),
        (1 - margin, margin),
        (1 - margin, 1 - margin),
        (margin, 1 - margin),
    ]
    return lay(print_, (0.95, 0.95, 0.95), 1 - polygon(shape, corners))


KINDS: dict[str, Callable[[Rng, Shape], Array]] = {
    "sky": scenery.sky,
    "sea": scenery.sea,
    "sunset": scenery.sunset,
    "night": subjects.night,
    "mountains": scenery.mountains,
    "city": subjects.city,
    "flower": subjects.flower,
    "boats": subjects.boats,
    "forest": scenery.forest,
    "autumn": scenery.autumn,
    "people": portraits.people,
    "snow": scenery.snow,
    "desert": scenery.desert,
    "black and white": black_and_white,
    "fireworks": subjects.fireworks,
    "food": subjects.food,
}
UPRIGHT = {"people": 0.6, "flower": 0.3, "forest": 0.3, "city": 0.3, "fireworks": 0.3}


def draw_scene(kind: str, rng: Rng) -> Image.Image:
    """Return a picture of the kind, one of KINDS: 192 × 144 pixels, or 144 × 192 upright."""
    upright = rng.random() < UPRIGHT.get(kind, 0)
    shape = (LONG_SIDE, SHORT_SIDE) if upright else (SHORT_SIDE, LONG_SIDE)
    return develop(rng, KINDS[kind](rng, shape))
