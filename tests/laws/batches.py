"""Try many cases together, so that exiftool and exiv2 run once for all of them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from laws.cases import Case
from laws.judge import files_of, judge
from laws.refusals import kind_of
from laws.seen import PLACE
from laws.trials import Trial
from laws.views import File, Views, is_installed, with_keyword

ADDED = "another program's"


@dataclass(frozen=True)
class Outcome:
    """What came of one case: `result` is "written", "nothing to write", or a refusal's kind."""

    name: str
    write: str
    labels: tuple[str, ...]
    result: str
    violations: tuple[str, ...]


def try_cases(cases: Iterable[Case], keep: Path | None = None) -> list[Outcome]:
    """Try cases in a folder of their own; those that break a law are copied to `keep`.

    A case that this file system cannot hold is left out.
    """
    with tempfile.TemporaryDirectory(prefix="laws-") as name:
        folder = Path(name)
        trials = [Trial(case, folder / str(i)) for i, case in enumerate(cases)]
        trials = [trial for trial in trials if trial.build()]
        for trial in trials:
            trial.start()
        controls = _edit(trials, folder / "edits")
        for trial in trials:
            trial.finish()
        return _outcomes(trials, controls, folder, keep)


def _edit(trials: list[Trial], folder: Path) -> dict[int, File]:
    """Let another program add a keyword to what we wrote.

    Returns what it makes of the same file where we wrote nothing, by the place of the trial.
    """
    edited = [i for i, t in enumerate(trials) if _is_edited(t)] if is_installed("exiftool") else []
    files = []
    for i in edited:
        path, written = trials[i].path, _last_written(trials[i])
        nothing = File(b"", written[path].ending)
        files += [written[path], files_of(trials[i], "before").get(path, nothing)]
    after = with_keyword(files, ADDED, folder) if files else []
    controls = {}
    for i, new, control in zip(edited, after[::2], after[1::2], strict=True):
        if new is not None and control is not None:
            (trials[i].photo.parent / trials[i].path).write_bytes(new)
            trials[i].is_edited = True
            controls[i] = File(control, files[2 * edited.index(i)].ending)
    return controls


def _last_written(trial: Trial) -> dict[str, File]:
    """The files after our last write, which may take a sidecar away again."""
    return files_of(trial, "again" if "again" in trial.states else "written")


def _is_edited(trial: Trial) -> bool:
    if not trial.case.other_program or not trial.path or trial.refusal:
        return False
    written = _last_written(trial).get(trial.path)
    # exiftool breaks UTF-16 and numbered items when it edits
    return written is not None and not re.search(rb"R\0D\0F|<\w+:_1>", written.data)


def _outcomes(
    trials: list[Trial], controls: dict[int, File], folder: Path, keep: Path | None
) -> list[Outcome]:
    views = Views()
    files = [f for t in trials for state in t.states for f in files_of(t, state).values()]
    views.look([*files, *controls.values()], folder / "views")
    outcomes = []
    for i, trial in enumerate(trials):
        violations = judge(trial, views)
        if i in controls and "anything" not in trial.case.may_skip:
            violations += _after_edit(trial, controls[i], views)
        outcomes.append(_outcome(trial, violations))
        if keep and violations:
            _keep(trial, outcomes[-1], keep / trial.case.name.replace(", ", " "))
    return outcomes


def _outcome(trial: Trial, violations: list[str]) -> Outcome:
    result = "written" if trial.path else "nothing to write"
    result += ", removal names what stays" if trial.problems else ""
    result = f"refused: {kind_of(trial.refusal)}" if trial.refusal else result
    case = trial.case
    return Outcome(case.name, case.write, case.labels, result, tuple(dict.fromkeys(violations)))


def _after_edit(trial: Trial, control: File, views: Views) -> list[str]:
    """After removal, an edited file is as if we had never written into it."""
    removed = files_of(trial, "removed").get(trial.path)
    if trial.problems:
        return []  # what stays is named
    if removed is None:
        return ["c: a file that another program edited is gone"]
    found = ["c: marks are left in a file that another program edited"] * (
        b"mmcgan" in removed.data
    )
    now, never = (views.of["exiftool"].get(file, {}) for file in (removed, control))
    for tag in sorted(now.keys() | never.keys()):
        if tag.startswith(("MPImage", "ExifTool:")):
            continue  # exiftool, which made the other file, loses further pictures itself
        if not PLACE.search(tag) and [t for t in now.get(tag, []) if t] != [
            t for t in never.get(tag, []) if t
        ]:
            found.append(f"c: removal after another program's edit leaves another tag — {tag}")
    return found


def _keep(trial: Trial, outcome: Outcome, folder: Path) -> None:
    """Write the files of a case, in each of its states, and what is wrong with it."""
    for name, state in trial.states.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for path, entry in state.items():
            (folder / name / path).write_bytes(entry.data)
    lines = [*outcome.labels, "", outcome.result, trial.refusal, "", *outcome.violations]
    (folder / "what.txt").write_text("\n".join(lines) + "\n", "utf-8", "surrogateescape")
