"""Plots of the rows that say how a cost grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from eval.benchmark.rows import Row
from mmcgan.files import atomic_path

SIZE = (4.5, 3.2)  # inches


def draw_growth(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw each row that has points into `folder` as ROW.svg, and return the paths."""
    return [_draw(row, folder / f"{row.what}.svg") for row in rows if row.points]


def _draw(row: Row, path: Path) -> Path:
    """Draw the points on logarithmic axes, and what growth in proportion would be."""
    sizes, costs = zip(*row.points, strict=True)
    figure = Figure(SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.loglog(sizes, costs, "o-", label=f"measured, exponent {row.ours:.2f}")
    axes.loglog(sizes, [costs[0] * size / sizes[0] for size in sizes], ":", label="in proportion")
    axes.set_xlabel("words" if "rank" in row.what else "images")
    axes.set_ylabel("seconds" if row.what.endswith("time") else "MiB at most")
    axes.set_title(row.what.replace("_", " "))
    axes.legend()
    with atomic_path(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})
    return path
