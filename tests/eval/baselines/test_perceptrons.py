"""The perceptron and the ensemble of them: which members there are, and what is fitted once."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
import pytest
from scipy import sparse

from eval.baselines import fitting, perceptrons
from eval.baselines.fitting import fit_baselines, left_out
from eval.baselines.mlp import FittedMlp, MlpSettings
from eval.baselines.perceptrons import (
    MLP_TRIES,
    SEED_STEP,
    TRIED_MEMBERS,
    fit_member,
    join_members,
    settings_of,
    tune_ensemble,
)
from eval.baselines.tuning import FitData

N_IMAGES, N_WORDS = 12, 15
GOOD = MLP_TRIES[-1]


def small_data(n_members: int) -> FitData:
    """Twelve photos, the same ones in dev, each with one of fifteen words."""
    tags = np.eye(N_IMAGES, N_WORDS, dtype=np.float32)
    features = np.random.default_rng(0).normal(size=(N_IMAGES, 4)).astype(np.float32)
    words = np.eye(N_WORDS, dtype=np.float32)
    tables = sparse.csr_array(tags), sparse.csr_array(tags)
    return FitData(features, tables[0], features, tables[1], words, 5, n_members)


class Counted:
    """Members that take no time: each adds its number to what is right, or wrong, on dev."""

    def __init__(self, data: FitData, best: MlpSettings | None = GOOD):
        self.truth, self.best = data.dev_tags.toarray(), best
        self.asked: list[tuple[MlpSettings, int]] = []

    def __call__(self, settings: MlpSettings, number: int) -> FittedMlp:
        self.asked.append((settings, number))
        sign = 1 if settings == self.best else -1
        return FittedMlp(lambda features: sign * self.truth[: len(features)] + number, 50)


def test_ensemble_is_of_as_many_members_as_the_run_has_generators():
    data = small_data(5)
    fit = Counted(data)
    ensemble = tune_ensemble(data, fit)
    assert fit.asked[-5:] == [(GOOD, number) for number in range(5)]
    # The mean of truth + 0, truth + 1, … truth + 4.
    assert ensemble.score(data.dev_features) == pytest.approx(data.dev_tags.toarray() + 2)
    assert ensemble.tuning["n_members"] == 5


def test_each_try_is_judged_by_its_first_members_and_the_best_is_chosen():
    data = small_data(3)
    fit = Counted(data)
    tuning = tune_ensemble(data, fit).tuning
    tried = [(settings, number) for settings in MLP_TRIES for number in range(TRIED_MEMBERS)]
    assert fit.asked[: len(tried)] == tried
    assert tuning["n_tried_members"] == TRIED_MEMBERS
    assert tuning["chosen"] == asdict(GOOD) | {"n_updates": [50] * TRIED_MEMBERS}
    assert settings_of(tuning["chosen"]) == GOOD
    assert tuning["tried"][-1]["P@10"] == pytest.approx(0.1)  # the one right word of ten


def test_an_ensemble_of_one_is_the_member_itself():
    data = small_data(1)
    alone = fit_member(data, MlpSettings(8), 0)
    score = join_members(partial(fit_member, data), MlpSettings(8), 1)
    assert (score(data.dev_features) == alone.score(data.dev_features)).all()


def test_members_differ_by_seeds_that_neighbouring_ensembles_do_not_share(monkeypatch):
    seeds = []

    def fit(features, tags, settings, seed, dev_precision, precision):
        seeds.append(seed)
        return FittedMlp(lambda features: np.zeros((len(features), N_WORDS), np.float32), 50)

    monkeypatch.setattr(perceptrons, "fit_mlp", fit)
    for number in range(3):
        fit_member(small_data(3), GOOD, number)
    assert seeds == [5, 5 + SEED_STEP, 5 + 2 * SEED_STEP]


def test_each_member_has_biases_fitted_on_dev(monkeypatch):
    data = small_data(2)
    flat = np.zeros((N_IMAGES, N_WORDS), np.float32)
    monkeypatch.setattr(perceptrons, "fit_mlp", lambda *args: FittedMlp(lambda f: flat, 50))
    scores = fit_member(data, GOOD, 1).score(data.dev_features)
    carried = data.dev_tags.toarray().any(axis=0)
    assert scores[0, carried].min() > scores[0, ~carried].max()  # three words are on no photo


def test_members_that_the_mlp_has_fitted_are_not_fitted_again(monkeypatch):
    data = small_data(4)
    fit = Counted(data)
    monkeypatch.setattr(fitting, "fit_member", lambda data, *member: fit(*member))
    names = [baseline.name for baseline in fit_baselines(data)]
    assert names[-2:] == ["mlp", "mlp_ensemble"]
    assert len(fit.asked) == len(set(fit.asked)) == len(MLP_TRIES) * TRIED_MEMBERS + 2


def test_of_one_generator_there_is_no_ensemble():
    data = small_data(1)
    assert left_out(data) == {
        "mlp_ensemble": "the run has one generator, and an ensemble of one perceptron is the mlp"
    }
