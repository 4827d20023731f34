"""Tables and sentences of what the draws mean: as a distribution, and as sets of tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.pages.tables import ROLES, Cell, Report, Row, Table, interval, number, parameters, percent

# Measures of sets as a table names them, in its order.
SET_MEASURES = {
    "never_together": "pairs never together",
    "never_together_same_size": "of as many words as real",
    "never_together_frequent": "of frequent words",
    "energy": "energy score",
    "realism": "told from real, AUC",
}


def distribution_tables(report: Report) -> list[Table]:
    """Return the cross-entropy of all systems, and that by the number of draws."""
    part = report.get("distribution") or {}
    return [_cross_entropy_table(report, part), _by_draws_table(part)] if part else []


def reliability_table(report: Report, part: str = "distribution") -> Table | None:
    """Return predicted and observed probability of each system by bins of the predicted one.

    `part` is "distribution" or "calibration".
    """
    systems = (report.get(part) or {}).get("systems", {})
    by_bin: dict[tuple[float, float], dict[str, Any]] = {}
    for name, system in systems.items():
        for line in system["reliability"]:
            by_bin.setdefault((line["low"], line["high"]), {})[name] = line
    fields = {"predicted": "predicted", "observed": "observed", "n": "pairs"}
    columns = [f"{name}: {title}" for name in systems for title in fields.values()]
    rows = [
        Row(
            f"{low:.2g}–{high:.2g}",
            tuple(_binned(lines.get(name, {}).get(f)) for name in systems for f in fields),
        )
        for (low, high), lines in sorted(by_bin.items())
    ]
    caption = "Reliability: mean predicted and observed probability, by bins of the predicted one"
    return Table(caption, ("p", *columns), tuple(rows)) if rows else None


def calibration_said(report: Report) -> str:
    """Say how far scores are from what they promise; "" where not measured."""
    systems = (report.get("calibration") or {}).get("systems", {})
    if not systems:
        return ""
    errors = {name: system["expected_calibration_error"] for name, system in systems.items()}
    said = ", ".join(f"{number(error)} {name}" for name, error in errors.items())
    return (
        f"Of the ten best tags of every photo ({next(iter(systems.values()))['n']:,} tags), the "
        f"expected calibration error of the scores is {said}."
    )


def distribution_said(report: Report) -> str:
    """Say how the draws compare with the rival as a distribution; "" where not measured."""
    part = report.get("distribution") or {}
    if not part:
        return ""
    difference = part["difference"]
    name, rival = difference["name"], difference["against"]
    ours, theirs = (part["systems"][system]["cross_entropy"] for system in (name, rival))
    return (
        f"As a distribution over words, the draws of the {name} have a cross-entropy of "
        f"{_with_interval(ours)} with a photo's tags; that of the {rival} is "
        f"{_with_interval(theirs)}, and lower is better. Compared photo by photo, the {name} is "
        f"{_verdict(difference)} than the {rival}: the difference is "
        f"{_with_interval(difference)}."
    )


def sets_table(report: Report) -> Table | None:
    """Return the measures of each kind of sets; None where none were measured."""
    kinds = (report.get("sets") or {}).get("kinds", {})
    known = [m for m in SET_MEASURES if any(m in kind for kind in kinds.values())]
    rows = [Row(name, tuple(_figure(kind.get(m)) for m in known)) for name, kind in kinds.items()]
    columns = ("sets", *(SET_MEASURES[measure] for measure in known))
    return Table("Sets of tags, with 95 % intervals", columns, tuple(rows)) if known else None


def sets_glossary(report: Report) -> dict[str, str]:
    """Return what each measure of sets means, by its name in the table."""
    measures = (report.get("sets") or {}).get("measures", {})
    return {SET_MEASURES.get(name, name): text for name, text in measures.items()}


def sets_said(report: Report) -> str:
    """Say how much the sets of one draw are like those of people; "" where not measured."""
    kinds = (report.get("sets") or {}).get("kinds", {})
    ours = kinds.get("one draw", {})
    said = []
    if "never_together_same_size" in ours:
        shares = {name: kind.get("never_together_same_size") for name, kind in kinds.items()}
        beside = [
            f"{percent(shares[name]['value'])} {text}"
            for name, text in _BESIDE.items()
            if shares.get(name)
        ]
        said.append(
            f"Of the pairs of words within one draw's sets, as large as the photo's own, "
            f"{percent(ours['never_together_same_size']['value'])} are on no training photo "
            f"together{'; ' if beside else ''}{', '.join(beside)}."
        )
    if "realism" in ours:
        said.append(
            "By the words alone, a classifier tells one draw's sets from real ones with an AUC of "
            f"{_with_interval(ours['realism'])}; .5 is guessing."
        )
    return " ".join(said)


_BESIDE = {
    "independent": "where each word is from another draw",
    "ranking": "in the final ranking",
    "real": "among people's own tags",
}


def _cross_entropy_table(report: Report, part: Mapping[str, Any]) -> Table:
    rows = [_system_row(report, name, system) for name, system in part["systems"].items()]
    difference = part["difference"]
    head = f"{difference['name']} − {difference['against']}"
    rows.append(Row(head, (_figure(difference), *[Cell("–")] * 4), "photo by photo"))
    if part.get("target_entropy"):
        cells = (_figure(part["target_entropy"]), *[Cell("–")] * 4)
        rows.append(Row("entropy of the target", cells, "no system can be below", "ceiling"))
    columns = ("system", "cross-entropy", "draws", "weight of the prior", "chosen", "tried on dev")
    return Table("Cross-entropy with a photo's tags, in nats", columns, tuple(rows))


def _system_row(report: Report, name: str, system: Mapping[str, Any]) -> Row:
    role = report["systems"].get(name, {}).get("role", "")
    cells = (
        _figure(system["cross_entropy"]),
        Cell(number(system.get("n_draws"))),
        Cell(percent(system.get("prior_weight"))),
        Cell(parameters(system["chosen"])),
        Cell(number(system.get("n_tried"))),
    )
    return Row(name, cells, ROLES.get(role, role), role)


def _by_draws_table(part: Mapping[str, Any]) -> Table:
    rows = [
        Row(
            number(line["n_draws"]),
            (_figure(line["cross_entropy"]), Cell(parameters(line["chosen"]))),
        )
        for line in part["by_draws"]
    ]
    return Table(
        "Cross-entropy by the number of draws", ("draws", "cross-entropy", "chosen"), tuple(rows)
    )


def _binned(value: float | None) -> Cell:
    """Return a count, or a probability of any size with two digits."""
    return Cell(f"{value:.2g}" if isinstance(value, float) else number(value))


def _figure(value: Mapping[str, Any] | None) -> Cell:
    return Cell(number(value), interval(value)) if value else Cell("–")


def _verdict(difference: Mapping[str, Any]) -> str:
    """Say which is better where the interval of the difference leaves 0 out; lower is better."""
    if difference["low"] > 0:
        return "clearly worse"
    return "clearly better" if difference["high"] < 0 else "not clearly better or worse"


def _with_interval(value: Mapping[str, Any]) -> str:
    return f"{number(value['value'])} (95 % interval {interval(value)})"
