"""How a setting is declared: its default, its help and its range, in one place and checked.

A field is declared with `option`. A value outside its range raises `OptionError` when the settings
are made, whoever makes them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mmcgan.errors import OptionError


def option(
    default: Any, help: str, *, at_least: float | None = None, at_most: float | None = None
) -> Any:
    """Declare a setting: its default, its help text and the range of a number."""
    return field(default=default, metadata={"help": help, "at_least": at_least, "at_most": at_most})


class Config:
    """What all settings share: checked when made, written as JSON."""

    def __post_init__(self) -> None:
        """Raise `OptionError` for the first value that its field does not take."""
        hints = get_type_hints(type(self))
        for f in fields(self):  # type: ignore[arg-type]
            _check(f.name, getattr(self, f.name), hints[f.name], f.metadata)

    @classmethod
    def defaults(cls, name: str) -> str:
        """Return what the help says of the default of a field; "" where that says nothing."""
        return shown(next(f.default for f in fields(cls) if f.name == name))  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, paths as text."""
        return {name: _plain(value) for name, value in asdict(self).items()}  # type: ignore[call-overload]


def flag(name: str) -> str:
    """Return the command line's spelling of a field: `batch_size` → `--batch-size`."""
    return "--" + name.replace("_", "-")


def shown(default: Any) -> str:
    """Return what the help says of a default; "" where that says nothing."""
    return "" if default in (None, (), False) else f"  [default: {default}]"


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _check(name: str, value: Any, hint: Any, limits: Any) -> None:
    choices = [
        c for part in (hint, *get_args(hint)) if get_origin(part) is Literal for c in get_args(part)
    ]
    if choices and value is not None and value not in choices:
        raise OptionError(f"{flag(name)}: {value!r} is not one of {', '.join(choices)}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    low, high = limits["at_least"], limits["at_most"]
    if (
        not math.isfinite(value)
        or (low is not None and value < low)
        or (high is not None and value > high)
    ):
        wanted = f"at least {low}" + (f" and at most {high}" if high is not None else "")
        raise OptionError(f"{flag(name)}: {value} is out of range, it must be {wanted}")
