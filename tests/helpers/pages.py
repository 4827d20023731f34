"""The written pages of the project, and what tests look for in them."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "docs" / "commands"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "mmcgan" / "pretrained" / "MODEL_CARD.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "docs" / "judging" / "README.md",
]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language on a page."""
    return [text for name, text in _FENCE.findall(page.read_text("utf-8")) if name == language]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def code_spans(page: Path) -> list[str]:
    """What stands between single backticks on a page."""
    return _CODE.findall(prose(page))


def links(page: Path) -> list[str]:
    """The targets of a page's links that lead to no other site."""
    return [target for target in _LINK.findall(prose(page)) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to, as GitHub makes them."""
    found = set()
    for heading in _HEADING.findall(prose(page)):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(kept.replace(" ", "-"))
    return found


def shell_commands(page: Path) -> Iterator[list[str]]:
    """The commands of a page's shell blocks, as words; a backslash joins two lines."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def load_help_pages() -> ModuleType:
    """The script that writes the help pages."""
    return load_script("help_pages")


def load_script(name: str) -> ModuleType:
    """A script of docs, as a module."""
    spec = util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def name_of(page: Path) -> str:
    """What tests call a page."""
    return str(page.relative_to(ROOT))
