"""How far the noise of a mixture should reach when tagging: fitted on dev once it is trained.

A scale on the noise leaves the mean of the draws, and so the ranking, as it is. It is chosen so
that the shares of the nearest words over many draws are the best prediction of a photo's tags.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from mmcgan.arrays import DoubleArray, FloatArray
from mmcgan.inference.model import Model
from mmcgan.inference.tagger import Tagger

SCALES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
N_DRAWS = 400
MAX_PHOTOS = 200  # of dev that are looked at
PSEUDO_COUNT = 0.1  # draws a word on average that the smoothing adds


def fit_noise_scale(model: Model, seed: int, features: FloatArray, tags: sparse.csr_array) -> Model:
    """Return `model` with the best of SCALES for the noise of its mixture; the tries are facts.

    `features` (M, D) are raw, `tags` (M, V) 0/1. Other networks have no such scale, and are left
    as they are.
    """
    if model.network.record.kind != "mixture":
        return model
    prior = np.asarray(tags.sum(axis=0), np.float64) + 0.5
    scaled = {scale: with_noise_scale(model, scale) for scale in SCALES}
    tried = {
        scale: _cross_entropy(Tagger(one, seed, N_DRAWS), features, tags, prior / prior.sum())
        for scale, one in scaled.items()
    }
    best = min(tried, key=lambda scale: tried[scale])
    tries = {f"{scale:g}": round(value, 4) for scale, value in tried.items()}
    facts = model.facts | {"spread": best, "spread_tries": tries}
    return replace(scaled[best], facts=facts)


def with_noise_scale(model: Model, scale: float) -> Model:
    """Return a model whose noise reaches so far."""
    record = replace(model.network.record, noise_scale=scale)
    return replace(model, network=replace(model.network, record=record))


def _cross_entropy(
    tagger: Tagger, features: FloatArray, tags: sparse.csr_array, prior: DoubleArray
) -> float:
    """Return the mean of -Σ_w q log p, q = 1/|tags| and p the smoothed shares of nearest words."""
    nearest = np.concatenate([draws.nearest for draws in tagger.draws(features[:MAX_PHOTOS])])
    added = PSEUDO_COUNT * len(prior)
    losses = []
    for i, words in enumerate(nearest):
        own = tags.indices[tags.indptr[i] : tags.indptr[i + 1]]
        counts = np.bincount(words, minlength=len(prior))[own]
        losses.append(-np.log((counts + added * prior[own]) / (len(words) + added)).mean())
    return float(np.mean(losses))
