"""mmcgan COMMAND, and mmcgan PHOTO|FOLDER… for short: the commands under one name.

A first word that names a command is that command; a photo or folder of that name is given as
`./train`. A command is loaded when it is called, so that the others cost nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module

import click

from mmcgan import __version__
from mmcgan.cli import run_command

COMMANDS = {
    "tag": ("mmcgan.tagging", "Tag photos, write the tags, or take them out again."),
    "prepare": ("mmcgan.prepare", "Turn a collection of photos and tags into a prepared file."),
    "train": ("mmcgan.train", "Train the conditional GAN on a prepared file."),
    "evaluate": ("mmcgan.evaluate", "Measure a run and its baselines, and write a report."),
    "export": ("mmcgan.export", "Write a run as ONNX files, for tools that know no Python."),
    "web": ("mmcgan.web.__main__", "Serve a page on which photos are dropped and tagged."),
}
WRONG_USE = 2


class Overview(click.Group):
    """A group that lists its commands in the order in which they were given."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)


@click.group(
    "mmcgan",
    cls=Overview,
    commands=[click.Command(name, help=help) for name, (_, help) in COMMANDS.items()],
    invoke_without_command=True,
    subcommand_metavar="COMMAND … | PHOTO|FOLDER…",
    epilog="mmcgan COMMAND --help shows the options of a command. A photo or folder that is "
    "called like a command is given as ./train.",
)
@click.version_option(__version__, message="%(prog)s %(version)s", prog_name="mmcgan")
@click.pass_context
def overview(context: click.Context) -> int:
    """Learn tags from what people wrote on their photos, and give them to other photos.

    mmcgan PHOTO|FOLDER… is short for mmcgan tag PHOTO|FOLDER….
    """
    click.echo(context.get_help())
    return WRONG_USE


def run(args: Sequence[str] | None = None) -> int:
    """Run the command that the first word names, `tag` if it names none; return the exit status."""
    words = list(sys.argv[1:] if args is None else args)
    if not words or words[0] in ("--help", "--version"):
        return run_command(overview, words, name="mmcgan")
    called = words.pop(0) if words[0] in COMMANDS else None
    name = f"mmcgan {called}" if called else "mmcgan"
    module = import_module(COMMANDS[called or "tag"][0])
    if args is None:
        sys.argv[1:] = words  # commands store how they were called
    return getattr(module, "run", partial(run_command, module.main))(words, name=name)


if __name__ == "__main__":
    sys.exit(run())
