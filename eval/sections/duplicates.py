"""Photos with a near duplicate among the training photos, and the figures without them."""

from __future__ import annotations

from typing import Any

import numpy as np

from eval.answers import Answers
from eval.baselines.nearest import NEAR_DUPLICATE_COSINE
from eval.figures.metrics import METRICS
from eval.findings import Findings
from eval.pages.section import Cell, Section, Table, Text
from eval.pages.text import number, system_row, table_or_none

ORDER = 90


def measure(answers: Answers) -> dict[str, Any]:
    """Return `near_duplicates`: how many there are, and P@10 of the other photos."""
    without: dict[str, dict[str, float]] = {}
    for name, by_source in answers.ranked.items():
        values = {s: METRICS["P@10"](r)[~answers.has_duplicate] for s, r in by_source.items()}
        without[name] = {
            s: float(np.nanmean(v)) for s, v in values.items() if not np.isnan(v).all()
        }
    return {
        "near_duplicates": {
            "threshold": NEAR_DUPLICATE_COSINE,
            "n_images": int(answers.has_duplicate.sum()),
            "P@10_without": without,
        }
    }


def section(findings: Findings) -> Section | None:
    """Say how many photos have a near duplicate, and show P@10 with and without them."""
    found = findings.part("near_duplicates")
    if "n_images" not in found:
        return None
    said = (
        f"{found['n_images']:,} of {findings.report['n_images']:,} evaluated photos have a "
        f"neighbour in train with a cosine of their features above {found['threshold']:g}. What a "
        "system learnt of that neighbour may help it; without these photos the figures are:"
    )
    table = duplicate_table(findings)
    return Section.of("duplicates", "Near duplicates", "Near duplicates", Text(said), table)


def duplicate_table(findings: Findings) -> Table | None:
    """Return P@10 with and without the photos that have a near duplicate in train."""
    systems = findings.report["systems"]
    without = findings.part("near_duplicates").get("P@10_without", {})
    known = [s for s in findings.sources if any(s in values for values in without.values())]
    columns = [title for s in known for title in (f"all photos ({s})", f"without ({s})")]
    cells = {
        name: [
            Cell(number(value))
            for source in known
            for value in (systems[name].get(source, {}).get("P@10"), values.get(source))
        ]
        for name, values in without.items()
        if name in systems and known
    }
    rows = (system_row(name, systems[name]["role"], own) for name, own in cells.items())
    return table_or_none("P@10 with and without near duplicates", ("system", *columns), rows)
