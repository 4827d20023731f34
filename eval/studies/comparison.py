"""A comparison of settings: runs are trained once and kept, measured, and put into a table.

A study compares rows, each a few seeds of one set of values, and beside them the MLP and an
ensemble of MLPs. Its runs lie under OUT/runs, and a call that was cut short goes on with the next
of them when it is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy import sparse
from tqdm import tqdm

from eval.baselines.mlp import MlpSettings
from eval.baselines.perceptrons import (
    Fit,
    fit_member,
    join_members,
    mlp_tries,
    settings_of,
    tune_ensemble,
    why_no_ensemble,
)
from eval.baselines.scoring import Score
from eval.baselines.tuning import Baseline, FitData, choose
from eval.evaluation import fit_data
from eval.figures.bootstrap import ratio_figure
from eval.figures.metrics import CUT, METRICS, expected_map
from eval.predictions import SystemPredictions
from eval.setting import Setting
from eval.systems import ask_baseline
from mmcgan.arrays import BoolArray, DoubleArray
from mmcgan.errors import DataError, OptionError
from mmcgan.files import write_json, write_text
from mmcgan.inference.tagger import Tagger
from mmcgan.options import flattened
from mmcgan.training.config import TagSource, TrainConfig
from mmcgan.training.prepared.dataset import Dataset
from mmcgan.training.runs import RunDir, frozen_config, require_same
from mmcgan.training.setup import build_setup

MLP, ENSEMBLE = "the MLP", "the MLP ensemble"
RIVAL_RATIOS = {"P@10 against the MLP": MLP, "P@10 against the ensemble": ENSEMBLE}
DATA_HELP = "Folder of the prepared data; the newest under data/ if not given."


@dataclass(frozen=True)
class Measured:
    """One run: its P@10 for each of N images, and its other measures by name."""

    precision: DoubleArray
    measures: Mapping[str, float]


def run_path(out: Path, study: str, name: str, seed: int) -> Path:
    """Return the folder of one run of the row `name`; `study` says what all rows learn."""
    plain = "".join(c if c.isalnum() else "-" for c in f"{study} {name}")
    return out / "runs" / f"{plain}-{seed}"


def measure_rows(
    rows: Mapping[str, TrainConfig],
    settings: Sequence[Setting],
    path_of: Callable[[str, int], Path],
    measure: Callable[[RunDir, Setting], Measured],
) -> dict[str, list[Measured]]:
    """Train the runs of each row, one for each of `settings`; measure them, MLP and ensemble.

    The place of a setting is the seed of its run, `path_of` gives the folder for row and seed. MLP
    and ensemble learn from the features as the runs of the last row have them, and the ensemble has
    as many members as the largest mixture of generators.
    """
    measured = {}
    for name, config in rows.items():
        places = [(RunDir(path_of(name, seed)), s) for seed, s in enumerate(settings)]
        for seed, (run, setting) in enumerate(places):
            train_run(setting.dataset, config.with_options(seed=seed), run)
        measured[name] = [measure(*place) for place in places]
    n_members = max(config.generator.n_generators for config in rows.values())
    return measured | fit_rivals(places, n_members)


def setting_of(dataset: Dataset, split: str, tags: TagSource) -> Setting:
    """Return the setting in which a study measures.

    Raises `DataError` if a split that it needs is empty, or if the data lacks these tags.
    """
    dataset.require("train", "dev", split)
    if tags not in dataset.vocabularies:
        raise DataError(f"the data {dataset.name} has no vocabulary of {tags}; use --tags user")
    return Setting(dataset, split, tags, dataset.vocabularies[tags])


def train_run(dataset: Dataset, config: TrainConfig, run: RunDir) -> None:
    """Train a run that is not finished; go on where it stopped.

    Raises `OptionError` if the run was started with other settings or data.
    """
    if run.is_started:
        _check_same(run, config, dataset)
    if run.is_finished:
        return
    setup = build_setup(dataset, config, config.run.tags or "user")
    if not run.is_started:
        run.write_config(frozen_config(config) | {"dataset_id": dataset.dataset_id})
    setup.train(run)


def _check_same(run: RunDir, config: TrainConfig, dataset: Dataset) -> None:
    again = f"delete {run.path}, or name another folder with --out"
    if run.read_config().get("dataset_id") != dataset.dataset_id:
        raise OptionError(f"--data: {run.path} was started with other data; {again}")
    wanted = flattened(config.to_json())
    # The same data may lie elsewhere; an option that is newer than the run has its default there.
    before = flattened(TrainConfig().to_json()) | run.read_settings() | {"data": wanted["data"]}
    require_same(run, before, wanted, again)


def measure_answers(answered: SystemPredictions, setting: Setting) -> Measured:
    """Measure a system by its answers alone."""
    ranked = setting.with_truth(answered)
    precision = METRICS["P@10"](ranked)
    measures = {
        "P@1": float(np.nanmean(METRICS["P@1"](ranked))),
        "P@10": float(np.nanmean(precision)),
        "coverage": len(np.unique(answered.ranking.rows[:, :CUT])) / len(setting.vocabulary),
    }
    if setting.annotated.any():
        scores, ties = answered.concept_scores, answered.concept_tie_breaks
        measures["MAP"] = float(expected_map(scores, ties, setting.annotated)[0])
    return Measured(np.nan_to_num(precision), measures)


def fit_rivals(
    places: Sequence[tuple[RunDir, Setting]], n_members: int
) -> dict[str, list[Measured]]:
    """Tune MLP and ensemble on dev as a report does, and measure both with as many seeds as a row.

    `places` says for each seed where they learn and are measured: any run there, which says how
    features are standardised, and the setting. They are tuned in the first of them. The ensemble,
    of `n_members`, is left out where a report would do so.
    """
    taggers = [(Tagger.load(run.path), setting) for run, setting in places]
    learnt = [learnt_by(*place, seed, n_members) for seed, place in enumerate(taggers)]
    fits: list[Fit] = [cache(partial(fit_member, data)) for data in learnt]
    chosen = tune_rivals(learnt[0], fits[0])
    measured: dict[str, list[Measured]] = {name: [] for name in chosen}
    bar = tqdm(zip(taggers, fits, strict=True), "rivals", len(fits), unit="seed", disable=None)
    for place, fit in bar:
        for name, (settings, size) in chosen.items():
            measured[name].append(measure_score(join_members(fit, settings, size), *place))
    return measured


def tune_rivals(learnt: FitData, fit: Fit) -> dict[str, tuple[MlpSettings, int]]:
    """Choose on dev the settings of MLP and ensemble; return them with the numbers of members."""
    tuned = {MLP: (choose("mlp", mlp_tries(learnt, fit), learnt), 1)}
    if not why_no_ensemble(learnt):
        tuned[ENSEMBLE] = (tune_ensemble(learnt, fit), learnt.n_members)
    return {name: (settings_of(one.tuning["chosen"]), size) for name, (one, size) in tuned.items()}


def learnt_by(tagger: Tagger, setting: Setting, seed: int, n_members: int = 1) -> FitData:
    """Return what `tagger` learnt from, for baselines."""
    standardizer, facts = tagger.model.standardizer, tagger.model.facts
    precision = facts.get("precision", "float32")
    return fit_data(setting, standardizer.mean, standardizer.scale, seed, n_members, precision)


def measure_score(score: Score, tagger: Tagger, setting: Setting) -> Measured:
    """Measure a baseline that was fitted where `tagger` learnt, on the images of `setting`."""
    features = tagger.model.standardizer(setting.dataset.features_of(setting.rows))
    baseline = Baseline("rival", {}, score)
    answered = ask_baseline(baseline, features, setting.concept_rows, len(setting.vocabulary))
    return measure_answers(answered, setting)


def summarize(
    measured: Mapping[str, Sequence[Measured]], names: Sequence[str], ratios: Mapping[str, str]
) -> dict[str, Any]:
    """Return the table of a study: for each row the measures `names` and the ratios of its P@10.

    `ratios` says for the name of a ratio which row is the divisor; where that row was not
    measured, the ratio is left out. A measure that a row lacks is left out of the row.
    """
    stacked = {name: np.stack([run.precision for run in runs]) for name, runs in measured.items()}
    rows = {
        name: {
            "n_seeds": len(runs),
            "measures": _mean_measures(runs, names),
            **{
                ratio: ratio_figure(stacked[name], stacked[divisor], seed=0)
                for ratio, divisor in ratios.items()
                if divisor in stacked
            },
        }
        for name, runs in measured.items()
    }
    return {"n_images": next(iter(stacked.values())).shape[1], "rows": rows}


def _mean_measures(runs: Sequence[Measured], names: Sequence[str]) -> dict[str, Any]:
    known = [name for name in names if all(name in run.measures for run in runs)]
    values = {name: [float(run.measures[name]) for run in runs] for name in known}
    return {name: {"mean": float(np.mean(v)), "seeds": v} for name, v in values.items()}


def as_markdown(table: Mapping[str, Any], names: Sequence[str], ratios: Sequence[str]) -> str:
    """Return the table as GitHub Markdown."""
    rows = {
        name: [_cell(row["measures"].get(measure)) for measure in names]
        + [interval(row.get(ratio), 3) for ratio in ratios]
        for name, row in table["rows"].items()
    }
    return markdown_table((*names, *ratios), rows)


def markdown_table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Return cells by row and column as a table of GitHub Markdown."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()]
    return "\n".join(lines) + "\n"


def interval(figure: Mapping[str, float] | None, n_digits: int) -> str:
    """Write a value and its interval; a dash where there is no value."""
    if figure is None:
        return "–"
    value, low, high = (f"{figure[name]:.{n_digits}f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _cell(measure: Mapping[str, Any] | None) -> str:
    if measure is None:
        return "–"
    value = measure["mean"]
    return f"{value:.1f}" if value >= 1 else f"{value:.4f}"


def write_results(out: Path, name: str, results: Mapping[str, Any], text: str) -> None:
    """Write OUT/NAME.json and OUT/NAME.md, and print the latter."""
    write_json(out / f"{name}.json", results)
    write_text(out / f"{name}.md", text)
    click.echo(text)


def only(matrix: sparse.csr_array, kept: BoolArray) -> sparse.csr_array:
    """Return a sparse matrix with those of its stored values that are `kept`, in their order."""
    found = matrix.copy()
    found.data *= kept
    found.eliminate_zeros()
    return found
