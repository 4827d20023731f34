"""python -m eval.studies.ablation: from the preset `paper` to `modern`, one change a row.

Each row is a few seeds of one set of values, trained on train into OUT/runs and measured on a
split. The last rows take single parts out of `modern`. The strongest baselines, the MLP and an
ensemble of as many MLPs as `modern` has generators, each with the settings that dev chose, are
fitted with as many seeds; ratios are bootstrapped over seeds and images. A call that was cut short
goes on with the next run when it is made again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from eval.figures.sets import tag_sets
from eval.setting import Setting
from eval.studies import comparison
from eval.studies.comparison import DATA_HELP, RIVAL_RATIOS, Measured
from eval.systems import generate
from mmcgan.cli import config_options, given, run_command, say
from mmcgan.errors import OptionError
from mmcgan.inference.tagger import Tagger
from mmcgan.options import Config, option
from mmcgan.training.config import PRESETS, TagSource, TrainConfig
from mmcgan.training.prepared.dataset import newest_data, read_dataset
from mmcgan.training.runs import RunDir
from mmcgan.training.terms import Terms, options_of
from mmcgan.training.terms.adversarial import TagAdversarial
from mmcgan.training.terms.likelihood import Likelihood
from mmcgan.training.terms.retrieval import Retrieval

MEASURES = ("P@1", "P@10", "MAP", "distinct words", "coverage", "realism", "energy", "s/epoch")

SETS = TagAdversarial(judged="sets")
SMOOTH = TagAdversarial("non-saturating", gradient_penalty=0.3, judged="sets")
SCALED = replace(SMOOTH, adversarial_share=0.3)
SPREADING = replace(SCALED, moves="spread")
RETRIEVAL, LIKELIHOOD = Retrieval(1.0), Likelihood(1.0, 0.5, moves="spread")
MODERN: Terms = (SPREADING, RETRIEVAL, LIKELIHOOD)

# Each row has these terms, and takes these options of the preset `modern` over, beside all that the
# rows above took.
STEPS: tuple[tuple[str, Terms, str], ...] = (
    ("paper", (TagAdversarial(),), ""),
    (
        "a photo's tags judged as a set",
        (SETS,),
        "examples batch_size judged_examples epochs patience",
    ),
    (
        "AdamW, running average, non-saturating loss, gradient penalty",
        (SMOOTH,),
        "optimizer learning_rate d_learning_rate weight_decay average generator_init "
        "discriminator_init",
    ),
    (
        "a mixture of generators",
        (SMOOTH,),
        "generator members noise_units image_units draws input_dropout "
        "input_dropout_spread d_image_units maxout_units",
    ),
    ("retrieval term, words learnt with it, mixup", (SCALED, RETRIEVAL), "mixup"),
    ("ranked by the mean draw", (SCALED, RETRIEVAL), "ranking"),
    ("untagged photos, with the tags of similar ones", (SCALED, RETRIEVAL), "untagged"),
    ("likelihood of single draws, D moves the spread: modern", MODERN, ""),
)
WITHOUT: tuple[tuple[str, Terms, dict[str, Any]], ...] = (
    (
        "modern without the adversarial term",
        (replace(SPREADING, adversarial_share=0.0), RETRIEVAL, LIKELIHOOD),
        {},
    ),
    ("modern without the likelihood of draws", (SPREADING, RETRIEVAL), {}),
    ("modern without untagged photos", MODERN, {"untagged": 0}),
    ("modern with one generator", MODERN, {"members": 1}),
)


@dataclass(frozen=True)
class AblationConfig(Config):
    """`python -m eval.studies.ablation`."""

    data: Path | None = option(None, DATA_HELP)
    out: Path = option(Path("ablation"), "Folder of the runs and the table.")
    tags: TagSource = option("user", "The tags to learn and to measure by.")
    split: Literal["dev", "val", "test"] = option("dev", "The split to measure.")
    seeds: int = option(1, "Runs of each row.", at_least=1)
    precision: Literal["float32", "bfloat16"] = option(
        "float32", "Of the matrix products in training, those of the rivals included."
    )
    rows: tuple[str, ...] = option(
        (), "Only the rows whose name holds this text; may be repeated. All if not given."
    )


def ablation_rows() -> dict[str, dict[str, Any]]:
    """Return the options of each row by its name, in order."""
    modern = {"preset": "modern"} | PRESETS["modern"]
    rows: dict[str, dict[str, Any]] = {}
    taken: dict[str, Any] = {}
    for name, terms, options in STEPS:
        taken = taken | {option: modern[option] for option in options.split()}
        rows[name] = taken | options_of(terms)
    rows[STEPS[-1][0]] = modern
    return rows | {name: modern | options_of(terms) | change for name, terms, change in WITHOUT}


@click.command("eval.studies.ablation")
@config_options(AblationConfig)
def main(**options: Any) -> None:
    """Train from the paper's model to the modern one, one change a row, and measure each."""
    config = AblationConfig(**given(options))
    data_dir, tags = config.data or newest_data(), config.tags
    setting = comparison.setting_of(read_dataset(data_dir), config.split, tags)
    wanted = wanted_rows(config)
    say(f"data: {data_dir}, split: {config.split}, {len(wanted)} rows → {config.out}")
    common = {"data": data_dir, "tags": tags, "precision": config.precision}
    rows = {name: TrainConfig.from_options(**row | common) for name, row in wanted.items()}
    path_of = partial(comparison.run_path, config.out, tags)
    measured = comparison.measure_rows(rows, [setting] * config.seeds, path_of, measure_run)
    table = comparison.summarize(measured, MEASURES, RIVAL_RATIOS)
    text = comparison.as_markdown(table, MEASURES, tuple(RIVAL_RATIOS))
    comparison.write_results(config.out, f"ablation-{tags}-{config.split}", table, text)


def wanted_rows(config: AblationConfig) -> dict[str, dict[str, Any]]:
    """Return the rows that are asked for. Raises `OptionError` if there is none."""
    rows = ablation_rows()
    texts = config.rows or ("",)  # every name holds ""
    wanted = {name: row for name, row in rows.items() if any(text in name for text in texts)}
    if not wanted:
        raise OptionError(
            f"--rows: no row's name holds {' or '.join(config.rows)}; the rows are: "
            + "; ".join(rows)
        )
    return wanted


def measure_run(run: RunDir, setting: Setting) -> Measured:
    """Measure a finished run on the images of `setting`."""
    tagger = Tagger.load(run.path)
    generated = generate(tagger, setting.dataset.features_of(setting.rows), setting.concepts)
    found = comparison.measure_answers(generated.predictions, setting)
    tags = setting.dataset.tag_matrix(setting.tags, setting.vocabulary.words)
    train = setting.dataset.rows("train")
    relevant, vectors = setting.relevant[setting.tags], setting.vocabulary.vectors
    rows = generated.predictions.ranking.rows
    sets = tag_sets(generated.drawn.sets, rows, relevant, tags[train], vectors, 0)
    one = sets["kinds"]["one draw"] if sets else {}
    others = {
        "distinct words": generated.drawn.checks["distinct_words"],
        **{name: one[name]["value"] for name in ("realism", "energy") if name in one},
        "s/epoch": _seconds_an_epoch(run),
    }
    return replace(found, measures={**found.measures, **others})


def _seconds_an_epoch(run: RunDir) -> float:
    """Return the mean seconds that an epoch of the training took, evaluations apart."""
    records = [r for r in run.read_log() if r["event"] == "train"]
    rates = [r.get("photos_per_second") or r["pairs_per_second"] for r in records]
    settings, facts = run.read_settings(), Tagger.load(run.path).model.facts
    n_examples = facts["n_photos"] if settings["examples"] == "photos" else facts["n_pairs"]
    return float(n_examples / np.mean(rates))


if __name__ == "__main__":
    sys.exit(run_command(main))
