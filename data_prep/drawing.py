"""What the scenes of the sample are painted with: a few kinds of layers, laid one over another.

Places and sizes are shares of the picture: x of its width, y and sizes of its height; y is counted
downwards from the horizon. A palette is a text of colours, "rrggbb rrggbb …", of which one is
chosen and varied. A span is two numbers; what is drawn lies evenly between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from mmcgan.arrays import DoubleArray, FloatArray

Options = ParamSpec("Options")
Rng = np.random.Generator
Shape = tuple[int, int]  # (H, W)
Span = tuple[float, float]
Count = tuple[int, int]  # a span of whole numbers
Triple = tuple[float, float, float]
Outline = Sequence[tuple[float, float]]  # the corners (x, y) of a polygon

OVERSAMPLING = 2  # polygons are drawn larger and reduced, which smooths their edges


def noise(rng: Rng, shape: Shape, across: float, down: float, octaves: int = 4) -> FloatArray:
    """Return smooth noise (H, W) in 0–1: waves across and down, in each octave twice as many."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        waves = round(down * 2**octave) + 2, round(across * 2**octave) + 2
        grid = Image.fromarray(rng.random(np.minimum(waves, shape), np.float32))
        total += np.asarray(grid.resize(shape[::-1], Image.Resampling.BICUBIC)) / 2**octave
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def lit(colours: FloatArray, light: FloatArray, strength: float) -> FloatArray:
    """Return colours (H, W, 3) brighter where `light` (H, W) is above a half, darker below."""
    return colours * (1 + strength * (2 * light - 1))[..., None]


class Picture:
    """A picture in the making: colours (H, W, 3) in 0–1, its horizon, the chance that varies it."""

    def __init__(self, rng: Rng, shape: Shape):
        self.rng, self.shape, self.horizon = rng, shape, 0.0
        self.pixels = np.zeros((*shape, 3), np.float32)
        self.y = (np.arange(shape[0], dtype=np.float32)[:, None] + 0.5) / shape[0]  # (H, 1)

    def colours(self, palette: str) -> FloatArray:
        """Return all colours (n, 3) of a palette, varied more in brightness than in hue."""
        pure = np.array([list(bytes.fromhex(colour)) for colour in palette.split()]) / 255
        shift = self.rng.normal(0, 0.05) + self.rng.normal(0, 0.02, pure.shape)
        return np.clip(pure + shift, 0, 1).astype(np.float32)

    def colour(self, palette: str) -> FloatArray:
        """Return a colour (3,) near one of a palette."""
        return self.rng.choice(self.colours(palette))

    def below(self, line: float | FloatArray) -> FloatArray:
        """Return the mask (H, W) of what lies below `line`, a height or heights (W,)."""
        depth = self.y - np.broadcast_to(np.asarray(line, np.float32), self.shape)
        return np.clip(depth * self.shape[0] + 0.5, 0, 1)

    def lay(self, colours: FloatArray, mask: FloatArray, left: int = 0, top: int = 0) -> None:
        """Lay colours, one or (h, w, 3), through a mask (h, w) whose corner is at left, top."""
        window = self.pixels[top : top + mask.shape[0], left : left + mask.shape[1]]
        window += (colours - window) * mask[..., None]


Layer = Callable[[Picture], None]


def layer(paint: Callable[Concatenate[Picture, Options], None]) -> Callable[Options, Layer]:
    """Turn a function that paints into one that takes its options and returns a layer."""

    def with_options(*args: Options.args, **kwargs: Options.kwargs) -> Layer:
        return lambda picture: paint(picture, *args, **kwargs)

    return with_options


@layer
def sky(picture: Picture, horizon: Span, palettes: Sequence[str]) -> None:
    """Place the horizon, and paint one of several gradients from the top down to it."""
    picture.horizon = float(picture.rng.uniform(*horizon))
    colours = picture.colours(str(picture.rng.choice(palettes)))
    place = np.minimum(picture.y / picture.horizon, 1) * (len(colours) - 1)
    channels = [np.interp(place, range(len(colours)), channel) for channel in colours.T]
    picture.pixels[:] = np.stack(channels, axis=-1)


@layer
def blobs(picture: Picture, palette: str, cover: Span, waves: Span, contrast: float) -> None:
    """Paint clouds, leaves or flakes over about the share `cover` of the picture."""
    rng, shape = picture.rng, picture.shape
    mask = np.clip((noise(rng, shape, *waves, octaves=6) - 1 + rng.uniform(*cover)) * 8, 0, 1)
    picture.lay(lit(picture.colour(palette), noise(rng, shape, 14, 14), contrast), mask)


@layer
def land(
    picture: Picture, palette: str, top: Triple, relief: Triple, grain: Triple, edge: str = ""
) -> None:
    """Paint ground: `top` is the highest and lowest top of its ridges, and how many there are.

    `relief` is how much they rise above their top, at least and at most, and in how many waves;
    `grain` the waves across and down that the light shows, and its contrast. The light comes from
    one side. `edge` is a palette for foam or snow along the outline, deepest where it rises most.
    """
    rng, (height, width) = picture.rng, picture.shape
    for base in np.sort(rng.uniform(*top[:2], int(top[2]))):
        rise = rng.uniform(*relief[:2]) * noise(rng, (2, width), relief[2], 1, octaves=5)[0]
        line, grains = picture.horizon + base - rise, noise(rng, picture.shape, *grain[:2])
        light = (grains + np.clip(0.5 + np.gradient(line) * height, 0, 1)) / 2
        mask = picture.below(line)
        picture.lay(lit(picture.colour(palette), light, grain[2]), mask)
        if edge:
            picture.lay(picture.colour(edge), mask - picture.below(line + 0.7 * rise * grains))


@layer
def water(picture: Picture, palette: str, mirror: float) -> None:
    """Paint waves from the horizon down; the share `mirror` of them is what is above."""
    rng, height = picture.rng, picture.shape[0]
    rows = np.abs(2 * int(picture.horizon * height) - 1 - np.arange(height)) % height
    waves = noise(rng, picture.shape, rng.uniform(5, 9), rng.uniform(22, 34), octaves=3)
    colours = picture.pixels[rows] * mirror + picture.colour(palette) * (1 - mirror)
    picture.lay(lit(colours, waves, rng.uniform(0.25, 0.6)), picture.below(picture.horizon))


@layer
def grey(picture: Picture, contrast: Span) -> None:
    """Take the colours away from what is painted, and make it harder."""
    light = picture.pixels @ np.array([[0.30], [0.59], [0.11]], np.float32)
    picture.pixels[:] = (light - 0.5) * picture.rng.uniform(*contrast) + 0.5


@dataclass(frozen=True)
class Part:
    """Polygons of one colour around the middle of a thing, whose size is 1.

    With `turns`, the corners of an outline are (distance from the middle, share of a sector), and
    that many sectors, at least and at most, make a circle.
    """

    palette: str
    outlines: Sequence[Outline]
    turns: Count | None = None
    share: float = 1  # of the polygons that are drawn
    blur: float = 0
    contrast: float = 0

    def polygons(self, rng: Rng) -> list[DoubleArray]:
        """Return the polygons that are drawn, each (corners, 2)."""
        found = [np.array(outline, float) for outline in self.outlines]
        if self.turns:
            n = int(rng.integers(*self.turns, endpoint=True))
            polar = [(p[:, 0], 2 * np.pi * (p[:, 1] + i) / n) for i in range(n) for p in found]
            found = [np.stack([r * np.cos(a), r * np.sin(a)], axis=1) for r, a in polar]
        return [polygon for polygon in found if rng.random() < self.share]

    def paint(self, picture: Picture, place: DoubleArray, size: float) -> None:
        """Paint the part of a thing at `place` (2,); place and size are in pixels."""
        image = Image.new("L", (picture.shape[1] * OVERSAMPLING, picture.shape[0] * OVERSAMPLING))
        for polygon in self.polygons(picture.rng):
            corners = (place + polygon * size) * OVERSAMPLING
            ImageDraw.Draw(image).polygon(corners.ravel().tolist(), fill=255)
        image = image.reduce(OVERSAMPLING).filter(ImageFilter.GaussianBlur(self.blur * size))
        if box := image.getbbox():
            mask = np.asarray(image.crop(box), np.float32) / np.float32(255)
            light = noise(picture.rng, mask.shape, 4, 4) if self.contrast else mask
            picture.lay(lit(picture.colour(self.palette), light, self.contrast), mask, *box[:2])


@layer
def things(
    picture: Picture, parts: Sequence[Part], count: Count, size: Span, y: Span, x: Span = (0, 1)
) -> None:
    """Paint things of some parts side by side; the lower they are, the larger."""
    rng, (height, width) = picture.rng, picture.shape
    n = int(rng.integers(*count, endpoint=True))
    columns = x[0] + (x[1] - x[0]) * (rng.permutation(n) + rng.uniform(0.2, 0.8, n)) / max(n, 1)
    rows, sizes = np.sort(rng.uniform(*y, n)), np.sort(rng.uniform(*size, n))
    for column, row, share in zip(columns, rows, sizes, strict=True):
        place = np.array([column * width, (picture.horizon + row) * height])
        for part in parts:
            part.paint(picture, place, float(share) * height)


def draw(layers: Sequence[Layer], shape: Shape, rng: Rng) -> Image.Image:
    """Return a photo (H, W) of the layers, the farthest first, with the faults of a cheap camera.

    Its exposure, white balance, contrast, dark corners and grain vary.
    """
    picture = Picture(rng, shape)
    for paint in layers:
        paint(picture)
    balance = rng.normal(1, 0.03, 3) * rng.uniform(0.85, 1.12)
    x = (np.arange(shape[1]) + 0.5) / shape[1]
    corners = 1 - rng.uniform(0, 1) * ((x - 0.5) ** 2 + (picture.y - 0.5) ** 2)
    exposed = (picture.pixels * balance * corners[..., None] - 0.5) * rng.uniform(0.85, 1.15) + 0.5
    grainy = exposed + rng.normal(0, rng.uniform(0.005, 0.03), shape)[..., None]
    return Image.fromarray((np.clip(grainy, 0, 1) * 255).astype(np.uint8))
