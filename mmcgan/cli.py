"""The command line: options made from settings (`mmcgan.options`), errors into exits.

Exit status: 0 done; 1 broken or missing data, run or photo; 2 wrong options or values;
130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from mmcgan.errors import MmcganError, escaped
from mmcgan.options import Config, Option, flag
from mmcgan.terminal import occupy_closed_streams, shown_warnings, write_any_text

INTERRUPTED = 130
_SAY_ON_STDERR = partial(click.echo, err=True)
F = TypeVar("F", bound=Callable[..., Any])


class PathType(click.Path):
    """A path that was given: of an unset variable, none is, and `Path` would take this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; refuse an empty one."""
        if value == "":
            self.fail("the path is empty; is a variable unset?", param, ctx)
        return super().convert(value, param, ctx)


PATH = PathType(path_type=Path)
FILE = PathType(path_type=Path, dir_okay=False)


class GroupedOption(click.Option):
    """An option that knows which group of the settings it belongs to, "" without one."""

    def __init__(self, *args: Any, group: str = "", **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help has a heading for each group of its options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those without a group last."""
        records: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                records.setdefault(getattr(parameter, "group", ""), []).append(record)
        others = records.pop("", [])
        for group, options in records.items():
            with formatter.section(f"Options of the {group}"):
                formatter.write_dl(options)
        with formatter.section("Options"):
            formatter.write_dl(others)


def config_options(config_class: type[Config]) -> Callable[[F], F]:
    """Give a click command one option for each option of `config_class`.

    Options that were not given arrive as None or (): `given` leaves them out, so that presets
    and stored settings can tell them from those that were.
    """

    def decorate(function: F) -> F:
        for declared in reversed(list(config_class.all_options())):
            help = declared.help + config_class.defaults(declared.name)
            function = _click_option(declared, help)(function)
        return function

    return decorate


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that the user gave."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


def _click_option(declared: Option, help: str) -> Callable[[F], F]:
    """Translate the declaration of an option for click."""
    hint = declared.hint
    if type(None) in get_args(hint):
        hint = next(part for part in get_args(hint) if part is not type(None))
    kind: dict[str, Any] = {"type": _value_type(hint)}
    if hint is bool:
        kind = {"is_flag": True, "default": None}
    elif get_origin(hint) is Literal:
        kind = {"type": click.Choice(get_args(hint))}
    elif get_origin(hint) is tuple:
        kind = {"type": _value_type(get_args(hint)[0]), "multiple": True}
    kind["group"] = declared.group
    return click.option(flag(declared.name), declared.name, cls=GroupedOption, help=help, **kind)


def _value_type(hint: Any) -> Any:
    return PATH if hint is Path else hint


def say(line: str, err: bool = False) -> None:
    """Print one line, on stderr with `err`, whatever is in the names of files that it holds."""
    click.echo(escaped(line), err=err)


def run_command(
    command: click.Command,
    args: Sequence[str] | None = None,
    say: Callable[[str], None] = _SAY_ON_STDERR,
    name: str | None = None,
) -> int:
    """Run a command and return its exit status; `say` is given what went wrong, as one line.

    `name` is what the user called. It begins the lines about errors, and the command finds it as
    `click.Context.obj`.
    """
    program = name or command.name

    def fail(message: str, status: int) -> int:
        say(f"{program}: error: {escaped(message)}")
        return status

    occupy_closed_streams()
    write_any_text()
    try:
        with shown_warnings(lambda message: _SAY_ON_STDERR(f"{program}: warning: {message}")):
            status = command.main(args, name, standalone_mode=False, obj=program)
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        return fail(_usage_line(error), error.exit_code)
    except MmcganError as error:
        return fail(str(error), error.exit_status)
    except (KeyboardInterrupt, click.Abort):
        return fail("interrupted; what was done so far is kept", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return fail(f"{where}{error.strerror or error}", 1)


def _usage_line(error: click.ClickException) -> str:
    """Return what click says of wrong use, which may be several lines, as one."""
    is_missing = isinstance(error, click.MissingParameter)  # a kind of BadParameter
    if is_missing or not isinstance(error, click.BadParameter) or error.param is None:
        message = error.format_message()
    else:
        is_argument = isinstance(error.param, click.Argument)
        name = error.param.human_readable_name if is_argument else error.param.opts[0]
        message = f"{name}: {error.message}"
    return " ".join(message.split())
