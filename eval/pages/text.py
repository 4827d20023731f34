"""How a report writes values: numbers, shares, intervals, settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eval.pages.section import Cell, Row, Table

ROLES = {"cgan": "this run", "rival": "baseline", "variant": "variant", "control": "control"}


def number(value: Any) -> str:
    """Return a value as a person reads it: three decimals, thousands apart, – for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, Mapping):
        return number(value.get("value")) if "value" in value else parameters(value)
    if isinstance(value, list | tuple):
        return ", ".join(number(item) for item in value)
    return str(value)


def _decimal(value: float) -> str:
    """Return three decimals below 1, fewer above, two digits of what is nearly nothing."""
    size = abs(value)
    if 0 < size < 0.001:
        return f"{value:.2g}"
    return f"{value:,.{3 if size < 1 else 2 if size < 10 else 1}f}"


def parameters(values: Mapping[str, Any]) -> str:
    """Return settings on one line: "alpha = 10, weight = idf"."""
    return ", ".join(f"{key} = {exact(value)}" for key, value in values.items()) or "none"


def exact(value: Any) -> str:
    """Return a setting as it was given, not rounded for reading."""
    if isinstance(value, list | tuple):
        return ", ".join(exact(item) for item in value)
    return str(value) if type(value) in (int, float) else number(value)


def interval(value: Mapping[str, Any]) -> str:
    """Return the 95 % interval of a measure, nothing where it has none."""
    low, high = value.get("low"), value.get("high")
    return "" if low is None or high is None else f"{number(low)}–{number(high)}"


def percent(share: float | None) -> str:
    """Return a share as a percentage."""
    return "–" if share is None else f"{100 * share:.1f} %"


def with_interval(value: Mapping[str, Any]) -> str:
    """Return a measure with its 95 % interval, where it has one, for a sentence."""
    bounds = interval(value)
    return number(value["value"]) + (f" (95 % interval {bounds})" if bounds else "")


def cell(value: Mapping[str, Any] | None, best: bool = False) -> Cell:
    """Return a measure with its interval as small print, a dash where there is none."""
    return Cell(number(value), interval(value), best) if value else Cell("–")


def table_or_none(
    caption: str, columns: Iterable[str], rows: Iterable[Row], style: str = ""
) -> Table | None:
    """Return a table, None where it would have no rows."""
    found = tuple(rows)
    return Table(caption, tuple(columns), found, style) if found else None


def system_row(name: str, role: str, cells: Iterable[Cell]) -> Row:
    """Return the row of a system, named with its role."""
    return Row(name, tuple(cells), ROLES.get(role, role), role)
