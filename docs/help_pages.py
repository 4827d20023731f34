"""python docs/help_pages.py: write the help page of each command into docs/commands/.

A page is what the command prints with --help, at a fixed width, so that it is the same everywhere.
`tests/docs/test_help_pages.py` holds the pages to the commands.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

PAGES = Path(__file__).parent / "commands"
WIDTH = 100

# What is typed, and the module whose `main` it runs. Those of mmcgan are also `python -m MODULE`.
COMMANDS = {
    "mmcgan tag": "mmcgan.__main__",
    "mmcgan prepare": "mmcgan.prepare",
    "mmcgan train": "mmcgan.train",
    "mmcgan evaluate": "mmcgan.evaluate",
    "mmcgan export": "mmcgan.export",
    "mmcgan web": "mmcgan.web.__main__",
    "python -m eval.benchmark": "eval.benchmark.__main__",
    "python -m eval.benchmark.stages": "eval.benchmark.stages.__main__",
    "python -m eval.digits": "eval.digits.__main__",
    "python -m eval.digits.ring": "eval.digits.ring",
    "python -m eval.studies.ablation": "eval.studies.ablation",
    "python -m eval.studies.few_tags": "eval.studies.few_tags",
    "python -m eval.studies.open_vocabulary": "eval.studies.open_vocabulary",
}


def load_command(typed: str) -> click.Command:
    """Return the click command behind what is typed."""
    return import_module(COMMANDS[typed]).main


def help_text(typed: str) -> str:
    """Return what a command prints with --help in a terminal of WIDTH columns."""
    command = load_command(typed)
    # click leaves two columns free at the right of `max_content_width`.
    context = click.Context(command, info_name=typed, terminal_width=WIDTH, max_content_width=WIDTH)
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def page_of(typed: str) -> str:
    """Return the help page of a command, in Markdown."""
    return f"# {typed}\n\n```\n{help_text(typed)}\n```\n"


def page_name(typed: str) -> str:
    """Return the file name of a page: `mmcgan train` → train.md, `python -m eval.x` → eval.x.md."""
    return typed.split()[-1] + ".md"


def all_pages() -> Iterator[tuple[Path, str]]:
    """Give the path and the text of each page."""
    for typed in COMMANDS:
        yield PAGES / page_name(typed), page_of(typed)


def main() -> None:
    """Write all pages, and take away those of commands that are gone."""
    pages = dict(all_pages())
    PAGES.mkdir(exist_ok=True)
    for path in PAGES.glob("*.md"):
        if path not in pages:
            path.unlink()
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))  # a checkout that is not installed
    main()
