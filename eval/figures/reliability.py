"""Predicted probabilities beside what happened, by bins of the probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


class Reliability:
    """Sums over pairs of a predicted p and an observed q, by bins of p between `edges`.

    A bin holds low ≤ p < high, the last one its high edge as well.
    """

    def __init__(self, edges: Sequence[float]):
        self.edges = edges
        self._n_pairs, self._predicted, self._observed = np.zeros((3, len(edges) - 1))

    def add(self, predicted: npt.NDArray[Any], observed: npt.NDArray[Any]) -> None:
        """Take pairs: p (n,) and q (n,)."""
        n_bins = len(self._n_pairs)
        bins = np.clip(np.searchsorted(self.edges, predicted, side="right") - 1, 0, n_bins - 1)
        self._n_pairs += np.bincount(bins, minlength=n_bins)
        self._predicted += np.bincount(bins, predicted, n_bins)
        self._observed += np.bincount(bins, observed, n_bins)

    def lines(self) -> list[dict[str, Any]]:
        """Return the mean p, the mean q and the number of pairs of each bin that has any."""
        return [
            {
                "low": self.edges[b],
                "high": self.edges[b + 1],
                "predicted": float(self._predicted[b] / self._n_pairs[b]),
                "observed": float(self._observed[b] / self._n_pairs[b]),
                "n": int(self._n_pairs[b]),
            }
            for b in np.flatnonzero(self._n_pairs).tolist()
        ]
