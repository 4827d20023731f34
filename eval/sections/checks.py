"""Checks of the generator: whether a working one would pass, and what the discriminator knew."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eval.answers import Answers
from eval.figures.checks import build_checks, shuffled_precision
from eval.figures.coverage import word_modes
from eval.figures.metrics import mean_precision
from eval.findings import Findings
from eval.pages.plots import Log, finite
from eval.pages.section import Alarm, Section, Text, Verdicts
from eval.pages.text import number, percent

ORDER = 10
COLLAPSE_CHECKS = {"distinct_words", "noise_variance_share"}
N_LAST_RECORDS = 10


def measure(answers: Answers) -> dict[str, Any]:
    """Return `cgan_checks` and `checks`."""
    cgan, relevant = answers.systems["cgan"].ranking, answers.relevant[answers.tags]
    n_words = len(answers.vocabulary)
    values = {
        **answers.drawn.checks,
        "adversarial_gradient_share": _mean(answers.log, "adversarial_gradient_share"),
        "vocabulary_coverage": word_modes(cgan, n_words).coverage,
        "shuffled_P@10": shuffled_precision(cgan, relevant, answers.seed),
    }
    known = {name: value for name, value in values.items() if value is not None}
    frequency = answers.systems.get("frequency")
    level = mean_precision(frequency.ranking, relevant) if frequency else None
    checks = build_checks(known, n_words, mean_precision(cgan, relevant), level)
    return {"cgan_checks": known, "checks": checks}


def _mean(log: Log, name: str) -> float | None:
    values = [record[name] for record in log if record.get(name) is not None]
    return float(np.mean(values)) if values else None


def section(findings: Findings) -> Section | None:
    """Show the checks, those that failed first."""
    checks = sorted(findings.report.get("checks", []), key=lambda check: bool(check["passed"]))
    if not checks:
        return None
    state = discriminator_state(findings.log)
    failed = {check["name"] for check in checks if not check["passed"]}
    collapsed = Alarm(
        "The generator has collapsed",
        f"Its samples no longer vary with the noise as they should. {state}".strip(),
    )
    return Section.of(
        "checks",
        "Checks",
        "Checks",
        collapsed if failed & COLLAPSE_CHECKS else Text(state),
        Verdicts([check | {"value": number(check["value"])} for check in checks]),
    )


def discriminator_state(log: Log) -> str:
    """Say how often the discriminator was right at the end of training; "" without records."""
    names = ("d_accuracy_real", "d_accuracy_fake")
    records = [r for r in log if all(math.isfinite(finite(r.get(n))) for n in names)]
    records = records[-N_LAST_RECORDS:]
    if not records:
        return ""
    real, fake = (sum(r[name] for r in records) / len(records) for name in names)
    return (
        f"At the end of training (last {len(records)} records of the log, up to update "
        f"{records[-1]['update']:,}) the discriminator took {percent(real)} of the real pairs for "
        f"real and {percent(fake)} of the generated ones for generated. {_meaning(real, fake)}"
    ).strip()


def _meaning(real: float, fake: float) -> str:
    if min(real, fake) > 0.9:
        return "It tells them apart nearly always, so the generator has little to learn from."
    return "It can hardly tell them apart." if max(real, fake) < 0.6 else ""
