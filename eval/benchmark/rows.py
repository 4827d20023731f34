"""The rows of the benchmark: our figure, the baseline's, their ratio and its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Row:
    """One comparison, made so that a larger `ratio` is better.

    `ours` and `rival` are in `unit`; where `better` is "less", ratio = rival / ours, else
    ours / rival. `why` says what bounds a row that is short of its target; `points` are sizes and
    costs, for rows that say how a cost grows.
    """

    what: str
    against: str
    ours: float
    rival: float
    unit: str
    better: Literal["more", "less"]
    target: float
    why: str = ""
    points: tuple[tuple[float, float], ...] = ()

    @property
    def ratio(self) -> float:
        """The factor by which ours is better."""
        return self.rival / self.ours if self.better == "less" else self.ours / self.rival

    @property
    def reached(self) -> bool:
        """Whether the ratio is at its target."""
        return self.ratio >= self.target

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON; `why` only where it is short of its target."""
        found = asdict(self) | {"ratio": self.ratio}
        del found["better"], found["points"]
        if self.reached:
            del found["why"]
        return found


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a GitHub Markdown table, and below it why some are short."""
    lines = ["| row | ours | against | | ratio | target |", "|---|---|---|---|---|---|"]
    for row in rows:
        mark = "" if row.reached else " (short)"
        lines.append(
            f"| `{row.what}` | {_number(row.ours)} {row.unit} | {row.against} | "
            f"{_number(row.rival)} {row.unit} | {row.ratio:.3g} | {row.target:g}{mark} |"
        )
    short = [f"- `{row.what}`: {row.why}" for row in rows if not row.reached and row.why]
    return "\n".join([*lines, *([""] if short else []), *short]) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
