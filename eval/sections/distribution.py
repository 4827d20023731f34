"""Whether the draws mean something: drawn words as a distribution, beside that of the MLP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eval.answers import Answers
from eval.figures.distribution import distribution
from eval.findings import Findings
from eval.pages.plots import Line, draw_line, set_ticks
from eval.pages.reliability import OTHER, reliability_plot, reliability_table
from eval.pages.section import Cell, Folded, Legend, Plots, Row, Section, Table, Text
from eval.pages.svg import colour, drawing, name_axes, new_axes, svg
from eval.pages.text import cell, number, parameters, percent, system_row, with_interval

ORDER = 110


def measure(answers: Answers) -> dict[str, Any]:
    """Return `distribution`: a comparison of both, left out where the MLP is."""
    if answers.compared is None:
        return {}
    both = answers.compared.dev, answers.compared.measured
    found = distribution(*both, answers.train_tags, answers.seed)
    return {"distribution": found} if found else {}


def section(findings: Findings) -> Section | None:
    """Show reliability, cross-entropy, and how many draws it takes."""
    part, lines = findings.part("distribution"), findings.lines
    if not part:
        return None
    drawn = {
        "How often a word is a tag, over the probability that it was given; on the line both are "
        "the same": reliability_plot(part, lines),
        "Cross-entropy by the number of draws with 95 % intervals, and the level of the others; "
        "lower is better": by_draws_plot(part, lines),
    }
    table = reliability_table(part)
    return Section.of(
        "distribution",
        "The draws as a distribution",
        "Distribution",
        Text(distribution_said(part)),
        Legend(list(part["systems"])),
        Plots.of(drawn),
        *cross_entropy_tables(findings),
        Text(f"{part.get('description', '')} The target: {part.get('target', '')}", fine=True),
        Folded(table) if table else None,
    )


def distribution_said(part: Mapping[str, Any]) -> str:
    """Say how the draws compare with the baseline as a distribution."""
    difference = part["difference"]
    name, baseline = difference["name"], difference["against"]
    ours, theirs = (part["systems"][system]["cross_entropy"] for system in (name, baseline))
    return (
        f"As a distribution over words, the draws of the {name} have a cross-entropy of "
        f"{with_interval(ours)} with a photo's tags; that of the {baseline} is "
        f"{with_interval(theirs)}, and lower is better. Compared photo by photo, the {name} is "
        f"{_verdict(difference)} than the {baseline}: the difference is "
        f"{with_interval(difference)}."
    )


def _verdict(difference: Mapping[str, Any]) -> str:
    """Say which is better where the interval of the difference leaves 0 out; lower is better."""
    if difference["low"] > 0:
        return "clearly worse"
    return "clearly better" if difference["high"] < 0 else "not clearly better or worse"


def cross_entropy_tables(findings: Findings) -> list[Table]:
    """Return the cross-entropy of all systems, and that by the number of draws."""
    columns = ("system", "cross-entropy", "draws", "weight of the prior", "chosen", "tried on dev")
    caption = "Cross-entropy with a photo's tags, in nats"
    systems = Table(caption, columns, tuple(_rows(findings)), "prose")
    return [systems, _by_draws_table(findings.part("distribution"))]


def _by_draws_table(part: Mapping[str, Any]) -> Table:
    rows = tuple(
        Row(
            number(line["n_draws"]),
            (cell(line["cross_entropy"]), Cell(parameters(line["chosen"]))),
        )
        for line in part["by_draws"]
    )
    columns = ("draws", "cross-entropy", "chosen")
    return Table("Cross-entropy by the number of draws", columns, rows, "prose")


def _rows(findings: Findings) -> list[Row]:
    part, known = findings.part("distribution"), findings.report["systems"]
    rows = [
        system_row(name, known.get(name, {}).get("role", ""), _cells(system))
        for name, system in part["systems"].items()
    ]
    difference, nothing = part["difference"], [Cell("–")] * 4
    head = f"{difference['name']} − {difference['against']}"
    rows.append(Row(head, (cell(difference), *nothing), "photo by photo"))
    if part.get("target_entropy"):
        cells = (cell(part["target_entropy"]), *nothing)
        rows.append(Row("entropy of the target", cells, "no system can be below", "ceiling"))
    return rows


def _cells(system: Mapping[str, Any]) -> list[Cell]:
    texts = [
        number(system.get("n_draws")),
        percent(system.get("prior_weight")),
        parameters(system["chosen"]),
        number(system.get("n_tried")),
    ]
    return [cell(system["cross_entropy"]), *map(Cell, texts)]


def by_draws_plot(part: Mapping[str, Any], lines: Mapping[str, Line]) -> Markup | None:
    """Draw the cross-entropy over the number of draws, with the levels of the other systems."""
    points = part.get("by_draws")
    if not points:
        return None
    name = part["difference"]["name"]
    figures = {n: s["cross_entropy"] for n, s in part["systems"].items() if n != name}
    numbers = [float(point["n_draws"]) for point in points]
    values = [point["cross_entropy"] for point in points]
    with drawing():
        figure, axes = new_axes()
        line = lines.get(name, OTHER)
        for other, level in figures.items():
            style = lines.get(other, OTHER)
            draw_line(axes, [numbers[0] / 1.5, numbers[-1] * 1.5], [level["value"]] * 2, style)
        low, high = ([value[end] for value in values] for end in ("low", "high"))
        axes.vlines(numbers, low, high, color=colour(line.colour), linewidth=1.6)
        draw_line(axes, numbers, [value["value"] for value in values], line)
        axes.plot(numbers, [value["value"] for value in values], "o", color=colour(line.colour))
        _draw_numbers(axes, numbers)
        name_axes(axes, "draws a photo", "cross-entropy, nats")
        said = ", ".join(
            f"{n:,.0f} draws {value['value']:.3f}" for n, value in zip(numbers, values, strict=True)
        )
        levels = ", ".join(f"{other} {level['value']:.3f}" for other, level in figures.items())
        return svg(figure, "by-draws", f"Cross-entropy of the {name}: {said}. Levels: {levels}.")


def _draw_numbers(axes: Axes, numbers: list[float]) -> None:
    """Make the axis of x logarithmic, with the numbers of draws at its ticks."""
    axes.set(xscale="log", xlim=(numbers[0] / 1.5, numbers[-1] * 1.5))
    set_ticks(axes.xaxis, numbers)
    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
