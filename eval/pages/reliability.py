"""Predicted probabilities beside what happened: a plot and a table of reliability."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from eval.pages.plots import Line, draw_line, set_ticks
from eval.pages.section import Cell, Row, Table
from eval.pages.svg import colour, drawing, name_axes, new_axes, svg
from eval.pages.text import number, table_or_none

MIN_PAIRS = 20  # pairs of a photo and a word that a bin needs to be drawn
OTHER = Line("muted")  # of a system that the report does not know


def reliability_plot(
    part: Mapping[str, Any], lines: Mapping[str, Line], name: str = "reliability"
) -> Markup | None:
    """Draw the observed over the predicted probability of each system, both logarithmic.

    `part` is the `distribution` or `calibration` part of a report. On the diagonal a probability is
    what it says. An observed 0 is drawn at the lower edge; bins of few pairs are left to the table.
    """
    drawn = {name: _points(system) for name, system in part.get("systems", {}).items()}
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return None
    lowest = _lowest(value for points in drawn.values() for point in points for value in point)
    with drawing():
        figure, axes = new_axes(3.6, left=0.62)
        axes.plot([lowest, 1], [lowest, 1], color=colour("muted"), linewidth=1)
        for system in sorted(drawn, key=lambda system: lines.get(system, OTHER).width):
            predicted = [p for p, _ in drawn[system]]
            observed = [max(q, lowest) for _, q in drawn[system]]
            line = lines.get(system, OTHER)
            draw_line(axes, predicted, observed, line)
            axes.plot(predicted, observed, "o", markersize=3, color=colour(line.colour))
        _probabilities(axes, lowest)
        name_axes(axes, "predicted probability p", "observed q (0 at the lower edge)")
        said = ", ".join(
            f"{system} {points[-1][1]:.3g} where it says {points[-1][0]:.3g}"
            for system, points in drawn.items()
        )
        alt = f"Observed over predicted probability. Of the highest bin: {said}."
        return svg(figure, name, alt)


def reliability_table(part: Mapping[str, Any]) -> Table | None:
    """Return predicted and observed probability of each system by bins of the predicted one.

    `part` is the `distribution` or `calibration` part of a report.
    """
    systems = part.get("systems", {})
    by_bin: dict[tuple[float, float], dict[str, Any]] = {}
    for name, system in systems.items():
        for line in system["reliability"]:
            by_bin.setdefault((line["low"], line["high"]), {})[name] = line
    fields = {"predicted": "predicted", "observed": "observed", "n": "pairs"}
    return table_or_none(
        "Reliability: mean predicted and observed probability, by bins of the predicted one",
        ("p", *(f"{name}: {title}" for name in systems for title in fields.values())),
        (
            Row(
                f"{low:.2g}–{high:.2g}",
                tuple(_cell(own.get(name, {}).get(f)) for name in systems for f in fields),
            )
            for (low, high), own in sorted(by_bin.items())
        ),
    )


def _cell(value: float | None) -> Cell:
    """Return a count, or a probability of any size with two digits."""
    return Cell(f"{value:.2g}" if isinstance(value, float) else number(value))


def _points(system: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return predicted and observed of the bins that are drawn."""
    return [
        (line["predicted"], line["observed"])
        for line in system["reliability"]
        if line["n"] >= MIN_PAIRS and line["predicted"] > 0
    ]


def _lowest(values: Iterable[float]) -> float:
    """Return the power of ten below all positive `values`."""
    smallest = min((value for value in values if value > 0), default=0.1)
    return float(10.0 ** min(math.floor(math.log10(smallest)), -1))


def _probabilities(axes: Axes, lowest: float) -> None:
    """Make both axes logarithmic from `lowest` to 1."""
    axes.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(lowest * 0.9, 1))
    step = max(1, round(-math.log10(lowest) / 4))
    for axis in (axes.xaxis, axes.yaxis):
        set_ticks(axis, [10.0**power for power in range(0, -16, -step)], "g")
