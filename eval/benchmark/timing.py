"""Seconds that tasks take, measured in turn, so that other work on the machine slows all alike."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np

Task = Callable[[], object]

# Threads of one library that still spin for more work take the cores from another's: before a task
# is timed they get so many seconds to fall asleep, and a short task runs once to wake its own.
PAUSE, SHORT = 0.25, 0.5


def median_seconds(tasks: Mapping[str, Task], repeats: int) -> dict[str, float]:
    """Return the median seconds of each task; all run once beforehand, then in turn."""
    first = {name: _seconds(task) for name, task in tasks.items()}
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            time.sleep(PAUSE)
            if first[name] < SHORT:
                task()
            taken[name].append(_seconds(task))
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def _seconds(task: Task) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def python(code: str) -> Task:
    """Return the task of running `code` in a fresh Python process, which must end well."""

    def run() -> None:
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)

    return run
