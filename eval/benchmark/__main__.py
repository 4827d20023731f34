"""python -m eval.benchmark: how fast it is, beside others and beside the machine's limits.

Needs no data but what it makes. All figures of a row are measured in turn in the same call, and
are medians; they are of this machine, with as many threads as the libraries take by themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import click
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from eval.benchmark.features import feature_rows
from eval.benchmark.rows import Row, as_markdown
from eval.benchmark.scale import scale_rows
from eval.benchmark.search import search_rows
from eval.benchmark.tagging import tagging_rows
from eval.benchmark.training import training_rows
from eval.benchmark.vectors import vector_rows
from mmcgan.cli import FILE, run_command
from mmcgan.files import atomic_path, write_json

GROUPS: dict[str, Callable[[], Iterator[Row]]] = {
    "features": feature_rows,
    "vectors": vector_rows,
    "training": training_rows,
    "search": search_rows,
    "tagging": tagging_rows,
    "scale": scale_rows,
}

N_COLUMNS = 2  # of the plot
WIDTH, HEIGHT = 4.5, 2.8  # inches of a panel


def measure(group: str) -> list[Row]:
    """Return the rows of a group."""
    return list(GROUPS[group]())


def in_own_process(group: str) -> list[Row]:
    """Measure a group without the threads that other groups' libraries have left."""
    by_name = import_module("eval.benchmark.__main__").measure  # "__main__" is another one there
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(by_name, group).result()


def draw_growth(rows: Sequence[Row], path: Path) -> None:
    """Draw the rows that say how a cost grows, a panel each, as an SVG file."""
    grown = [row for row in rows if row.points]
    n_lines = -(-len(grown) // N_COLUMNS)
    figure = Figure((WIDTH * N_COLUMNS, HEIGHT * max(n_lines, 1)), layout="constrained")
    for place, row in enumerate(grown, 1):
        _draw(row, figure.add_subplot(n_lines, N_COLUMNS, place))
    with atomic_path(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})


def _draw(row: Row, axes: Axes) -> None:
    """Draw the points on logarithmic axes, and what growth in proportion would be."""
    sizes, costs = zip(*row.points, strict=True)
    axes.loglog(sizes, costs, "o-", label=f"measured, exponent {row.ours:.2f}")
    axes.loglog(sizes, [costs[0] * size / sizes[0] for size in sizes], ":", label="in proportion")
    axes.set_xlabel("words" if "words" in row.what else "images")
    axes.set_ylabel("seconds" if row.what.endswith("time") else "MiB at most")
    axes.set_title(row.what.removeprefix("scale_").replace("_", ", "))
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:,g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.legend()


@click.command("eval.benchmark")
@click.argument("groups", nargs=-1, type=click.Choice(list(GROUPS)))
@click.option("--json", "json_path", type=FILE, help="Also write the rows.")
@click.option("--plot", type=FILE, help="Also draw how costs grow, as SVG.")
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
