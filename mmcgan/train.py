"""python -m mmcgan.train: a prepared file → a run folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from mmcgan.cli import GroupedCommand, config_options, given, run_command, say
from mmcgan.errors import OptionError, RunError
from mmcgan.inference.words.index import import_faiss
from mmcgan.options import flattened
from mmcgan.training.config import TrainConfig
from mmcgan.training.prepared.dataset import Dataset, newest_data, read_dataset
from mmcgan.training.ranks import current_ranks, run_on_ranks
from mmcgan.training.runs import (
    FollowedRun,
    RunDir,
    frozen_config,
    newest_unfinished_run,
    next_run,
    require_same,
)
from mmcgan.training.setup import build_setup
from mmcgan.training.validation import generator_checks, run_checks, variety

# Settings that say where and how a run is started, not what is trained.
_NOT_OF_THE_RUN = ("out", "resume", "dry_run")


@click.command("mmcgan.train", cls=GroupedCommand)
@config_options(TrainConfig)
def main(**options: Any) -> None:
    """Train the conditional GAN on a prepared file.

    With --resume, goes on with a partial run and does nothing on a finished one.
    """
    chosen, ranks = given(options), current_ranks()
    path = ranks.of_first(_choose_run, chosen)
    run = RunDir(path) if ranks.is_first else FollowedRun(path)
    config = _choose_config(run, chosen)
    data_dir = config.run.data or newest_data()
    say(f"data: {data_dir} → run: {run.path}")
    if run.is_finished:
        click.echo("the run is finished")
        return
    import_faiss()
    dataset = read_dataset(data_dir)
    tags = config.run.tags or dataset.tag_sources[-1]
    config = config.with_options(data=data_dir, tags=tags)
    setup = build_setup(dataset, config, tags, ranks)
    click.echo(setup.describe())
    if config.run.dry_run:
        return
    ranks.agree([config.to_json(), dataset.dataset_id], "data and run")
    _freeze(run, config, dataset)
    best = setup.train(run)
    if not ranks.is_first:
        return
    warn_of_failed_checks(run, dataset, len(setup.vocabulary))
    say(
        f"finished: best dev P@10 {best.score:.4f} at update {best.update}; "
        f"model in {run.path}, tag with: python -m mmcgan PHOTO --run {run.path}"
    )


def warn_of_failed_checks(run: RunDir, dataset: Dataset, n_words: int) -> None:
    """Say on stderr which checks of the generator's variety the finished run fails on dev."""
    found = variety(run, dataset.features_of(dataset.measured_rows("dev", n_words)))
    for check in run_checks(generator_checks(n_words), found):
        if not check["passed"]:
            message = f"{check['name']} is {check['value']:.4g} on dev, wanted {check['target']}"
            run.log({"event": "warning", "message": message})
            click.echo(f"warning: check failed: {message}", err=True)


def _choose_run(chosen: dict[str, Any]) -> Path:
    """Return the run folder: the one named, the one to go on with, or the next number."""
    if "out" in chosen:
        return Path(chosen["out"])
    return (chosen.get("resume") and newest_unfinished_run()) or next_run()


def _choose_config(run: RunDir, chosen: dict[str, Any]) -> TrainConfig:
    """Return the settings of a run: those given, or, where it is started, its frozen ones.

    Raises `OptionError` where the run is there and is not to be resumed, or where an option was
    given that differs from the run's.
    """
    if not run.is_started:
        return TrainConfig.of(**chosen)
    if not chosen.get("resume"):
        raise OptionError(
            f"--out: {run.path} holds a run already; go on with it by --resume, or name another "
            "folder"
        )
    frozen = run.read_settings()
    settled = {name for name in chosen if name not in (*_NOT_OF_THE_RUN, "data")}
    wanted = flattened(TrainConfig.of(**chosen).to_json())
    require_same(run, frozen, {name: wanted[name] for name in wanted if name in settled})
    try:
        data = Path(chosen.get("data", frozen["data"]))
        return TrainConfig.from_json(frozen, **{**chosen, "data": data})
    except (KeyError, TypeError, OptionError) as reason:
        raise RunError(f"the frozen settings of {run.path} cannot be used ({reason})") from None


def _freeze(run: RunDir, config: TrainConfig, dataset: Dataset) -> None:
    """Write the settings of the run before its first update, or check its data against them."""
    if not run.is_started:
        frozen = frozen_config(config, _NOT_OF_THE_RUN)
        run.write_config(frozen | {"dataset_id": dataset.dataset_id})
    elif run.read_config().get("dataset_id") != dataset.dataset_id:
        raise OptionError(f"--data: {run.path} was started with other data than {config.run.data}")


def run(args: Sequence[str] | None = None, name: str | None = None) -> int:
    """Run the command as one rank of the job, where torchrun started several processes."""
    return run_on_ranks(partial(run_command, main, args, name=name))


if __name__ == "__main__":
    sys.exit(run())
