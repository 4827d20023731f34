"""python -m eval.ablation: from the preset `paper` to `modern`, one change a row.

Each row is a few seeds of one set of values, trained on train into OUT/runs and measured on a
split. The last rows take single parts out of `modern`. The strongest rival, the MLP with the
settings that dev chose, is fitted with as many seeds; ratios are bootstrapped over seeds and
images. A call that was cut short goes on with the next run when it is made again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from eval.baselines import Rival, choose, mlp_tries
from eval.bootstrap import ratio_figure
from eval.evaluation import fit_data
from eval.measure import Setting
from eval.metrics import CUT, METRICS, expected_map, mean_precision
from eval.mlp import MlpSettings, fit_mlp
from eval.predictions import SystemPredictions
from eval.sets import tag_sets
from eval.systems import ask_rival, generate
from mmcgan.cli import config_options, given, run_command
from mmcgan.config import PRESETS, Config, TagSource, TrainConfig, option
from mmcgan.dataset import Dataset, newest_data, read_dataset
from mmcgan.files import write_json, write_text
from mmcgan.runs import RunDir
from mmcgan.tagger import Tagger
from mmcgan.task import build_task

MEASURES = ("P@1", "P@10", "MAP", "distinct words", "coverage", "realism", "energy", "s/epoch")
MLP = "the MLP"

# Each row takes these values of the preset `modern` over, beside all that the rows above took.
STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("paper", ()),
    ("AdamW, running average, non-saturating loss",
     ("optimizer", "learning_rate", "d_learning_rate", "weight_decay", "average", "generator_loss",
      "generator_init", "discriminator_init", "patience", "epochs")),
    ("a mixture of generators",
     ("generator", "members", "noise_units", "image_units", "draws", "input_dropout", "dropout",
      "d_image_units", "maxout_units")),
    ("retrieval term, words learnt with it",
     ("retrieval", "examples", "batch_size", "extra_size")),
    ("ranked by the mean draw", ("ranking",)),
    ("similar photos' tags in the target, untagged photos", ("neighbour_share", "untagged")),
    ("likelihood of single draws", ("likelihood", "likelihood_temperature")),
    ("tag sets judged: modern", ("judged", "adversarial_share", "gradient_penalty")),
)  # fmt: skip
WITHOUT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("modern without the adversarial term", {"adversarial_share": 0.0}),
    ("modern without the likelihood of draws", {"likelihood": 0.0}),
    ("modern without similar photos' tags", {"neighbour_share": 0.0, "untagged": 0}),
    ("modern with one generator", {"members": 1}),
)


@dataclass(frozen=True)
class AblationConfig(Config):
    """`python -m eval.ablation`."""

    data: Path | None = option(
        None, "Folder of the prepared data; the newest under data/ if not given."
    )
    out: Path = option(Path("ablation"), "Folder of the runs and the table.")
    tags: TagSource = option("user", "The tags to learn and to measure by.")
    split: Literal["dev", "val", "test"] = option("dev", "The split to measure.")
    seeds: int = option(1, "Runs of each row.", at_least=1)
    rows: tuple[str, ...] = option(
        (), "Only the rows whose name holds this text; may be repeated. All if not given."
    )


@dataclass(frozen=True)
class Measured:
    """One run: its P@10 for each of N images, and its other measures by name."""

    precision: npt.NDArray[np.float64]
    measures: Mapping[str, float]


def ablation_rows() -> dict[str, dict[str, Any]]:
    """Return the settings of each row by its name, in order."""
    modern = PRESETS["modern"]
    rows: dict[str, dict[str, Any]] = {}
    taken: dict[str, Any] = {}
    for name, names in STEPS:
        taken = taken | {field: modern[field] for field in names}
        rows[name] = taken
    return rows | {name: modern | change for name, change in WITHOUT}


@click.command("eval.ablation")
@config_options(AblationConfig)
def main(**options: Any) -> None:
    """Train from the paper's model to the modern one, one change a row, and measure each."""
    config = AblationConfig(**given(options))
    data_dir = config.data or newest_data()
    dataset = read_dataset(data_dir)
    wanted = {name: row for name, row in ablation_rows().items() if is_wanted(name, config)}
    click.echo(f"data: {data_dir}, split: {config.split}, {len(wanted)} rows → {config.out}")
    setting = Setting(dataset, config.split, config.tags, dataset.vocabularies[config.tags])
    measured: dict[str, list[Measured]] = {}
    for name, row in wanted.items():
        paths = [_run_path(config.out, config.tags, name, seed) for seed in range(config.seeds)]
        for seed, path in enumerate(paths):
            settings = row | {"data": data_dir, "tags": config.tags, "seed": seed}
            train_run(dataset, TrainConfig(**settings), RunDir(path))
        measured[name] = [measure_run(path, setting) for path in paths]
    measured[MLP] = fit_mlps(Tagger.load(paths[0]), setting, config.seeds)
    table = summarize(measured)
    write_json(config.out / f"ablation-{config.tags}-{config.split}.json", table)
    write_text(config.out / f"ablation-{config.tags}-{config.split}.md", as_markdown(table))
    click.echo(as_markdown(table))


def is_wanted(name: str, config: AblationConfig) -> bool:
    """Return whether a row is among those asked for."""
    return not config.rows or any(text in name for text in config.rows)


def train_run(dataset: Dataset, config: TrainConfig, run: RunDir) -> None:
    """Train a run that is not finished; go on where it stopped."""
    if run.is_finished:
        return
    task = build_task(dataset, config, config.tags or "user")
    if not run.is_started:
        run.write_config({"settings": config.to_json(), "dataset_id": dataset.dataset_id})
    task.train(run, mean_precision)


def measure_run(path: Path, setting: Setting) -> Measured:
    """Measure the finished run in `path` on the images of `setting`."""
    tagger = Tagger.load(path)
    generated = generate(tagger, setting.dataset.features[setting.rows], setting.concepts)
    found = _measures(generated.predictions, setting)
    tags = setting.dataset.tag_matrix(setting.tags, setting.vocabulary.words)
    sets = tag_sets(
        generated.sets, generated.predictions.ranking.rows, setting.relevant[setting.tags],
        tags[setting.dataset.rows("train")], setting.vocabulary.vectors, 0,
    )  # fmt: skip
    one = sets["kinds"]["one draw"] if sets else {}
    return replace(found, measures={
        **found.measures,
        "distinct words": generated.distinct_words,
        **{name: one[name]["value"] for name in ("realism", "energy") if name in one},
        "s/epoch": _seconds_an_epoch(RunDir(path)),
    })  # fmt: skip


def fit_mlps(tagger: Tagger, setting: Setting, n_seeds: int) -> list[Measured]:
    """Tune the MLP on dev as a report does, and measure it with as many seeds as a row.

    `tagger` is any of the runs: it says how features are standardised.
    """
    data = fit_data(tagger, setting, 0)
    chosen = choose("mlp", mlp_tries(data), data).tuning["chosen"]
    settings = MlpSettings(**{f.name: chosen[f.name] for f in fields(MlpSettings)})
    features = tagger.model.standardizer(setting.dataset.features[setting.rows])
    concept_rows = np.array(setting.vocabulary.rows(setting.concepts), np.int64)
    found = []
    for seed in tqdm(range(n_seeds), desc="mlp seeds", unit="fit", disable=None):
        fitted = fit_mlp(data.train_features, data.train_tags, settings, seed, data.dev_precision)
        answered = ask_rival(Rival("mlp", {}, fitted.score), features, concept_rows)
        found.append(_measures(answered, setting))
    return found


def summarize(measured: Mapping[str, Sequence[Measured]]) -> dict[str, Any]:
    """Return the mean measures of each row over its seeds, and its P@10 against the MLP's."""
    mlp = np.stack([run.precision for run in measured[MLP]])
    rows = {}
    for name, runs in measured.items():
        known = [m for m in MEASURES if all(m in run.measures for run in runs)]
        values = {m: [float(run.measures[m]) for run in runs] for m in known}
        ours = np.stack([run.precision for run in runs])
        rows[name] = {
            "n_seeds": len(runs),
            "measures": {m: {"mean": float(np.mean(v)), "seeds": v} for m, v in values.items()},
            "P@10 against the MLP": ratio_figure(ours, mlp, seed=0),
        }
    return {"n_images": mlp.shape[1], "rows": rows}


def as_markdown(table: Mapping[str, Any]) -> str:
    """Return the table as GitHub Markdown."""
    lines = [
        "| | " + " | ".join((*MEASURES, "P@10 / MLP")) + " |",
        "|---" * (len(MEASURES) + 2) + "|",
    ]
    for name, row in table["rows"].items():
        cells = [_cell(row["measures"].get(measure)) for measure in MEASURES]
        ratio = row["P@10 against the MLP"]
        cells.append(f"{ratio['value']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(measure: Mapping[str, Any] | None) -> str:
    if measure is None:
        return "–"
    value = measure["mean"]
    return f"{value:.1f}" if value >= 1 else f"{value:.4f}"


def _measures(answered: SystemPredictions, setting: Setting) -> Measured:
    """Return what can be measured of the answers alone."""
    judged = setting.judge(answered)[setting.tags]
    precision = METRICS["P@10"](judged)
    measures = {
        "P@1": float(np.nanmean(METRICS["P@1"](judged))),
        "P@10": float(np.nanmean(precision)),
        "coverage": len(np.unique(answered.ranking.rows[:, :CUT])) / len(setting.vocabulary),
    }
    if setting.annotated.any():
        scores, ties = answered.concept_scores, answered.concept_tie_breaks
        measures["MAP"] = float(expected_map(scores, ties, setting.annotated)[0])
    return Measured(np.nan_to_num(precision), measures)


def _seconds_an_epoch(run: RunDir) -> float:
    """Return the mean seconds that an epoch of the training took, evaluations apart."""
    records = [r for r in run.read_log() if r["event"] == "train"]
    rates = [r.get("photos_per_second") or r["pairs_per_second"] for r in records]
    settings, facts = run.read_config()["settings"], Tagger.load(run.path).model.facts
    n_examples = facts["n_photos"] if settings["examples"] == "photos" else facts["n_pairs"]
    return float(n_examples / np.mean(rates))


def _run_path(out: Path, tags: str, name: str, seed: int) -> Path:
    plain = "".join(c if c.isalnum() else "-" for c in f"{tags} {name}")
    return out / "runs" / f"{plain}-{seed}"


if __name__ == "__main__":
    sys.exit(run_command(main))
