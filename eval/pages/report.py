"""The report that people read: report.json, report.md and report.html, from the measured dict.

Texts in it come from strangers (tags, file names): both page formats escape whatever is put into
them, and report.html is one file that asks nothing of any server and runs no script.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from eval.pages import draw_plots, draw_tables, plots, prose, tables
from eval.pages.gallery import GalleryPhoto
from eval.pages.svg import PALETTE
from eval.pages.tables import Report, Table
from mmcgan.files import write_json, write_text
from mmcgan.inference.words.vocabulary import printed

Log = Sequence[Mapping[str, Any]]

_TEMPLATES = Path(__file__).parent / "templates"
_MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]|~$#])")


@dataclass(frozen=True)
class Figure:
    """A plot with the sentence below it."""

    svg: Markup
    caption: str


def write_report(
    out_dir: Path, report: dict[str, Any], log: Log, gallery: Sequence[GalleryPhoto]
) -> None:
    """Write report.json, report.md and report.html into `out_dir`, each whole or not at all.

    `report` is the dict of `eval.measure`, `log` the records of the run's log.jsonl (may be
    empty), `gallery` the photos to show (may be empty). Parts without data are left out. Raises
    `ValueError` if the report holds a number that is not finite.
    """
    html, markdown = render_html(report, log, gallery), render_markdown(report, log)
    write_json(out_dir / "report.json", report)
    write_text(out_dir / "report.md", markdown)
    write_text(out_dir / "report.html", html)


def render_html(report: Report, log: Log, gallery: Sequence[GalleryPhoto]) -> str:
    """Return the page; the same arguments give the same bytes."""
    environment = new_environment(autoescape=True)
    environment.filters |= {"printed": printed, "data_uri": data_uri, "score": _score}
    view = _shared_view(report, log) | _figures_view(report, log) | {"gallery": gallery}
    return environment.get_template("report.html.j2").render(view, palette=PALETTE)


def render_markdown(report: Report, log: Log) -> str:
    """Return the same tables as GitHub Markdown, without pictures."""
    environment = new_environment(finalize=_escaped_markdown)
    environment.filters |= {"table": markdown_table, "code": _one_line}
    return environment.get_template("report.md.j2").render(_shared_view(report, log))


def markdown_table(table: Table) -> Markup:
    """Return a GitHub Markdown table; all its texts are escaped, each row is one line."""
    lines = [_markdown_line(table.columns), "|" + " --- |" * len(table.columns)]
    for row in table.rows:
        cells = [_markdown_cell(cell) for cell in row.cells]
        lines.append(_markdown_line([Markup(_with_note(row.head, row.note)), *cells]))
    return Markup("\n".join(lines))


def new_environment(**options: Any) -> Environment:
    """Return what renders the templates, which refuses names that it is not given."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


def _shared_view(report: Report, log: Log) -> dict[str, Any]:
    """Return what both page formats show."""
    known = [r for r in tables.relevances(report) if prose.measured(report, r, "P@10")]
    checks = sorted(report.get("checks", []), key=lambda check: bool(check["passed"]))
    return {
        "headline": prose.headline(report),
        "summary": prose.summary(report),
        "checks": [check | {"value": tables.number(check["value"])} for check in checks],
        "collapsed": prose.has_collapsed(report),
        "discriminator": prose.discriminator_state(log),
        "relevance_names": [tables.relevance_name(relevance) for relevance in known],
        "relevance_facts": [prose.relevance_facts(report, relevance) for relevance in known],
        "system_tables": [tables.system_table(report, relevance) for relevance in known],
        "breadth": tables.breadth_table(report),
        "tag_tables": tables.tag_tables(report),
        "controls": tables.control_table(report),
        "near_duplicates": prose.near_duplicates(report),
        "near_duplicate_table": tables.near_duplicate_table(report),
        "truth": tables.truth_table(report),
        "truth_description": report.get("truth", {}).get("description", ""),
        **_draws_view(report),
        "tuning": tables.tuning_tables(report),
        "glossary": report.get("metrics", {}),
        "facts": fact_tables(report),
        "command": report.get("command"),
    }


def _draws_view(report: Report) -> dict[str, Any]:
    """Return what both page formats show of the draws as a distribution and as sets."""
    distribution, sets = report.get("distribution") or {}, report.get("sets") or {}
    return {
        "distribution": draw_tables.distribution_tables(report),
        "distribution_said": draw_tables.distribution_said(report),
        "distribution_description": distribution.get("description", ""),
        "distribution_target": distribution.get("target", ""),
        "reliability": draw_tables.reliability_table(report),
        "calibration_said": draw_tables.calibration_said(report),
        "calibration_description": (report.get("calibration") or {}).get("description", ""),
        "calibration": draw_tables.reliability_table(report, "calibration"),
        "sets": draw_tables.sets_table(report),
        "sets_said": draw_tables.sets_said(report),
        "sets_description": sets.get("description", ""),
        "sets_glossary": draw_tables.sets_glossary(report),
    }


def fact_tables(report: Report) -> list[Table]:
    """Return the facts of the data, the run and the versions, as far as there are any."""
    sources = {"The data": "data", "The run": "run", "Versions": "versions"}
    found = [tables.fact_table(title, report.get(key, {})) for title, key in sources.items()]
    return [table for table in found if table]


def _figures_view(report: Report, log: Log) -> dict[str, Any]:
    """Return the plots of the page, by section."""
    lines = plots.system_lines({name: s["role"] for name, s in report["systems"].items()})
    known = tables.relevances(report)
    return {
        "lines": lines,
        "tiles": prose.tiles(report, prose.measured(report, known[0], "P@10")),
        "intervals": _interval_figures(report, known, lines),
        "curves": _curve_figures(report, known, lines),
        "learning": _learning_figures(log),
        "tag_figures": _tag_figures(report.get("per_tag", [])),
        "retrieval": plots.retrieval_plot(report.get("retrieval_counts", {}), lines),
        "distribution_figures": _distribution_figures(report.get("distribution") or {}, lines),
        "calibration_figures": _calibration_figures(report.get("calibration") or {}),
        "distribution_names": list((report.get("distribution") or {}).get("systems", {})),
    }


def _interval_figures(
    report: Report, known: Sequence[str], lines: Mapping[str, plots.Line]
) -> list[Figure]:
    measured = {relevance: prose.measured(report, relevance, "P@10") for relevance in known}
    return [
        Figure(
            plots.interval_plot(figures, lines, "P@10", relevance),
            f"P@10 of each system, relevant by {tables.relevance_name(relevance)}",
        )
        for relevance, figures in measured.items()
        if figures
    ]


def _curve_figures(
    report: Report, known: Sequence[str], lines: Mapping[str, plots.Line]
) -> list[Figure]:
    curves = report.get("curves", {})
    return [
        Figure(
            plots.curve_plot(curves, relevance, measure, lines),
            f"{measure.capitalize()} at k, relevant by {tables.relevance_name(relevance)}",
        )
        for relevance in known
        if any(relevance in curve for curve in curves.values())
        for measure in ("precision", "recall")
    ]


def _learning_figures(log: Log) -> list[Figure]:
    drawn = {
        "P@10 on dev, which chose the model": plots.dev_plot(log),
        "Distinct words among the samples of a photo": plots.distinct_plot(log),
    }
    return game_figures(log, "pairs") + drawn_figures(drawn)


def game_figures(log: Log, things: str) -> list[Figure]:
    """Return how both networks learnt, as far as the log says it; D judges `things`."""
    losses, rights = _judged(log, "loss_d", things), _judged(log, "d_accuracy", things)
    drawn = {
        f"Losses: the discriminator {losses}, the generator (orange)": plots.loss_plot(log),
        f"How often the discriminator is right: {rights}; .5 is guessing": plots.accuracy_plot(log),
    }
    return drawn_figures(drawn)


def _judged(log: Log, measure: str, things: str) -> str:
    """Say on what D was measured: each kind apart, which is which of a pair of them, or both."""
    apart, order = (any(f"{measure}_{on}" in r for r in log) for on in ("real", "order"))
    if order and apart:
        return f"on real {things} (solid), generated ones (dashed) and which is which (purple)"
    if order:
        return f"on which of two {things} is the real one (purple)"
    return f"on real {things} (solid) and generated ones (dashed)"


def drawn_figures(drawn: Mapping[str, Markup | None]) -> list[Figure]:
    """Return the plots that there are; `drawn` has them by caption, None where there is none."""
    return [Figure(svg, caption) for caption, svg in drawn.items() if svg]


def _tag_figures(per_tag: Sequence[Mapping[str, Any]]) -> list[Figure]:
    drawn = {
        "Recall (orange) and precision (blue) of the most frequent tags": plots.tag_plot(per_tag),
        "How often each tag is given, and how often it should be; on the line it is as often": (
            plots.balance_plot(per_tag)
        ),
    }
    return drawn_figures(drawn)


def _distribution_figures(part: Mapping[str, Any], lines: Mapping[str, plots.Line]) -> list[Figure]:
    drawn = {
        "How often a word is a tag, over the probability that it was given; on the line both are "
        "the same": draw_plots.reliability_plot(part, lines),
        "Cross-entropy by the number of draws with 95 % intervals, and the level of the others; "
        "lower is better": draw_plots.by_draws_plot(part, lines),
    }
    return drawn_figures(drawn)


def _calibration_figures(part: Mapping[str, Any]) -> list[Figure]:
    plot = draw_plots.reliability_plot(part, draw_plots.CALIBRATION_LINES, "calibration")
    caption = "How often a tag is right, over its score, calibrated (orange) and as ranked"
    return drawn_figures({f"{caption}; on the line a score is what it says": plot})


def data_uri(picture: bytes, kind: str = "jpeg") -> str:
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


def _markdown_cell(cell: tables.Cell) -> Markup:
    text = _with_note(cell.text, cell.note)
    return Markup(f"**{text}**" if cell.best else text)


def _with_note(text: str, note: str) -> str:
    return " ".join(part for part in (_escaped_markdown(text), _bracketed(note)) if part)


def _bracketed(note: str) -> str:
    return f"({_escaped_markdown(note)})" if note else ""


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped_markdown(cell) for cell in cells) + " |"
