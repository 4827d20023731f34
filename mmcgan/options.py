"""How an option is declared: its default, its help and its range, in one place and checked.

A field is declared with `option`. A value outside its range raises `OptionError` when the settings
are made, whoever makes them. Settings with many options hold them in groups, which are settings
themselves; on the command line and wherever values are given by name, options are flat.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from mmcgan.errors import OptionError

if TYPE_CHECKING:  # the versions of Python that mmcgan runs on do not all have it
    from typing_extensions import Self


def option(
    default: Any,
    help: str,
    *,
    name: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
) -> Any:
    """Declare an option: its default, its help text and the range of a number.

    `name` is what users know it by, where the field of its group has a shorter one.
    """
    limits = {"at_least": at_least, "at_most": at_most}
    return field(default=default, metadata={"help": help, "name": name, **limits})


@dataclass(frozen=True)
class Option:
    """An option as users know it. `group` is the field that holds its group, "" without one."""

    name: str
    group: str
    default: Any
    help: str
    hint: Any


@dataclass(frozen=True)
class Config:
    """What all settings share: checked when made, read and written by the names of the options."""

    def __post_init__(self) -> None:
        """Raise `OptionError` for the first value that its field does not take."""
        hints = get_type_hints(type(self))
        for f in fields(self):
            if not isinstance(f.default, Config):
                _check(_name(f), getattr(self, f.name), hints[f.name], f.metadata)

    @classmethod
    def all_options(cls, group: str = "") -> Iterator[Option]:
        """Yield the options, group by group."""
        hints = get_type_hints(cls)
        for f in fields(cls):
            if isinstance(f.default, Config):
                yield from f.default.all_options(f.name)
            else:
                yield Option(_name(f), group, f.default, f.metadata["help"], hints[f.name])

    @classmethod
    def from_options(cls, **values: Any) -> Self:
        """Return the settings with `values` by the names of the options, defaults for the others.

        Raises `TypeError` for a name that no option has, `OptionError` for a wrong value.
        """
        config = cls._taking(values)
        if values:
            raise TypeError(f"there is no option {', '.join(values)}")
        return config

    @classmethod
    def _taking(cls, values: dict[str, Any]) -> Self:
        """Return the settings; the values of their options are taken out of `values`."""
        own = {}
        for f in fields(cls):
            if isinstance(f.default, Config):
                own[f.name] = f.default._taking(values)
            elif _name(f) in values:
                own[f.name] = values.pop(_name(f))
        return cls(**own)

    def options(self) -> dict[str, Any]:
        """Return the values of all options by name."""
        found: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            found |= value.options() if isinstance(value, Config) else {_name(f): value}
        return found

    def with_options(self, **values: Any) -> Self:
        """Return the same settings with other values for some options."""
        return self.from_options(**{**self.options(), **values})

    @classmethod
    def defaults(cls, name: str) -> str:
        """Return what the help says of the default of an option; "" where that says nothing."""
        return shown(cls.default(name))

    @classmethod
    def default(cls, name: str) -> Any:
        """Return the default of an option."""
        return next(option.default for option in cls.all_options() if option.name == name)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, those of a group together, paths as text."""
        return {_name(f): _plain(getattr(self, f.name)) for f in fields(self)}


def flattened(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON by the names of the options alone, whether in groups or not."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat


def flag(name: str) -> str:
    """Return the command line's spelling of an option: `batch_size` → `--batch-size`."""
    return "--" + name.replace("_", "-")


def shown(default: Any) -> str:
    """Return what the help says of a default; "" where that says nothing."""
    return "" if default in (None, (), False) else f"  [default: {default}]"


def _name(f: Any) -> str:
    return f.metadata.get("name") or f.name


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_json()
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
