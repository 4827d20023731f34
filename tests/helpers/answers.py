"""Answers of made-up systems, for tests of what measures them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eval.answers import Answers, Drawn, Scores
from eval.predictions import SystemPredictions
from eval.setting import Setting


def answers_of(setting: Setting, systems: Sequence[SystemPredictions], **changes: Any) -> Answers:
    """Return the answers of `systems` for the photos of `setting`, without a generated vector."""
    n_images, words = len(setting.rows), setting.vocabulary.words
    tags = setting.dataset.tag_matrix(setting.tags, words)
    fields = {
        "split": setting.split,
        "tags": setting.tags,
        "seed": 0,
        "image_ids": setting.image_ids,
        "vocabulary": setting.vocabulary,
        "systems": {system.name: system for system in systems},
        "relevant": setting.relevant,
        "n_outside": {source: setting.n_outside(source) for source in setting.relevant},
        "n_skipped": setting.n_skipped,
        "n_left_out": setting.n_left_out,
        "concepts": setting.concepts,
        "annotated": setting.annotated,
        "train_tags": tags[setting.dataset.rows("train")],
        "has_duplicate": np.zeros(n_images, np.bool_),
        "drawn": Drawn(np.zeros((n_images, 0), int), np.zeros((n_images, 0, 10), int), {}),
        "scores": Scores(False, None),
        "tuning": {},
    }
    return Answers(**fields | changes)
