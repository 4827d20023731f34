"""Run folders, started or finished, without a training."""

from __future__ import annotations

import os
from pathlib import Path

from mmcgan.training.runs import RunDir


def make_run(parent: Path, name: str, finished_at: int | None = None) -> Path:
    run = RunDir(parent / name)
    run.write_config({})
    if finished_at is not None:
        run.weights_path.touch()
        os.utime(run.weights_path, (finished_at, finished_at))
    return run.path
