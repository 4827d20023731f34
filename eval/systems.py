"""Asking the systems of a report: the GAN and its baselines, for the photos that are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from eval.answers import Drawn
from eval.baselines.scoring import score_in_parts
from eval.baselines.tuning import Baseline
from eval.figures.metrics import CUT, MIAP_DEPTH
from eval.predictions import Role, SystemPredictions
from mmcgan.arrays import FloatArray, IntArray
from mmcgan.inference.photos.views import stored_classes
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.objects import object_words
from mmcgan.inference.words.ranking import (
    N_NEIGHBOURS,
    Draws,
    Ranked,
    Ranking,
    count_distinct,
    count_votes,
    rank_scores,
)
from mmcgan.training.validation import Variances

VOTE = "cgan+vote"
OBJECTS = "cgan+objects"
SET_DRAWS = 20  # draws a photo whose sets of tags are measured
MANY_DRAWS = 1000  # draws a photo whose shares are compared with a distribution


@dataclass(frozen=True)
class Generated:
    """What the generator gave for N images: its predictions, and what its samples were like.

    `variants` are other rules of ranking on the same draws, and the words of the vocabulary by the
    larger of two probabilities: the generator's, and that of what stands in the picture. The checks
    of `drawn` are the mean number of different nearest words an image, and the part of the variance
    of all samples that lies within images, E[Var(f | x)] / Var(f), as only the noise makes it.
    """

    predictions: SystemPredictions
    variants: list[SystemPredictions]
    drawn: Drawn


def generate(tagger: Tagger, features: FloatArray, concepts: Sequence[str]) -> Generated:
    """Let the model of `tagger` say what it can of raw features (N, D)."""
    concept_rows = np.array(tagger.model.vocabulary.rows(concepts), np.int64)
    own, votes, objects = (_Collected(concept_rows) for _ in range(3))
    classes = _object_classes(tagger, features)
    draws, sets, variances, distinct = [], [], Variances(), []
    with tqdm(desc="cgan", total=len(features), unit="photo", disable=None) as bar:
        for batch, samples in tagger.samples(features):
            drawn = Draws.of(samples, tagger.index)
            ranked = tagger.scorer.of(drawn)
            own.add(ranked)
            neighbours = drawn.neighbours(max(N_NEIGHBOURS, CUT))  # one search for all below
            if tagger.model.ranking != "vote":
                votes.add(count_votes(drawn, neighbours[..., :N_NEIGHBOURS]))
            if classes is not None:
                objects.add(_with_objects(tagger, ranked, classes[batch]))
            draws.append(neighbours[..., 0])
            distinct.append(count_distinct(draws[-1]))
            step = max(samples.shape[1] // SET_DRAWS, 1)
            sets.append(neighbours[:, ::step, :CUT])
            variances.add(samples)
            bar.update(batch.stop - batch.start)
    checks = {
        "distinct_words": float(np.concatenate(distinct).mean()),
        "noise_variance_share": variances.share_within(),
    }
    return Generated(
        own.predictions("cgan", "cgan"),
        [
            variant.predictions(name, "variant")
            for name, variant in ((VOTE, votes), (OBJECTS, objects))
            if variant.rankings
        ],
        Drawn(np.concatenate(draws), np.concatenate(sets), checks),
    )


def _object_classes(tagger: Tagger, features: FloatArray) -> FloatArray | None:
    """Return the class probabilities (N, 1000) held by features (N, D), if the model uses any."""
    if tagger.model.objects is None or not tagger.model.scores_are_probabilities:
        return None
    return stored_classes(tagger.model.backbone, features)


def _with_objects(tagger: Tagger, ranked: Ranked, classes: FloatArray) -> ScoredWords:
    """Return the vocabulary's words as scored by the model and by the classes (B, 1000)."""
    model = tagger.model
    assert model.objects is not None  # or there would be no classes
    words = model.vocabulary.words
    own = model.calibrated(ranked.scores_of(np.arange(len(words)))[0])
    return ScoredWords(np.maximum(own, model.objects(object_words().scores_in(words, classes))))


@dataclass(frozen=True)
class ScoredWords:
    """Words with scores (N, V) that are there already."""

    scores: FloatArray

    def rank(self, depth: int) -> Ranking:
        """Rank the words by their scores."""
        return rank_scores(self.scores, depth)

    def scores_of(self, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the scores and the tie breaks, all 0, (N, C) of the C words in `rows`."""
        scores = self.scores[:, rows]
        return scores, np.zeros_like(scores)


def draw_many(tagger: Tagger, features: FloatArray, n_words: int) -> IntArray:
    """Return the nearest of V words (N, MANY_DRAWS) of many draws for raw features (N, D)."""
    many = replace(tagger, n_samples=MANY_DRAWS)
    kind = np.int16 if n_words < 2**15 else np.int32
    parts = []
    with tqdm(desc="draws", total=len(features), unit="photo", disable=None) as bar:
        for drawn in many.draws(features):
            parts.append(drawn.nearest.astype(kind))
            bar.update(len(parts[-1]))
    return np.concatenate(parts)


def ask_baseline(
    baseline: Baseline, features: FloatArray, concept_rows: IntArray, n_words: int
) -> SystemPredictions:
    """Let a fitted baseline rank the words for standardised features (N, D)."""
    rankings, concepts = [], []
    for scores in score_in_parts(baseline.score, features, n_words):
        rankings.append(rank_scores(scores, MIAP_DEPTH))
        concepts.append(scores[:, concept_rows])
    found = np.concatenate(concepts)
    return SystemPredictions(
        baseline.name, "rival", Ranking.join(rankings), found, np.zeros_like(found)
    )


class _Collected:
    """The rankings and the concept scores of a rule, batch by batch."""

    def __init__(self, concept_rows: IntArray) -> None:
        self.concept_rows = concept_rows
        self.rankings: list[Ranking] = []
        self.concepts: list[tuple[FloatArray, FloatArray]] = []

    def add(self, ranked: Ranked | ScoredWords) -> None:
        """Take what the rule makes of some images."""
        self.rankings.append(ranked.rank(MIAP_DEPTH))
        self.concepts.append(ranked.scores_of(self.concept_rows))

    def predictions(self, name: str, role: Role) -> SystemPredictions:
        """Return all of it as the predictions of a system."""
        scores, ties = (np.concatenate(parts) for parts in zip(*self.concepts, strict=True))
        return SystemPredictions(name, role, Ranking.join(self.rankings), scores, ties)
