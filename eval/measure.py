"""The figures of a report: from the stored predictions to plain numbers, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.figures.bootstrap import Figure, figure, mean_figure, ratio_figure, resample_counts
from eval.figures.breadth import breadth, hit_counts, per_tag, retrieval_counts
from eval.figures.checks import (
    NEAR_DUPLICATE_COSINE,
    build_checks,
    near_duplicates,
    shuffled_precision,
)
from eval.figures.metrics import DESCRIPTIONS, METRICS, Judged, expected_map
from eval.predictions import SystemPredictions
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.config import TagSource
from mmcgan.training.prepared.dataset import Dataset
from mmcgan.training.prepared.feature_rows import Features

CURVE_DEPTH = 20
CUTS = (1, 5, 10)

Counts = npt.NDArray[np.int32]
Store = Mapping[str, SystemPredictions]


@dataclass(frozen=True)
class Setting:
    """What is measured: the N tagged images of `split`, for a run that learnt `tags`.

    `vocabulary` holds the V words that the run and its rivals answer with.
    """

    dataset: Dataset
    split: str
    tags: TagSource
    vocabulary: Vocabulary

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """(N,): the evaluated rows of the data."""
        return self.measured_rows(self.split)

    def measured_rows(self, split: str) -> npt.NDArray[np.int64]:
        """Return those rows of a split on which the answers of this vocabulary are measured."""
        return self.dataset.measured_rows(split, len(self.vocabulary))

    @property
    def image_ids(self) -> npt.NDArray[Any]:
        """(N,): the ids of the evaluated images."""
        ids: npt.NDArray[Any] = self.dataset.image_ids[self.rows]
        return ids

    @property
    def n_skipped(self) -> int:
        """How many images of the split are not evaluated, having no tag of the vocabulary."""
        return len(self.dataset.untagged_rows(self.split))

    @property
    def n_left_out(self) -> int:
        """How many tagged images of the split are not evaluated, as enough others are."""
        return len(self.dataset.rows(self.split)) - len(self.rows)

    @cached_property
    def concepts(self) -> list[str]:
        """The C potential labels that are in the vocabulary."""
        return [word for word in self.dataset.annotation_names if word in self.vocabulary.row_of]

    @cached_property
    def relevant(self) -> dict[TagSource, sparse.csr_array]:
        """By relevance: which word of the vocabulary is right for which image, 0/1 (N, V)."""
        words = self.vocabulary.words
        return {source: self._tags(source, words) for source in self.dataset.tag_sources}

    def n_outside(self, relevance: TagSource) -> int:
        """How many tags of the evaluated images are outside the vocabulary."""
        words = sorted({word for table in self.dataset.tags.values() for word in table.words})
        return int(self._tags(relevance, words).sum() - self.relevant[relevance].sum())

    @cached_property
    def annotated(self) -> npt.NDArray[np.bool_]:
        """(N, C): whether the annotators gave a concept to an image."""
        if not self.concepts:
            return np.zeros((len(self.rows), 0), np.bool_)
        table = self.dataset.tags["annotations"].in_vocabulary(self.concepts)
        return np.asarray(table[self.rows].toarray() > 0)

    def judge(self, predictions: SystemPredictions) -> dict[TagSource, Judged]:
        """Return the ranking of a system beside the truth, by relevance."""
        return {
            relevance: Judged(predictions.ranking, relevant, self.vocabulary.vectors)
            for relevance, relevant in self.relevant.items()
        }

    def _tags(self, source: TagSource, words: Any) -> sparse.csr_array:
        return sparse.csr_array(self.dataset.tag_matrix(source, words)[self.rows])


def measure(
    store: Store,
    setting: Setting,
    *,
    train_features: Features,
    evaluated_features: npt.NDArray[np.float32],
    generator_checks: Mapping[str, float | None],
    tuning: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Return the figures of a report from the stored predictions; see the README for its parts.

    `store` holds a system named cgan. The features, (M, D) and (N, D), are standardised;
    `generator_checks` are the controls that need the generator, None where one is not known;
    `seed` is that of the bootstrap and the shuffled control.
    """
    judged = {name: setting.judge(predictions) for name, predictions in store.items()}
    counts = resample_counts(len(setting.rows), seed)
    systems = {name: measure_system(store[name], judged[name], setting, counts) for name in store}
    cgan_checks = _cgan_checks(store["cgan"], systems["cgan"], setting, generator_checks, seed)
    return {
        "split": setting.split,
        "tags": setting.tags,
        "relevances": list(setting.relevant),
        "n_images": len(setting.rows),
        "n_skipped": setting.n_skipped,
        "n_left_out": setting.n_left_out,
        "n_concepts": len(setting.concepts),
        "n_concepts_without_photo": int((~setting.annotated.any(axis=0)).sum()),
        "concepts": setting.concepts,
        "systems": systems,
        "ratios": {relevance: _ratios(judged, relevance, seed) for relevance in setting.relevant},
        "cgan_checks": cgan_checks,
        "checks": _checks(cgan_checks, systems, setting),
        "relevance": {relevance: _relevance(setting, relevance) for relevance in setting.relevant},
        "near_duplicates": _near_duplicates(judged, evaluated_features, train_features),
        "curves": {name: _curves(by_relevance) for name, by_relevance in judged.items()},
        "per_tag": per_tag(judged["cgan"][setting.tags], setting.vocabulary),
        "retrieval_counts": {
            name: _sorted_counts(predictions, len(setting.vocabulary))
            for name, predictions in store.items()
        },
        "tuning": dict(tuning),
        "metrics": DESCRIPTIONS,
    }


def _ratios(
    judged: Mapping[str, Mapping[TagSource, Judged]], relevance: TagSource, seed: int
) -> dict[str, Figure]:
    """Return the cgan's P@10 divided by that of each other system, on the same images."""
    precision = {
        name: np.nan_to_num(METRICS["P@10"](by_relevance[relevance]))[None]
        for name, by_relevance in judged.items()
    }
    ours = precision.pop("cgan")
    found = {name: ratio_figure(ours, theirs, seed) for name, theirs in precision.items()
             if theirs.any()}  # fmt: skip
    return {name: ratio for name, ratio in found.items() if np.isfinite(ratio["high"])}


def measure_system(
    predictions: SystemPredictions,
    judged: Mapping[TagSource, Judged],
    setting: Setting,
    counts: Counts,
) -> dict[str, Any]:
    """Return all figures of one system; `counts` (N, B) are the resamples of the bootstrap."""
    concept_map = _concept_map(predictions, setting, counts)
    return {
        "role": predictions.role,
        **{relevance: _image_figures(j, counts) for relevance, j in judged.items()},
        **({"concept_MAP": concept_map} if concept_map else {}),
        "n_plus": {relevance: int((hit_counts(j) > 0).sum()) for relevance, j in judged.items()},
        **breadth(predictions.ranking, setting.vocabulary),
    }


def _image_figures(judged: Judged, counts: Counts) -> dict[str, Any]:
    figures = {name: mean_figure(metric(judged), counts) for name, metric in METRICS.items()}
    return {name: found for name, found in figures.items() if found}


def _concept_map(
    predictions: SystemPredictions, setting: Setting, counts: Counts
) -> dict[str, float] | None:
    if not setting.annotated.any():
        return None
    scores, ties = predictions.concept_scores, predictions.concept_tie_breaks
    value = expected_map(scores, ties, setting.annotated)[0]
    return figure(float(value), expected_map(scores, ties, setting.annotated, counts))


def _cgan_checks(
    cgan: SystemPredictions,
    figures: Mapping[str, Any],
    setting: Setting,
    generator_checks: Mapping[str, float | None],
    seed: int,
) -> dict[str, float]:
    relevant = setting.relevant[setting.tags]
    values = {
        **generator_checks,
        "vocabulary_coverage": figures["coverage"],
        "shuffled_P@10": shuffled_precision(cgan.ranking, relevant, seed),
    }
    return {name: value for name, value in values.items() if value is not None}


def _checks(
    cgan_checks: Mapping[str, float], systems: Mapping[str, Any], setting: Setting
) -> list[dict[str, Any]]:
    precision = {
        name: system[setting.tags]["P@10"]["value"]
        for name, system in systems.items()
        if name in ("cgan", "frequency")
    }
    return build_checks(
        cgan_checks, len(setting.vocabulary), precision["cgan"], precision.get("frequency")
    )


def _relevance(setting: Setting, relevance: TagSource) -> dict[str, Any]:
    """Return how many tags are right, how many no system can give, and the best possible P@k."""
    n_relevant = np.diff(setting.relevant[relevance].indptr)
    judged = n_relevant[n_relevant > 0]
    return {
        "n_relevant_mean": float(judged.mean()),
        "n_outside_vocabulary": setting.n_outside(relevance),
        "ceiling": {f"P@{k}": float((np.minimum(judged, k) / k).mean()) for k in CUTS},
    }


def _near_duplicates(
    judged: Mapping[str, Mapping[TagSource, Judged]],
    evaluated_features: npt.NDArray[np.float32],
    train_features: Features,
) -> dict[str, Any]:
    """Return how many images have a near duplicate in train, and P@10 of the others."""
    is_near = near_duplicates(evaluated_features, train_features)
    without: dict[str, dict[str, float]] = {}
    for name, by_relevance in judged.items():
        values = {r: METRICS["P@10"](j)[~is_near] for r, j in by_relevance.items()}
        without[name] = {
            r: float(np.nanmean(v)) for r, v in values.items() if not np.isnan(v).all()
        }
    return {
        "threshold": NEAR_DUPLICATE_COSINE,
        "n_images": int(is_near.sum()),
        "P@10_without": without,
    }


def _curves(by_relevance: Mapping[TagSource, Judged]) -> dict[str, Any]:
    """Return mean precision and recall at 1 … CURVE_DEPTH."""
    return {relevance: _curve(judged) for relevance, judged in by_relevance.items()}


def _curve(judged: Judged) -> dict[str, list[Any]]:
    known = judged.n_relevant > 0
    cuts = np.arange(1, CURVE_DEPTH + 1)
    hits = np.stack([judged.hits[known, :k].sum(axis=1) for k in cuts], axis=1)  # (N, 20)
    recall = hits / judged.n_relevant[known, None]
    return {
        "k": cuts.tolist(),
        "precision": (hits / cuts).mean(axis=0).tolist(),
        "recall": recall.mean(axis=0).tolist(),
    }


def _sorted_counts(predictions: SystemPredictions, n_words: int) -> list[int]:
    """Return how often each retrieved word is in a top ten, most often first."""
    counts = np.sort(retrieval_counts(predictions.ranking, n_words))[::-1]
    retrieved: list[int] = counts[counts > 0].tolist()
    return retrieved
