"""The controls of the generator against their targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.findings import Findings
from eval.pages.section import Cell, Row, Section
from eval.pages.text import number, table_or_none

ORDER = 80
CONTROLS = {
    "distinct_words": "Different words among the samples of one photo. One that always gives the "
    "same few has collapsed.",
    "noise_variance_share": "Share of the generated vectors' variance that comes from the noise: "
    "near 0 the noise is ignored, near 1 the photo is.",
    "vocabulary_coverage": "Share of the vocabulary that is in the top ten of any photo.",
    "shuffled_P@10": "P@10 of the cgan when every photo gets another photo's features: it should "
    "fall to what knowing no photo earns.",
    "adversarial_gradient_share": "Share of the generator's gradient that comes from the "
    "discriminator, at the end of training.",
}


def section(findings: Findings) -> Section | None:
    """Show each control with its value, its target and whether it passed."""
    checks = {check["name"]: check for check in findings.report.get("checks", [])}
    rows = [
        Row(name, _cells(value, checks.get(name)), _meaning(name, checks))
        for name, value in findings.part("cgan_checks").items()
    ]
    columns = ("control", "value", "target", "result")
    table = table_or_none("Controls of the generator", columns, rows, "prose")
    return Section("controls", "Controls", "Controls", [table]) if table else None


def _meaning(name: str, checks: Mapping[str, Any]) -> str:
    return CONTROLS.get(name) or checks.get(name, {}).get("description", "")


def _cells(value: Any, check: Mapping[str, Any] | None) -> tuple[Cell, ...]:
    if check is None:
        return Cell(number(value)), Cell("–"), Cell("–")
    return Cell(number(value)), Cell(check["target"]), Cell("pass" if check["passed"] else "FAIL")
