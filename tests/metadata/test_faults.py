"""Each file operation of a write and of a removal fails, or the program dies there.

Whatever happens, photo and sidecars are the old or the new ones, whole. After a failure nothing of
ours lies about; after a death the next call cleans up.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from helpers.keyword_photos import encode
from helpers.packets import LIGHTROOM, marks, packet, subject

from mmcgan import files
from mmcgan.errors import MetadataError
from mmcgan.metadata import Change, plan_embedded, plan_removal, plan_sidecar
from mmcgan.metadata.embedded import copies_folder

PHOTO = encode("JPEG", packet(subject("mine")))
ERRORS = [
    getattr(errno, name)
    for name in ("ENOSPC", "EIO", "EACCES", "EROFS", "ESTALE")
    if hasattr(errno, name)
]
OPERATIONS: list[tuple[Any, str]] = [
    *((Path, name) for name in ("open", "touch", "replace", "unlink", "mkdir", "chmod")),
    *((Path, name) for name in ("stat", "iterdir")),
    *((os, name) for name in ("open", "fsync", "chown", "listxattr", "getxattr", "setxattr")),
    *((os, name) for name in ("removexattr", "scandir", "access", "link")),
]


@dataclass
class Faults:
    """Counts file operations, and lets the one of number `at` fail: `strike` says how."""

    at: int = -1
    strike: Callable[[], None] = lambda: None
    done: list[str] = field(default_factory=list)

    def call(self, name: str) -> bool:
        """Count an operation, and say whether it is the one that fails."""
        self.done.append(name)
        return len(self.done) - 1 == self.at

    def before(self, name: str) -> None:
        if self.call(name):
            self.strike()

    @contextmanager
    def injected(self) -> Iterator[Faults]:
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in OPERATIONS:
                if hasattr(owner, name):
                    patch.setattr(owner, name, self._faulty(getattr(owner, name), name))
            yield self

    def _faulty(self, operation: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            path = arguments[0] if isinstance(arguments[0], str | Path) else ""
            self.before(f"{name} {Path(path).suffix}")
            result = operation(*arguments, **options)
            is_written = name == "open" and "w" in str((arguments[1:], options))
            return _FaultyFile(result, self) if is_written else result

        return call


class _FaultyFile:
    """A file whose writing fails when half of it is done, or when it is closed."""

    def __init__(self, file: Any, faults: Faults):
        self.file, self.faults = file, faults

    def write(self, data: bytes) -> int:
        if self.faults.call("write"):
            self.file.write(data[: len(data) // 2])
            self.file.flush()
            self.faults.strike()
        return self.file.write(data)

    def __enter__(self) -> _FaultyFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()
        self.faults.before("close")


def write_sidecar(photo: Path) -> list[Change]:
    return [plan_sidecar(photo, marks("sea"))]


def write_embedded(photo: Path) -> list[Change]:
    return [plan_embedded(photo, marks("sea"))]


def rewrite_embedded(photo: Path) -> list[Change]:
    return [plan_embedded(photo, marks("wood", model="0002"))]


def prepare_new(photo: Path) -> None:
    photo.write_bytes(PHOTO)


def prepare_existing(photo: Path) -> None:
    prepare_new(photo)
    photo.with_name("a.xmp").write_bytes(LIGHTROOM)
    if hasattr(os, "setxattr"):
        for path in (photo, photo.with_name("a.xmp")):
            os.setxattr(path, "user.mine", b"x")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(photo, 1234, 5678)


def prepare_older(photo: Path) -> None:
    prepare_existing(photo)
    apply(write_sidecar(photo))
    photo.with_name("a.cr2").write_bytes(b"raw")  # now a.xmp is shared


def prepare_written(photo: Path) -> None:
    prepare_existing(photo)
    apply(write_embedded(photo))


def prepare_died(photo: Path) -> None:
    prepare_written(photo)
    photo.write_bytes(PHOTO)  # as if the program had died behind the copy


def prepare_everywhere(photo: Path) -> None:
    prepare_written(photo)
    apply(write_sidecar(photo))
    photo.with_name("a.jpg.xmp").write_bytes(photo.with_name("a.xmp").read_bytes())


def apply(changes: list[Change]) -> None:
    for change in changes:
        change.apply()


SCENES: dict[str, tuple[Callable[[Path], None], Callable[[Path], list[Change]]]] = {
    "new sidecar": (prepare_new, write_sidecar),
    "existing sidecar": (prepare_existing, write_sidecar),
    "older sidecar": (prepare_older, write_sidecar),
    "embedded": (prepare_existing, write_embedded),
    "embedded again": (prepare_written, rewrite_embedded),
    "removal": (prepare_everywhere, plan_removal),
    "removal after a death": (prepare_died, plan_removal),
}


# Keywords that cannot be read are not taken into account, and where a folder cannot be listed, a
# sidecar that may be shared is not written: what is written is whole then, and another.
UNREAD = {
    "new sidecar": ("open .jpg", "stat .jpg"),
    "existing sidecar": ("open .jpg", "stat .jpg", "scandir "),
    "older sidecar": ("open .jpg", "stat .jpg", "open .xmp"),
}


@pytest.fixture
def make(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """A function that makes the scene of a name in folders of its own, and gives its photo."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    n_made = 0

    def made(name: str) -> Path:
        nonlocal n_made
        n_made += 1
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / f"{n_made} data"))
        photo = tmp_path / f"{n_made} photos" / "a.jpg"
        photo.parent.mkdir()
        try:
            SCENES[name][0](photo)
        except OSError as reason:
            pytest.skip(f"the disk has no extended attributes: {reason}")
        files._sweep.cache_clear()  # as in a new process
        return photo

    return made


def contents(photo: Path) -> dict[str, bytes]:
    folders = [photo.parent, copies_folder()]
    return {
        path.name: path.read_bytes()
        for folder in folders
        if folder.exists()
        for path in folder.iterdir()
    }


def plan_and_apply(photo: Path, name: str, faults: Faults) -> list[str]:
    """Do what a scene is about, and return what was reported."""
    with faults.injected():
        try:
            changes = SCENES[name][1](photo)
            apply(changes)
        except MetadataError as error:
            return [str(error)]
    return getattr(changes, "problems", [])


def recorded(name: str, make: Callable[[str], Path]) -> tuple[dict[str, bytes], dict, list[str]]:
    """Return the contents before and after a scene, and its operations."""
    photo, faults = make(name), Faults()
    before = contents(photo)
    assert plan_and_apply(photo, name, faults) == []
    return before, contents(photo), faults.done


def apart(found: dict[str, bytes]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return what is a person's, or written for one, and what are partial files and copies."""
    ours = {name: found[name] for name in found if name.startswith(".mmcgan-") or len(name) > 60}
    return {name: found[name] for name in found.keys() - ours.keys()}, ours


def assert_old_or_new(found: dict, before: dict, after: dict) -> None:
    for name in before.keys() | after.keys() | found.keys():
        assert found.get(name) in (before.get(name), after.get(name)), name


def test_the_operations_are_those_that_matter(make):
    done = {name: {o.split()[0] for o in recorded(name, make)[2]} for name in SCENES}
    written = {"touch", "open", "write", "close", "fsync", "replace", "stat"}
    assert all(written <= done[name] for name in SCENES.keys() - {"removal after a death"})
    assert {"chmod", "access", "listxattr", "setxattr"} <= done["embedded"] or os.name == "nt"
    assert "mkdir" in done["embedded"]
    assert "unlink" in done["removal"]


@pytest.mark.parametrize("shift", range(2))
@pytest.mark.parametrize("name", SCENES)
def test_an_operation_that_fails_leaves_the_old_or_the_new_and_nothing_else(make, name, shift):
    before, after, operations = recorded(name, make)
    for i, operation in enumerate(operations):
        photo, number = make(name), ERRORS[(i + shift) % len(ERRORS)]

        def strike(number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        said = plan_and_apply(photo, name, Faults(i, strike))
        assert all("\n" not in line for line in said)
        if operation in UNREAD.get(name, ()):
            assert_undone(photo, name)
            continue
        (theirs, ours), there = apart(contents(photo)), f"{i}: {operation}"
        assert_old_or_new(theirs, apart(before)[0], apart(after)[0])
        assert said or theirs == apart(after)[0], there
        if not operation.startswith("unlink"):  # what cannot be removed stays, and is named
            as_now = [found for found in (before, after) if found["a.jpg"] == theirs["a.jpg"]]
            assert ours in [apart(found)[1] for found in as_now], there
        assert_undone(photo, name)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a program that dies is a forked one here")
@pytest.mark.parametrize("name", SCENES)
def test_a_program_that_dies_leaves_the_old_or_the_new(make, name):
    before, after, operations = recorded(name, make)
    for i in range(len(operations)):
        photo = make(name)
        child = os.fork()
        if child == 0:
            plan_and_apply(photo, name, Faults(i, lambda: os._exit(9)))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        theirs, _ = apart(contents(photo))
        assert_old_or_new(theirs, apart(before)[0], apart(after)[0])
        if i % 2:  # the same call again ends as if nothing had been
            files._sweep.cache_clear()
            assert plan_and_apply(photo, name, Faults()) == []
            theirs, ours = apart(contents(photo))
            assert theirs == apart(after)[0]
            assert not [n for n in ours if n.startswith(".mmcgan-") and name != "removal"]
        assert_undone(photo, name)


def assert_undone(photo: Path, name: str) -> None:
    """The removal gives back what was there before any write, and leaves nothing of ours."""
    removal = plan_removal(photo)
    apply(removal)
    assert removal.problems == []
    found = contents(photo)
    expected = {"a.jpg": PHOTO}
    if name != "new sidecar":
        expected["a.xmp"] = LIGHTROOM
    if name == "older sidecar":
        expected["a.cr2"] = b"raw"
    if "a.jpg.xmp" in found and name == "removal":
        expected["a.jpg.xmp"] = LIGHTROOM
    assert found == expected
