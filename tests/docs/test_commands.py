"""Every command that a page shows is one that the command line takes, values included."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import click
import pytest
from helpers.pages import PAGES, ROOT, load_help_pages, name_of, shell_commands

from mmcgan.cli import given
from mmcgan.errors import OptionError
from mmcgan.options import Config

HELP = load_help_pages()
OTHER_TOOLS = {"cd", "cp", "curl", "exiftool", "git", "pre-commit"}
_ASSIGNMENT = re.compile(r"\w+=")
_TARGET = re.compile(r"^([\w-]+):", re.MULTILINE)
_EXTRA = re.compile(r"^([\w-]+) = \[", re.MULTILINE)
# Options of other launchers that take a value.
_OF_TORCHRUN = re.compile(r"--(nproc-per-node|nnodes|rdzv-endpoint)$")


def check_command(words: list[str]) -> None:
    """Raise for a command that could not be given so."""
    words = plain(words)
    if not words or words[0] in OTHER_TOOLS:
        return
    tool, *rest = words
    if tool == "torchrun":
        check_module(*after_launcher(rest))
    elif tool == "python" and rest[:1] == ["-m"]:
        check_module(rest[1], rest[2:])
    elif tool == "python":
        script = ROOT / rest[0]
        assert script.is_file() or (script / "__main__.py").is_file(), rest[0]
    elif tool == "mmcgan":
        check_mmcgan(rest)
    elif tool == "make":
        wanted = {word for word in rest if "=" not in word}
        assert wanted <= set(_TARGET.findall((ROOT / "Makefile").read_text("utf-8")))
    else:
        assert (tool, rest[:1]) == ("pip", ["install"]), f"no test knows {tool}"
        check_extras(rest)


def plain(words: list[str]) -> list[str]:
    """The command without what stands before it: settings of the environment, `time`, `nice`."""
    while words and (_ASSIGNMENT.match(words[0]) or words[0] in ("export", "time", "nice")):
        words = words[1:]
    return words


def after_launcher(words: list[str]) -> tuple[str, list[str]]:
    """The module that torchrun starts, and its arguments."""
    while words[0] != "-m":
        assert _OF_TORCHRUN.match(words[0]), words[0]
        words = words[2:]
    return words[1], words[2:]


def check_mmcgan(words: list[str]) -> None:
    if words[:1] and f"mmcgan {words[0]}" in HELP.COMMANDS:
        check_arguments(f"mmcgan {words[0]}", words[1:])
    elif not words or words[0] in ("--version", "--help"):
        assert words, "mmcgan alone says how it is used, and fails"
    else:
        check_arguments("mmcgan tag", words)


def check_module(module: str, words: list[str]) -> None:
    if module == "mmcgan":
        return check_mmcgan(words)
    if module in ("pytest", "pip", "venv"):
        return None
    typed = {f"python -m {module}", module.replace("mmcgan.", "mmcgan ", 1)}
    found = typed & HELP.COMMANDS.keys()
    assert found, f"python -m {module} is no command"
    return check_arguments(found.pop(), words)


def check_arguments(typed: str, words: list[str]) -> None:
    """Raise click's error or `OptionError` for arguments that the command does not take."""
    command = HELP.load_command(typed)
    if isinstance(command, click.Group) and words[:1] and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    try:
        context = command.make_context(typed, list(words))
    except click.exceptions.Exit:  # --help and its like
        return
    options = {p.name for p in command.params if isinstance(p, click.Option)}
    config_class = settings_of(import_module(HELP.COMMANDS[typed].partition(":")[0]), options)
    if config_class is not None:
        names = names_of(config_class)  # beside them a command may have options of its own
        chosen = {name: v for name, v in given(context.params).items() if name in names}
        make(config_class, chosen)


def settings_of(module: object, options: set[str]) -> type[Config] | None:
    """The class of settings in a module that these options make; the fullest where one is part."""
    classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Config)]
    fitting = [c for c in classes if c is not Config and names_of(c) <= options]
    return max(fitting, key=lambda c: len(names_of(c)), default=None)


def names_of(config_class: type[Config]) -> set[str]:
    return {option.name for option in config_class.all_options()}


def make(config_class: type[Config], values: dict[str, object]) -> Config:
    """Make the settings as the command does: from a preset where there are some."""
    return getattr(config_class, "of", config_class.from_options)(**values)


def check_extras(words: list[str]) -> None:
    known = set(_EXTRA.findall((ROOT / "pyproject.toml").read_text("utf-8")))
    for word in words:
        for extras in re.findall(r"\[([\w,-]+)\]", word):
            assert set(extras.split(",")) <= known, word


COMMANDS = [
    pytest.param(words, id=f"{name_of(page)}: {' '.join(words)}")
    for page in PAGES
    for words in shell_commands(page)
]


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_of_the_pages_are_taken(words):
    check_command(words)


def test_pages_show_each_command():
    shown = {" ".join(plain(words)[:2]) for page in PAGES for words in shell_commands(page)}
    shown |= {" ".join(plain(words)[:3]) for page in PAGES for words in shell_commands(page)}
    wanted = set(HELP.COMMANDS) - {"mmcgan", "mmcgan tag"}  # shown as mmcgan PHOTO
    assert wanted <= shown


@pytest.mark.parametrize(
    "line",
    [
        "mmcgan train --no-such-option",
        "mmcgan train --preset older",
        "mmcgan train --draws 3 --members 2",
        "mmcgan photo.jpg --k 0",
        "mmcgan",
        "python -m mmcgan.no_such_command",
        "python -m eval.digits dcgan",
        "python docs/no_such_file.py",
        "make no-such-target",
        "pip install '.[no-such-extra]'",
        "torchrun --no-such-option 2 -m mmcgan.train",
        "no-such-tool",
    ],
)
def test_commands_that_could_not_be_given_so_are_noticed(line, tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.pages.ROOT", tmp_path)
    page = Path(tmp_path / "page.md")
    page.write_text(f"```sh\n{line}   # a comment\n```\n")
    (words,) = shell_commands(page)
    with pytest.raises((click.UsageError, OptionError, AssertionError)):
        check_command(words)
