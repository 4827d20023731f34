"""Model files of version 1, which held the settings of a training in place of a network record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

KEPT = ("words", "n_photos", "backbone", "facts")


def upgraded(description: dict[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return the description of a model of version 1 as one of version 2.

    Its settings had the defaults of the preset `paper` where they were not stored. Raises
    `KeyError` where something is missing.
    """
    settings = {
        "generator": "linear",
        "members": 1,
        "noise_size": 100,
        "noise_units": 500,
        "image_units": 2000,
        "retrieval": 0.0,
        "ranking": "vote",
        **description["config"],
    }
    if settings["retrieval"] and "word_bias" not in arrays:
        raise KeyError("word_bias")
    calibration = description.get("calibration")
    return {
        "format_version": 2,
        "network": {
            "kind": settings["generator"],
            "generators": settings["members"],
            "feature_size": description["feature_size"],
            "vector_size": description["vector_size"],
            **{name: settings[name] for name in ("noise_size", "noise_units", "image_units")},
            "noise_scale": float(arrays.get("generator.spread", 1.0)),
        },
        "ranking": settings["ranking"],
        "synonyms": description.get("doubles", {}),
        **({"calibration": calibration} if calibration else {}),
        **{name: description[name] for name in KEPT},
    }
