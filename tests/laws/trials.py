"""Try one case: write, write again, remove, and keep what the folder was like each time."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from laws.cases import Case
from laws.refusals import kind_of

from mmcgan.errors import MetadataError
from mmcgan.metadata import (
    Change,
    Marks,
    find_sidecars,
    model_of_embedded,
    model_of_sidecar,
    plan_embedded,
    plan_removal,
    plan_sidecar,
    read_keywords,
)


class Entry(NamedTuple):
    """What is under one name of a folder. Hard links of one file have the same `twin`."""

    data: bytes
    mode: int
    link: str
    twin: str
    attributes: tuple[tuple[str, bytes], ...]


State = dict[str, Entry]


def state_of(folder: Path) -> State:
    """All that is in a folder."""
    state: State = {}
    first: dict[int, str] = {}
    for path in sorted(folder.iterdir()):
        status = path.lstat()
        is_file = stat.S_ISREG(status.st_mode)
        data, attributes = (path.read_bytes(), _attributes(path)) if is_file else (b"", ())
        link = str(path.readlink()) if path.is_symlink() else ""
        twin = first.setdefault(status.st_ino, path.name)
        state[path.name] = Entry(data, status.st_mode, link, twin, attributes)
    return state


def _attributes(path: Path) -> tuple[tuple[str, bytes], ...]:
    with suppress(AttributeError, OSError):
        return tuple((name, os.getxattr(path, name)) for name in os.listxattr(path))
    return ()


@dataclass
class Trial:
    """What came of a case. `states` are the folder's, by what was done before each."""

    case: Case
    folder: Path
    states: dict[str, State] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refusal: str = ""
    wrong: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # that a removal names
    path: str = ""  # of the file that was written last, where one was
    paths: dict[str, str] = field(default_factory=dict)  # the same by state
    is_edited: bool = False  # by another program after we wrote

    @property
    def photo(self) -> Path:
        return self.folder / "photos" / self.case.photo

    def build(self) -> bool:
        """Make the files; whether this file system can hold their names and links."""
        try:
            self.case.build(self.folder / "photos")
        except OSError:
            return False
        return True

    def start(self) -> None:
        """Write, once or twice."""
        self._keep("before")
        self._check_that_nothing_is_planned()
        self._write("written", self.case.marks)
        if self.refusal or not self.path:
            return
        self._check_again(self.case.marks)
        if self.case.second:
            self._add_late_sidecar()
            self._write("again", self.case.second)
            self._check_older_sidecars()
        if self.case.neighbour:
            self._write_neighbour(self.folder / "photos" / self.case.neighbour)

    def finish(self) -> None:
        """Take all out again."""
        self.remove(self.photo)
        self._keep("removed")
        copies = self.folder / "data" / "mmcgan" / "originals"
        self.copies = sorted(path.name for path in copies.iterdir()) if copies.is_dir() else []

    def guarded(self, what: str, do: Callable[[], object]) -> object:
        """The result of a call that must not fail."""
        try:
            os.environ["XDG_DATA_HOME"] = str(self.folder / "data")
            return do()
        except Exception as reason:
            self._failed(what, reason)
            return None

    def _failed(self, what: str, reason: Exception) -> None:
        if isinstance(reason, MetadataError):
            kind = kind_of(self._without_names(str(reason)))
            self.wrong.append(f"c: {what} fails — {kind}")
            return
        text = getattr(reason, "strerror", None) or str(reason)
        self.wrong.append(f"traceback: {what} raises {type(reason).__name__} — {text}")

    def remove(self, photo: Path) -> None:
        def apply() -> None:
            removal = plan_removal(photo)
            self.problems += getattr(removal, "problems", [])
            for change in removal:
                change.diff()
                change.apply()

        self.guarded("removal", apply)

    def _check_that_nothing_is_planned(self) -> None:
        plans = self.guarded("planning a removal where nothing is ours", self._plans)
        if isinstance(plans, list) and plans:
            self.wrong.append("c: a removal is planned where nothing is ours")
        for problem in getattr(plans, "problems", ()):
            kind = kind_of(self._without_names(problem))
            self.wrong.append(f"c: a problem is named where nothing is ours — {kind}")

    def _plans(self) -> object:
        return plan_removal(self.photo)

    def _keep(self, name: str) -> None:
        self.states[name] = state_of(self.folder / "photos")
        found = self.guarded(
            "reading", lambda: read_keywords(self.photo, find_sidecars(self.photo)).texts
        )
        self.texts[name] = found if isinstance(found, tuple) else ()

    def plan(self, photo: Path, marks: Marks) -> Change:
        plan = plan_sidecar if self.case.write == "sidecar" else plan_embedded
        return plan(photo, marks)

    def _write(self, name: str, marks: Marks) -> None:
        def write() -> None:
            change = self.plan(self.photo, marks)
            change.diff()
            change.apply()
            self.path = change.path.name if change.is_needed else self.path

        try:
            os.environ["XDG_DATA_HOME"] = str(self.folder / "data")
            write()
        except MetadataError as reason:
            self._refused(name, str(reason))
        except Exception as reason:
            self._failed("writing", reason)
        self.paths[name] = self.path
        self._keep(name)

    def _refused(self, name: str, message: str) -> None:
        self.refusal = self._without_names(message)
        kind = kind_of(self.refusal)
        if "\n" in self.refusal:
            self.wrong.append("refusal: its message has several lines")
        if name == "again" and kind not in self.case.may_refuse:
            self.wrong.append(f"refusal: a second write is refused — {kind}")

    def _without_names(self, message: str) -> str:
        """A message without the photo's name, which may hold a line break or any other word."""
        message = message.replace(f"{self.photo.parent}{os.sep}", "")
        return message.replace(self.photo.name, "PHOTO").replace(f"{self.photo.stem}.", "PHOTO.")

    def _check_again(self, marks: Marks) -> None:
        again = self.guarded("a second plan", lambda: self.plan(self.photo, marks).is_needed)
        if again:
            self.wrong.append("b: the same marks once more are a change")
        model_of = model_of_sidecar if self.case.write == "sidecar" else model_of_embedded
        model = self.guarded("asking for the model", lambda: model_of(self.photo))
        if model != marks.model:
            self.wrong.append("b: the model is not found again")

    def _add_late_sidecar(self) -> None:
        """Let another program make a sidecar of the other kind since our first write."""
        names = {self.photo.name + ".xmp": f"{self.photo.stem}.xmp"}
        names |= {new: old for old, new in names.items()}
        name = names.get(self.path, self.path)
        is_free = not os.path.lexists(self.photo.with_name(name)) and len(os.fsencode(name)) < 255
        if self.case.late_sidecar and is_free:
            self.photo.with_name(name).write_bytes(self.case.late_sidecar)
            entry = state_of(self.photo.parent)[name]
            for state in self.states.values():
                state[name] = entry

    def _check_older_sidecars(self) -> None:
        state = self.states["again"]
        written = {self.path, *(state[name].link for name in {self.path} & state.keys())}
        for name in state.keys() - written:
            if b"urn:mmcgan:" in state[name].data:
                self.wrong.append("c: marks stay in another file than the one that is written")

    def _write_neighbour(self, neighbour: Path) -> None:
        """Write to a photo of a similar name and undo that: nothing of this one's may change."""
        before = state_of(self.folder / "photos")
        marks = Marks((("neighbour", 0.9),), "0003", self.case.marks.time)

        def write_and_remove() -> None:
            try:
                plan_sidecar(neighbour, marks).apply()
            except MetadataError:
                return  # a neighbour may be refused for reasons of its own
            self.remove(neighbour)

        self.guarded("writing to a neighbour", write_and_remove)
        if state_of(self.folder / "photos") != before:
            self.wrong.append("c: writing to a neighbour and undoing it changes this one's")
