"""Seconds that tasks take, measured in turn, so that what slows the machine slows all of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np

Task = Callable[[], object]


def median_seconds(tasks: Mapping[str, Task], repeats: int) -> dict[str, float]:
    """Return the median seconds of each task; all run once beforehand, then in turn."""
    for task in tasks.values():
        task()
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            taken[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def python(code: str) -> Task:
    """Return the task of running `code` in a fresh Python process, which must end well."""

    def run() -> None:
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)

    return run
