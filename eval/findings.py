"""What a report tells of: its figures as plain JSON, the log of the run, photos to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eval.pages.plots import Line, system_lines

RELEVANT_BY = {
    "user": "the photo's own user tags",
    "user+annotations": "the photo's user tags and annotations",
}


def relevance_name(source: str) -> str:
    """Return a source of relevance as a page names it."""
    return source.replace("user", "user tags").replace("+", " + ")


@dataclass(frozen=True)
class ShownPhoto:
    """One photo: its thumbnail, its true tags, and (word, score, whether right) as generated."""

    image_id: int | str
    thumbnail_jpeg: bytes | None
    user_tags: Sequence[str]
    annotations: Sequence[str]
    generated: Sequence[tuple[str, float, bool]]


@dataclass(frozen=True)
class Findings:
    """`report` is report.json, `log` the records of log.jsonl, `gallery` the photos to show.

    Both of the last may be empty, and `report` may lack parts: what is not there is not shown.
    """

    report: dict[str, Any]
    log: Sequence[Mapping[str, Any]] = ()
    gallery: Sequence[ShownPhoto] = ()

    def part(self, name: str) -> Mapping[str, Any]:
        """Return a part of the report, an empty one where it is missing or None."""
        return self.report.get(name) or {}

    @cached_property
    def lines(self) -> dict[str, Line]:
        """How each system is drawn."""
        return system_lines({n: s["role"] for n, s in self.report["systems"].items()})

    @cached_property
    def sources(self) -> list[str]:
        """The sources of relevance that were measured; the one that the run learnt comes first."""
        known = list(dict.fromkeys(self.report["relevances"]))
        return sorted(known, key=lambda source: source != self.report.get("tags"))

    def measured(self, source: str, measure: str) -> dict[str, Mapping[str, Any]]:
        """Return one measure of every system that has it, by one source of relevance."""
        return {
            name: system[source][measure]
            for name, system in self.report["systems"].items()
            if measure in system.get(source, {})
        }

    @property
    def own(self) -> str:
        """The name of the run's own system."""
        systems = self.report["systems"]
        return next((name for name in systems if systems[name]["role"] == "cgan"), "")
