"""Mode collapse and mode dropping: counts, coverage and entropy, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from eval.digits.ring import DEVIATION, N_MODES, centres, modes_of, train_on_ring
from eval.figures.modes import Modes


def test_counts_coverage_and_entropy():
    modes = Modes.of(np.array([[0, 0], [2, 3]]), 4)
    assert modes.counts.tolist() == [2, 0, 1, 1]
    assert (modes.n_covered, modes.coverage) == (3, 0.75)
    # -(1/2 log 1/2 + 2 · 1/4 log 1/4) / log 4
    assert modes.entropy == pytest.approx((0.5 * math.log(2) + 0.5 * math.log(4)) / math.log(4))
    assert modes.to_json() == {
        "covered": 3,
        "of": 4,
        "entropy": modes.entropy,
        "counts": [2, 0, 1, 1],
    }


@pytest.mark.parametrize(
    ("generated", "n_modes", "entropy"),
    [([1, 1, 1], 3, 0.0), ([0, 1, 2], 3, 1.0), ([], 5, 0.0), ([0, 0], 1, 0.0)],
)
def test_entropy_is_1_for_an_even_spread_and_0_for_one_mode(generated, n_modes, entropy):
    assert Modes.of(np.array(generated, int), n_modes).entropy == pytest.approx(entropy)


def test_points_belong_to_the_bump_that_they_lie_in():
    points = torch.cat([centres()[[3, 3, 7]], torch.zeros(1, 2)])  # the middle is in no bump
    points[1, 0] += 2 * DEVIATION
    points[2, 1] += 4 * DEVIATION  # too far
    counts = modes_of(points).counts
    assert counts.sum() == counts[3] == 2
    assert len(counts) == N_MODES


def test_ring_is_covered_by_a_generator_that_learns_and_not_by_one_that_does_not():
    learnt = train_on_ring({"loss": "relativistic", "gradient_penalty": 0.1, "epochs": 6}, seed=0)
    assert learnt.n_covered == N_MODES
    assert learnt.entropy > 0.9
    idle = train_on_ring({"loss": "relativistic", "learning_rate": 0.0, "epochs": 1}, seed=0)
    assert idle.n_covered < N_MODES / 2
