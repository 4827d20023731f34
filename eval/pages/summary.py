"""The head of the report of a tagger: its title, its summary in sentences, its largest figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.findings import RELEVANT_BY, Findings
from eval.pages.section import Page, Tile
from eval.pages.text import interval, number, with_interval
from eval.sections import section_modules

Figures = Mapping[str, Mapping[str, Any]]


def page_of(findings: Findings) -> Page:
    """Return the page of a report, its sections in their order."""
    shown = [module.section(findings) for module in section_modules()]
    sections = [section for section in shown if section]
    return Page(headline(findings), summary(findings), tiles(findings), sections, findings.lines)


def headline(findings: Findings) -> str:
    """Return the title: what was measured, and on which photos."""
    parts = findings.part("data").get("name"), findings.report["split"]
    return "Photo tagging on " + " · ".join(str(part) for part in parts if part)


def summary(findings: Findings) -> list[str]:
    """Return the sentences that say, in plain words, what was measured and what came out."""
    source = findings.sources[0]
    figures = findings.measured(source, "P@10")
    ours = figures.get(findings.own)
    said = [_what_was_measured(findings)]
    if ours:
        said.append(
            f"Of ten tags that the cgan gives a photo, {10 * ours['value']:.2f} are right on "
            f"average: P@10 is {with_interval(ours)}."
        )
        said += _against_baselines(findings, figures, ours)
    left_out = findings.part("rivals_left_out")
    said += [f"The baseline {name} was left out: {why}." for name, why in left_out.items() if ours]
    ceiling = findings.part("relevance").get(source, {}).get("ceiling", {}).get("P@10")
    if ceiling is not None:
        said.append(
            f"The most that any system could reach is {number(ceiling)}, since many photos carry "
            "fewer than ten tags."
        )
    return [*said, *_passed(findings.report.get("checks", []))]


def tiles(findings: Findings) -> list[Tile]:
    """Return P@10 of the cgan, of the best baseline and of tag frequency."""
    figures = findings.measured(findings.sources[0], "P@10")
    best = best_baseline(findings, figures)
    shown = {"the cgan of this run": findings.own, "the best baseline": best}
    if best != "frequency":
        shown["without looking: frequency"] = "frequency"
    return [
        Tile(title, number(figure["value"]), _note(figure), name, findings.lines[name].colour)
        for title, name in shown.items()
        if name and (figure := figures.get(name))
    ]


def best_baseline(findings: Findings, figures: Figures) -> str | None:
    """Return the baseline with the highest of `figures`, None without baselines."""
    names = [n for n in figures if findings.report["systems"][n]["role"] == "rival"]
    return max(names, key=lambda name: figures[name]["value"], default=None)


def compared(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Say how two measures compare; where their 95 % intervals overlap, not more than that."""
    if ours.get("low", ours["value"]) > theirs.get("high", theirs["value"]):
        return "clearly above"
    if ours.get("high", ours["value"]) < theirs.get("low", theirs["value"]):
        return "clearly below"
    return "not clearly different from"


def _note(figure: Mapping[str, Any]) -> str:
    return ", ".join(part for part in ("P@10", interval(figure)) if part)


def _what_was_measured(findings: Findings) -> str:
    report, source = findings.report, findings.sources[0]
    reasons = {
        "n_skipped": "more had no tag to be judged by and were left out",
        "n_left_out": "others were left out by chance, as these are enough",
    }
    left_out = [f"{report[name]:,} {why}" for name, why in reasons.items() if report.get(name)]
    said = f" ({'; '.join(left_out)})" if left_out else ""
    return (
        f"A conditional GAN (“cgan”) was asked for the tags of {report['n_images']:,} photos of "
        f"the split {report['split']}, none of which it was trained on{said}. A tag counts as "
        f"right if it is among {RELEVANT_BY.get(source, source)}."
    )


def _against_baselines(findings: Findings, figures: Figures, ours: Mapping[str, Any]) -> list[str]:
    said = []
    best = best_baseline(findings, figures)
    if best:
        ratio = findings.part("ratios").get(findings.report["tags"], {}).get(best)
        how = compared(ratio, {"value": 1.0}) if ratio else compared(ours, figures[best])
        said.append(
            f"That is {how} the best baseline, {best}, which reaches "
            f"{with_interval(figures[best])} on the same photos and features."
        )
        if ratio:
            said.append(
                f"Photo by photo it is {ratio['value']:.3f} times that "
                f"(95 % interval {ratio['low']:.3f}–{ratio['high']:.3f})."
            )
    if best != "frequency" and "frequency" in figures:
        said.append(
            f"Always giving the most frequent tags, without looking at the photo, reaches "
            f"{with_interval(figures['frequency'])}; the cgan is "
            f"{compared(ours, figures['frequency'])} that."
        )
    return said


def _passed(checks: list[Mapping[str, Any]]) -> list[str]:
    if not checks:
        return []
    n_passed = sum(check["passed"] for check in checks)
    failed = ", ".join(check["name"] for check in checks if not check["passed"])
    return [f"{n_passed} of {len(checks)} checks passed{'; failed: ' if failed else ''}{failed}."]
