"""python -m eval.digits [gan|cgan]: train a GAN on digits, measure it, write the report."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from eval.digits.config import DigitsConfig, Kind
from eval.digits.data import DigitData, embedded_digits, mnist
from eval.digits.mnist import download_mnist, read_mnist
from eval.digits.report import write_digits_report
from eval.digits.samples import draw_pictures
from eval.digits.study import measure, train
from mmcgan.cli import GroupedCommand, config_options, given, run_command, say
from mmcgan.errors import OptionError
from mmcgan.training.runs import RunDir


@click.command("eval.digits", cls=GroupedCommand)
@click.argument("kind", type=click.Choice(["gan", "cgan"]), default="cgan")
@config_options(DigitsConfig)
def main(kind: Kind, **options: Any) -> None:
    """Train a GAN, or one conditional on the label (cgan), and measure what it generates.

    A call that was cut short goes on with its run when it is made again.
    """
    config = DigitsConfig.of(**given(options))
    data = load_data(config)
    config = config.settled(len(data.train))
    run = RunDir(config.run.out)
    say(f"data: {data.name}, {len(data.train)} digits → {config.run.out}")
    generator = train(kind, data, config, run)
    report = measure(kind, data, config, generator, run)
    report["command"] = shlex.join(["python", "-m", "eval.digits", *sys.argv[1:]])
    write_digits_report(
        config.run.out, report, run.read_log(), draw_pictures(kind, data, generator)
    )
    click.echo(summary(report))


def load_data(config: DigitsConfig) -> DigitData:
    """Load what the settings name.

    Raises `DataError` for files that are missing or broken, `OptionError` for --download without
    --data.
    """
    folder = config.run.data
    if folder is None and config.run.download:
        raise OptionError("--download: --data must say into which folder")
    if folder is None:
        return embedded_digits()
    if config.run.download:
        download_mnist(folder)
    return mnist(*read_mnist(folder))


def summary(report: dict[str, Any]) -> str:
    """Say what was measured in one line."""
    likelihood, modes = report["log_likelihood"], report["modes"]
    accuracy = report.get("condition_accuracy")
    said = "" if accuracy is None else f"condition accuracy {accuracy:.3f}, "
    return (
        f"log-likelihood {likelihood['mean']:.1f} ± {likelihood['se']:.1f} (sigma "
        f"{likelihood['sigma']:.3g}), {said}FID {report['fid']:.2f}, {modes['covered']} of "
        f"{modes['of']} modes"
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
