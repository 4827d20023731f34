"""All systems by all measures: the figures to quote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from eval.answers import Answers
from eval.figures.bootstrap import Figure, figure, mean_figure, ratio_figure
from eval.figures.metrics import DESCRIPTIONS, METRICS, RankingWithTruth, expected_map
from eval.findings import RELEVANT_BY, Findings, relevance_name
from eval.pages.plots import Line, label_margin, label_rows, source_id
from eval.pages.section import Block, Cell, Heading, Plots, Row, Section, Table, Text
from eval.pages.svg import colour, drawing, name_axes, new_axes, svg
from eval.pages.text import cell, number, system_row
from eval.predictions import SystemPredictions
from mmcgan.training.config import TagSource

ORDER = 20
CUTS = (1, 5, 10)


def measure(answers: Answers) -> dict[str, Any]:
    """Return the figures of each system, `ratios` to the cgan, and `relevance`."""
    return {
        "systems": {name: _system(answers, name) for name in answers.systems},
        "ratios": {source: _ratios(answers, source) for source in answers.relevant},
        "relevance": {source: _relevance(answers, source) for source in answers.relevant},
        "metrics": DESCRIPTIONS,
    }


def _system(answers: Answers, name: str) -> dict[str, Any]:
    concept_map = _concept_map(answers, answers.systems[name])
    return {
        "role": answers.systems[name].role,
        **{source: _image_figures(answers, r) for source, r in answers.ranked[name].items()},
        **({"concept_MAP": concept_map} if concept_map else {}),
    }


def _image_figures(answers: Answers, ranked: RankingWithTruth) -> dict[str, Figure]:
    found = {name: mean_figure(m(ranked), answers.resamples) for name, m in METRICS.items()}
    return {name: value for name, value in found.items() if value}


def _concept_map(answers: Answers, system: SystemPredictions) -> Figure | None:
    if not answers.annotated.any():
        return None
    inputs = system.concept_scores, system.concept_tie_breaks, answers.annotated
    return figure(float(expected_map(*inputs)[0]), expected_map(*inputs, answers.resamples))


def _ratios(answers: Answers, source: TagSource) -> dict[str, Figure]:
    """Return the cgan's P@10 divided by that of each other system, on the same photos."""
    precision = {
        name: np.nan_to_num(METRICS["P@10"](by_source[source]))[None]
        for name, by_source in answers.ranked.items()
    }
    ours = precision.pop("cgan")
    found = {n: ratio_figure(ours, p, answers.seed) for n, p in precision.items() if p.any()}
    return {name: ratio for name, ratio in found.items() if np.isfinite(ratio["high"])}


def _relevance(answers: Answers, source: TagSource) -> dict[str, Any]:
    """Return how many tags are right, how many no system can give, and the best possible P@k."""
    n_relevant = np.diff(answers.relevant[source].indptr)
    n_relevant = n_relevant[n_relevant > 0]
    return {
        "n_relevant_mean": float(n_relevant.mean()),
        "n_outside_vocabulary": answers.n_outside[source],
        "ceiling": {f"P@{k}": float((np.minimum(n_relevant, k) / k).mean()) for k in CUTS},
    }


def section(findings: Findings) -> Section | None:
    """Show P@10 as a plot, and all measures as a table for each source of relevance."""
    known = [source for source in findings.sources if findings.measured(source, "P@10")]
    intervals = {
        f"P@10 of each system, relevant by {relevance_name(source)}": interval_plot(
            findings.measured(source, "P@10"), findings.lines, "P@10", source
        )
        for source in known
    }
    said = (
        "Values with their 95 % bootstrap interval over photos; the best of each column is bold, "
        "controls aside."
    )
    blocks: list[Block] = [Text(said), Plots.of(intervals)]
    blocks += [block for source in known for block in _blocks(findings, source)]
    return Section.of("systems", "All systems", "All systems", *blocks) if known else None


def _blocks(findings: Findings, source: str) -> list[Block]:
    is_learnt = source == findings.sources[0]
    said = _relevance_said(findings, source) + (" This is what the run learnt." * is_learnt)
    badge = "the figures to quote" if is_learnt else ""
    heading = Heading(f"Relevant by {relevance_name(source)}", badge)
    return [heading, Text(said), system_table(findings, source)]


def _relevance_said(findings: Findings, source: str) -> str:
    """Say what a source of relevance means, and what is known of it."""
    facts = findings.part("relevance").get(source, {})
    said = [f"Right is what is among {RELEVANT_BY.get(source, source)}."]
    if "n_relevant_mean" in facts:
        mean = number(float(facts["n_relevant_mean"]))
        said.append(f"A photo carries {mean} of them on average.")
    if "n_outside_vocabulary" in facts:
        n_outside = number(facts["n_outside_vocabulary"])
        said.append(f"Tags outside the vocabulary, which no system can give: {n_outside}.")
    return " ".join(said)


def system_table(findings: Findings, source: str) -> Table:
    """Return all systems by all measures of one relevance, with intervals and the ceiling."""
    systems = {n: s for n, s in findings.report["systems"].items() if s.get(source)}
    figures = {name: dict(system[source]) for name, system in systems.items()}
    if source == findings.sources[0]:
        for name, system in systems.items():
            if "concept_MAP" in system:
                figures[name]["concept_MAP"] = system["concept_MAP"]
    measures = list(dict.fromkeys(measure for own in figures.values() for measure in own))
    best = _best(figures, systems)
    cells_of = {
        name: [cell(own.get(m), m in own and own[m]["value"] == best.get(m)) for m in measures]
        for name, own in figures.items()
    }
    rows = [system_row(name, systems[name]["role"], own) for name, own in cells_of.items()]
    ceiling = findings.part("relevance").get(source, {}).get("ceiling")
    if ceiling:
        cells = tuple(Cell(number(ceiling.get(measure))) for measure in measures)
        rows.append(Row("ceiling", cells, "most that is possible", "ceiling"))
    caption = f"All systems, relevant by {relevance_name(source)}"
    return Table(caption, ("system", *measures), tuple(rows), "figures")


def _best(figures: Mapping[str, Any], systems: Mapping[str, Any]) -> dict[str, float]:
    """Return the best value of each measure; controls are no competitors."""
    best: dict[str, float] = {}
    for name, own in figures.items():
        for measure, found in own.items() if systems[name]["role"] != "control" else ():
            best[measure] = max(found["value"], best.get(measure, found["value"]))
    return best


def interval_plot(
    figures: Mapping[str, Mapping[str, float]],
    lines: Mapping[str, Line],
    measure: str,
    relevance: str,
) -> Markup:
    """Draw one measure of each system as a point with its 95 % interval, best on top."""
    ranked = sorted(figures.items(), key=lambda item: item[1]["value"])
    with drawing():
        left = label_margin(name for name, _ in ranked)
        figure, axes = new_axes(0.47 + 0.25 * len(ranked), left=left, top=0.05)
        for place, (name, value) in enumerate(ranked):
            hue, width = colour(lines[name].colour), lines[name].width
            axes.plot([value["low"], value["high"]], [place, place], color=hue, linewidth=width)
            axes.plot([value["value"]], [place], "o", markersize=3 + 1.5 * width, color=hue)
        label_rows(axes, [name for name, _ in ranked])
        axes.set_xlim(0, max([value["high"] for _, value in ranked] + [1e-3]) * 1.06)
        name_axes(axes, f"{measure}, 95 % interval", "")
        said = ", ".join(f"{name} {value['value']:.3f}" for name, value in reversed(ranked))
        alt = f"{measure} by {relevance} tags of each system, best first: {said}."
        return svg(figure, f"intervals-{source_id(relevance)}", alt)
