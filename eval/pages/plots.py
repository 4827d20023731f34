"""The figures of a report: one function a figure, each returns an inline SVG element."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from eval.pages.svg import colour, drawing, label, label_width, name_axes, new_axes, svg
from mmcgan.inference.words.vocabulary import printed

MAX_POINTS = 300  # of a learning curve; neighbours are averaged beyond that
N_BARS = 20  # words in the plot of single tags
N_NAMED = 4  # points with a name in the plot of balance

Values = Sequence[float]


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
    rivals = [name for name, role in roles.items() if role == "rival" and name != "frequency"]
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
            place = rivals.index(name)
            lines[name] = Line(f"series-{place % 5 + 1}", ((), (5, 1.5), (2, 1.2))[place // 5 % 3])
    return lines


def interval_plot(
    figures: Mapping[str, Mapping[str, float]],
    lines: Mapping[str, Line],
    measure: str,
    relevance: str,
) -> Markup:
    """Draw one measure of each system as a point with its 95 % interval, best on top."""
    ranked = sorted(figures.items(), key=lambda item: item[1]["value"])
    with drawing():
        left = _label_margin(name for name, _ in ranked)
        figure, axes = new_axes(0.47 + 0.25 * len(ranked), left=left, top=0.05)
        for place, (name, value) in enumerate(ranked):
            hue, width = colour(lines[name].colour), lines[name].width
            axes.plot([value["low"], value["high"]], [place, place], color=hue, linewidth=width)
            axes.plot([value["value"]], [place], "o", markersize=3 + 1.5 * width, color=hue)
        _label_rows(axes, [name for name, _ in ranked])
        axes.set_xlim(0, max([value["high"] for _, value in ranked] + [1e-3]) * 1.06)
        name_axes(axes, f"{measure}, 95 % interval", "")
        said = ", ".join(f"{name} {value['value']:.3f}" for name, value in reversed(ranked))
        alt = f"{measure} by {relevance} tags of each system, best first: {said}."
        return svg(figure, f"intervals-{_name(relevance)}", alt)


def curve_plot(
    curves: Mapping[str, Any], relevance: str, measure: str, lines: Mapping[str, Line]
) -> Markup:
    """Draw `measure` ("precision" or "recall") at k over k for every system."""
    drawn = {name: curve[relevance] for name, curve in curves.items() if relevance in curve}
    with drawing():
        figure, axes = new_axes()
        for name in _cgan_on_top(drawn, lines):
            draw_line(axes, drawn[name]["k"], drawn[name][measure], lines[name])
        fit(axes, [value for curve in drawn.values() for value in curve[measure]])
        axes.xaxis.set_major_locator(FixedLocator([1, 5, 10, 15, 20]))
        name_axes(axes, "k, tags given to a photo", f"{measure}@k")
        said = ", ".join(f"{n} {c[measure][-1]:.3f}" for n, c in drawn.items() if c[measure])
        alt = f"{measure.capitalize()} at k by {relevance} tags. At the largest k: {said}."
        return svg(figure, f"{measure}-{_name(relevance)}", alt)


def loss_plot(log: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw the losses of both networks over the updates; None if the log has none."""
    names = {
        "loss_d_real": Line("series-3"),
        "loss_d_fake": Line("series-3", (3, 1.2)),
        "loss_d_order": Line("series-2"),
        "loss_g_adversarial": Line("cgan", width=2),
    }
    return log_plot(log, names, "losses", "loss")


def accuracy_plot(log: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw how often the discriminator is right on real and on generated pairs, or their order."""
    names = {
        "d_accuracy_real": Line("series-1"),
        "d_accuracy_fake": Line("cgan", (3, 1.2), 2),
        "d_accuracy_order": Line("series-2"),
    }
    return log_plot(log, names, "accuracies", "discriminator's accuracy", top=1.0)


def dev_plot(log: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw P@10 on dev over the updates."""
    return log_plot(log, {"P@10": Line("cgan", width=2)}, "dev", "P@10 on dev")


def distinct_plot(log: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw how many distinct words the samples of an image hold, over the updates."""
    names = {"distinct_words": Line("cgan", width=2)}
    return log_plot(log, names, "distinct", "distinct words among the samples of a photo")


def tag_plot(per_tag: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw precision and recall of the most frequent tags, as pairs of points."""
    tags = list(reversed(per_tag[:N_BARS]))
    if not tags:
        return None
    names = [label(printed(tag["word"])) for tag in tags]
    recalls = [finite(tag["recall"]) for tag in tags]
    precisions = [finite(tag["precision"]) for tag in tags]
    with drawing():
        figure, axes = new_axes(0.47 + 0.21 * len(tags), left=_label_margin(names), top=0.05)
        places = np.arange(len(tags))
        axes.hlines(places, recalls, precisions, color=colour("line"), linewidth=2)
        axes.plot(recalls, places, "o", markersize=5.5, color=colour("cgan"))
        axes.plot(precisions, places, "D", markersize=4, color=colour("series-3"))
        _label_rows(axes, names)
        axes.set_xlim(-0.015, max([v for v in recalls + precisions if v == v] + [0.01]) * 1.06)
        name_axes(axes, "recall ●   precision ◆", "")
        alt = f"Recall and precision of the {len(tags)} most frequent tags; the table has them."
        return svg(figure, "tags", alt)


def balance_plot(per_tag: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw how often each tag is given over how often it is right to give it; both logarithmic.

    The line is balance: above it are the words that are given too often. Zero is drawn at ½.
    """
    tags = [tag for tag in per_tag if tag["n_relevant"] > 0]
    if not tags:
        return None
    carried = [tag["n_relevant"] for tag in tags]
    given = [max(tag["n_predicted"], 0.5) for tag in tags]
    highest = 1.6 * max(carried + given)
    with drawing():
        figure, axes = new_axes(0.47 + 0.21 * N_BARS)
        axes.plot([0.4, highest], [0.4, highest], color=colour("muted"), linewidth=1)
        axes.plot(carried, given, "o", markersize=3.5, alpha=0.6, color=colour("cgan"), mew=0)
        for place in _apart(given)[:N_NAMED]:
            _name_point(axes, carried[place], given[place], printed(tags[place]["word"]))
        _logarithmic(axes, highest, highest)
        name_axes(axes, "photos that carry the tag", "photos that get it (0 drawn at ½)")
        never = sum(tag["n_predicted"] == 0 for tag in tags)
        alt = f"How often {len(tags)} tags are given over how often they are right; "
        return svg(figure, "balance", f"{alt}{never} of them are never given.")


def retrieval_plot(counts: Mapping[str, Values], lines: Mapping[str, Line]) -> Markup | None:
    """Draw how often each word is in a top ten, words by rank, both axes logarithmic."""
    drawn = {name: [n for n in values if n > 0] for name, values in counts.items()}
    drawn = {name: values for name, values in drawn.items() if values}
    if not drawn:
        return None
    with drawing():
        figure, axes = new_axes()
        for name in _cgan_on_top(drawn, lines):
            ranks = _spread(len(drawn[name]))
            draw_line(axes, ranks, [drawn[name][rank - 1] for rank in ranks], lines[name])
        longest, highest = max(map(len, drawn.values())), max(v[0] for v in drawn.values())
        _logarithmic(axes, 1.25 * longest, 1.6 * highest)
        name_axes(axes, "rank of the word", "times in a top ten")
        said = ", ".join(f"{name} {len(values)} words" for name, values in drawn.items())
        return svg(figure, "retrieval", f"How often each word is retrieved, by rank: {said}.")


def _logarithmic(axes: Axes, right: float, top: float) -> None:
    """Make both axes logarithmic, up to `right` and `top`, with plain numbers at powers of ten."""
    axes.set(xscale="log", yscale="log", xlim=(0.4, right), ylim=(0.4, top))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([10.0**power for power in range(9)]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _apart(heights: Sequence[float]) -> list[int]:
    """Return places of the highest points whose names, on a logarithmic axis, do not overlap."""
    chosen: list[int] = []
    for place in sorted(range(len(heights)), key=lambda i: -heights[i]):
        if all(heights[other] > 1.3 * heights[place] for other in chosen):
            chosen.append(place)
    return chosen


def _name_point(axes: Axes, x: float, y: float, text: str) -> None:
    """Write `text` beside a point, on the side that has the room."""
    axes.annotate(
        label(text),
        (x, y),
        (-5, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=8,
        color=colour("muted"),
    )


def log_plot(
    log: Sequence[Mapping[str, Any]],
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


def log_series(log: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    """Return the updates and the values of one field of the log, at most MAX_POINTS of them.

    Records without the field, or where it is not a number, are left out; of a longer log,
    neighbouring records are averaged.
    """
    points = [(r["update"], r[name]) for r in log if math.isfinite(finite(r.get(name)))]
    if not points:
        return [], []
    means = [np.mean(group, axis=0) for group in np.array_split(points, _n_groups(len(points)))]
    return [float(m[0]) for m in means], [float(m[1]) for m in means]


def _n_groups(n_points: int) -> int:
    return min(n_points, MAX_POINTS)


def _name(relevance: str) -> str:
    """Return a way of relevance as part of an id."""
    return relevance.replace("+", "-")


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


def _cgan_on_top(names: Iterable[str], lines: Mapping[str, Line]) -> list[str]:
    """Return the names in the order of drawing: what is drawn last lies on top."""
    return sorted(names, key=lambda name: lines[name].width)


def fit(axes: Axes, values: Sequence[float], top: float | None = None) -> None:
    """Show all values from zero up; room is left even where all are the same."""
    highest = max([*values, top or 0.0])
    lowest = min([*values, 0.0])
    axes.set_ylim(lowest, highest + 0.05 * (highest - lowest) or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _label_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of a plot that is read from left to right."""
    axes.set_yticks(np.arange(len(names)), [label(name) for name in names], color=colour("ink"))
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(False, axis="y")
    axes.grid(True, axis="x", color=colour("line"), linewidth=0.7)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _label_margin(names: Iterable[str]) -> float:
    """Return the room in inches that the longest of `names` needs beside a plot."""
    return 0.2 + 0.082 * max(label_width(label(name)) for name in names)


def _spread(n: int) -> list[int]:
    """Return up to MAX_POINTS ranks from 1 to n, evenly on a logarithmic axis."""
    return sorted({round(rank) for rank in np.geomspace(1, n, MAX_POINTS).tolist()})


def finite(value: Any) -> float:
    """Return a number, or NaN, which a plot leaves out, for what is none."""
    return float(value) if isinstance(value, int | float) else math.nan
