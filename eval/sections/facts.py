"""The data, the run, the command and the versions behind a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eval.answers import Answers
from eval.findings import Findings
from eval.pages.section import Cell, Command, Folded, Row, Section, Text
from eval.pages.text import exact, table_or_none

ORDER = 160
SOURCES = {"The data": "data", "The run": "run", "Versions": "versions"}


def measure(answers: Answers) -> dict[str, Any]:
    """Return `data`, `run`, `command` and `versions` as they were when the systems answered."""
    return dict(answers.facts)


def section(findings: Findings) -> Section | None:
    """Show all of them."""
    return facts_section(findings.report)


def facts_section(report: Mapping[str, Any]) -> Section | None:
    """Show what the report says of its own making, as far as it does."""
    tables = [
        table_or_none(title, ("what", "value"), _rows(report.get(key) or {}), "facts")
        for title, key in SOURCES.items()
    ]
    command = report.get("command")
    blocks = [Text("The command that made this report:"), Command(command)] if command else []
    blocks = [*blocks, *(Folded(table) for table in tables if table)]
    return Section("facts", "Data, run and versions", "Facts", blocks) if blocks else None


def _rows(facts: Mapping[str, Any], prefix: str = "") -> Iterable[Row]:
    """Yield nested facts as one list of names and values."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name} · ")
        else:
            yield Row(f"{prefix}{name}", (Cell(exact(value)),))
