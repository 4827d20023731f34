"""The pages that people read: report.md and report.html, made of the same sections.

Texts in them come from strangers (tags, file names): both formats escape whatever is put into
them, and report.html is one file that asks nothing of any server and runs no script.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from eval.pages.section import Page, Table
from eval.pages.svg import PALETTE
from mmcgan.files import write_json, write_text
from mmcgan.inference.words.vocabulary import printed

_TEMPLATES = Path(__file__).parent / "templates"
_MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]|~$#])")


def write_report(out_dir: Path, report: Mapping[str, Any], page: Page) -> None:
    """Write report.json, report.md and report.html into `out_dir`, each whole or not at all.

    Raises `ValueError` if the report holds a number that is not finite.
    """
    html, markdown = render_html(page), render_markdown(page)
    write_json(out_dir / "report.json", report)
    write_text(out_dir / "report.md", markdown)
    write_text(out_dir / "report.html", html)


def render_html(page: Page) -> str:
    """Return the page; the same page gives the same bytes."""
    environment = _environment(autoescape=True)
    environment.filters |= {"printed": printed, "data_uri": _data_uri, "score": _score}
    return environment.get_template("report.html.j2").render(page=page, palette=PALETTE)


def render_markdown(page: Page) -> str:
    """Return the same sections as GitHub Markdown, without pictures."""
    environment = _environment(finalize=_escaped_markdown)
    environment.filters |= {"table": markdown_table, "code": _one_line}
    return environment.get_template("report.md.j2").render(page=page)


def markdown_table(table: Table) -> Markup:
    """Return a GitHub Markdown table; all its texts are escaped, each row is one line."""
    lines = [_markdown_line(table.columns), "|" + " --- |" * len(table.columns)]
    for row in table.rows:
        cells = [Markup(_with_note(row.head, row.note))]
        for cell in row.cells:
            text = _with_note(cell.text, cell.note)
            cells.append(Markup(f"**{text}**" if cell.best else text))
        lines.append(_markdown_line(cells))
    return Markup("\n".join(lines))


def _environment(**options: Any) -> Environment:
    """Return what renders the templates, which refuses names that it is not given."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


def _data_uri(picture: bytes, kind: str) -> str:
    """Return a picture as an address that holds it whole; `kind` is "jpeg" or "png"."""
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")


def _score(value: float) -> str:
    return f"{value:.2f}".lstrip("0") if 0 < value < 1 else f"{value:.2g}"


def _escaped_markdown(value: Any) -> Any:
    """Escape text for Markdown and the HTML within it, on one line; `Markup` stays as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = str(Markup.escape(" ".join(value.split()))).replace("&#34;", '"').replace("&#39;", "'")
    return _MARKDOWN_SPECIAL.sub(r"\\\1", text)


def _one_line(text: str) -> Markup:
    """Return text for an indented code block, where nothing has a meaning but the line's end."""
    return Markup(" ".join(text.split()))


def _with_note(text: str, note: str) -> str:
    bracketed = f"({_escaped_markdown(note)})" if note else ""
    return " ".join(part for part in (_escaped_markdown(text), bracketed) if part)


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped_markdown(cell) for cell in cells) + " |"
