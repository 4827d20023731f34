"""Whether a tag's score can be taken at its word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.answers import Answers
from eval.figures.calibration import calibration
from eval.findings import Findings
from eval.pages.plots import Line
from eval.pages.reliability import reliability_plot, reliability_table
from eval.pages.section import Folded, Plots, Section, Text
from eval.pages.text import number

ORDER = 120
LINES = {"calibrated": Line("cgan", width=2.8), "as ranked": Line("frequency", (4, 1.6))}


def measure(answers: Answers) -> dict[str, Any]:
    """Return `calibration`, unless the scores are no probabilities."""
    found = calibration(answers.scores.kinds, answers.own)
    return {"calibration": found} if found else {}


def section(findings: Findings) -> Section | None:
    """Show predicted and observed probability of the scores."""
    part = findings.part("calibration")
    table = reliability_table(part)
    if not table:
        return None
    caption = (
        "How often a tag is right, over its score, calibrated (orange) and as ranked; on the line "
        "a score is what it says"
    )
    return Section.of(
        "calibration",
        "Scores as probabilities",
        "Scores",
        Text(calibration_said(part)),
        Plots.of({caption: reliability_plot(part, LINES, "calibration")}),
        Text(part.get("description", ""), fine=True),
        Folded(table),
    )


def calibration_said(part: Mapping[str, Any]) -> str:
    """Say how far scores are from what they promise."""
    systems = part["systems"]
    errors = {name: system["expected_calibration_error"] for name, system in systems.items()}
    said = ", ".join(f"{number(error)} {name}" for name, error in errors.items())
    return (
        f"Of the ten best tags of every photo ({next(iter(systems.values()))['n']:,} tags), the "
        f"expected calibration error of the scores is {said}."
    )
