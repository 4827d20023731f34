"""The packages that pyproject.toml names are those of the checkout, all but the studies."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.version_info < (3, 11):
    pytest.skip("the reader of TOML came with Python 3.11", allow_module_level=True)
import tomllib

ROOT = Path(__file__).parents[1]
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
LEFT_OUT = {"eval.studies"}


def packages_of_the_checkout() -> set[str]:
    return {
        ".".join(path.parent.relative_to(ROOT).parts)
        for room in ("mmcgan", "data_prep", "eval")
        for path in (ROOT / room).rglob("__init__.py")
    }


def test_wheel_holds_every_package_but_the_studies():
    assert packages_of_the_checkout() - set(SETUP["packages"]) == LEFT_OUT
    assert set(SETUP["packages"]) - packages_of_the_checkout() == set()
    assert len(SETUP["packages"]) == len(set(SETUP["packages"]))


def test_every_folder_with_modules_is_a_package():
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for room in ("mmcgan", "data_prep", "eval")
        for path in (ROOT / room).rglob("*.py")
    }
    assert folders == packages_of_the_checkout()


@pytest.mark.parametrize("package", SETUP["package-data"])
def test_wheel_holds_the_files_beside_the_modules(package):
    folder = ROOT.joinpath(*package.split("."))
    kept = [p for pattern in SETUP["package-data"][package] for p in folder.glob(pattern)]
    data = {p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    inner = [path.parent for path in folder.rglob("*/__init__.py")]
    assert {path for path in data if not set(path.parents) & set(inner)} == set(kept)
