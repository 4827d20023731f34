"""The distance of the draws from the true distribution of tags, where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eval.answers import Answers
from eval.findings import Findings
from eval.pages.section import Cell, Row, Section, Text
from eval.pages.text import number, table_or_none
from mmcgan.arrays import DoubleArray, IntArray
from mmcgan.training.config import TagSource
from mmcgan.training.prepared.dataset import Truth

ORDER = 100
MODE_PROBABILITY = 0.05  # a tag with at least this probability is a mode of its scene
MODE_SHARE = 0.5  # of the expected draws, from which on a mode counts as covered

DESCRIPTION = (
    "Each generated vector counts as its nearest word. The truth is q(word | scene) = "
    "p(word | scene) / Σ p over the vocabulary. total_variation: ½ Σ |share of the draws − q| "
    "with the draws of all photos of a scene pooled, averaged over photos; 0 is perfect, 1 is "
    "disjoint. image_total_variation: the same of each photo's own draws, which even a perfect "
    "generator leaves above 0, since few draws scatter. mode_coverage: the share of a scene's tags "
    f"with q ≥ {MODE_PROBABILITY} that get at least {MODE_SHARE:g} of the draws that q expects, "
    "averaged over scenes."
)
NAMES = {
    "total_variation": "total variation (0 the same, 1 disjoint)",
    "mode_coverage": "share of the true modes that are generated",
    "n_draws": "generated tags",
}


def measure(answers: Answers) -> dict[str, Any]:
    """Return `truth`, for the tags that the run learnt."""
    truth = answers.truth
    if truth is None:
        return {}
    words = answers.vocabulary.words
    found = distance_from_truth(answers.drawn.nearest, truth.scene, truth, answers.tags, words)
    return {"truth": found} if found else {}


def distance_from_truth(
    draws: IntArray, scene: IntArray, truth: Truth, tags: TagSource, words: Sequence[str]
) -> dict[str, Any] | None:
    """Return the `truth` part of a report, for a run that learnt `tags`.

    `draws` (N, S) are the rows in `words` nearest to the S vectors generated for each image,
    `scene` (N,) the images' rows of the truth's tables. Images of scenes without a word of the
    vocabulary are left out; None if none is left.
    """
    target = true_distribution(truth, tags, words)
    kept = target.sum(axis=1)[scene] > 0
    if not kept.any() or not draws.shape[1]:
        return None
    draws, scene = draws[kept], scene[kept]
    pooled = _histograms(draws, scene, target.shape)
    images = np.arange(len(draws))
    own = _histograms(draws, images, (len(draws), target.shape[1]))
    return {
        "total_variation": float(total_variation(_shares(pooled), target)[scene].mean()),
        "image_total_variation": float(total_variation(_shares(own), target[scene]).mean()),
        "mode_coverage": mode_coverage(pooled, target),
        "n_draws": int(draws.size),
        "description": DESCRIPTION,
    }


def true_distribution(truth: Truth, tags: TagSource, words: Sequence[str]) -> DoubleArray:
    """Return q (C, V), the truth restricted to `words`; a row of zeros where nothing is left."""
    known = truth.of(tags)
    column_of = {word: j for j, word in enumerate(truth.words)}
    target = np.zeros((len(known), len(words)))
    for v, word in enumerate(words):
        if word in column_of:
            target[:, v] = known[:, column_of[word]]
    return _shares(target)


def total_variation(p: DoubleArray, q: DoubleArray) -> DoubleArray:
    """Return ½ Σ |p - q| for each pair of rows."""
    return np.abs(p - q).sum(axis=-1) / 2


def mode_coverage(counts: DoubleArray, target: DoubleArray) -> float | None:
    """Return the share of modes with enough of the draws, averaged over scenes that have both.

    `counts` (C, V) are the draws of each scene, `target` (C, V) the true distribution; None if
    no scene with draws has a mode.
    """
    modes = target >= MODE_PROBABILITY
    n_draws = counts.sum(axis=1, keepdims=True)
    covered = modes & (counts >= MODE_SHARE * target * n_draws)
    judged = modes.any(axis=1) & (n_draws[:, 0] > 0)
    if not judged.any():
        return None
    return float((covered.sum(axis=1)[judged] / modes.sum(axis=1)[judged]).mean())


def _histograms(draws: IntArray, group: IntArray, shape: tuple[int, ...]) -> DoubleArray:
    """Count the words (N, S) drawn by each group of images (N,)."""
    cells = group[:, None] * shape[1] + draws
    counts = np.bincount(cells.ravel(), minlength=shape[0] * shape[1])
    return counts.reshape(shape).astype(np.float64)


def _shares(counts: DoubleArray) -> DoubleArray:
    """Divide each row by its sum; rows of zeros stay."""
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def section(findings: Findings) -> Section | None:
    """Show the distance, and say how it was measured."""
    truth = findings.part("truth")
    rows = (Row(text, (Cell(number(truth[n])),)) for n, text in NAMES.items() if n in truth)
    table = table_or_none("Distance from the true distribution", ("measure", "value"), rows)
    said = Text(truth.get("description", ""))
    title = "Distance from the known truth"
    return Section.of("truth", title, "Truth", said, table) if table else None
