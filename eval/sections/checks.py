"""Checks of the generator: whether a working one would pass, and what the discriminator knew."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from eval.answers import Answers
from eval.figures.modes import word_modes
from eval.findings import Findings
from eval.pages.plots import Log, finite
from eval.pages.section import Alarm, Section, Text, Verdicts
from eval.pages.text import number, percent
from mmcgan.arrays import IntArray
from mmcgan.inference.words.ranking import Ranking
from mmcgan.training.validation import Check, generator_checks, mean_precision, run_checks

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


def shuffled_precision(ranking: Ranking, relevant: sparse.csr_array, seed: int) -> float | None:
    """Return P@10 when every image is judged by another image's tags; None for a single image.

    No image keeps its own: each takes the tags of the next one in a seeded random round.
    """
    n_images = relevant.shape[0]
    if n_images < 2:
        return None
    return mean_precision(ranking, sparse.csr_array(relevant[derangement(n_images, seed)]))


def derangement(n: int, seed: int) -> IntArray:
    """Return a seeded permutation of n ≥ 2 places, a single round, that leaves none in place."""
    order = np.random.default_rng(seed).permutation(n)
    other = np.empty(n, np.int64)
    other[order] = np.roll(order, -1)
    return other


def build_checks(
    values: Mapping[str, float], n_words: int, cgan: float, frequency: float | None
) -> list[dict[str, Any]]:
    """Return the checks for which there is a value.

    `values` are the controls of the generator by name; `cgan` and `frequency` the P@10 of these
    systems, for the relevance that the run learnt.
    """
    checks = generator_checks(n_words)
    if frequency is not None:
        checks += frequency_checks(frequency)
    return run_checks(checks, {**values, "above_frequency": cgan})


def frequency_checks(frequency: float) -> list[Check]:
    """Return the checks against the P@10 of tag frequency, which looks at no photo."""
    return [
        Check(
            "shuffled_P@10",
            "P@10 of the cgan when every photo is judged by another photo's tags.",
            f"at most that of tag frequency, {frequency:.4f}",
            lambda value: value <= frequency,
        ),
        Check(
            "above_frequency",
            "P@10 of the cgan, which must be worth more than not looking at the photo.",
            f"above that of tag frequency, {frequency:.4f}",
            lambda value: value > frequency,
        ),
    ]


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
