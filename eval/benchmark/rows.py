"""The rows of the benchmark: our figure, the baseline's, their ratio and its target.

Seconds are measured in turn, so that other work on the machine slows all tasks alike.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Task = Callable[[], object]

# Threads of one library that still spin for more work take the cores from another's: before a task
# is timed they get so many seconds to fall asleep, and a short task runs once to wake its own.
PAUSE, SHORT = 0.25, 0.5


@dataclass(frozen=True)
class Row:
    """One comparison, made so that a larger `ratio` is better.

    `ours` and `rival` are in `unit`; where `better` is "less", ratio = rival / ours, else
    ours / rival. `why` says what bounds a row that is short of its target; `points` are sizes and
    costs, for rows that say how a cost grows.
    """

    what: str
    against: str
    ours: float
    rival: float
    unit: str
    better: Literal["more", "less"]
    target: float
    why: str = ""
    points: tuple[tuple[float, float], ...] = ()

    @property
    def ratio(self) -> float:
        """The factor by which ours is better."""
        return self.rival / self.ours if self.better == "less" else self.ours / self.rival

    @property
    def reached(self) -> bool:
        """Whether the ratio is at its target."""
        return self.ratio >= self.target

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON; `why` only where it is short of its target."""
        found = asdict(self) | {"ratio": self.ratio}
        del found["better"], found["points"]
        if self.reached:
            del found["why"]
        return found


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a GitHub Markdown table, and below it why some are short."""
    lines = ["| row | ours | against | | ratio | target |", "|---|---|---|---|---|---|"]
    for row in rows:
        mark = "" if row.reached else " (short)"
        lines.append(
            f"| `{row.what}` | {_number(row.ours)} {row.unit} | {row.against} | "
            f"{_number(row.rival)} {row.unit} | {row.ratio:.3g} | {row.target:g}{mark} |"
        )
    short = [f"- `{row.what}`: {row.why}" for row in rows if not row.reached and row.why]
    return "\n".join([*lines, *([""] if short else []), *short]) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


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
