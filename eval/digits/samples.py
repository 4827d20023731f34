"""Samples of a generator of digits, and pictures of them."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from eval.digits.config import Kind
from eval.digits.data import N_CLASSES, DigitData
from eval.digits.measures import nearest_training
from eval.digits.networks import DigitGenerator
from mmcgan.arrays import FloatArray

N_PER_CLASS = 1000  # samples that are measured (arXiv 1411.1784, section 4.1)
SEED = 1  # of the noise that is measured and shown; training has its own
CHUNK = 1000
N_COLUMNS = 10  # of the pictures
MIN_HEIGHT = 28  # pixels that a digit is shown with, at least
GAP_GREY = 64  # apart from the black around a digit, and not glaring on a dark page


def class_labels(n_per_class: int = N_PER_CLASS) -> Tensor:
    """Return labels (N,), each class as often, one class after the other."""
    return torch.arange(N_CLASSES).repeat_interleave(n_per_class)


def generate(generator: DigitGenerator, labels: Tensor, noise: Tensor | None = None) -> FloatArray:
    """Generate an image (N, P) for each of `labels` (N,), from `noise` (N, 1, Z) or noise drawn."""
    if noise is None:
        noise = generator.noise(len(labels), _random())
    pairs = zip(torch.split(noise, CHUNK), torch.split(labels, CHUNK), strict=True)
    with torch.inference_mode():
        return torch.cat([generator(z, y)[:, 0] for z, y in pairs]).numpy()


def draw_pictures(kind: Kind, data: DigitData, generator: DigitGenerator) -> dict[str, bytes]:
    """Return pictures of what the generator makes: captions → PNG."""
    labels, shape = class_labels(N_COLUMNS), (data.height, data.width)
    samples = generate(generator, labels, _noise(kind, generator))
    ways = generate(generator, labels, _ways(generator))
    shown = samples[:: N_COLUMNS // 2]
    nearest = data.train.images[nearest_training(shown, data)[0]]
    is_cgan = kind == "cgan"
    said = "a row a class, a column a noise" if is_cgan else "each of its own noise"
    way = "a row a class" if is_cgan else "a way a row"
    pictures = {
        f"Samples: {said}": (samples, N_CLASSES),
        f"On the way from one noise to another: {way}, from left to right": (ways, N_CLASSES),
        "Samples, and below each its nearest training image": (np.stack([shown, nearest]), 2),
    }
    return {text: grid(rows.reshape(n, -1, *shape)) for text, (rows, n) in pictures.items()}


def grid(images: FloatArray, gap: int = 2) -> bytes:
    """Return `images` (R, C, H, W) in [0, 1] as the PNG of one grey picture, `gap` pixels apart.

    Low images are enlarged, each pixel to a square of them, to MIN_HEIGHT or more. Values outside
    [0, 1] are drawn as the nearer end.
    """
    scale = -(-MIN_HEIGHT // images.shape[2])
    grey = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8).repeat(scale, 2).repeat(scale, 3)
    cells = np.pad(grey, ((0, 0), (0, 0), (0, gap), (0, gap)), constant_values=GAP_GREY)
    n_rows, n_columns, height, width = cells.shape
    whole = cells.swapaxes(1, 2).reshape(n_rows * height, n_columns * width)
    picture = whole[: len(whole) - gap, : whole.shape[1] - gap]  # none after the last
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _random() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def _noise(kind: Kind, generator: DigitGenerator) -> Tensor:
    """Return the noise of a picture's cells: with a condition the same in every row."""
    if kind == "cgan":
        return generator.noise(N_COLUMNS, _random()).repeat(N_CLASSES, 1, 1)
    return generator.noise(N_CLASSES * N_COLUMNS, _random())


def _ways(generator: DigitGenerator) -> Tensor:
    """Return noise that goes a way of its own in every row.

    Straight in the hypercube; on an arc, which keeps the variance, where noise is Gaussian.
    """
    first, last = generator.noise(2 * N_CLASSES, _random()).view(2, N_CLASSES, 1, -1)
    share = torch.linspace(0, 1, N_COLUMNS).view(1, -1, 1)
    weights = (1 - share, share)
    if generator.kind_of_noise == "gaussian":
        weights = (torch.cos(share * torch.pi / 2), torch.sin(share * torch.pi / 2))
    return (weights[0] * first + weights[1] * last).view(N_CLASSES * N_COLUMNS, 1, -1)
