"""Digits as a GAN meets them: MNIST, or scikit-learn's 8 x 8 digits where no data is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mmcgan.arrays import FloatArray, IntArray, Pixels
from mmcgan.errors import DataError

N_CLASSES = 10
N_VALIDATION = 10_000  # the last of MNIST's training images (arXiv 1406.2661)
LabelledBytes: TypeAlias = tuple[Pixels, IntArray]

SKLEARN_SHARE = 0.2  # of scikit-learn's 1,797 digits, for validation and for test each


@dataclass(frozen=True)
class Digits:
    """N grey images of H x W pixels in [0, 1] as rows (N, HW) float32, and their labels (N,)."""

    images: FloatArray
    labels: IntArray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice | IntArray) -> Digits:
        return Digits(self.images[rows], self.labels[rows])

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Images and labels for torch, which share their memory."""
        return torch.from_numpy(self.images), torch.from_numpy(self.labels)


@dataclass(frozen=True)
class DigitData:
    """The digits to learn from, to choose by and to measure on."""

    name: str
    height: int
    width: int
    train: Digits
    validation: Digits
    test: Digits


def mnist(training: LabelledBytes, test: LabelledBytes) -> DigitData:
    """Return MNIST, of which the last training images serve for validation.

    Images are (N, H, W) uint8. Raises `DataError` if there are none left to learn from.
    """
    n_images, height, width = training[0].shape
    n_train = n_images - N_VALIDATION
    if n_train < 1:
        raise DataError(
            f"there are {n_images} training images; the last {N_VALIDATION} serve for validation, "
            "so that there must be more"
        )
    digits = _rows(training)
    return DigitData("mnist", height, width, digits[:n_train], digits[n_train:], _rows(test))


def _rows(digits: LabelledBytes) -> Digits:
    images, labels = digits
    return Digits(np.divide(images.reshape(len(images), -1), 255, dtype=np.float32), labels)


def embedded_digits() -> DigitData:
    """Return scikit-learn's digits."""
    bunch = load_digits()
    digits = Digits((bunch.data / 16).astype(np.float32), bunch.target.astype(np.int64))
    rest, test = _split(np.arange(len(digits)), digits, SKLEARN_SHARE)
    train, validation = _split(rest, digits, SKLEARN_SHARE / (1 - SKLEARN_SHARE))
    parts = (digits[rows] for rows in (train, validation, test))
    return DigitData("scikit-learn digits", 8, 8, *parts)


def _split(rows: IntArray, digits: Digits, share: float) -> list[IntArray]:
    """Split rows in two of which the second has `share`, each class in proportion."""
    stratify = digits.labels[rows]
    return list(train_test_split(rows, test_size=share, random_state=0, stratify=stratify))
