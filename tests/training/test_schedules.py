"""Schedules: arXiv 1411.1784, section 4.1, the released configuration, and half a cosine."""

import pytest

from mmcgan.training.config import TrainConfig
from mmcgan.training.learning import OptimiserOptions
from mmcgan.training.schedules import learning_rate, momentum, rate_factor

N_UPDATES = 10**9  # of the run, which SGD's schedule does not look at


def test_learning_rate_falls_by_1_00004_an_update_to_its_floor():
    paper = TrainConfig().optimiser
    assert learning_rate(paper, 0, N_UPDATES) == 0.1
    assert learning_rate(paper, 1, N_UPDATES) == pytest.approx(0.1 / 1.00004)
    # 0.1 / 1.00004^17329 = 0.05, as ln 2 / ln 1.00004 = 17329.0
    assert learning_rate(paper, 17329, N_UPDATES) == pytest.approx(0.05, rel=1e-4)
    # ln(0.1 / 1e-6) / ln 1.00004 = 287,829: the floor is not reached before.
    assert learning_rate(paper, 287_828, N_UPDATES) > 1e-6
    assert learning_rate(paper, 287_830, N_UPDATES) == 1e-6
    assert learning_rate(paper, 10**9, N_UPDATES) == 1e-6


def test_papers_learning_rate_does_not_look_at_the_length_of_the_run():
    paper = TrainConfig().optimiser
    assert learning_rate(paper, 50, 100) == learning_rate(paper, 50, 10**6)


def test_large_decay_of_a_long_run_does_not_overflow():
    config = OptimiserOptions(learning_rate_decay=1e6)
    assert learning_rate(config, 10**6, N_UPDATES) == pytest.approx(1e-6, rel=1e-12)


def test_learning_rate_0_stays_0():
    assert learning_rate(OptimiserOptions(learning_rate=0), 7, N_UPDATES) == 0


def test_momentum_rises_linearly_over_250_epochs_and_stays():
    paper = TrainConfig().optimiser
    assert [momentum(paper, e) for e in (0, 125, 250, 1000)] == pytest.approx([0.5, 0.6, 0.7, 0.7])


def test_adamw_follows_half_a_cosine_to_0():
    config = OptimiserOptions(kind="adamw", learning_rate=0.2)
    # (1 + cos(π t)) / 2 at t = 0, 1/3, 1/2, 2/3, 1: 1, 3/4, 1/2, 1/4, 0.
    rates = [learning_rate(config, update, 300) for update in (0, 100, 150, 200, 300)]
    assert rates == pytest.approx([0.2, 0.15, 0.1, 0.05, 0], abs=1e-12)
    assert rate_factor(config, 1000, 300) == pytest.approx(0, abs=1e-12)  # and not up again
