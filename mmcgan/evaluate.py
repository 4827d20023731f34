"""python -m mmcgan.evaluate: a run and a prepared file → stored answers → a report."""

from __future__ import annotations

import contextlib
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from eval.config import EvaluateConfig
from eval.evaluation import answer, report
from mmcgan.cli import PATH, config_options, given, run_command, say
from mmcgan.errors import OptionError
from mmcgan.inference.model_dir import newest_finished_run
from mmcgan.inference.tagger import Tagger
from mmcgan.options import flag
from mmcgan.training.prepared.dataset import FILE_NAME, Dataset, newest_data, read_dataset
from mmcgan.training.runs import RunDir

_PACKAGES = ("mmcgan", "torch", "numpy", "scikit-learn", "faiss-cpu", "faiss-gpu")


@click.command("mmcgan.evaluate")
@click.option(
    "--from",
    "stored",
    type=PATH,
    help="Write the report in this folder again, from the answers that are stored in it. Neither "
    "the run nor the data are needed; no other option goes with it.",
)
@config_options(EvaluateConfig)
def main(stored: Path | None, **options: Any) -> None:
    """Measure a run and its baselines on a split that none of them has seen."""
    chosen = given(options)
    if stored is not None and chosen:
        others = ", ".join(flag(name) for name in chosen)
        raise OptionError(f"--from: {others} cannot go with it; the stored answers settle them")
    out_dir = stored or ask(EvaluateConfig(**chosen))
    click.echo(summarize(report(out_dir)))
    say(f"report: {out_dir / 'report.html'}")


def ask(config: EvaluateConfig) -> Path:
    """Store what a run and its baselines answer, and return the folder of the report."""
    run = RunDir(config.run or newest_finished_run())
    tagger = Tagger.load(run.path, config.seed)
    data_dir = config.data or _data_of(run)
    out_dir = config.out or run.path / f"report-{config.split}"
    say(f"run: {run.path}, data: {data_dir}, split: {config.split} → {out_dir}")
    dataset = read_dataset(data_dir)
    facts = {
        "data": {"folder": str(data_dir), **data_facts(dataset)},
        "run": {"folder": str(run.path), **tagger.model.facts, **run.read_settings()},
        "command": shlex.join(["python", "-m", "mmcgan.evaluate", *sys.argv[1:]]),
        "versions": _versions(),
    }
    answer(tagger, dataset, config, run.read_log(), facts, out_dir)
    return out_dir


def data_facts(dataset: Dataset) -> dict[str, Any]:
    """Return what a report says of the data."""
    return {
        "name": dataset.name,
        "dataset_id": dataset.dataset_id,
        "backbone": dataset.backbone,
        "counts": {k: v for k, v in dataset.counts.items() if k != "unreadable_photos"},
        "command": dataset.command,
    }


def summarize(report: dict[str, Any]) -> str:
    """Say the P@10 of every system, and which checks of the GAN failed."""
    lines = [f"P@10 on {report['n_images']} photos, relevance {report['tags']}:"]
    for name, system in report["systems"].items():
        precision = system[report["tags"]]["P@10"]
        interval = f"[{precision['low']:.4f}, {precision['high']:.4f}]"
        lines.append(f"  {name:<14}{precision['value']:.4f}  {interval}")
    failed = [check for check in report["checks"] if not check["passed"]]
    lines += [
        f"check failed: {c['name']} is {c['value']:.4g}, wanted {c['target']}" for c in failed
    ]
    return "\n".join(lines)


def _data_of(run: RunDir) -> Path:
    """Return the data that the run was trained on, or the newest where that has gone."""
    trained_on = Path(run.read_settings().get("data") or "")
    return trained_on if (trained_on / FILE_NAME).is_file() else newest_data()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


if __name__ == "__main__":
    sys.exit(run_command(main))
