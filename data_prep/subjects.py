"""Drawn subjects: city, night, flower, boats, fireworks and food."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data_prep.drawing import (
    Array,
    Colour,
    Pen,
    Point,
    Shape,
    below,
    blurred,
    drawn,
    ellipse,
    glow,
    gradient,
    lay,
    line,
    mix,
    noise,
    pick,
    polygon,
    surface,
    vary,
)
from data_prep.scenery import Rng, day_sky, silhouette, water

PETALS: tuple[Colour, ...] = (
    (0.90, 0.15, 0.25),
    (0.95, 0.55, 0.75),
    (0.97, 0.90, 0.25),
    (0.95, 0.95, 0.95),
    (0.60, 0.30, 0.80),
    (0.98, 0.55, 0.12),
)
WALLS: tuple[Colour, ...] = (
    (0.55, 0.52, 0.50),
    (0.65, 0.48, 0.38),
    (0.42, 0.48, 0.56),
    (0.75, 0.70, 0.60),
)
HULLS: tuple[Colour, ...] = (
    (0.92, 0.92, 0.90),
    (0.70, 0.12, 0.12),
    (0.12, 0.28, 0.55),
    (0.15, 0.40, 0.30),
)
DISHES: tuple[Colour, ...] = (
    (0.75, 0.20, 0.12),
    (0.90, 0.70, 0.25),
    (0.40, 0.60, 0.20),
    (0.50, 0.28, 0.14),
    (0.93, 0.85, 0.65),
)


def _buildings(
    rng: Rng, shape: Shape, top: float, bottom: float
) -> list[tuple[float, float, float]]:
    """Return a row of buildings: left, right and top of each, side by side."""
    edges, blocks = rng.uniform(-0.1, 0.0), []
    while edges < 1:
        width = rng.uniform(0.07, 0.2) * shape[0] / shape[1] * 1.4
        blocks.append((edges, edges + width, rng.uniform(top, bottom)))
        edges += width * rng.uniform(0.85, 1.1)
    return blocks


def _windows(
    rng: Rng, block: tuple[float, float, float], bottom: float, lit: float
) -> Callable[[Pen], None]:
    """Return what paints the windows of a building, of which a share is lit."""
    left, right, top = block
    columns, rows = int(rng.integers(3, 6)), max(2, int((bottom - top) / rng.uniform(0.045, 0.07)))
    levels = np.where(rng.random((rows, columns)) < lit, rng.integers(140, 256, (rows, columns)), 0)
    dx, dy = (right - left) / columns, (bottom - top) / rows

    def paint(pen: Pen) -> None:
        for r, c in zip(*np.nonzero(levels), strict=True):
            x, y = left + (c + 0.25) * dx, top + (r + 0.3) * dy
            box = [(x, y), (x + dx * 0.5, y), (x + dx * 0.5, y + dy * 0.5), (x, y + dy * 0.5)]
            pen.polygon(box, int(levels[r, c]))

    return paint


def _block_mask(shape: Shape, block: tuple[float, float, float], bottom: float) -> Array:
    left, right, top = block
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return polygon(shape, corners)


def city(rng: Rng, shape: Shape) -> Array:
    """Two rows of buildings by day above a street."""
    canvas, ground = day_sky(rng, shape, rng.uniform(0.2, 0.6)), rng.uniform(0.85, 0.97)
    for top, bottom, pale in ((0.15, 0.5, 0.45), (0.3, 0.7, 0.0)):
        for block in _buildings(rng, shape, top, bottom):
            wall = mix(pick(rng, WALLS), (0.8, 0.8, 0.8), pale)
            canvas = lay(canvas, wall, _block_mask(shape, block, ground))
            panes = drawn(shape, _windows(rng, block, ground, 0.95))
            canvas = lay(canvas, (0.18, 0.24, 0.32), panes * (0.75 - pale))
    street = surface((0.35, 0.35, 0.36), noise(rng, shape, (12, 30), 3), 0.25)
    return lay(canvas, street, below(shape, ground))


def night(rng: Rng, shape: Shape) -> Array:
    """A dark town with lit windows and street lamps, at times in water, at times with a moon."""
    canvas = gradient(shape, (0.01, 0.01, 0.05), vary(rng, (0.10, 0.08, 0.20), 0.04))
    if rng.random() < 0.4:
        moon = (rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.25))
        canvas = lay(canvas, (0.95, 0.95, 0.85), ellipse(shape, moon, 0.04, 0.04, 0.5))
    ground = rng.uniform(0.65, 0.9)
    for block in _buildings(rng, shape, 0.2, 0.6):
        canvas = lay(canvas, vary(rng, (0.05, 0.05, 0.09), 0.02), _block_mask(shape, block, ground))
        light = pick(rng, ((1.0, 0.85, 0.45), (1.0, 0.95, 0.75), (0.75, 0.85, 1.0)))
        canvas = lay(
            canvas, light, drawn(shape, _windows(rng, block, ground, rng.uniform(0.2, 0.6)))
        )
    for x in rng.random(int(rng.integers(3, 9))):
        canvas = lay(canvas, (1.0, 0.7, 0.3), 0.9 * glow(shape, (x, ground - 0.03), 0.03))
    return water(rng, canvas, ground, (0.02, 0.02, 0.06), 0.75)


def flower(rng: Rng, shape: Shape) -> Array:
    """One to three blossoms before leaves out of focus."""
    leaves = surface(vary(rng, (0.25, 0.50, 0.18)), noise(rng, shape, (4, 4), 3), 0.7)
    canvas = blurred(leaves, 4)
    for _ in range(int(rng.integers(1, 4))):
        canvas = _blossom(rng, canvas, pick(rng, PETALS), rng.uniform(0.17, 0.4))
    return canvas


def _blossom(rng: Rng, canvas: Array, petal: Colour, radius: float) -> Array:
    shape: Shape = (canvas.shape[0], canvas.shape[1])
    aspect, n_petals = shape[1] / shape[0], int(rng.integers(5, 14))
    x, y = rng.uniform(0.25, 0.75), rng.uniform(0.3, 0.7)
    stem = [(x, y), (x + rng.uniform(-0.1, 0.1), 1.1)]
    canvas = lay(canvas, (0.2, 0.42, 0.15), line(shape, stem, 0.025))
    width, start = min(0.5, 3.0 / n_petals) * radius, rng.random()
    for i in rng.permutation(n_petals):
        angle = 2 * np.pi * (i / n_petals + start)
        points = _petal((x, y), float(angle), radius, width, aspect)
        light = glow(shape, (x, y), radius * 0.7)
        tinted = surface(vary(rng, petal, 0.04), 1 - light, 0.25)
        canvas = lay(canvas, tinted, polygon(shape, points))
    middle = ellipse(shape, (x, y), radius * 0.22, radius * 0.22, 0.5)
    return lay(canvas, pick(rng, ((0.85, 0.65, 0.1), (0.3, 0.18, 0.08))), middle)


def _petal(
    centre: tuple[float, float], angle: float, radius: float, width: float, aspect: float
) -> list[tuple[float, float]]:
    """Return the outline of an ellipse that leads from the centre outwards."""
    turn = np.linspace(0, 2 * np.pi, 24)
    along, across = radius * (0.55 + 0.45 * np.cos(turn)), width * np.sin(turn) / 2
    x = centre[0] + (along * np.cos(angle) - across * np.sin(angle)) / aspect
    y = centre[1] + along * np.sin(angle) + across * np.cos(angle)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def boats(rng: Rng, shape: Shape) -> Array:
    """One to four boats on a harbour's water, with masts and sails, land behind."""
    canvas, horizon = day_sky(rng, shape, rng.uniform(0.2, 0.6)), rng.uniform(0.35, 0.5)
    hills = silhouette(rng, shape, horizon + 0.02, rng.uniform(0.05, 0.15), 5)
    canvas = lay(canvas, vary(rng, (0.30, 0.40, 0.32)), hills)
    canvas = water(rng, canvas, horizon, pick(rng, ((0.12, 0.32, 0.45), (0.2, 0.36, 0.38))), 0.5)
    for y in np.sort(rng.uniform(horizon + 0.06, 0.85, int(rng.integers(1, 5)))):
        size = 0.12 + 0.35 * (float(y) - horizon)
        canvas = _boat(rng, canvas, (rng.uniform(0.1, 0.9), float(y)), size)
    return canvas


def _boat(rng: Rng, canvas: Array, place: Point, size: float) -> Array:
    shape: Shape = (canvas.shape[0], canvas.shape[1])
    (x, y), half, deep = place, size * shape[0] / shape[1], size * 0.28
    hull = [
        (x - half, y - deep),
        (x + half * 1.1, y - deep * 1.2),
        (x + half * 0.8, y),
        (x - half * 0.8, y),
    ]
    mast = [(x, y - deep), (x, y - size * rng.uniform(1.8, 2.5))]
    mirrored = [(px, 2 * y - py) for px, py in hull]
    colour = pick(rng, HULLS)
    canvas = lay(canvas, colour, 0.45 * polygon(shape, mirrored, 1.2))
    canvas = lay(canvas, (0.25, 0.2, 0.15), line(shape, mast, 0.01))
    if rng.random() < 0.6:
        sail = [mast[1], (x + half * 0.9, y - deep * 1.8), (x + 0.01, y - deep * 1.8)]
        cloth = vary(rng, (0.95, 0.93, 0.88), 0.04)
        canvas = lay(canvas, cloth, polygon(shape, sail))
    else:
        cabin = [
            (x - half * 0.5, y - deep * 2.2),
            (x + half * 0.2, y - deep * 2.2),
            (x + half * 0.3, y - deep),
            (x - half * 0.5, y - deep),
        ]
        canvas = lay(canvas, (0.9, 0.9, 0.88), polygon(shape, cabin))
    canvas = lay(canvas, colour, polygon(shape, hull))
    stripe = [hull[0], hull[1]]
    return lay(canvas, (0.95, 0.95, 0.95), line(shape, stripe, 0.012))


def fireworks(rng: Rng, shape: Shape) -> Array:
    """Bursts of sparks in a black sky, smoke between them, a dark skyline."""
    canvas = gradient(shape, (0.01, 0.01, 0.04), (0.08, 0.05, 0.12))
    for _ in range(int(rng.integers(1, 5))):
        centre, colour = (rng.uniform(0.15, 0.85), rng.uniform(0.15, 0.55)), pick(rng, PETALS)
        canvas = lay(
            canvas, colour, 0.35 * glow(shape, centre, 0.15) * noise(rng, shape, (5, 5), 3)
        )
        sparks = drawn(shape, _burst(rng, centre, rng.uniform(0.15, 0.38), shape[1] / shape[0]))
        canvas = lay(canvas, colour, sparks)
        canvas = lay(canvas, (1, 1, 0.9), np.clip(sparks * 1.4 - 0.6, 0, 1))
    return lay(canvas, (0.01, 0.01, 0.02), silhouette(rng, shape, 0.97, 0.12, 12))


def _burst(rng: Rng, centre: Point, radius: float, aspect: float) -> Callable[[Pen], None]:
    angles = rng.uniform(0, 2 * np.pi, int(rng.integers(40, 90)))
    reach = radius * rng.uniform(0.6, 1, len(angles))
    inner, droop = rng.uniform(0.1, 0.6), rng.uniform(0, 0.1)

    def paint(pen: Pen) -> None:
        for angle, r in zip(angles, reach, strict=True):
            ray = [
                (
                    centre[0] + t * r * np.cos(angle) / aspect,
                    centre[1] + t * r * np.sin(angle) + droop * t**2,
                )
                for t in np.linspace(inner, 1, 5)
            ]
            pen.line(ray, 0.006, 190)
            pen.ellipse(ray[-1], 0.008, 0.008)

    return paint


def food(rng: Rng, shape: Shape) -> Array:
    """A plate seen from above on a table, with heaps of food on it."""
    table = pick(
        rng, ((0.45, 0.28, 0.16), (0.75, 0.70, 0.64), (0.30, 0.22, 0.20), (0.60, 0.15, 0.15))
    )
    canvas = surface(table, noise(rng, shape, (2, 30), 3), 0.3)
    (x, y), size = (rng.uniform(0.4, 0.6), rng.uniform(0.45, 0.58)), rng.uniform(0.36, 0.46)
    rim = min(1.0, shape[1] / shape[0]) * size
    canvas = lay(
        canvas,
        (0.05, 0.03, 0.02),
        0.5 * ellipse(shape, (x + 0.02, y + 0.03), rim, rim * 0.9, 4),
    )
    china = vary(rng, (0.94, 0.94, 0.92), 0.02)
    canvas = lay(canvas, china, ellipse(shape, (x, y), rim, rim * 0.9))
    canvas = lay(
        canvas,
        (0.80, 0.80, 0.80),
        ellipse(shape, (x, y), rim * 0.72, rim * 0.64, 1.5),
    )
    canvas = lay(canvas, china, ellipse(shape, (x, y), rim * 0.68, rim * 0.6, 1))
    for _ in range(int(rng.integers(5, 12))):
        angle, away = rng.uniform(0, 2 * np.pi), rim * 0.45 * np.sqrt(rng.random())
        spot = (x + away * np.cos(angle) * shape[0] / shape[1], y + away * np.sin(angle))
        canvas = _morsel(rng, canvas, spot, rim * rng.uniform(0.12, 0.28))
    return canvas


def _morsel(rng: Rng, canvas: Array, spot: Point, size: float) -> Array:
    shape: Shape = (canvas.shape[0], canvas.shape[1])
    flat, lump = rng.uniform(0.6, 1), noise(rng, shape, (16, 12), 3)
    body = surface(pick(rng, DISHES), lump, 0.5)
    shadow = (spot[0] + 0.008, spot[1] + 0.012)
    canvas = lay(
        canvas,
        (0.1, 0.05, 0.02),
        0.5 * ellipse(shape, shadow, size, size * flat, 1.5),
    )
    canvas = lay(canvas, body, ellipse(shape, spot, size, size * flat, 0.5))
    light = (spot[0] - size * 0.2, spot[1] - size * 0.3)
    return lay(canvas, (1, 1, 0.95), 0.45 * glow(shape, light, size * 0.18))
