"""What the plots of a report share: lines of systems, axes, and the plot of a log over updates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from eval.pages.svg import colour, drawing, label, label_width, name_axes, new_axes, svg
from mmcgan.arrays import DoubleArray

MAX_POINTS = 300  # of a learning curve; neighbours are averaged beyond that

Log = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Line:
    """How a system is drawn in every figure: a colour of the palette, dashes, a width."""

    colour: str
    dashes: tuple[float, ...] = ()
    width: float = 1.6

    @property
    def css_dashes(self) -> str:
        """The dashes for a page's legend, in pixels."""
        return " ".join(f"{dash * self.width:g}" for dash in self.dashes)


def system_lines(roles: Mapping[str, str]) -> dict[str, Line]:
    """Return the line of each system, given its role: the cgan stands out, controls fade."""
    baselines = [name for name, role in roles.items() if role == "rival" and name != "frequency"]
    variants = [name for name, role in roles.items() if role == "variant"]
    lines = {}
    for name, role in roles.items():
        if role == "cgan":
            lines[name] = Line("cgan", width=2.8)
        elif role == "variant":
            lines[name] = Line("cgan", ((4, 1.5), (1.5, 1), (6, 2, 1, 2))[variants.index(name) % 3])
        elif role == "control" or name == "frequency":
            lines[name] = Line("frequency", (1, 1.2) if role == "control" else (4, 1.6))
        else:
            place = baselines.index(name)
            lines[name] = Line(f"series-{place % 5 + 1}", ((), (5, 1.5), (2, 1.2))[place // 5 % 3])
    return lines


def log_plot(
    log: Log,
    names: Mapping[str, Line],
    figure_name: str,
    y: str,
    top: float | None = None,
) -> Markup | None:
    """Draw fields of the log over the updates; None where the log has none of them."""
    series = {name: log_series(log, name) for name in names}
    series = {name: points for name, points in series.items() if points[0]}
    if not series:
        return None
    with drawing():
        figure, axes = new_axes()
        for name, (updates, values) in series.items():
            draw_line(axes, updates, values, names[name])
        fit(axes, [value for _, values in series.values() for value in values], top)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        name_axes(axes, "updates", y)
        said = ", ".join(f"{name} {values[-1]:.3g}" for name, (_, values) in series.items())
        return svg(figure, figure_name, f"{y.capitalize()} over the updates. At the end: {said}.")


def log_series(log: Log, name: str) -> tuple[list[float], list[float]]:
    """Return the updates and the values of one field of the log, at most MAX_POINTS of them.

    Records without the field, or where it is not a number, are left out; of a longer log,
    neighbouring records are averaged.
    """
    points = [(r["update"], r[name]) for r in log if math.isfinite(finite(r.get(name)))]
    if not points:
        return [], []
    groups: list[DoubleArray] = np.array_split(np.array(points), min(len(points), MAX_POINTS))
    means = [group.mean(axis=0) for group in groups]
    return [float(m[0]) for m in means], [float(m[1]) for m in means]


def finite(value: Any) -> float:
    """Return a number, or NaN, which a plot leaves out, for what is none."""
    return float(value) if isinstance(value, int | float) else math.nan


def draw_line(axes: Axes, x: Sequence[float], y: Sequence[float], line: Line) -> None:
    """Draw one line; a single point, which no line shows, as a dot."""
    axes.plot(
        x,
        y,
        color=colour(line.colour),
        linewidth=line.width,
        linestyle=(0, line.dashes) if line.dashes else "-",
        marker="o" if len(x) == 1 else None,
        solid_capstyle="round",
    )


def cgan_on_top(names: Iterable[str], lines: Mapping[str, Line]) -> list[str]:
    """Return the names in the order of drawing: what is drawn last lies on top."""
    return sorted(names, key=lambda name: lines[name].width)


def fit(axes: Axes, values: Sequence[float], top: float | None = None) -> None:
    """Show all values from zero up; room is left even where all are the same."""
    highest = max([*values, top or 0.0])
    lowest = min([*values, 0.0])
    axes.set_ylim(lowest, highest + 0.05 * (highest - lowest) or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def label_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of a plot that is read from left to right."""
    axes.set_yticks(np.arange(len(names)), [label(name) for name in names], color=colour("ink"))
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(False, axis="y")
    axes.grid(True, axis="x", color=colour("line"), linewidth=0.7)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def label_margin(names: Iterable[str]) -> float:
    """Return the room in inches that the longest of `names` needs beside a plot."""
    return 0.2 + 0.082 * max(label_width(label(name)) for name in names)


def make_logarithmic(axes: Axes, right: float, top: float) -> None:
    """Make both axes logarithmic, up to `right` and `top`, with plain numbers at powers of ten."""
    axes.set(xscale="log", yscale="log", xlim=(0.4, right), ylim=(0.4, top))
    for axis in (axes.xaxis, axes.yaxis):
        set_ticks(axis, [10.0**power for power in range(9)])


def set_ticks(axis: Axis, places: Sequence[float], spec: str = ",.0f") -> None:
    """Put the ticks of a logarithmic axis at `places`, each with its number as `spec` writes it."""
    axis.set_major_locator(FixedLocator(places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: format(value, spec)))


def source_id(source: str) -> str:
    """Return a source of relevance as part of an id."""
    return source.replace("+", "-")
