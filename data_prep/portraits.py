"""Drawn people, in a room or in the street."""

from __future__ import annotations

from data_prep.drawing import (
    Array,
    Colour,
    Point,
    Shape,
    blurred,
    ellipse,
    glow,
    lay,
    line,
    mix,
    noise,
    pick,
    polygon,
    surface,
)
from data_prep.scenery import Rng
from data_prep.subjects import city

SKINS: tuple[Colour, ...] = ((0.93, 0.76, 0.65), (0.80, 0.60, 0.45), (0.50, 0.33, 0.24))
ROOMS: tuple[Colour, ...] = (
    (0.55, 0.60, 0.50),
    (0.70, 0.62, 0.55),
    (0.35, 0.40, 0.50),
    (0.85, 0.83, 0.80),
)
HAIRS: tuple[Colour, ...] = ((0.10, 0.07, 0.05), (0.35, 0.20, 0.10), (0.75, 0.58, 0.30))
CLOTHES: tuple[Colour, ...] = (
    (0.75, 0.15, 0.18),
    (0.15, 0.25, 0.50),
    (0.90, 0.90, 0.88),
    (0.15, 0.15, 0.17),
    (0.30, 0.50, 0.35),
)


def people(rng: Rng, shape: Shape) -> Array:
    """A portrait, or two or three people, before a background out of focus."""
    wall = pick(rng, ROOMS)
    canvas = blurred(surface(wall, noise(rng, shape, (4, 3), 3), 0.5), 5)
    return _group(rng, canvas, int(rng.choice([1, 1, 2, 3])))


def street(rng: Rng, shape: Shape) -> Array:
    """One or two people close by in a city street."""
    return _group(rng, blurred(city(rng, shape), 1), int(rng.integers(1, 3)))


def _group(rng: Rng, canvas: Array, n_people: int) -> Array:
    size = rng.uniform(0.15, 0.22) / (1 + 0.25 * (n_people - 1))
    for i in range(n_people):
        x = (i + 0.5) / n_people + rng.normal(0, 0.04)
        canvas = _person(rng, canvas, (x, rng.uniform(0.32, 0.45)), size)
    return canvas


def _person(rng: Rng, canvas: Array, head: Point, size: float) -> Array:
    """Hair, shoulders, neck and a lit face; `size` is half a head."""
    shape: Shape = (canvas.shape[0], canvas.shape[1])
    (x, y), unit = head, size * shape[0] / shape[1]
    skin, hair, cloth = pick(rng, SKINS), pick(rng, HAIRS), pick(rng, CLOTHES)
    folds = surface(cloth, noise(rng, shape, (7, 5), 3), 0.35)
    face = surface(skin, glow(shape, (x - unit / 2, y - size / 3), size), 0.16)
    neck = [
        (x + dx * unit, y + dy * size)
        for dx, dy in ((-0.35, 0), (0.35, 0), (0.4, 1.6), (-0.4, 1.6))
    ]
    length = float(rng.choice([1.0, 1.0, 1.6]))
    crown = (x, y + (length - 1.15) * size)
    canvas = lay(canvas, hair, ellipse(shape, crown, size * 0.95, size * length, 0.7))
    canvas = lay(canvas, folds, ellipse(shape, (x, y + 3.4 * size), size * 2.1, size * 2.0, 0.7))
    canvas = lay(canvas, face, polygon(shape, neck, 0.7))
    canvas = lay(canvas, face, ellipse(shape, head, size * 0.74, size, 0.7))
    canvas = lay(canvas, hair, ellipse(shape, (x, y - 0.85 * size), size * 0.74, size * 0.36, 0.7))
    return _features(canvas, head, size, skin, hair)


def _features(canvas: Array, head: Point, size: float, skin: Colour, hair: Colour) -> Array:
    """Draw eyes, brows, nose and mouth on a face."""
    shape: Shape = (canvas.shape[0], canvas.shape[1])
    unit = size * shape[0] / shape[1]

    def at(dx: float, dy: float) -> Point:
        return head[0] + dx * unit, head[1] + dy * size

    for side in (-0.32, 0.32):
        brow, eye = [at(side - 0.17, -0.28), at(side + 0.17, -0.3)], at(side, -0.1)
        canvas = lay(canvas, hair, line(shape, brow, size * 0.06))
        canvas = lay(canvas, (0.97, 0.96, 0.94), ellipse(shape, eye, size * 0.15, size * 0.08, 0.4))
        canvas = lay(canvas, (0.12, 0.09, 0.08), ellipse(shape, eye, size * 0.07, size * 0.07, 0.4))
    nose = [at(0.02, 0.1), at(0.08, 0.3), at(-0.06, 0.32)]
    canvas = lay(canvas, mix(skin, (0, 0, 0), 0.5), line(shape, nose, size * 0.04))
    mouth = ellipse(shape, at(0, 0.55), size * 0.26, size * 0.07, 0.7)
    return lay(canvas, (0.68, 0.28, 0.27), mouth)
