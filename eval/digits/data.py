"""Digits as a GAN meets them: MNIST, or scikit-learn's 8 x 8 digits where no data is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from data_prep.idx import DigitImages, download_mnist, read_mnist
from eval.digits.config import DigitsConfig
from mmcgan.errors import DataError, OptionError

N_CLASSES = 10
N_VALIDATION = 10_000  # the last of MNIST's training images (arXiv 1406.2661)
SKLEARN_SHARE = 0.2  # of scikit-learn's 1,797 digits, for validation and for test each


@dataclass(frozen=True)
class Digits:
    """N grey images of H x W pixels in [0, 1] as rows (N, HW) float32, and their labels (N,)."""

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]

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


def load_data(config: DigitsConfig) -> DigitData:
    """Load what the settings name.

    Raises `DataError` for files that are missing or broken, `OptionError` for --download without
    --data.
    """
    if config.download and config.data is None:
        raise OptionError("--download: --data must say into which folder")
    if config.data is None:
        return _sklearn_digits()
    if config.download:
        download_mnist(config.data)
    training, test = read_mnist(config.data)
    n_train = len(training.labels) - N_VALIDATION
    if n_train < 1:
        raise DataError(
            f"{config.data} has {len(training.labels)} training images; the last {N_VALIDATION} "
            "serve for validation, so that there must be more"
        )
    height, width = training.images.shape[1:]
    images, labels = _rows(training)
    return DigitData(
        "mnist", height, width,
        Digits(images[:n_train], labels[:n_train]),
        Digits(images[n_train:], labels[n_train:]),
        Digits(*_rows(test)),
    )  # fmt: skip


def _rows(digits: DigitImages) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    flat = digits.images.reshape(len(digits.images), -1)
    return np.divide(flat, 255, dtype=np.float32), digits.labels


def _sklearn_digits() -> DigitData:
    bunch = load_digits()
    images, labels = (bunch.data / 16).astype(np.float32), bunch.target.astype(np.int64)
    rest, test = _split(np.arange(len(labels)), labels, SKLEARN_SHARE)
    train, validation = _split(rest, labels, SKLEARN_SHARE / (1 - SKLEARN_SHARE))
    parts = (Digits(images[rows], labels[rows]) for rows in (train, validation, test))
    return DigitData("scikit-learn digits", 8, 8, *parts)


def _split(
    rows: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], share: float
) -> list[npt.NDArray[np.int64]]:
    """Split rows in two of which the second has `share`, each class in proportion."""
    return list(train_test_split(rows, test_size=share, random_state=0, stratify=labels[rows]))
