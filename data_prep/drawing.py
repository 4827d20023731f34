"""What drawn scenes are made of: noise, gradients, masks and the faults of a camera.

A canvas is (H, W, 3) float32 of linear 0–1 colours; a mask is (H, W) float32 in 0–1; places and
sizes are in shares of the width and the height, from the top left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Array = npt.NDArray[np.float32]
Shape = tuple[int, int]  # (H, W)
Colour = tuple[float, float, float]
Point = tuple[float, float]  # (x, y)

OVERSAMPLING = 2  # shapes are drawn larger and reduced, which smooths their edges


def noise(rng: np.random.Generator, shape: Shape, cells: Point, octaves: int = 4) -> Array:
    """Return smooth fractal noise (H, W), stretched to 0–1; `cells` (x, y) waves in the coarsest.

    Each octave has twice the waves and half the height of the one before.
    """
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        rows, columns = (max(2, round(n * 2**octave) + 1) for n in (cells[1], cells[0]))
        grid = Image.fromarray(rng.random((rows, columns), np.float32))
        total += np.asarray(grid.resize(shape[::-1], Image.Resampling.BICUBIC)) / 2**octave
    total -= total.min()
    total /= max(float(total.max()), 1e-6)
    return total


def profile(rng: np.random.Generator, width: int, waves: float, octaves: int = 5) -> Array:
    """Return a rough line (W,) in 0–1: the outline of a mountain or a tree line."""
    line: Array = noise(rng, (2, width), (waves, 1), octaves)[0]
    return line


def gradient(shape: Shape, *colours: Colour) -> Array:
    """Return a canvas that runs from the first colour at the top to the last at the bottom."""
    place = np.linspace(0, len(colours) - 1, shape[0])
    columns = [
        np.interp(place, range(len(colours)), channel) for channel in zip(*colours, strict=True)
    ]
    rows = np.stack(columns, axis=-1).astype(np.float32)[:, None]
    return np.tile(rows, (1, shape[1], 1))


@cache
def grid(shape: Shape) -> tuple[Array, Array]:
    """Return x and y, each (H, W), of the middle of every pixel."""
    y, x = np.indices(shape, np.float32)
    return (x + np.float32(0.5)) / np.float32(shape[1]), (y + np.float32(0.5)) / np.float32(
        shape[0]
    )


def below(shape: Shape, line: float | Array) -> Array:
    """Return the mask of what lies below `line`, a height or (W,) heights."""
    _, y = grid(shape)
    mask: Array = np.clip((y - line) * shape[0] + 0.5, 0, 1).astype(np.float32)
    return mask


def glow(shape: Shape, centre: Point, radius: float) -> Array:
    """Return a mask that is 1 at `centre` and fades over about `radius` of the height."""
    x, y = grid(shape)
    aspect = shape[1] / shape[0]
    squared = ((x - centre[0]) * aspect) ** 2 + (y - centre[1]) ** 2
    light: Array = np.exp(-squared / (2 * radius**2)).astype(np.float32)
    return light


class Pen:
    """Draws white shapes at places in shares of the image; sizes in shares of its height."""

    def __init__(self, image: Image.Image):
        self._draw, self.size = ImageDraw.Draw(image), image.size

    def polygon(self, points: Sequence[Point], level: int = 255) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._at(p) for p in points], fill=level)

    def ellipse(self, centre: Point, rx: float, ry: float, level: int = 255) -> None:
        """Fill an ellipse."""
        (x, y), height = self._at(centre), self.size[1]
        box = (x - rx * height, y - ry * height, x + rx * height, y + ry * height)
        self._draw.ellipse(box, fill=level)

    def line(self, points: Sequence[Point], width: float, level: int = 255) -> None:
        """Draw a line of some width."""
        thick = max(1, round(width * self.size[1]))
        self._draw.line([self._at(p) for p in points], fill=level, width=thick, joint="curve")

    def _at(self, point: Point) -> Point:
        return point[0] * self.size[0], point[1] * self.size[1]


def drawn(shape: Shape, paint: Callable[[Pen], None], blur: float = 0) -> Array:
    """Return the mask of what `paint` draws; `blur` is in pixels."""
    height, width = shape[0] * OVERSAMPLING, shape[1] * OVERSAMPLING
    image = Image.new("L", (width, height))
    paint(Pen(image))
    image = image.reduce(OVERSAMPLING)
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(image, np.float32) / np.float32(255)


def polygon(shape: Shape, points: Sequence[Point], blur: float = 0) -> Array:
    """Return the mask of a polygon."""
    return drawn(shape, lambda pen: pen.polygon(points), blur)


def ellipse(shape: Shape, centre: Point, rx: float, ry: float, blur: float = 0) -> Array:
    """Return the mask of an ellipse."""
    return drawn(shape, lambda pen: pen.ellipse(centre, rx, ry), blur)


def line(shape: Shape, points: Sequence[Point], width: float, blur: float = 0) -> Array:
    """Return the mask of a line."""
    return drawn(shape, lambda pen: pen.line(points, width), blur)


def lay(canvas: Array, paint: Colour | Array, mask: Array) -> Array:
    """Return the canvas with a colour, or another canvas, laid over it through `mask`."""
    laid = canvas.copy()
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows):  # only the rows that change: most shapes are small
        band = slice(int(rows[0]), int(rows[-1]) + 1)
        over = np.asarray(paint, np.float32)
        over = over[band] if over.ndim == canvas.ndim else over
        laid[band] += (over - laid[band]) * mask[band, :, None].astype(np.float32)
    return laid


def shade(canvas: Array, light: Array, strength: float) -> Array:
    """Return the canvas made brighter where `light` is above a half, and darker below."""
    shaded: Array = canvas * (1 + strength * (2 * light - 1))[..., None]
    return shaded


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour between two, `share` of it the second."""
    red, green, blue = (a * (1 - share) + b * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def surface(colour: Colour, light: Array, strength: float) -> Array:
    """Return a canvas of one colour, shaded by `light`."""
    return shade(np.tile(np.array(colour, np.float32), (*light.shape, 1)), light, strength)


def vary(rng: np.random.Generator, colour: Colour, amount: float = 0.06) -> Colour:
    """Return a colour near `colour`, differing more in brightness than in hue."""
    shifted = np.array(colour) + rng.normal(0, amount) + rng.normal(0, amount / 3, 3)
    red, green, blue = np.clip(shifted, 0, 1)
    return float(red), float(green), float(blue)


def pick(rng: np.random.Generator, colours: Sequence[Colour]) -> Colour:
    """Return a colour near one of `colours`."""
    return vary(rng, colours[int(rng.integers(len(colours)))], 0.05)


def blurred(canvas: Array, radius: float) -> Array:
    """Return the canvas out of focus; `radius` is in pixels."""
    image = Image.fromarray(_as_bytes(canvas)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(image, np.float32) / np.float32(255)


def develop(rng: np.random.Generator, canvas: Array) -> Image.Image:
    """Return the photo: exposure, contrast, white balance, vignette and grain of a cheap camera."""
    shape: Shape = (canvas.shape[0], canvas.shape[1])
    balance = rng.normal(1, 0.03, 3) * rng.uniform(0.85, 1.12)
    contrast = rng.uniform(0.85, 1.15)
    corners = 1 - rng.uniform(0, 0.35) * (1 - glow(shape, (0.5, 0.5), 0.6))
    exposed = (canvas * balance * corners[..., None] - 0.5) * contrast + 0.5
    grain = rng.normal(0, rng.uniform(0.005, 0.03), shape)[..., None]
    return Image.fromarray(_as_bytes((exposed + grain).astype(np.float32)))


def _as_bytes(canvas: Array) -> npt.NDArray[np.uint8]:
    pixels: npt.NDArray[np.uint8] = (np.clip(canvas, 0, 1) * 255).astype(np.uint8)
    return pixels
