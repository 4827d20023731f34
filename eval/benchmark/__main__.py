"""python -m eval.benchmark: how fast it is, beside others and beside the machine's limits.

Needs no data but what it makes. All figures of a row are measured in turn in the same call, and
are medians; they are of this machine, with as many threads as the libraries take by themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import click

from eval.benchmark.features import feature_rows
from eval.benchmark.plots import draw_growth
from eval.benchmark.rows import Row, as_markdown
from eval.benchmark.scale import scale_rows
from eval.benchmark.search import search_rows
from eval.benchmark.tagging import tagging_rows
from eval.benchmark.training import training_rows
from eval.benchmark.vectors import vector_rows
from mmcgan.cli import run_command
from mmcgan.files import write_json

GROUPS: dict[str, Callable[[], Iterator[Row]]] = {
    "features": feature_rows,
    "vectors": vector_rows,
    "training": training_rows,
    "search": search_rows,
    "tagging": tagging_rows,
    "scale": scale_rows,
}


def measure(group: str) -> list[Row]:
    """Return the rows of a group."""
    return list(GROUPS[group]())


def in_own_process(group: str) -> list[Row]:
    """Measure a group without the threads that other groups' libraries have left."""
    by_name = import_module("eval.benchmark.__main__").measure  # "__main__" is another one there
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(by_name, group).result()


@click.command("eval.benchmark")
@click.argument("groups", nargs=-1, type=click.Choice(list(GROUPS)))
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Also write the rows.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw how costs grow, as SVG.")
def main(groups: tuple[str, ...], json_path: Path | None, plot: Path | None) -> None:
    """Measure the GROUPS, all if none is named, and print a table."""
    rows: list[Row] = []
    try:
        for group in groups or tuple(GROUPS):
            click.echo(f"measuring {group}", err=True)
            rows += in_own_process(group)
    finally:  # what was measured is kept where a later group fails
        click.echo(as_markdown(rows), nl=False)
        if json_path:
            write_json(json_path, [row.as_json() for row in rows])
        if plot:
            draw_growth(rows, plot)


if __name__ == "__main__":
    sys.exit(run_command(main))
