"""python docs/help_pages.py: write the help page of each command into docs/commands/.

A page is what the command prints with --help, at a fixed width, so that it is the same everywhere.
`tests/docs/test_help_pages.py` holds the pages to the commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from mmcgan.__main__ import COMMANDS as STAGES

PAGES = Path(__file__).parent / "commands"
WIDTH = 100

# What is typed, and the click command that it runs.
COMMANDS = {
    "mmcgan": "mmcgan.__main__:overview",
    **{f"mmcgan {stage}": f"{module}:main" for stage, (module, _) in STAGES.items()},
    "python -m eval.benchmark": "eval.benchmark.__main__:main",
    "python -m eval.benchmark.stages": "eval.benchmark.stages.__main__:main",
    "python -m eval.digits": "eval.digits.__main__:main",
    "python -m eval.digits.ring": "eval.digits.ring:main",
    "python -m eval.studies.ablation": "eval.studies.ablation:main",
    "python -m eval.studies.few_tags": "eval.studies.few_tags:main",
    "python -m eval.studies.judging": "eval.studies.judging:main",
    "python -m eval.studies.open_vocabulary": "eval.studies.open_vocabulary:main",
    "python -m eval.studies.people_words": "eval.studies.people_words:main",
}


def load_command(typed: str) -> click.Command:
    """Return the click command behind what is typed."""
    module, _, name = COMMANDS[typed].partition(":")
    return getattr(import_module(module), name)


def help_text(typed: str) -> str:
    """Return what a command prints with --help, and then each part of a group of commands.

    The commands of `mmcgan` have pages of their own.
    """
    command = load_command(typed)
    texts = [_help_of(typed, command)]
    if isinstance(command, click.Group) and typed != "mmcgan":
        texts += [_help_of(f"{typed} {name}", part) for name, part in command.commands.items()]
    return "\n\n\n".join(texts)


def _help_of(typed: str, command: click.Command) -> str:
    """Return what one command prints with --help in a terminal of WIDTH columns."""
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
    main()
