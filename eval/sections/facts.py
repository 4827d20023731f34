"""The data, the run, the command and the versions behind a report."""

from __future__ import annotations

from typing import Any

from eval.answers import Answers
from eval.findings import Findings
from eval.pages.facts import facts_section
from eval.pages.section import Section

ORDER = 160


def measure(answers: Answers) -> dict[str, Any]:
    """Return `data`, `run`, `command` and `versions` as they were when the systems answered."""
    return dict(answers.facts)


def section(findings: Findings) -> Section | None:
    """Show all of them."""
    return facts_section(findings.report)
