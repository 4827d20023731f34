"""The figures of the draws as a distribution: reliability, and how many draws it takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from eval.pages.plots import Line, draw_line
from eval.pages.svg import colour, drawing, name_axes, new_axes, svg

MIN_PAIRS = 20  # pairs of a photo and a word that a bin needs to be drawn
OTHER = Line("muted")  # of a system that the report does not know
CALIBRATION_LINES = {
    "calibrated": Line("cgan", width=2.8),
    "as ranked": Line("frequency", (4, 1.6)),
}


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


def by_draws_plot(part: Mapping[str, Any], lines: Mapping[str, Line]) -> Markup | None:
    """Draw the cross-entropy over the number of draws, with the levels of the other systems."""
    points = part.get("by_draws")
    if not points:
        return None
    name = part["difference"]["name"]
    figures = {n: s["cross_entropy"] for n, s in part["systems"].items() if n != name}
    numbers = [float(point["n_draws"]) for point in points]
    values = [point["cross_entropy"] for point in points]
    with drawing():
        figure, axes = new_axes()
        line = lines.get(name, OTHER)
        for other, level in figures.items():
            style = lines.get(other, OTHER)
            draw_line(axes, [numbers[0] / 1.5, numbers[-1] * 1.5], [level["value"]] * 2, style)
        low, high = ([value[end] for value in values] for end in ("low", "high"))
        axes.vlines(numbers, low, high, color=colour(line.colour), linewidth=1.6)
        draw_line(axes, numbers, [value["value"] for value in values], line)
        axes.plot(numbers, [value["value"] for value in values], "o", color=colour(line.colour))
        _draw_numbers(axes, numbers)
        name_axes(axes, "draws a photo", "cross-entropy, nats")
        said = ", ".join(
            f"{n:,.0f} draws {value['value']:.3f}" for n, value in zip(numbers, values, strict=True)
        )
        levels = ", ".join(f"{other} {level['value']:.3f}" for other, level in figures.items())
        return svg(figure, "by-draws", f"Cross-entropy of the {name}: {said}. Levels: {levels}.")


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
        axis.set_major_locator(FixedLocator([10.0**power for power in range(0, -16, -step)]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _draw_numbers(axes: Axes, numbers: list[float]) -> None:
    """Make the axis of x logarithmic, with the numbers of draws at its ticks."""
    axes.set(xscale="log", xlim=(numbers[0] / 1.5, numbers[-1] * 1.5))
    axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
