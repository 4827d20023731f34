"""python -m mmcgan.prepare: a raw collection → the prepared file DATA/dataset.h5."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import click

from data_prep.config import PrepareConfig
from data_prep.pipeline import prepare
from mmcgan.cli import config_options, given, run_command, say
from mmcgan.errors import escaped
from mmcgan.terminal import quiet_libraries
from mmcgan.training.prepared.dataset import FILE_NAME, Dataset
from mmcgan.training.ranks import current_ranks, run_on_ranks

# Ranks that have done their share wait for the slowest, and for the word vectors of the first.
PATIENCE = timedelta(hours=12)


@click.command("mmcgan.prepare")
@config_options(PrepareConfig)
def main(**options: Any) -> None:
    """Turn a raw collection of photos and tags into one prepared file.

    The same call goes on with partial output, and does nothing on finished output.
    """
    config = PrepareConfig(**given(options))
    folder = config.folder
    say(f"dataset: {config.dataset} ({config.root or 'drawn'}) → {folder / FILE_NAME}")
    command = shlex.join(["python", "-m", "mmcgan.prepare", *sys.argv[1:]])
    with quiet_libraries():
        dataset = prepare(config, command, current_ranks())
    click.echo(summarize(dataset))


def summarize(dataset: Dataset) -> str:
    """Return some lines that say what the prepared file holds and what was left out."""
    counts = dataset.counts
    splits = ", ".join(
        f"{split} {n['photos']} ({n['tagged']} tagged)" for split, n in counts["splits"].items()
    )
    words = ", ".join(
        f"{source}: {n['words']} words ({n['words_without_vector']} more have no vector)"
        for source, n in counts["vocabulary"].items()
    )
    backbone = f"{dataset.backbone['name']} in {dataset.backbone['precision']}"
    lines = [f"photos: {splits}", f"vocabulary: {words}"]
    lines += [f"features: {dataset.feature_size} by {backbone}"]
    lines += [f"left out: {n} {reason}" for reason, n in counts["dropped"].items() if n]
    lines += [f"left out: {n} {reason}" for reason, n in counts.get("corpus_left_out", {}).items()]
    lines += [f"unreadable: {name}: {reason}" for name, reason in counts["unreadable_photos"]]
    empty = [split for split, n in counts["splits"].items() if not n["tagged"]]
    lines += [f"note: the split {split} has no tagged photo" for split in empty]
    return "\n".join(map(escaped, lines))


def run(args: Sequence[str] | None = None, name: str | None = None) -> int:
    """Run the command as one rank of the job, where torchrun started several processes."""
    return run_on_ranks(partial(run_command, main, args, name=name), PATIENCE)


if __name__ == "__main__":
    sys.exit(run())
