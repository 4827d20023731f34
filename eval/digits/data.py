"""Digits as a GAN meets them: MNIST, or scikit-learn's 8 x 8 digits where no data is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mmcgan.arrays import FloatArray, IntArray
from mmcgan.errors import DataError

N_CLASSES = 10
N_VALIDATION = 10_000  # the last of MNIST's training images (arXiv 1406.2661)
LabelledBytes = tuple[npt.NDArray[np.uint8], IntArray]

SKLEARN_SHARE = 0.2  # of scikit-learn's 1,797 digits, for validation and for test each


@dataclass(frozen=True)
class Digits:
    """N grey images of H x W pixels in [0, 1] as rows (N, HW) float32, and their labels (N,)."""

    images: FloatArray
    labels: IntArray

    def __len__(self) -> int:
        return len(self.labels)


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
    images, labels = _rows(training)
    n_train = len(labels) - N_VALIDATION
    if n_train < 1:
        raise DataError(
            f"there are {len(labels)} training images; the last {N_VALIDATION} serve for "
            "validation, so that there must be more"
        )
    height, width = training[0].shape[1:]
    train = Digits(images[:n_train], labels[:n_train])
    validation = Digits(images[n_train:], labels[n_train:])
    return DigitData("mnist", height, width, train, validation, Digits(*_rows(test)))


def _rows(digits: LabelledBytes) -> tuple[FloatArray, IntArray]:
    images, labels = digits
    flat = images.reshape(len(images), -1)
    return np.divide(flat, 255, dtype=np.float32), labels


def embedded_digits() -> DigitData:
    """Return scikit-learn's digits."""
    bunch = load_digits()
    images, labels = (bunch.data / 16).astype(np.float32), bunch.target.astype(np.int64)
    rest, test = _split(np.arange(len(labels)), labels, SKLEARN_SHARE)
    train, validation = _split(rest, labels, SKLEARN_SHARE / (1 - SKLEARN_SHARE))
    parts = (Digits(images[rows], labels[rows]) for rows in (train, validation, test))
    return DigitData("scikit-learn digits", 8, 8, *parts)


def _split(rows: IntArray, labels: IntArray, share: float) -> list[IntArray]:
    """Split rows in two of which the second has `share`, each class in proportion."""
    return list(train_test_split(rows, test_size=share, random_state=0, stratify=labels[rows]))
