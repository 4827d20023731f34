"""One word table for all generators of a mixture: the directions in which the words differ.

While training, each generator of a mixture learns the words in the space of its own hidden units.
For tagging all of them answer in one space of E components: the principal components of the mean
logits over photos. By the theorem of Eckart & Young 1936 no other E directions keep more of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmcgan.training.config import TrainConfig
from mmcgan.training.networks import MixtureGenerator, WordTable
from mmcgan.training.prepared.feature_rows import Rows

MAX_PHOTOS = 4096  # whose logits say which directions matter
MAX_LOGITS = 2**26  # of these photos together; with very many words, fewer photos
BATCH = 256  # photos whose logits a member gives at once
ITERATIONS, OVERSAMPLING = 4, 32  # of the subspace iteration (Halko et al. 2011, algorithm 4.4)


def condense(
    generator: MixtureGenerator,
    words: WordTable,
    features: Rows,
    n_seen: int,
    config: TrainConfig,
) -> tuple[MixtureGenerator, WordTable]:
    """Return the same mixture with outputs into one space, and its one word table.

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
        directions = _principal_directions(logits - mean, config.vector_size)  # (V, E)
        condensed = MixtureGenerator(features.shape[1], directions.shape[1], config)
        outputs = {
            f"members.{k}.output.weight": directions.T @ words.vectors[k]  # (E, H)
            for k in range(generator.n_members)
        }
        condensed.load_state_dict(generator.state_dict() | outputs)
        # What the mean has outside of the directions is the same for every photo: a bias.
        bias = mean - directions @ (directions.T @ (mean - words.bias))
    return condensed.to(photos.device).eval(), WordTable(directions.unsqueeze(0), bias)


def mean_logits(generator: MixtureGenerator, words: WordTable, features: Tensor) -> Tensor:
    """Return the logits (N, V) of the mean draw for `features` (N, D)."""
    parts = []
    for batch in torch.split(features, BATCH):
        parts.append(words(generator.centres(batch)).mean(dim=1))
    return torch.cat(parts)


def _principal_directions(centred: Tensor, n_directions: int) -> Tensor:
    """Return the orthonormal directions (V, E) in which the rows (N, V) vary the most.

    E is `n_directions`, or less where there are fewer photos or words.
    """
    n_looked_for = min(n_directions + OVERSAMPLING, *centred.shape)
    directions: Tensor = torch.svd_lowrank(centred, n_looked_for, ITERATIONS)[2]
    return directions[:, :n_directions]
