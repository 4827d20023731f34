"""Whether a tag's score can be taken at its word: of tags scored near p, is a share p right?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eval.figures.metrics import Judged
from eval.figures.reliability import Reliability
from mmcgan.inference.model import Model

EDGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
N_GIVEN = 10  # tags a photo that are looked at

DESCRIPTION = (
    "The ten best tags of every photo, in bins of their score: the mean score beside the share "
    "that the photo carries. Expected calibration error: the mean over all of these tags of the "
    "difference of both in their bin. Calibrated scores are those that tagging shows; how they are "
    "made of the scores of the ranking was fitted on dev. Users leave tags out, so that a score, "
    "which says how likely the user wrote the tag, is less than how likely it is right."
)


def calibration(model: Model, judged: Judged) -> dict[str, Any]:
    """Return the `calibration` part of a report; {} if the scores are no probabilities.

    `judged` is what the model's own ranking says, beside the truth.
    """
    if not model.scores_are_probabilities:
        return {}
    best, right = judged.ranking.scores[:, :N_GIVEN], judged.hits[:, :N_GIVEN].ravel()
    scores = {"as ranked": best}
    if model.calibration is not None:
        scores["calibrated"] = model.calibrated(best)
    systems = {name: calibration_of(values.ravel(), right) for name, values in scores.items()}
    return {"calibration": {"description": DESCRIPTION, "systems": systems}}


def calibration_of(
    scores: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """Return the expected calibration error of `scores` (n,), and the mean score and share of
    `right` ones (n,) by bins; those without a score are left out.
    """  # fmt: skip
    bins = Reliability(EDGES)
    bins.add(scores, right)
    lines = bins.lines()
    n = sum(line["n"] for line in lines)
    error = sum(line["n"] * abs(line["predicted"] - line["observed"]) for line in lines) / n
    return {"expected_calibration_error": error, "n": n, "reliability": lines}
