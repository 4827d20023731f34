"""How time and memory grow with the number of images and of words.

Each point is a process of its own (`eval.benchmark.stages`), which does one stage and says how long
it took and how much memory it held at most.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.benchmark.rows import Row

Sizes = tuple[tuple[str, ...], tuple[int, ...]]  # stages, and what grows

BY_IMAGES: Sizes = ("prepare", "train", "evaluate", "tag"), (4_000, 16_000, 64_000)
BY_WORDS: Sizes = ("prepare", "train", "rank"), (16_000, 64_000, 256_000)
N_FEW_WORDS, N_SOME_IMAGES = 1_000, 80_000  # where the other number grows


@dataclass(frozen=True)
class Cost:
    """The cost of a stage: seconds, and the most bytes of memory that it held."""

    seconds: float
    peak_bytes: int


def scale_rows() -> Iterator[Row]:
    """Yield the exponents of time and memory, by stage, against images and against words."""
    yield from _grown("images", BY_IMAGES[0], [(n, N_FEW_WORDS) for n in BY_IMAGES[1]])
    yield from _grown("words", BY_WORDS[0], [(N_SOME_IMAGES, n) for n in BY_WORDS[1]])


def _grown(unit: str, stages: tuple[str, ...], sizes: list[tuple[int, int]]) -> Iterator[Row]:
    """Yield the rows of some stages for pairs of images and words, one of which grows."""
    costs: dict[str, dict[int, Cost]] = {stage: {} for stage in stages}
    with tempfile.TemporaryDirectory() as folder:
        for n_images, n_words in sizes:
            work = Path(folder) / f"{n_images}-{n_words}"
            run_stage("draw", n_images, n_words, work)
            size = n_images if unit == "images" else n_words
            for stage in stages:  # each reads what the one before it wrote
                costs[stage][size] = run_stage(stage, n_images, n_words, work)
    for stage, measured in costs.items():
        seconds = {size: cost.seconds for size, cost in measured.items()}
        yield _row(f"scale_{stage}_{unit}_time", unit, "s", seconds)
        mebibytes = {size: cost.peak_bytes / 2**20 for size, cost in measured.items()}
        yield _row(f"scale_{stage}_{unit}_memory", unit, "MiB", mebibytes)


def run_stage(stage: str, n_images: int, n_words: int, folder: Path) -> Cost:
    """Measure the cost of a stage of that size in a process of its own, with empty caches."""
    sizes = (str(n_images), str(n_words))
    call = [sys.executable, "-m", "eval.benchmark.stages", stage, *sizes, str(folder)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / f"cache-{stage}")}
    done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def exponent(points: dict[int, float]) -> float:
    """Return b of the curve a · size^b nearest to `points`, in logarithms."""
    return float(np.polyfit(np.log(list(points)), np.log(list(points.values())), 1)[0])


def _row(name: str, grown: str, cost: str, points: dict[int, float]) -> Row:
    """Return the row of `points`, the cost at each size; `grown` and `cost` are their units."""
    least, most = min(points), max(points)
    costs = f"{points[least]:.3g} to {points[most]:.3g} {cost}"
    against = f"in proportion, {least:,} to {most:,} {grown}: {costs}"
    growth, why = max(exponent(points), 0.01), "within what the machine's other work changes"
    return Row(name, against, growth, 1.0, "exponent", "less", 1.0, why, tuple(points.items()))
