"""The perceptron as a baseline, and an ensemble of as many as the GAN has generators.

A mixture of generators is an ensemble: part of what it is ahead of one perceptron, several
perceptrons would be too. The ensemble says how much. Its members have the same settings, seeds of
their own, and each the biases of its words fitted on dev; its score of a word is the mean of the
members' logits.

It has the tries of the perceptron, and each is judged on dev by `TRIED_MEMBERS` members. The best
one is completed: of eight members, all six tries whole would take 48 fits, this takes 18. What is
fitted for the perceptron, the first member of each try, is not fitted again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from functools import partial

import numpy as np
from scipy import sparse
from tqdm import tqdm

from eval.baselines.mlp import FittedMlp, MlpSettings, fit_mlp
from eval.baselines.scoring import Score
from eval.baselines.tuning import Baseline, FitData, Params, Try, choose, too_many_weights
from mmcgan.arrays import FloatArray
from mmcgan.errors import DataError
from mmcgan.training.bias import MAX_SCORES, fit_bias
from mmcgan.training.prepared.feature_rows import some_rows

ENSEMBLE = "mlp_ensemble"
TRIED_MEMBERS = 2  # by which a setting of the ensemble is judged
SEED_STEP = 1000  # between members, so that ensembles of neighbouring seeds share none

# The settings and the number of a member → the fitted member.
Fit = Callable[[MlpSettings, int], FittedMlp]

# With much and with little dropout of the features, and with mixup, as the generators of `modern`.
MLP_TRIES = (
    MlpSettings(),
    MlpSettings(input_dropout=0.75, dropout=0.5, learning_rate=1e-3, mixup=0.2),
    MlpSettings(input_dropout=0.75, mixup=0.2),
    MlpSettings(input_dropout=0.75, dropout=0.5, learning_rate=1e-3),
    MlpSettings(input_dropout=0.75, hidden_units=2048, mixup=0.2),
    MlpSettings(mixup=0.2),
)


def why_no_mlp(data: FitData) -> str:
    """Return why the perceptron is left out, "" where it is not."""
    return too_many_weights(_units(), data)


def why_no_ensemble(data: FitData) -> str:
    """Return why the ensemble is left out, "" where it is not."""
    if data.n_members < TRIED_MEMBERS:
        return "the run has one generator, and an ensemble of one perceptron is the mlp"
    return too_many_weights(data.n_members * _units(), data)


def _units() -> int:
    return max(settings.hidden_units for settings in MLP_TRIES)


def mlp_tries(data: FitData, fit: Fit | None = None) -> Iterator[Try]:
    """A multi-label perceptron (`eval.baselines.mlp`), stopped early on dev.

    Raises `DataError` where it would be left out.
    """
    if reason := why_no_mlp(data):
        raise DataError(f"the MLP would have {reason}; prepare with a higher --min-photos")
    for settings in MLP_TRIES:
        fitted = (fit or partial(fit_member, data))(settings, 0)
        yield Try(asdict(settings) | {"n_updates": fitted.n_updates}, fitted.score)


def ensemble_tries(fit: Fit) -> Iterator[Try]:
    """The first members of an ensemble with each of the settings."""
    for settings in MLP_TRIES:
        members = [fit(settings, number) for number in range(TRIED_MEMBERS)]
        n_updates = [member.n_updates for member in members]
        yield Try(asdict(settings) | {"n_updates": n_updates}, _joined(members))


def tune_ensemble(data: FitData, fit: Fit) -> Baseline:
    """Choose settings of the ensemble on dev, and complete it to `data.n_members` members."""
    chosen = choose(ENSEMBLE, ensemble_tries(fit), data)
    score = join_members(fit, settings_of(chosen.tuning["chosen"]), data.n_members)
    members = {"n_members": data.n_members, "n_tried_members": TRIED_MEMBERS}
    return replace(chosen, tuning=chosen.tuning | members, score=score)


def settings_of(params: Params) -> MlpSettings:
    """Return the settings of a try."""
    return MlpSettings(**{f.name: params[f.name] for f in fields(MlpSettings)})


def join_members(fit: Fit, settings: MlpSettings, n_members: int) -> Score:
    """Fit an ensemble of so many members, with the same settings and seeds of their own."""
    bar = tqdm(range(n_members), desc=f"fitting {ENSEMBLE}", unit="member", disable=None)
    return _joined([fit(settings, number) for number in bar])


def _joined(members: Sequence[FittedMlp]) -> Score:
    """Return the mean of the members' logits, features (N, D) → (N, V)."""

    def score(features: FloatArray) -> FloatArray:
        total = sum(member.score(features) for member in members)
        return np.asarray(total / len(members), np.float32)

    return score


def fit_member(data: FitData, settings: MlpSettings, number: int = 0) -> FittedMlp:
    """Fit a perceptron, and then the biases of its words on dev, as those of the GAN are."""
    seed = data.seed + SEED_STEP * number
    learnt = data.train_features, data.train_tags
    fitted = fit_mlp(*learnt, settings, seed, data.dev_precision, data.precision)
    few = some_rows(len(data.dev_features), max(MAX_SCORES // len(data.word_vectors), 1))
    change = fit_bias(fitted.score(data.dev_features[few]), sparse.csr_array(data.dev_tags[few]))
    return replace(fitted, score=lambda features: fitted.score(features) + change)
