"""What pyproject.toml lists by hand: packages, their files, the command and the dependencies."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
PROJECT = PYPROJECT["project"]
NOT_PACKAGED = "eval.studies"


def files(pattern: str) -> list[Path]:
    """The paths of the packages' files, relative to the checkout."""
    found = [
        path for name in ("mmcgan", "data_prep", "eval") for path in (ROOT / name).rglob(pattern)
    ]
    return [path.relative_to(ROOT) for path in found if path.is_file()]


def pinned(name: str) -> dict[str, str]:
    """The versions in a file of constraints."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    pins = [line.split(";")[0].strip().split("==") for line in lines if not line.startswith("#")]
    return {normal(name): version for name, version in pins}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(*extras: str) -> dict[str, str]:
    """The lower bounds of the dependencies that have one."""
    listed = list(PROJECT["dependencies"])
    listed += [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    parts = [line.partition(";")[0].partition(">=") for line in listed]
    return {normal(name): bound for name, _, bound in parts if bound}


def test_every_package_on_disk_is_in_the_wheel_but_the_studies():
    on_disk = {".".join(path.parent.parts) for path in files("*.py")}
    assert set(SETUPTOOLS["packages"]) == on_disk - {NOT_PACKAGED}


def test_every_file_that_is_no_python_is_in_the_wheel():
    patterns = {
        Path(*package.split("."), pattern)
        for package, listed in SETUPTOOLS["package-data"].items()
        for pattern in listed
    }
    other = [path for path in files("*") if path.suffix not in (".py", ".pyc")]
    assert [path for path in other if not any(path.match(str(p)) for p in patterns)] == []
    assert [p for p in patterns if not any(path.match(str(p)) for path in other)] == []


def test_the_command_is_there():
    module, _, function = PROJECT["scripts"]["mmcgan"].partition(":")
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-oldest.txt"])
def test_every_dependency_is_pinned(name):
    wanted = requirements("cpu", "export", "web", "dev")
    assert wanted.keys() - pinned(name).keys() == set()


def test_the_oldest_versions_are_the_lower_bounds():
    oldest = pinned("constraints-oldest.txt")
    bounds = requirements("cpu", "heic", "raw", "export", "web", "dev")
    assert {name: oldest[name] for name in bounds} == bounds
