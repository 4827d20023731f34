"""How the baselines were tuned on dev, and which were left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.answers import Answers
from eval.findings import Findings
from eval.pages.section import Beside, Cell, Row, Section, Table, Text
from eval.pages.text import number, parameters

ORDER = 140


def measure(answers: Answers) -> dict[str, Any]:
    """Return `tuning`, and `rivals_left_out` with the reasons."""
    return {
        "tuning": dict(answers.tuning),
        "rivals_left_out": dict(answers.baselines_left_out),
    }


def section(findings: Findings) -> Section | None:
    """Show all that was tried, and what was chosen."""
    tables = [
        _table(name, tuning)
        for name, tuning in findings.part("tuning").items()
        if tuning.get("tried")
    ]
    said = (
        "Each baseline was fitted on the photos, features and tags that the run learnt from, with "
        "every setting below tried on dev."
    )
    title = "How the baselines were tuned"
    return Section("tuning", title, "Tuning", [Text(said), Beside(tables)]) if tables else None


def _table(name: str, tuning: Mapping[str, Any]) -> Table:
    rows = []
    for trial in tuning["tried"]:
        chosen = trial["params"] == tuning.get("chosen")
        score = Cell(number(trial.get("P@10")), "chosen" if chosen else "", chosen)
        rows.append(Row(parameters(trial["params"]), (score,)))
    refitted = tuning.get("refitted")
    fitted = "" if refitted is None else f", {'' if refitted else 'not '}refitted on train + dev"
    caption = f"{name}: {len(rows)} tried{_members(tuning)}{fitted}"
    return Table(caption, ("setting", "P@10 on dev"), tuple(rows))


def _members(tuning: Mapping[str, Any]) -> str:
    """Say how many members of an ensemble judged a setting; "" of what is none."""
    if "n_members" not in tuning:
        return ""
    return f", each with {tuning['n_tried_members']} of {tuning['n_members']} members"
