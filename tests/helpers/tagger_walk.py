"""The way of the Tagger through one evaluation: the files that it passes, and how often it returns.

    python tests/helpers/tagger_walk.py RUN DATA OUT     (from the root of the project)

runs `python -m mmcgan.evaluate --run RUN --data DATA --out OUT` and counts, of the project's own
code, the calls that hand on the Tagger or what is made of it.

- Followed are the Tagger; the objects of the project's classes that a followed one holds (its
  model, generator, index, …), in attributes, lists, tuples and dicts; those that hold a followed
  one; and those that a call gives back, or yields, which was handed a followed one (rankings,
  draws, predictions, …). Arrays, numbers, texts and bare functions are data: they are not followed.
- A call counts if the evaluation's own code makes it (`eval`, `mmcgan.evaluate`), and a followed
  object is among its arguments, `self` included. What the package that answers does within such a
  call is its own affair. The same line calling the same function counts once, at its first time,
  so that loops and batches make no difference.
- The file of a call is that of the function that is called. Calls into the same file one after the
  other are one stay. `files` counts the different files, `returns` the stays in a file that was
  already left: the number of stays less that of files.

What is read back from the store has lost its tie to the Tagger, so that its way ends there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path.cwd()
PACKAGES = ("mmcgan", "eval", "data_prep")
OWN = ("eval/", "mmcgan/evaluate.py")
DEPTH = 4  # of attributes and items that are looked into


@dataclass
class Walk:
    """The calls that handed a followed object on, in the order of their first time."""

    root: Path
    calls: dict[tuple[str, int, str, str], None] = field(default_factory=dict)
    _followed: dict[int, Any] = field(default_factory=dict)  # with the objects, which keep their id
    _handed: dict[int, bool] = field(default_factory=dict)  # by running frame

    @property
    def stays(self) -> list[str]:
        """The files of the calls, each stay once."""
        return [name for name, _ in groupby(name for _, _, name, _ in self.calls)]

    @property
    def n_files(self) -> int:
        """The number of different files."""
        return len(set(self.stays))

    @property
    def n_returns(self) -> int:
        """The number of stays in a file that was already left."""
        return len(self.stays) - self.n_files

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        """Take an event of `sys.setprofile`."""
        if event not in ("call", "return") or not (name := self._file(frame)):
            return
        if event == "return":
            if self._handed.pop(id(frame), False) or type(value).__name__ == "Tagger":
                self._follow(value)
            return
        code = frame.f_code
        n_arguments = code.co_argcount + code.co_kwonlyargcount
        variables = frame.f_locals
        arguments = [variables.get(name) for name in code.co_varnames[:n_arguments]]
        handed = [self._holds(argument, DEPTH) for argument in arguments]
        self._handed[id(frame)] = is_handed = any(handed)
        caller = frame.f_back
        if is_handed and caller and self._file(caller).startswith(OWN):
            self.calls.setdefault((self._file(caller), caller.f_lineno, name, code.co_name))

    def _file(self, frame: FrameType) -> str:
        """Return the name of a function's file within the project, "" for one outside."""
        name = frame.f_code.co_filename
        inside = name.removeprefix(f"{self.root}/")
        return inside if inside != name and inside.startswith(PACKAGES) else ""

    def _follow(self, value: Any, depth: int = DEPTH) -> None:
        """Follow an object, and those that it holds."""
        if id(value) in self._followed or not depth:
            return
        if is_of_project(value):
            self._followed[id(value)] = value
        for part in parts(value):
            self._follow(part, depth - 1)

    def _holds(self, value: Any, depth: int) -> bool:
        """Return whether `value` is followed or holds what is; from then on it is."""
        if type(value).__name__ == "Tagger":
            self._follow(value)
        if id(value) in self._followed:
            for part in parts(value):
                self._follow(part)
            return True
        inner = [self._holds(part, depth - 1) for part in parts(value)] if depth else []
        found = any(inner)
        if found and is_of_project(value):
            self._followed[id(value)] = value
        return found


def is_of_project(value: Any) -> bool:
    """Whether an object is of one of the project's classes."""
    kind = type(value)
    return kind.__module__.split(".")[0] in PACKAGES and not isinstance(value, type)


def parts(value: Any) -> Iterator[Any]:
    """Yield what an object of the project, or a container, holds."""
    if isinstance(value, list | tuple):
        yield from value[:100]
    elif isinstance(value, dict):
        yield from list(value.values())[:100]
    elif is_of_project(value):
        yield from list(getattr(value, "__dict__", {}).values())


def walk_evaluation(run: Path, data: Path, out: Path, root: Path = ROOT) -> Walk:
    """Evaluate a run, and return the way of its Tagger."""
    from mmcgan.cli import run_command
    from mmcgan.evaluate import main

    walk = Walk(root)
    sys.setprofile(walk)
    try:
        status = run_command(main, ["--run", str(run), "--data", str(data), "--out", str(out)])
    finally:
        sys.setprofile(None)
    assert status == 0
    return walk


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    found = walk_evaluation(*map(Path, sys.argv[1:4]))
    for number, stay in enumerate(found.stays, 1):
        print(f"{number:3}  {stay}")
    print(f"{found.n_files} files, {found.n_returns} returns, {len(found.calls)} calls")
