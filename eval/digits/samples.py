"""Samples of a generator of digits, and pictures of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eval.digits.config import Kind
from eval.digits.data import N_CLASSES, DigitData
from eval.digits.measures import nearest_training
from eval.digits.networks import DigitGenerator
from eval.digits.pictures import grid
from mmcgan.arrays import FloatArray

N_PER_CLASS = 1000  # samples that are measured (arXiv 1411.1784, section 4.1)
SEED = 1  # of the noise that is measured and shown; training has its own
CHUNK = 1000
N_COLUMNS = 10  # of the pictures


def class_labels(n_per_class: int = N_PER_CLASS) -> Tensor:
    """Return labels (N,), each class as often, one class after the other."""
    return torch.arange(N_CLASSES).repeat_interleave(n_per_class)


def generate(generator: DigitGenerator, labels: Tensor, noise: Tensor | None = None) -> FloatArray:
    """Generate an image (N, P) for each of `labels` (N,), from `noise` (N, 1, Z) or noise drawn."""
    if noise is None:
        noise = generator.noise(len(labels), _random())
    pairs = zip(torch.split(noise, CHUNK), torch.split(labels, CHUNK), strict=True)
    with torch.inference_mode():
        images: FloatArray = torch.cat([generator(z, y)[:, 0] for z, y in pairs]).numpy()
    return images


def draw_pictures(kind: Kind, data: DigitData, generator: DigitGenerator) -> dict[str, bytes]:
    """Return pictures of what the generator makes: captions → PNG."""
    labels, rows = class_labels(N_COLUMNS), "a row a class, " if kind == "cgan" else ""
    samples = generate(generator, labels, _noise(kind, generator))
    ways = generate(generator, labels, _ways(generator))
    shown = samples[:: N_COLUMNS // 2]
    nearest = data.train.images[nearest_training(shown, data)[0]]
    columns = "a column a noise" if kind == "cgan" else "each of its own noise"
    way = f"On the way from one noise to another: {rows or 'a way a row, '}from left to right"
    pictures = {
        f"Samples: {rows}{columns}": samples.reshape(N_CLASSES, N_COLUMNS, -1),
        way: ways.reshape(N_CLASSES, N_COLUMNS, -1),
        "Samples, and below each its nearest training image": np.stack([shown, nearest]),
    }
    shape = data.height, data.width
    return {
        text: grid(images.reshape(*images.shape[:2], *shape)) for text, images in pictures.items()
    }


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
    ways: Tensor = weights[0] * first + weights[1] * last
    return ways.view(N_CLASSES * N_COLUMNS, 1, -1)
