"""How far the noise of a mixture should reach when tagging: fitted on dev once it is trained.

A scale on the spread leaves the mean of the draws, and so the ranking, as it is. It is chosen so
that the shares of the nearest words over many draws are the best prediction of a photo's tags.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mmcgan.inference.tagger import Tagger
from mmcgan.training.networks import MixtureGenerator

SCALES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
N_DRAWS = 400
MAX_PHOTOS = 200  # of dev that are looked at
PSEUDO_COUNT = 0.1  # draws a word on average that the smoothing adds


def fit_spread(
    tagger: Tagger, features: npt.NDArray[np.float32], tags: sparse.csr_array
) -> dict[str, Any]:
    """Set the spread of a mixture to the best of SCALES, and return it and the tries as facts.

    `features` (M, D) are raw, `tags` (M, V) 0/1. Other generators have no spread: {}.
    """
    generator = tagger.model.generator
    if not isinstance(generator, MixtureGenerator):
        return {}
    many = Tagger(tagger.model, tagger.seed, N_DRAWS)
    prior = np.asarray(tags.sum(axis=0), np.float64) + 0.5
    tried = {}
    for scale in SCALES:
        generator.spread.fill_(scale)
        tried[scale] = _cross_entropy(many, features[:MAX_PHOTOS], tags, prior / prior.sum())
    best = min(tried, key=lambda scale: tried[scale])
    generator.spread.fill_(best)
    return {"spread": best, "spread_tries": {f"{s:g}": round(v, 4) for s, v in tried.items()}}


def _cross_entropy(
    tagger: Tagger,
    features: npt.NDArray[np.float32],
    tags: sparse.csr_array,
    prior: npt.NDArray[np.float64],
) -> float:
    """Return the mean of -Σ_w q log p, q = 1/|tags| and p the smoothed shares of nearest words."""
    nearest = np.concatenate([ranked.draws.nearest for ranked in tagger.ranked(features)])
    added = PSEUDO_COUNT * len(prior)
    losses = []
    for i, draws in enumerate(nearest):
        own = tags.indices[tags.indptr[i] : tags.indptr[i + 1]]
        counts = np.bincount(draws, minlength=len(prior))[own]
        losses.append(-np.log((counts + added * prior[own]) / (len(draws) + added)).mean())
    return float(np.mean(losses))
