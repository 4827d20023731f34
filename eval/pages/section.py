"""A section of a report: a title and blocks in order. Both page formats draw the same blocks.

Pictures have no place in Markdown: blocks that are not `in_markdown` are left out there, and so
is a section of these alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup


class Block:
    """A part of a section; its kind is the name of its class."""

    in_markdown: ClassVar[bool] = True

    @property
    def kind(self) -> str:
        """The name by which the templates know how to draw it."""
        return type(self).__name__

    def __bool__(self) -> bool:
        """Return whether it holds anything: whether its first field is not empty."""
        return bool(next(iter(vars(self).values())))


@dataclass(frozen=True)
class Section:
    """A section: its name on the page, its title, its name in the list of sections, its blocks."""

    id: str
    title: str
    link: str
    blocks: Sequence[Block]

    @classmethod
    def of(cls, id: str, title: str, link: str, *blocks: Block | None) -> Section:
        """Return the section of those blocks that hold anything."""
        return cls(id, title, link, [block for block in blocks if block])

    @property
    def in_markdown(self) -> bool:
        """Whether there is anything to show without pictures."""
        return any(block.in_markdown for block in self.blocks)


@dataclass(frozen=True)
class Cell:
    """One value of a table; `note` is small print beside it, `best` makes it stand out."""

    text: str
    note: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One row: its head, the small print of the head, its cells, and a style for the page."""

    head: str
    cells: tuple[Cell, ...]
    note: str = ""
    style: str = ""


@dataclass(frozen=True)
class Table(Block):
    """A caption, the names of all columns, the head's included, the rows, a style for the page."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    style: str = ""

    @property
    def tables(self) -> list[Table]:
        """The table itself."""
        return [self]


@dataclass(frozen=True)
class Folded(Block):
    """A table that the page opens on demand."""

    table: Table

    @property
    def tables(self) -> list[Table]:
        """The table that is folded."""
        return [self.table]


@dataclass(frozen=True)
class Beside(Block):
    """Tables beside each other."""

    tables: Sequence[Table]


@dataclass(frozen=True)
class Text(Block):
    """A paragraph; `fine` print says how something was measured."""

    text: str
    fine: bool = False


@dataclass(frozen=True)
class Heading(Block):
    """A heading within a section, with a badge beside it."""

    text: str
    badge: str = ""


@dataclass(frozen=True)
class Alarm(Block):
    """Something that must not be overlooked."""

    title: str
    text: str


@dataclass(frozen=True)
class Verdicts(Block):
    """Checks, each with name, description, value, target and whether it passed."""

    checks: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Terms(Block):
    """Names and what they mean."""

    meanings: Mapping[str, str]


@dataclass(frozen=True)
class Command(Block):
    """A command line, kept as it was given."""

    text: str


@dataclass(frozen=True)
class Legend(Block):
    """The names of lines in plots."""

    names: Sequence[str]
    in_markdown = False


@dataclass(frozen=True)
class Plot:
    """A plot with the sentence below it."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Plots(Block):
    """Plots beside each other."""

    plots: Sequence[Plot]
    in_markdown = False

    @classmethod
    def of(cls, drawn: Mapping[str, Markup | None]) -> Plots:
        """Return the plots that there are; `drawn` has them by caption, or None."""
        return cls([Plot(svg, caption) for caption, svg in drawn.items() if svg])


@dataclass(frozen=True)
class Pictures(Block):
    """PNGs by caption."""

    pictures: Mapping[str, bytes]
    in_markdown = False


@dataclass(frozen=True)
class Gallery(Block):
    """Photos beside what people and the system wrote on them, and how to read them."""

    photos: Sequence[Any]
    said: str
    in_markdown = False


@dataclass(frozen=True)
class Tile:
    """A figure that the page shows large: its value, how sure it is, and how to read it."""

    title: str
    value: str
    note: str
    reading: str
    colour: str


@dataclass(frozen=True)
class Page:
    """A report to read: title, summary, the figures shown large, sections, lines of plots."""

    title: str
    summary: Sequence[str]
    tiles: Sequence[Tile]
    sections: Sequence[Section]
    lines: Mapping[str, Any]
