"""Which photos of a split are measured, and what is right for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.figures.metrics import RankingWithTruth
from eval.predictions import SystemPredictions
from mmcgan.arrays import BoolArray, IntArray
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.config import TagSource
from mmcgan.training.prepared.dataset import Dataset


@dataclass(frozen=True)
class Setting:
    """The N tagged photos of `split` that are measured, for a run that learnt `tags`.

    `vocabulary` holds the V words that the run and its baselines answer with.
    """

    dataset: Dataset
    split: str
    tags: TagSource
    vocabulary: Vocabulary

    @cached_property
    def rows(self) -> IntArray:
        """(N,): the rows of the measured photos in the data."""
        return self.measured_rows(self.split)

    def measured_rows(self, split: str) -> IntArray:
        """Return those rows of a split on which the answers of this vocabulary are measured."""
        return self.dataset.measured_rows(split, len(self.vocabulary))

    @property
    def image_ids(self) -> npt.NDArray[Any]:
        """(N,): the ids of the measured photos."""
        return self.dataset.image_ids[self.rows]

    @property
    def n_skipped(self) -> int:
        """The number of photos of the split that have no tag of the vocabulary."""
        return len(self.dataset.untagged_rows(self.split))

    @property
    def n_left_out(self) -> int:
        """The number of tagged photos of the split that are not measured, as others are enough."""
        return len(self.dataset.rows(self.split)) - len(self.rows)

    @cached_property
    def concepts(self) -> list[str]:
        """The C potential labels that are in the vocabulary."""
        return [word for word in self.dataset.annotation_names if word in self.vocabulary.row_of]

    @property
    def concept_rows(self) -> IntArray:
        """(C,): the rows of the concepts in the vocabulary."""
        return np.array(self.vocabulary.rows(self.concepts), np.int64)

    @cached_property
    def relevant(self) -> dict[TagSource, sparse.csr_array]:
        """By source of relevance: which word is right for which photo, 0/1 (N, V)."""
        words = self.vocabulary.words
        return {source: self._tags(source, words) for source in self.dataset.tag_sources}

    def n_outside(self, source: TagSource) -> int:
        """Return how many tags of the measured photos are outside the vocabulary."""
        words = sorted({word for table in self.dataset.tags.values() for word in table.words})
        return int(self._tags(source, words).sum() - self.relevant[source].sum())

    @cached_property
    def annotated(self) -> BoolArray:
        """(N, C): whether the annotators gave a concept to a photo."""
        if not self.concepts:
            return np.zeros((len(self.rows), 0), np.bool_)
        table = self.dataset.tags["annotations"].in_vocabulary(self.concepts)
        return np.asarray(table[self.rows].toarray() > 0)

    def with_truth(self, answered: SystemPredictions) -> RankingWithTruth:
        """Return the ranking of a system beside the tags that the run learnt."""
        vectors = self.vocabulary.vectors
        return RankingWithTruth(answered.ranking, self.relevant[self.tags], vectors)

    def _tags(self, source: TagSource, words: Sequence[str]) -> sparse.csr_array:
        tags = sparse.csr_array(self.dataset.tag_matrix(source, words)[self.rows])
        tags.sort_indices()  # else their order would depend on what was asked of them before
        return tags
