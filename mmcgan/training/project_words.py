"""One word table for all generators of a mixture: the directions in which the words differ.

While training, each generator of a mixture learns the words in the space of its own hidden units.
For tagging all of them answer in one space of E components: the principal components of the mean
logits over photos. By the theorem of Eckart & Young 1936 no other E directions keep more of them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mmcgan.arrays import FloatArray
from mmcgan.training.networks import MixtureGenerator, WordTable
from mmcgan.training.prepared.feature_rows import Rows

MAX_PHOTOS = 4096  # whose logits say which directions matter
MAX_LOGITS = 2**26  # of these photos together; with very many words, fewer photos
BATCH = 256  # photos whose logits a member gives at once
ITERATIONS, OVERSAMPLING = 4, 32  # of the subspace iteration (Halko et al. 2011, algorithm 4.4)


class Projected(NamedTuple):
    """One word table for all generators: `table` (V, E), `bias` (V,), and their `outputs` by name.

    An output (E, H) takes a generator's hidden units into the space of the table.
    """

    outputs: dict[str, FloatArray]
    table: FloatArray
    bias: FloatArray


def project_words(
    generator: MixtureGenerator, words: WordTable, features: Rows, n_seen: int, vector_size: int
) -> Projected:
    """Return what takes all generators of a mixture into one space of `vector_size`, or less.

    `features` (N, D) are standardised, the first `n_seen` of them say which directions matter;
    `generator` is in evaluation mode. Logits of the mean of the draws stay as they are, but for
    what lies outside the E principal components.
    """
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        n_photos = min(MAX_PHOTOS, max(MAX_LOGITS // len(words.bias), 1))
        photos = features[: n_seen : -(-n_seen // n_photos)]
        logits = mean_logits(generator, words, photos)
        mean = logits.mean(dim=0)
        directions = _principal_directions(logits - mean, vector_size)  # (V, E)
        outputs = {
            f"members.{k}.output.weight": (directions.T @ table).cpu().numpy()  # (E, H)
            for k, table in enumerate(words.vectors)
        }
        # What the mean has outside of the directions is the same for every photo: a bias.
        bias = mean - directions @ (directions.T @ (mean - words.bias))
    return Projected(outputs, directions.cpu().numpy(), bias.cpu().numpy())


def mean_logits(generator: MixtureGenerator, words: WordTable, features: Tensor) -> Tensor:
    """Return the logits (N, V) of the mean draw for `features` (N, D)."""
    parts = torch.split(features, BATCH)
    return torch.cat([words(generator.centres(part)).mean(dim=1) for part in parts])


def _principal_directions(centred: Tensor, n_directions: int) -> Tensor:
    """Return the orthonormal directions (V, E) in which the rows (N, V) vary the most.

    E is `n_directions`, or less where there are fewer photos or words.
    """
    n_looked_for = min(n_directions + OVERSAMPLING, *centred.shape)
    return torch.svd_lowrank(centred, n_looked_for, ITERATIONS)[2][:, :n_directions]
