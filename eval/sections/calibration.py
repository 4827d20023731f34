"""Whether a tag's score can be taken at its word: of tags scored near p, is a share p right?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.answers import Answers
from eval.figures.metrics import RankingWithTruth
from eval.figures.reliability import Reliability
from eval.findings import Findings
from eval.pages.plots import Line
from eval.pages.reliability import reliability_plot, reliability_table
from eval.pages.section import Folded, Plots, Section, Text
from eval.pages.text import number
from mmcgan.arrays import BoolArray, FloatArray

ORDER = 120
EDGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
N_GIVEN = 10  # tags a photo that are looked at
LINES = {"calibrated": Line("cgan", width=2.8), "as ranked": Line("frequency", (4, 1.6))}

DESCRIPTION = (
    "The ten best tags of every photo, in bins of their score: the mean score beside the share "
    "that the photo carries. Expected calibration error: the mean over all of these tags of the "
    "difference of both in their bin. Calibrated scores are those that tagging shows; how they are "
    "made of the scores of the ranking was fitted on dev. Users leave tags out, so that a score, "
    "which says how likely the user wrote the tag, is less than how likely it is right."
)


def measure(answers: Answers) -> dict[str, Any]:
    """Return `calibration`, unless the scores are no probabilities."""
    found = calibration(answers.scores.kinds, answers.own)
    return {"calibration": found} if found else {}


def calibration(
    kinds: Mapping[str, Callable[[FloatArray], FloatArray]], ranked: RankingWithTruth
) -> dict[str, Any] | None:
    """Return the `calibration` part of a report; None without a kind.

    `kinds` make probabilities of the scores of the model's own ranking, which is `ranked`.
    """
    best, right = ranked.ranking.scores[:, :N_GIVEN], ranked.hits[:, :N_GIVEN].ravel()
    systems = {name: calibration_of(made(best).ravel(), right) for name, made in kinds.items()}
    return {"description": DESCRIPTION, "systems": systems} if systems else None


def calibration_of(scores: npt.NDArray[np.floating], right: BoolArray) -> dict[str, Any]:
    """Return the expected calibration error of `scores` (n,), and its bins.

    A bin has the mean score and the share of `right` ones (n,); those without a score are left out.
    """
    bins = Reliability(EDGES)
    bins.add(scores, right)
    lines = bins.lines()
    n = sum(line["n"] for line in lines)
    error = sum(line["n"] * abs(line["predicted"] - line["observed"]) for line in lines) / n
    return {"expected_calibration_error": error, "n": n, "reliability": lines}


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
