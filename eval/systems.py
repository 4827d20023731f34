"""The systems of a report: what the GAN and its rivals say of the evaluated images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from eval.baselines import Rival
from eval.metrics import MIAP_DEPTH
from eval.predictions import SystemPredictions
from mmcgan.ranking import Ranking, count_votes, rank_scores
from mmcgan.tagger import Tagger

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Generated:
    """What the generator gave for N images: its predictions, and what its samples were like.

    `draws` (N, S) are the rows of the words nearest to the samples; `distinct_words` is the mean
    number of different ones an image; `noise_variance_share` the part of the variance of all
    samples that lies within images, E[Var(f | x)] / Var(f), as only the noise makes it.
    """

    predictions: SystemPredictions
    draws: npt.NDArray[np.int64]
    distinct_words: float
    noise_variance_share: float | None


def generate(tagger: Tagger, features: FloatArray, concepts: Sequence[str]) -> Generated:
    """Let the model of `tagger` say what it can of raw features (N, D)."""
    concept_rows = np.array(tagger.model.vocabulary.rows(concepts), np.int64)
    rankings, draws, concept_scores, variances, distinct = [], [], [], _Variances(), []
    with tqdm(desc="cgan", total=len(features), unit="photo", disable=None) as bar:
        for batch, samples in tagger.samples(features):
            votes = count_votes(samples, tagger.index)
            rankings.append(votes.rank(MIAP_DEPTH))
            draws.append(votes.nearest)
            distinct.append(votes.n_distinct())
            concept_scores.append(votes.scores_of(concept_rows))
            variances.add(samples)
            bar.update(batch.stop - batch.start)
    scores, ties = (np.concatenate(parts) for parts in zip(*concept_scores, strict=True))
    return Generated(
        SystemPredictions("cgan", "cgan", Ranking.join(rankings), scores, ties),
        np.concatenate(draws),
        float(np.concatenate(distinct).mean()),
        variances.share_within(),
    )


def ask_rival(
    rival: Rival, features: FloatArray, concept_rows: npt.NDArray[np.int64]
) -> SystemPredictions:
    """Let a fitted rival say what it can of standardised features (N, D)."""
    scores = rival.score(features)
    concept_scores = scores[:, concept_rows]
    return SystemPredictions(
        rival.name, "rival", rank_scores(scores, MIAP_DEPTH), concept_scores,
        np.zeros_like(concept_scores),
    )  # fmt: skip


class _Variances:
    """Sums from which the variance within images and the variance of all samples follow."""

    def __init__(self) -> None:
        self.n = 0
        self.total = self.squares = self.within = np.zeros(())

    def add(self, samples: FloatArray) -> None:
        """Take the samples (B, S, E) of some images."""
        exact = samples.astype(np.float64)
        self.n += exact.shape[0] * exact.shape[1]
        self.total = self.total + exact.sum(axis=(0, 1))
        self.squares = self.squares + (exact**2).sum()
        centred = exact - exact.mean(axis=1, keepdims=True)
        self.within = self.within + (centred**2).sum()

    def share_within(self) -> float | None:
        """Return the part of the variance within images; None if nothing varies."""
        overall = float(self.squares - (self.total**2).sum() / self.n)
        return float(self.within) / overall if overall > 0 else None
