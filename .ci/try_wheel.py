"""Build the wheel, install it in an environment of its own and call its commands from elsewhere.

The dependencies are those of the environment that runs this script.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("mmcgan", "data_prep", "eval")
NOT_PACKAGED = Path("eval", "studies")
DRAW_PHOTO = "from PIL import Image; Image.new('RGB', (300, 200), 'skyblue').save('photo.jpg')"
IMPORT_ALL = f"""\
import importlib, pkgutil
for package in map(importlib.import_module, {PACKAGES}):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        found = importlib.import_module(module.name)
        assert not found.__file__.startswith({str(ROOT)!r}), found.__file__
"""


def main() -> None:
    """Do all of it in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = copy_source(work / "source")
        wheel = build_wheel(source, work / "wheels")
        compare_files(source, wheel)
        try_commands(install(wheel, work / "venv"), work)


def copy_source(target: Path) -> Path:
    """Copy what the wheel is made from, without what earlier builds and runs have left."""
    leftovers = shutil.ignore_patterns("__pycache__")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, target / name, ignore=leftovers)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target)
    return target


def build_wheel(source: Path, target: Path) -> Path:
    """Build the wheel of `source`; return its path."""
    call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", target, source, cwd=source)
    (wheel,) = target.glob("*.whl")
    return wheel


def compare_files(source: Path, wheel: Path) -> None:
    """Exit unless the wheel holds every file of the packages but those of the studies."""
    with ZipFile(wheel) as archive:
        packaged = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = [
        path.relative_to(source)
        for name in PACKAGES
        for path in (source / name).rglob("*")
        if path.is_file() and not path.relative_to(source).is_relative_to(NOT_PACKAGED)
    ]
    wrong = packaged ^ {path.as_posix() for path in files}
    if wrong:
        sys.exit(f"pyproject.toml lists other packages or files than there are: {sorted(wrong)}")


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel in a new environment that finds our dependencies; return its programs."""
    venv.create(folder)
    bin = folder / "bin"
    pip = (sys.executable, "-m", "pip", "--python", bin / "python", "install", "-q", "--no-deps")
    call(*pip, wheel, cwd=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    shared = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "shared.pth").write_text("\n".join(shared))
    return bin


def try_commands(bin: Path, folder: Path) -> None:
    """Run the commands that a reader of the README runs first; a failing one ends all."""
    mmcgan, python = bin / "mmcgan", bin / "python"
    call(python, "-c", DRAW_PHOTO, cwd=folder)
    call(mmcgan, "--version", cwd=folder)
    call(mmcgan, "--help", cwd=folder)
    call(mmcgan, "photo.jpg", cwd=folder)
    call(mmcgan, "tag", "photo.jpg", "--json", "--k", "3", cwd=folder)
    call(python, "-m", "mmcgan.prepare", "--help", cwd=folder)
    call(python, "-c", IMPORT_ALL, cwd=folder)


def call(*command: str | Path, cwd: Path) -> None:
    """Run a command that finds no module and no cache of the checkout; raise if it fails."""
    print("$", *(part.name if isinstance(part, Path) else part for part in command), flush=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["XDG_CACHE_HOME"] = environment["XDG_DATA_HOME"] = str(cwd / "caches")
    subprocess.run(command, cwd=cwd, env=environment, check=True)


if __name__ == "__main__":
    main()
