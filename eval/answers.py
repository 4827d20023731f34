"""The answers of all systems for the photos of a split, and all that measuring them takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.figures.bootstrap import resample_counts
from eval.figures.distribution import Photos
from eval.figures.metrics import RankingWithTruth
from eval.predictions import SystemPredictions
from mmcgan.arrays import BoolArray, IntArray
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.config import TagSource
from mmcgan.training.prepared.dataset import Truth


@dataclass(frozen=True)
class Drawn:
    """What the generator gave for N photos.

    `nearest` (N, S) are the rows of the words nearest to the draws, `sets` (N, R, 10) the ten best
    words of some of the draws; `checks` are the controls that need the generator itself, by name,
    None where one is not known.
    """

    nearest: IntArray
    sets: IntArray
    checks: Mapping[str, float | None]


@dataclass(frozen=True)
class Compared:
    """Many draws beside the logits of the MLP, for the M photos of dev and the N measured ones."""

    dev: Photos
    measured: Photos


@dataclass(frozen=True)
class Scores:
    """What is known of the scores of the system cgan.

    `are_probabilities` says whether they can be read as such at all; `calibration` makes them
    probabilities that hold, where it was fitted.
    """

    are_probabilities: bool
    calibration: Calibration | None

    @property
    def kinds(self) -> dict[str, Any]:
        """The ways to read scores as probabilities: name → a function of scores."""
        kinds: dict[str, Any] = {"as ranked": lambda scores: scores}
        if self.calibration is not None:
            kinds["calibrated"] = self.calibration
        return kinds if self.are_probabilities else {}


@dataclass(frozen=True)
class GalleryPhoto:
    """A photo of the gallery: its place among the N photos, its thumbnail, what people wrote."""

    place: int
    thumbnail_jpeg: bytes
    user_tags: Sequence[str]
    annotations: Sequence[str]


@dataclass(frozen=True)
class Answers:
    """The answers of all systems for N photos, and what is right for these.

    `systems` holds one named cgan; `vocabulary` the V words that all answer with. `relevant` says
    by source of relevance which word is right for which photo, csr 0/1 (N, V); `n_outside` counts
    the tags beyond the vocabulary likewise. `annotated` (N, C) says which of the C `concepts` the
    annotators gave. `train_tags` (M, V) are those of the training photos. `has_duplicate` (N,)
    marks photos with a near duplicate among them. `tags` is the source that the run learnt, `seed`
    that of the bootstrap and of all other choices. `facts` say what data, run, command and
    versions gave the answers; `log` holds the records of the run's training.
    """

    split: str
    tags: TagSource
    seed: int
    image_ids: npt.NDArray[Any]
    vocabulary: Vocabulary
    systems: Mapping[str, SystemPredictions]
    relevant: Mapping[TagSource, sparse.csr_array]
    n_outside: Mapping[TagSource, int]
    n_skipped: int
    n_left_out: int
    concepts: Sequence[str]
    annotated: BoolArray
    train_tags: sparse.csr_array
    has_duplicate: BoolArray
    drawn: Drawn
    scores: Scores
    tuning: Mapping[str, Any]
    baselines_left_out: Mapping[str, str] = field(default_factory=dict)
    truth: Truth | None = None  # with the scenes (N,) of the measured photos
    compared: Compared | None = None
    gallery: Sequence[GalleryPhoto] = ()
    log: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def ranked(self) -> dict[str, dict[TagSource, RankingWithTruth]]:
        """The ranking of each system beside the truth, by source of relevance."""
        return {
            name: {
                source: RankingWithTruth(system.ranking, relevant, self.vocabulary.vectors)
                for source, relevant in self.relevant.items()
            }
            for name, system in self.systems.items()
        }

    @property
    def own(self) -> RankingWithTruth:
        """The ranking of the system cgan beside the tags that the run learnt."""
        return self.ranked["cgan"][self.tags]

    @cached_property
    def resamples(self) -> npt.NDArray[np.int32]:
        """(N, B): how often each photo occurs in each resample of the bootstrap."""
        return resample_counts(len(self.image_ids), self.seed)
