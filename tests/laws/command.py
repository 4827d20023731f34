"""The command: try very many cases in all processors, and print what came of them."""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click
from laws.batches import Outcome, try_cases
from laws.cases import Case, make_case
from laws.real_files import find_photos, real_case
from laws.views import PROGRAMS, is_installed
from tqdm import tqdm

BATCH = 100  # cases that exiftool looks at in one process
N_SHOWN = 4  # cases that are named for a kind of violation


@click.command()
@click.option("--cases", default=5000, show_default=True, help="How many cases to try.")
@click.option("--seed", default=1, show_default=True, help="The seed of the cases.")
@click.option("--first", default=0, show_default=True, help="The number of the first case.")
@click.option("--files", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--keep", type=click.Path(path_type=Path), help="Keep cases that break a law here.")
@click.option("--processes", default=os.cpu_count(), show_default=True)
def main(
    cases: int, seed: int, first: int, files: Path | None, keep: Path | None, processes: int
) -> None:
    """Hold the laws on odd files that are made by seed and number.

    With --files, on copies of all photos in a folder instead. To see one case again, call it with
    its seed, --first NUMBER, --cases 1 and --keep FOLDER.
    """
    photos = find_photos(files) if files else []
    numbers = range(len(photos)) if files else range(first, first + cases)
    make = partial(_real, photos) if files else partial(make_case, seed)
    batches = [list(numbers[i : i + BATCH]) for i in range(0, len(numbers), BATCH)]
    for program in PROGRAMS:
        if not is_installed(program):
            click.echo(f"{program} is not installed: what it sees is not looked at", err=True)
    outcomes = list(_tried(batches, partial(_try, make, keep), processes, len(numbers)))
    for line in table(outcomes):
        click.echo(line)
    sys.exit(1 if any(outcome.violations for outcome in outcomes) else 0)


def _real(photos: list[Path], number: int) -> Case:
    return real_case(photos[number], number)


def _try(make: partial[Case], keep: Path | None, numbers: list[int]) -> list[Outcome]:
    warnings.simplefilter("ignore")  # Pillow's, about broken files
    return try_cases((make(number) for number in numbers), keep)


def _tried(
    batches: list[list[int]], attempt: partial[list[Outcome]], processes: int, n_cases: int
) -> Iterator[Outcome]:
    with ProcessPoolExecutor(processes) as pool, tqdm(total=n_cases, unit=" cases") as bar:
        for outcomes in pool.map(attempt, batches):
            bar.update(len(outcomes))
            yield from outcomes


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """What came of the cases, and the violations by kind with the cases to look at."""
    outcomes = list(outcomes)
    yield f"{len(outcomes):,} cases"
    for (write, result), n in sorted(Counter((o.write, o.result) for o in outcomes).items()):
        yield f"{n:8,}  {write}, {result}"
    by_kind = defaultdict(list)
    for outcome in outcomes:
        for kind in dict.fromkeys(text.partition(" — ")[0] for text in outcome.violations):
            by_kind[kind].append(outcome)
    n_wrong = sum(bool(outcome.violations) for outcome in outcomes)
    yield f"{n_wrong:,} cases break a law"
    for kind, found in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        yield f"{len(found):8,}  {kind}"
        yield f"          {'; '.join(outcome.name for outcome in found[:N_SHOWN])}"
        details = Counter(d for o in found for k, _, d in _parted(o) if k == kind and d)
        if details:
            yield f"          {'; '.join(f'{d} ({n})' for d, n in details.most_common(N_SHOWN))}"


def _parted(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    return (text.partition(" — ") for text in outcome.violations)
