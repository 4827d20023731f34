"""Settings of `mmcgan evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmcgan.options import Config, option


@dataclass(frozen=True)
class EvaluateConfig(Config):
    """`python -m mmcgan.evaluate`: a run and a prepared file → a report."""

    run: Path | None = option(None, "Run folder; the newest finished one under runs/.")
    data: Path | None = option(
        None, "Folder of the prepared data; the one that the run was trained on."
    )
    split: Literal["val", "test"] = option("val", "The split to measure.")
    out: Path | None = option(None, "Folder of the report; RUN/report-SPLIT if not given.")
    seed: int = option(0, "Seed of the noise, the bootstrap and the baselines.", at_least=0)
