"""Precision and recall at k, for each k."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FixedLocator

from eval.answers import Answers
from eval.figures.metrics import RankingWithTruth
from eval.findings import Findings, relevance_name
from eval.pages.plots import Line, cgan_on_top, draw_line, fit, source_id
from eval.pages.section import Legend, Plots, Section
from eval.pages.svg import drawing, name_axes, new_axes, svg

ORDER = 40
DEPTH = 20


def measure(answers: Answers) -> dict[str, Any]:
    """Return `curves`: mean precision and recall at 1 … DEPTH."""
    return {
        "curves": {
            name: {source: _curve(ranked) for source, ranked in by_source.items()}
            for name, by_source in answers.ranked.items()
        }
    }


def _curve(ranked: RankingWithTruth) -> dict[str, list[Any]]:
    known = ranked.n_relevant > 0
    cuts = np.arange(1, DEPTH + 1)
    hits = np.stack([ranked.hits[known, :k].sum(axis=1) for k in cuts], axis=1)  # (N, DEPTH)
    recall = hits / ranked.n_relevant[known, None]
    return {
        "k": cuts.tolist(),
        "precision": (hits / cuts).mean(axis=0).tolist(),
        "recall": recall.mean(axis=0).tolist(),
    }


def section(findings: Findings) -> Section | None:
    """Show precision and recall over k for each source of relevance."""
    curves = findings.part("curves")
    drawn = {
        f"{measure.capitalize()} at k, relevant by {relevance_name(source)}": curve_plot(
            curves, source, measure, findings.lines
        )
        for source in findings.sources
        if any(source in curve for curve in curves.values())
        for measure in ("precision", "recall")
    }
    blocks = Legend(list(findings.lines)), Plots.of(drawn)
    return Section("curves", "Precision and recall at k", "Curves", blocks) if drawn else None


def curve_plot(
    curves: Mapping[str, Any], relevance: str, measure: str, lines: Mapping[str, Line]
) -> Markup:
    """Draw `measure` ("precision" or "recall") at k over k for every system."""
    drawn = {name: curve[relevance] for name, curve in curves.items() if relevance in curve}
    with drawing():
        figure, axes = new_axes()
        for name in cgan_on_top(drawn, lines):
            draw_line(axes, drawn[name]["k"], drawn[name][measure], lines[name])
        fit(axes, [value for curve in drawn.values() for value in curve[measure]])
        axes.xaxis.set_major_locator(FixedLocator([1, 5, 10, 15, 20]))
        name_axes(axes, "k, tags given to a photo", f"{measure}@k")
        said = ", ".join(f"{n} {c[measure][-1]:.3f}" for n, c in drawn.items() if c[measure])
        alt = f"{measure.capitalize()} at k by {relevance} tags. At the largest k: {said}."
        return svg(figure, f"{measure}-{source_id(relevance)}", alt)
