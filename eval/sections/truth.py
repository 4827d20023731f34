"""The distance of the draws from the true distribution of tags, where it is known."""

from __future__ import annotations

from typing import Any

from eval.answers import Answers
from eval.figures.truth import distance_from_truth
from eval.findings import Findings
from eval.pages.section import Cell, Row, Section, Text
from eval.pages.text import number, table_or_none

ORDER = 100
NAMES = {
    "total_variation": "total variation (0 the same, 1 disjoint)",
    "mode_coverage": "share of the true modes that are generated",
    "n_draws": "generated tags",
}


def measure(answers: Answers) -> dict[str, Any]:
    """Return `truth`, for the tags that the run learnt."""
    truth = answers.truth
    if truth is None:
        return {}
    words = answers.vocabulary.words
    found = distance_from_truth(answers.drawn.nearest, truth.scene, truth, answers.tags, words)
    return {"truth": found} if found else {}


def section(findings: Findings) -> Section | None:
    """Show the distance, and say how it was measured."""
    truth = findings.part("truth")
    rows = (Row(text, (Cell(number(truth[n])),)) for n, text in NAMES.items() if n in truth)
    table = table_or_none("Distance from the true distribution", ("measure", "value"), rows)
    said = Text(truth.get("description", ""))
    title = "Distance from the known truth"
    return Section.of("truth", title, "Truth", said, table) if table else None
