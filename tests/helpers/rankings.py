"""Rankings with second scores, for tests of what reads them."""

from __future__ import annotations

import numpy as np

from mmcgan.inference.words.ranking import Ranking


def rank_with_ties(scores: np.ndarray, tie_breaks: np.ndarray, depth: int) -> Ranking:
    """Rank all words by `scores` (N, V), ties by `tie_breaks` (N, V), then dictionary order."""
    scores, ties = (np.asarray(values, np.float32) for values in (scores, tie_breaks))
    order = np.lexsort((-ties, -scores), axis=-1)[:, :depth]
    parts = (np.take_along_axis(values, order, axis=1) for values in (scores, ties))
    return Ranking(order.astype(np.int32), *parts)
