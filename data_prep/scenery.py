"""Drawn landscapes: sky, sea, sunset, mountains, forest, autumn, snow and desert."""

from __future__ import annotations

import numpy as np

from data_prep.drawing import (
    Array,
    Colour,
    Point,
    Shape,
    below,
    blurred,
    ellipse,
    glow,
    gradient,
    grid,
    lay,
    line,
    mix,
    noise,
    pick,
    polygon,
    profile,
    shade,
    surface,
    vary,
)

Rng = np.random.Generator

DAY_SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((0.25, 0.48, 0.85), (0.70, 0.83, 0.95)),
    ((0.15, 0.35, 0.75), (0.55, 0.75, 0.95)),
    ((0.55, 0.68, 0.82), (0.85, 0.90, 0.94)),
)
DUSK_SKIES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((0.20, 0.12, 0.35), (0.85, 0.35, 0.25), (1.00, 0.75, 0.30)),
    ((0.45, 0.20, 0.35), (0.95, 0.50, 0.20), (1.00, 0.85, 0.45)),
    ((0.15, 0.20, 0.40), (0.70, 0.35, 0.45), (0.98, 0.65, 0.45)),
)


def day_sky(rng: Rng, shape: Shape, clouds: float) -> Array:
    """Blue above, paler below; `clouds` is about the share that they cover."""
    top, bottom = DAY_SKIES[rng.integers(len(DAY_SKIES))]
    sky = gradient(shape, vary(rng, top), vary(rng, bottom))
    thickness = noise(rng, shape, (rng.uniform(2, 4), rng.uniform(2, 5)), 5)
    cover = np.clip((thickness - (1 - clouds)) * rng.uniform(3, 7), 0, 1)
    white = shade(gradient(shape, (1, 1, 1), (0.86, 0.88, 0.92)), thickness, -0.12)
    return lay(sky, white, cover)


def dusk_sky(rng: Rng, shape: Shape, horizon: float) -> Array:
    """Night blue above, fire at the horizon, a few lit clouds."""
    high, middle, low = DUSK_SKIES[rng.integers(len(DUSK_SKIES))]
    height = max(2, int(shape[0] * horizon))
    sky = gradient(shape, low, low)
    sky[:height] = gradient((height, shape[1]), vary(rng, high), vary(rng, middle), vary(rng, low))
    streaks = noise(rng, shape, (2, rng.uniform(5, 9)), 4)
    return lay(sky, vary(rng, (0.35, 0.15, 0.25)), 0.6 * np.clip((streaks - 0.55) * 5, 0, 1))


def water(rng: Rng, canvas: Array, top: float, colour: Colour, mirror: float = 0.4) -> Array:
    """Lay water below `top`: the mirrored picture, a colour, and waves that grow to the front."""
    shape: Shape = (canvas.shape[0], canvas.shape[1])
    row = int(top * shape[0])
    mirrored = np.take(canvas, np.abs(2 * row - 1 - np.arange(shape[0])) % shape[0], axis=0)
    _, y = grid(shape)
    waves = noise(rng, shape, (rng.uniform(5, 9), rng.uniform(22, 34)), 3)
    surface = lay(blurred(mirrored, 1.5), colour, np.full(shape, 1 - mirror, np.float32))
    surface = shade(surface, waves, rng.uniform(0.25, 0.6))
    surface = lay(
        surface, (0.9, 0.95, 1.0), np.clip(waves - 0.72, 0, 1) * 1.5 * np.clip(y - top, 0, 1)
    )
    return lay(canvas, surface, below(shape, top))


def silhouette(rng: Rng, shape: Shape, base: float, height: float, waves: float) -> Array:
    """Return the mask of land with a rough top, up to `height` above `base`."""
    return below(shape, base - height * profile(rng, shape[1], waves))


def sky(rng: Rng, shape: Shape) -> Array:
    """Clouds, and at times a strip of land or an aeroplane's trail."""
    canvas = day_sky(rng, shape, rng.uniform(0.4, 0.75))
    if rng.random() < 0.4:
        land = silhouette(rng, shape, 0.97, rng.uniform(0.03, 0.12), 4)
        canvas = lay(canvas, vary(rng, (0.15, 0.25, 0.12)), land)
    if rng.random() < 0.3:
        ends = [(rng.uniform(0, 0.3), rng.uniform(0, 0.6)), (1.0, rng.uniform(0, 0.6))]
        canvas = lay(canvas, (1, 1, 1), 0.8 * line(shape, ends, 0.012, 1))
    return canvas


def sea(rng: Rng, shape: Shape) -> Array:
    """Sky, a level horizon, waves, and at times the beach."""
    horizon = rng.uniform(0.25, 0.55)
    canvas = day_sky(rng, shape, rng.uniform(0.1, 0.5))
    colour = pick(rng, ((0.05, 0.30, 0.50), (0.10, 0.45, 0.55), (0.15, 0.30, 0.42)))
    canvas = water(rng, canvas, horizon, colour, 0.25)
    if rng.random() < 0.6:
        shore = rng.uniform(0.7, 0.9) + 0.08 * (profile(rng, shape[1], 2, 3) - 0.5)
        sand = surface(vary(rng, (0.85, 0.75, 0.55), 0.03), noise(rng, shape, (40, 40), 2), 0.1)
        canvas = lay(canvas, (0.95, 0.97, 0.97), below(shape, shore - 0.035) * 0.9)
        canvas = lay(canvas, sand, below(shape, shore))
    return canvas


def sunset(rng: Rng, shape: Shape) -> Array:
    """A low sun over water or black hills."""
    horizon, x = rng.uniform(0.5, 0.75), rng.uniform(0.2, 0.8)
    canvas = dusk_sky(rng, shape, horizon)
    sun = (x, horizon - rng.uniform(0.02, 0.2))
    canvas = lay(canvas, (1.0, 0.85, 0.45), 0.8 * glow(shape, sun, rng.uniform(0.12, 0.22)))
    canvas = lay(canvas, (1.0, 0.97, 0.8), ellipse(shape, sun, 0.05, 0.05, 0.8))
    if rng.random() < 0.6:
        canvas = water(rng, canvas, horizon, vary(rng, (0.25, 0.12, 0.18), 0.03), 0.65)
        gleam = glow(shape, (x, horizon + 0.2), 0.16) * below(shape, horizon)
        return lay(canvas, (1.0, 0.8, 0.4), 0.6 * gleam * noise(rng, shape, (6, 30), 2))
    hills = silhouette(rng, shape, horizon + 0.12, rng.uniform(0.08, 0.25), rng.uniform(2, 8))
    return lay(canvas, (0.06, 0.04, 0.06), hills)


def mountains(rng: Rng, shape: Shape) -> Array:
    """Ridges, paler with distance, snow on the far ones, a dark wood in front."""
    canvas = day_sky(rng, shape, rng.uniform(0.1, 0.5))
    n_ridges, base = int(rng.integers(2, 5)), rng.uniform(0.5, 0.65)
    haze, rock = vary(rng, (0.62, 0.70, 0.82)), vary(rng, (0.25, 0.27, 0.30))
    for i in range(n_ridges):
        near = (i + 1) / n_ridges
        line = base + 0.3 * near - (0.5 - 0.3 * near) * profile(rng, shape[1], rng.uniform(2, 4), 6)
        relief = noise(rng, shape, (8, 6), 5)
        face = surface(mix(haze, rock, near), relief, 0.5)
        snow = np.clip((line + 0.22 - 0.3 * relief - grid(shape)[1]) * 12, 0, 1) * (i == 0)
        canvas = lay(canvas, lay(face, (0.95, 0.97, 1.0), snow), below(shape, line))
    meadow = silhouette(rng, shape, 1.0, rng.uniform(0.05, 0.2), rng.uniform(6, 30))
    return lay(canvas, vary(rng, (0.12, 0.24, 0.12), 0.04), meadow)


def _foliage(rng: Rng, canvas: Array, colour: Colour, cover: float) -> Array:
    """Lay leaves over about the share `cover` of the canvas, lit in clumps."""
    shape: Shape = (canvas.shape[0], canvas.shape[1])
    clumps = noise(rng, shape, (rng.uniform(3, 6), rng.uniform(3, 6)), 6)
    leaves = surface(colour, noise(rng, shape, (14, 14), 4), 0.8)
    return lay(canvas, leaves, np.clip((clumps - (1 - cover)) * 14, 0, 1))


def _trunk(rng: Rng, x: float, width: float, top: float, bottom: float) -> list[Point]:
    """Return the outline of a trunk that narrows upwards and leans a little."""
    lean = rng.normal(0, 0.03)
    foot = [(x - width, bottom), (x + width, bottom)]
    return [*foot, (x + lean + width * 0.6, top), (x + lean - width * 0.6, top)]


def _woods(rng: Rng, shape: Shape, light: Colour, leaf: Colour, floor: Colour) -> Array:
    """Trunks, the near ones wider and darker, between leaves and a patterned floor."""
    ground = rng.uniform(0.7, 0.88)
    canvas = _foliage(rng, gradient(shape, light, light), leaf, 0.75)
    for near in np.linspace(0.3, 1, int(rng.integers(4, 9))):
        colour = mix((0.38, 0.32, 0.24), (0.12, 0.10, 0.07), float(near))
        bottom = ground + 0.12 * float(near)
        trunk = _trunk(rng, rng.uniform(0, 1), 0.012 + 0.03 * float(near) ** 2, -0.05, bottom)
        bark = surface(vary(rng, colour, 0.03), noise(rng, shape, (60, 8), 2), 0.4)
        canvas = lay(canvas, bark, polygon(shape, trunk))
        canvas = _foliage(rng, canvas, vary(rng, leaf, 0.05), 0.3)
    earth = surface(floor, noise(rng, shape, (20, 40), 4), 0.6)
    return lay(canvas, earth, silhouette(rng, shape, ground + 0.06, 0.06, 6))


def forest(rng: Rng, shape: Shape) -> Array:
    """A green wood."""
    light = pick(rng, ((0.75, 0.85, 0.60), (0.55, 0.68, 0.45), (0.85, 0.92, 0.92)))
    leaf = pick(rng, ((0.18, 0.36, 0.12), (0.28, 0.46, 0.14), (0.12, 0.28, 0.14)))
    return _woods(rng, shape, light, leaf, vary(rng, (0.22, 0.30, 0.12), 0.04))


def autumn(rng: Rng, shape: Shape) -> Array:
    """The same wood in October."""
    light = pick(rng, ((0.95, 0.88, 0.65), (0.75, 0.82, 0.92)))
    leaf = pick(rng, ((0.82, 0.42, 0.10), (0.72, 0.22, 0.10), (0.90, 0.68, 0.16)))
    return _woods(rng, shape, light, leaf, vary(rng, (0.58, 0.32, 0.12), 0.04))


def _fir(x: float, bottom: float, height: float, aspect: float) -> list[Point]:
    """Return the zigzag outline of a fir."""
    right = []
    for step in range(5):
        y = bottom - height * (1 - step / 4.5)
        reach = height * 0.32 * (step + 0.7) / 5 / aspect
        right += [(reach * 0.45, y), (reach, y + height / 5)]
    return [(x - dx, y) for dx, y in right] + [(x + dx, y) for dx, y in reversed(right)]


def snow(rng: Rng, shape: Shape) -> Array:
    """A white field under a pale sky, firs with snow on them, at times falling flakes."""
    aspect, field = shape[1] / shape[0], rng.uniform(0.5, 0.7)
    pale = pick(rng, ((0.72, 0.76, 0.82), (0.55, 0.70, 0.90), (0.85, 0.87, 0.90)))
    canvas = gradient(shape, pale, (0.92, 0.93, 0.95))
    canvas = lay(canvas, (0.62, 0.67, 0.74), silhouette(rng, shape, field, 0.2, 4))
    drifts = shade(
        gradient(shape, (0.86, 0.89, 0.95), (0.97, 0.98, 1.0)), noise(rng, shape, (2, 8), 4), 0.1
    )
    canvas = lay(canvas, drifts, silhouette(rng, shape, field + 0.04, 0.05, 2))
    for bottom in np.sort(rng.uniform(field, 0.95, int(rng.integers(2, 8)))):
        height = 0.25 + 0.9 * (float(bottom) - field)
        outline = _fir(rng.uniform(0, 1), float(bottom), height, aspect)
        tree = polygon(shape, outline)
        canvas = lay(canvas, vary(rng, (0.14, 0.22, 0.20), 0.03), tree)
        canvas = lay(canvas, (0.95, 0.96, 0.98), tree * (noise(rng, shape, (24, 20), 3) > 0.6))
    if rng.random() < 0.4:
        canvas = lay(canvas, (1, 1, 1), 0.8 * (rng.random(shape) > 0.985))
    return canvas


def desert(rng: Rng, shape: Shape) -> Array:
    """Dunes, each with a lit and a shaded side, under a clear sky."""
    canvas = gradient(shape, *DAY_SKIES[int(rng.integers(2))])
    canvas = lay(canvas, (0.95, 0.85, 0.70), 0.5 * glow(shape, (rng.random(), 0.5), 0.3))
    sand = pick(rng, ((0.85, 0.62, 0.36), (0.78, 0.48, 0.27), (0.90, 0.75, 0.50)))
    for base in np.linspace(rng.uniform(0.45, 0.6), 0.95, int(rng.integers(3, 6))):
        crest = float(base) - rng.uniform(0.1, 0.3) * profile(rng, shape[1], rng.uniform(1, 2), 2)
        slope = np.gradient(crest) * shape[0]
        lit = np.clip(0.5 + 0.8 * np.tile(slope, (shape[0], 1)), 0, 1).astype(np.float32)
        ripples = noise(rng, shape, (4, 40), 3)
        dune = shade(surface(sand, lit, 0.35), ripples, 0.12)
        canvas = lay(canvas, dune, below(shape, crest))
    return canvas
