"""The figures of a digits report: one function a figure, each returns an inline SVG element."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from eval.pages.plots import Line, draw_line, fit
from eval.pages.svg import colour, drawing, name_axes, new_axes, svg
from eval.pages.text import percent

MAX_DROP = 1000.0  # nats below the best that are drawn: a much too narrow window has no bottom
BAR = 0.38  # width of a bar; two stand at each class


def sigma_plot(likelihood: Mapping[str, Any]) -> Markup:
    """Draw the log-likelihood of validation digits over the window's width, and the one chosen.

    `likelihood` is the `log_likelihood` part of a report.
    """
    means = {float(sigma): mean for sigma, mean in likelihood["validation"].items()}
    points = sorted((sigma, mean) for sigma, mean in means.items() if math.isfinite(mean))
    sigmas, values = zip(*points, strict=True)
    highest, lowest = max(values), max(min(values), max(values) - MAX_DROP)
    room = 0.06 * (highest - lowest) or 1.0
    with drawing():
        figure, axes = new_axes(left=0.62)
        draw_line(axes, sigmas, values, Line("cgan", width=2))
        axes.plot(sigmas, values, "o", markersize=3.5, color=colour("cgan"))
        axes.axvline(likelihood["sigma"], color=colour("muted"), linewidth=1, linestyle="--")
        axes.set(xscale="log", xlim=(sigmas[0] / 1.1, sigmas[-1] * 1.1))
        axes.set_ylim(lowest - room, highest + room)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        name_axes(axes, "sigma, width of the window", "log-likelihood on validation, nats")
        said = ", ".join(f"{mean:,.1f} at {sigma:.3g}" for sigma, mean in points)
        return svg(figure, "sigmas", f"Log-likelihood on validation by sigma: {said}.")


def class_plot(generated: Sequence[int], real: Sequence[int]) -> Markup:
    """Draw the share of each class among generated digits, and beside it among real ones."""
    shares, real_shares = ([n / sum(counts) for n in counts] for counts in (generated, real))
    places = np.arange(len(shares))
    with drawing():
        figure, axes = new_axes()
        axes.bar(places - BAR / 2, shares, BAR, color=colour("cgan"))
        axes.bar(places + BAR / 2, real_shares, BAR, color=colour("series-3"))
        fit(axes, shares + real_shares)
        axes.set_xticks(places, [str(place) for place in places])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        name_axes(axes, "class", "share of all digits")
        said = f"generated {_listed(shares)}; real {_listed(real_shares)}"
        return svg(figure, "classes", f"Share of each class, from 0 on: {said}.")


def _listed(shares: Sequence[float]) -> str:
    return ", ".join(percent(share) for share in shares)
