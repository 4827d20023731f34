"""python -m eval.studies.few_tags: what untagged photos are worth where few photos have tags.

Only a seeded share of the tagged photos of train keeps its tags; the others become untagged photos
of train. The preset `modern` learns from them too, a discriminative baseline cannot. Each seed
keeps other photos, so that intervals over seeds hold that choice as well. The vocabulary and its
word vectors stay those of the prepared data, which all tags of train and dev have made; dev, val
and test are as they were. A call that was cut short goes on with the next run when it is made
again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from eval.setting import Setting
from eval.studies import comparison
from eval.studies.comparison import DATA_HELP, RIVAL_RATIOS, Measured
from eval.systems import generate
from mmcgan.arrays import IntArray
from mmcgan.cli import config_options, given, run_command, say
from mmcgan.inference.tagger import Tagger
from mmcgan.options import Config, option
from mmcgan.training.config import TagSource, TrainConfig
from mmcgan.training.prepared.dataset import Dataset, TagTable, newest_data, read_dataset
from mmcgan.training.runs import RunDir

MEASURES = ("P@1", "P@10", "MAP", "coverage")
WITHOUT = "modern without untagged photos"
ROWS: dict[str, dict[str, Any]] = {"modern": {}, WITHOUT: {"untagged": 0}}
RATIOS = RIVAL_RATIOS | {"P@10 against no untagged photos": WITHOUT}
NOTE = (
    "The vocabulary and its word vectors are made of all tags of train and dev, also of those that "
    "are taken away here. dev keeps its tags."
)


@dataclass(frozen=True)
class FewTagsConfig(Config):
    """`python -m eval.studies.few_tags`."""

    data: Path | None = option(None, DATA_HELP)
    out: Path = option(Path("few-tags"), "Folder of the runs and the table.")
    tags: TagSource = option("user", "The tags to learn and to measure by.")
    split: Literal["dev", "val", "test"] = option("val", "The split to measure.")
    share: float = option(
        0.1, "Share of the tagged photos of train that keep their tags.", at_least=0.001, at_most=1
    )
    seeds: int = option(1, "Runs of each row, each with other photos that are tagged.", at_least=1)


@click.command("eval.studies.few_tags")
@config_options(FewTagsConfig)
def main(**options: Any) -> None:
    """Train with few tagged photos, with and without the untagged ones, and measure both."""
    config = FewTagsConfig(**given(options))
    data_dir = config.data or newest_data()
    dataset = read_dataset(data_dir)
    say(f"data: {data_dir}, split: {config.split}, share: {config.share:g} → {config.out}")
    few = [with_few_tags(dataset, config.share, seed) for seed in range(config.seeds)]
    settings = [comparison.setting_of(data, config.split, config.tags) for data in few]
    rows = {
        name: TrainConfig.of("modern", **row, data=data_dir, tags=config.tags)
        for name, row in ROWS.items()
    }
    path_of = partial(comparison.run_path, config.out, f"{config.tags} {config.share:g}")
    measured = comparison.measure_rows(rows, settings, path_of, measure_run)
    results = facts(few[0], config) | comparison.summarize(measured, MEASURES, RATIOS)
    name = f"few-tags-{config.tags}-{config.split}-{config.share:g}"
    comparison.write_results(config.out, name, results, report(results))


def with_few_tags(dataset: Dataset, share: float, seed: int) -> Dataset:
    """Return the data in which only a seeded `share` of the tagged photos of train has tags."""
    tagged = dataset.rows("train")
    n_kept = max(round(share * len(tagged)), 1)
    taken = np.random.default_rng(seed).permutation(tagged)[n_kept:]
    tables = {source: _without(table, taken) for source, table in dataset.tags.items()}
    return replace(dataset, tags=tables)


def _without(table: TagTable, rows: IntArray) -> TagTable:
    """Return the table in which the images `rows` have no words."""
    sizes = np.diff(table.matrix.indptr)
    row_of_word = np.repeat(np.arange(len(sizes)), sizes)
    kept = ~np.isin(row_of_word, rows)
    return TagTable(table.words, comparison.only(table.matrix, kept))


def measure_run(run: RunDir, setting: Setting) -> Measured:
    """Measure a finished run on the images of `setting`."""
    features = setting.dataset.features_of(setting.rows)
    generated = generate(Tagger.load(run.path), features, setting.concepts)
    return comparison.measure_answers(generated.predictions, setting)


def facts(dataset: Dataset, config: FewTagsConfig) -> dict[str, Any]:
    """Describe the data and the photos that the table is of."""
    return {
        "tags": config.tags,
        "split": config.split,
        "share": config.share,
        "n_tagged": len(dataset.rows("train")),
        "n_untagged": len(dataset.untagged_rows("train")),
        "note": NOTE,
    }


def report(results: Mapping[str, Any]) -> str:
    """Return the results as GitHub Markdown."""
    return (
        f"{results['n_tagged']} photos of train with tags, {results['n_untagged']} without; "
        f"measured on {results['n_images']} of {results['split']} ({results['tags']} tags). "
        f"{results['note']}\n\n" + comparison.as_markdown(results, MEASURES, tuple(RATIOS))
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
