"""Tags for untagged photos of the training set, from the tagged photos most like them.

Many photos have no tag at all. While training, the tags of a photo's nearest neighbours stand in
for its own, weighted as in the vote of Li et al. 2009 (TagVote).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmcgan.arrays import FloatArray, IntArray
from mmcgan.inference.words.index import import_faiss
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.prepared.feature_rows import Rows, chunks, some_rows

N_NEIGHBOURS = 100
TEMPERATURE = 0.1  # of the weights exp(cosine / temperature)
MAX_POOL = 50_000  # photos among which neighbours are sought; of more, a random choice


class Neighbours(NamedTuple):
    """The k nearest tagged photos of each of U photos: `rows` (U, k) int64, `weights` (U, k).

    The weights of a photo sum to 1.
    """

    rows: Tensor
    weights: Tensor


def find_neighbours(features: Rows, n_tagged: int, seed: int) -> Neighbours:
    """Find for each photo after the first `n_tagged` its nearest among these, by cosine.

    `features` (N, D) are standardised, the tagged photos first.
    """
    faiss = import_faiss()
    pool = some_rows(n_tagged, MAX_POOL, seed)
    n_photos, size = features.shape
    index = faiss.IndexFlatIP(size)
    for part in chunks(len(pool), 4 * size):
        index.add(_unit(features, pool[part]))
    rows, weights = [], []
    for part in chunks(n_photos - n_tagged, 4 * size):
        asked = n_tagged + np.arange(part.start, part.stop)
        cosines, places = index.search(_unit(features, asked), min(N_NEIGHBOURS, len(pool)))
        weight = np.exp((cosines - cosines[:, :1]) / TEMPERATURE)
        weights.append((weight / weight.sum(axis=1, keepdims=True)).astype(np.float32))
        rows.append(pool[places])
    return Neighbours(*(torch.from_numpy(np.concatenate(found)) for found in (rows, weights)))


def _unit(features: Rows, rows: IntArray) -> FloatArray:
    return unit_rows(features[torch.from_numpy(rows)].cpu().numpy())
