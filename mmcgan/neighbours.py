"""Similar photos of the training set: whose tags a photo may well carry unwritten.

People leave tags out, and many photos have none at all. The tags of a photo's nearest neighbours,
weighted as in the vote of Li et al. 2009 (TagVote), fill in for both while training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmcgan.index import import_faiss
from mmcgan.vocabulary import unit_rows

N_NEIGHBOURS = 100
TEMPERATURE = 0.1  # of the weights exp(cosine / temperature)
MAX_POOL = 50_000  # photos among which neighbours are sought; of more, a random choice

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """The k nearest tagged photos of each of N photos: `rows` (N, k) int64, `weights` (N, k).

    The weights of a photo sum to 1.
    """

    rows: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> Neighbours:
        """Return the same on `device`."""
        return Neighbours(self.rows.to(device), self.weights.to(device))

    def of(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows and weights (B, k) of the neighbours of `photos` (B,)."""
        return self.rows[photos], self.weights[photos]


def find_neighbours(features: FloatArray, n_tagged: int, seed: int) -> Neighbours:
    """Find the nearest neighbours of each of N photos among the first `n_tagged`, by cosine.

    `features` (N, D) are standardised. No photo is its own neighbour.
    """
    faiss = import_faiss()
    unit = unit_rows(features)
    pool = np.arange(n_tagged)
    if n_tagged > MAX_POOL:
        pool = np.sort(np.random.default_rng(seed).choice(n_tagged, MAX_POOL, replace=False))
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit[pool])
    cosines, places = index.search(unit, min(N_NEIGHBOURS + 1, len(pool)))
    rows = pool[places]
    # Its own place, where it is found, gets no weight; the order of the others stays.
    is_self = rows == np.arange(len(unit))[:, None]
    cosines[is_self] = -np.inf
    nearest = np.maximum(cosines.max(axis=1, keepdims=True), -1)  # a photo alone has none
    weights = np.exp((cosines - nearest) / TEMPERATURE)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    return Neighbours(torch.from_numpy(rows), torch.from_numpy(weights.astype(np.float32)))
