"""One plot of all rows that say how a cost grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from eval.benchmark.rows import Row
from mmcgan.files import atomic_path

N_COLUMNS = 2
WIDTH, HEIGHT = 4.5, 2.8  # inches of a panel


def draw_growth(rows: Sequence[Row], path: Path) -> None:
    """Draw the rows that have points, a panel each, as an SVG file."""
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
