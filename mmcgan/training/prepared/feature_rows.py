"""Image features, which may be more than memory holds: some rows are read at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from mmcgan.arrays import FloatArray, IntArray, StoredArray
from mmcgan.inference.network import Standardizer

if TYPE_CHECKING:  # tagging standardises without torch, which takes long to import
    import torch
    from torch import Tensor

CHUNK_BYTES = 2**24  # of the rows that are in memory at once


def chunks(n_rows: int, row_bytes: int) -> Iterator[slice]:
    """Yield slices of `n_rows` rows that together hold about `CHUNK_BYTES`."""
    step = max(CHUNK_BYTES // max(row_bytes, 1), 1)
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def chunks_of(table: npt.NDArray[Any] | Rows) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows of `table`, some at a time."""
    for rows in chunks(len(table), table[:1].nbytes):
        yield np.asarray(table[rows])


def some_rows(n_rows: int, most: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Return all of `n_rows` rows, or of more than `most` a seeded choice, in order."""
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, most, replace=False))


def fit_standardizer(features: StoredArray, rows: IntArray) -> Standardizer:
    """Fit the standardizer of `features` (M, D) on the chosen `rows` (N,) of them.

    Sums are of doubles: half precision overflows at 65,504.
    """
    parts = [rows[part] for part in chunks(len(rows), features[:1].nbytes)]
    mean = sum(features[part].sum(axis=0, dtype=np.float64) for part in parts) / len(rows)
    squares = sum(((features[part] - mean) ** 2).sum(axis=0) for part in parts)
    deviation = np.sqrt(squares / len(rows))
    scale = np.where(deviation > 1e-6, deviation, 1.0)
    return Standardizer(np.asarray(mean, np.float32), scale.astype(np.float32))


class Rows(Protocol):
    """The standardised features (N, D) of N images: a tensor, or what makes one when asked."""

    @property
    def shape(self) -> Any:
        """(N, D)."""

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: Any, /) -> Tensor:
        """Return the rows `chosen`, (B,) or a slice: (B, D)."""


Features: TypeAlias = FloatArray | Rows  # (N, D), of which some rows are taken at a time


class StandardizedRows:
    """Chosen rows of stored features, standardised when they are asked for.

    `features` (M, D) are raw and may lie on disk; `rows` (N,) are those that are seen here.
    """

    def __init__(
        self,
        features: StoredArray,
        rows: IntArray,
        standardizer: Standardizer,
        device: torch.device,
    ):
        self.features, self.rows = features, rows
        self.standardizer, self.device = standardizer, device

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        return len(self.rows), self.features.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: Tensor | IntArray | slice) -> Tensor:
        """Return the rows `chosen` (B,), places among those that are seen: (B, D)."""
        import torch

        places = chosen.cpu().numpy() if isinstance(chosen, torch.Tensor) else chosen
        found = self.standardizer(self.features[self.rows[places]])
        return torch.from_numpy(found).to(self.device)
