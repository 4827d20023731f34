"""Tables of a report as plain data, one function a table; both page formats draw from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmcgan.inference.words.vocabulary import printed

Report = Mapping[str, Any]

ROLES = {"cgan": "this run", "rival": "rival", "variant": "variant", "control": "control"}
N_TAGS = 50  # rows of the table of single tags
N_EXTREMES = 15  # rows of the tables of the best and the worst tags
MIN_RELEVANT = 5  # photos that a tag needs to be called best or worst
CONTROLS = {
    "distinct_words": "Different words among the samples of one photo. One that always gives the "
    "same few has collapsed.",
    "noise_variance_share": "Share of the generated vectors' variance that comes from the noise: "
    "near 0 the noise is ignored, near 1 the photo is.",
    "vocabulary_coverage": "Share of the vocabulary that is in the top ten of any photo.",
    "shuffled_P@10": "P@10 of the cgan when every photo gets another photo's features: it should "
    "fall to what knowing no photo earns.",
    "adversarial_gradient_share": "Share of the generator's gradient that comes from the "
    "discriminator, at the end of training.",
}


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
class Table:
    """A caption, the names of all columns, the head's included, and the rows."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


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
    return ", ".join(f"{key} = {_exact(value)}" for key, value in values.items()) or "none"


def _exact(value: Any) -> str:
    """Return a setting as it was given, not rounded for reading."""
    if isinstance(value, list | tuple):
        return ", ".join(_exact(item) for item in value)
    return str(value) if type(value) in (int, float) else number(value)


def interval(value: Mapping[str, Any]) -> str:
    """Return the 95 % interval of a measure, nothing where it has none."""
    low, high = value.get("low"), value.get("high")
    return "" if low is None or high is None else f"{number(low)}–{number(high)}"


def relevances(report: Report) -> list[str]:
    """Return the ways of relevance that were measured; the one that the run learnt comes first."""
    known = list(dict.fromkeys(report["relevances"]))
    return sorted(known, key=lambda relevance: relevance != report.get("tags"))


def relevance_name(relevance: str) -> str:
    """Return a way of relevance as a page names it."""
    return {"user": "user tags", "user+annotations": "user tags + annotations"}.get(
        relevance, relevance
    )


def system_table(report: Report, relevance: str) -> Table:
    """Return all systems by all measures of one relevance, with intervals and the ceiling."""
    systems = {n: s for n, s in report["systems"].items() if s.get(relevance)}
    figures = {name: dict(system[relevance]) for name, system in systems.items()}
    if relevance == relevances(report)[0]:
        for name, system in systems.items():
            if "concept_MAP" in system:
                figures[name]["concept_MAP"] = system["concept_MAP"]
    measures = _ordered_union(figures.values())
    best = _best_of(figures, systems, measures)
    rows = [
        _system_row(name, systems[name], _figure_cells(figures[name], measures, best))
        for name in systems
    ]
    ceiling = report.get("relevance", {}).get(relevance, {}).get("ceiling")
    if ceiling:
        cells = tuple(Cell(number(ceiling.get(measure))) for measure in measures)
        rows.append(Row("ceiling", cells, "most that is possible", "ceiling"))
    return Table(
        f"All systems, relevant by {relevance_name(relevance)}", ("system", *measures), tuple(rows)
    )


def breadth_table(report: Report) -> Table | None:
    """Return coverage, diversity and hubs of each system; None where none were measured."""
    systems = {n: s for n, s in report["systems"].items() if "coverage" in s}
    if not systems:
        return None
    known = [
        r for r in relevances(report) if any(r in s.get("n_plus", {}) for s in systems.values())
    ]
    columns = (
        "coverage",
        "entropy",
        *(f"N+ ({r})" for r in known),
        "diversity",
        "hub",
        "hub share",
        "skewness",
    )
    rows = [_system_row(name, s, _breadth_cells(s, known)) for name, s in systems.items()]
    return Table(
        "How widely each system draws on the vocabulary", ("system", *columns), tuple(rows)
    )


def control_table(report: Report) -> Table | None:
    """Return the controls of the generator against their targets; None where there are none."""
    checks = {check["name"]: check for check in report.get("checks", [])}
    rows = [
        Row(name, _control_cells(value, checks.get(name)), _explained(name, checks))
        for name, value in report.get("cgan_checks", {}).items()
    ]
    return _table_or_none(
        "Controls of the generator", ("control", "value", "target", "result"), rows
    )


def near_duplicate_table(report: Report) -> Table | None:
    """Return P@10 with and without the photos that have a near duplicate in train."""
    without = report.get("near_duplicates", {}).get("P@10_without", {})
    known = [r for r in relevances(report) if any(r in values for values in without.values())]
    columns = [title for r in known for title in (f"all photos ({r})", f"without ({r})")]
    rows = [
        _system_row(name, report["systems"][name], _without_cells(report, name, values, known))
        for name, values in without.items()
        if name in report["systems"]
    ]
    return _table_or_none("P@10 with and without near duplicates", ("system", *columns), rows)


def tag_tables(report: Report) -> list[Table]:
    """Return the most frequent tags, and those of some frequency with the best and worst recall."""
    tags = report.get("per_tag", [])
    judged = [t for t in tags if t["n_relevant"] >= MIN_RELEVANT and t["recall"] is not None]
    by_recall = sorted(judged, key=lambda t: (-t["recall"], -t["n_relevant"], t["word"]))
    worst = sorted(judged, key=lambda t: (t["recall"], -t["n_relevant"], t["word"]))
    if len(judged) < 2 * N_EXTREMES:
        by_recall = worst = []
    found = [
        _tag_table(f"The {min(N_TAGS, len(tags))} most frequent tags", tags[:N_TAGS]),
        _tag_table("Found best, by recall", by_recall[:N_EXTREMES]),
        _tag_table("Found worst, the most frequent first", worst[:N_EXTREMES]),
    ]
    return [table for table in found if table.rows]


def tuning_tables(report: Report) -> list[Table]:
    """Return what was tried on dev for each rival, and what was chosen."""
    return [
        _tuning_table(name, tuning)
        for name, tuning in report.get("tuning", {}).items()
        if tuning.get("tried")
    ]


def truth_table(report: Report) -> Table | None:
    """Return how far the generated tags are from the true distribution, where it is known."""
    names = {
        "total_variation": "total variation (0 the same, 1 disjoint)",
        "mode_coverage": "share of the true modes that are generated",
        "n_draws": "generated tags",
    }
    truth = report.get("truth") or {}
    rows = [Row(text, (Cell(number(truth[n])),)) for n, text in names.items() if n in truth]
    return _table_or_none("Distance from the true distribution", ("measure", "value"), rows)


def fact_table(caption: str, facts: Mapping[str, Any]) -> Table | None:
    """Return nested facts as one list of names and values; None where there are none."""
    rows = [Row(name, (Cell(value),)) for name, value in _flat(facts)]
    return _table_or_none(caption, ("what", "value"), rows)


def _table_or_none(caption: str, columns: tuple[str, ...], rows: Sequence[Row]) -> Table | None:
    return Table(caption, columns, tuple(rows)) if rows else None


def _system_row(name: str, system: Mapping[str, Any], cells: tuple[Cell, ...]) -> Row:
    return Row(name, cells, ROLES.get(system["role"], system["role"]), system["role"])


def _figure_cells(
    figures: Mapping[str, Any], measures: Sequence[str], best: Mapping[str, float]
) -> tuple[Cell, ...]:
    return tuple(
        Cell(number(value), interval(value), value.get("value") == best.get(measure, "none"))
        if (value := figures.get(measure))
        else Cell("–")
        for measure in measures
    )


def _best_of(
    figures: Mapping[str, Any], systems: Mapping[str, Any], measures: Sequence[str]
) -> dict[str, float]:
    """Return the best value of each measure; controls are no competitors."""
    rated = [f for name, f in figures.items() if systems[name]["role"] != "control"]
    values = {m: [f[m]["value"] for f in rated if m in f] for m in measures}
    return {measure: max(found) for measure, found in values.items() if found}


def _breadth_cells(system: Mapping[str, Any], known: Sequence[str]) -> tuple[Cell, ...]:
    counts = [Cell(number(system.get("n_plus", {}).get(relevance))) for relevance in known]
    return (
        Cell(percent(system["coverage"])),
        Cell(number(system.get("entropy"))),
        *counts,
        Cell(number(system.get("diversity"))),
        Cell(printed(system.get("hub_word") or "–")),
        Cell(percent(system.get("hub_share"))),
        Cell(number(system.get("hub_skewness"))),
    )


def percent(share: float | None) -> str:
    """Return a share as a percentage."""
    return "–" if share is None else f"{100 * share:.1f} %"


def _control_cells(value: Any, check: Mapping[str, Any] | None) -> tuple[Cell, ...]:
    if check is None:
        return Cell(number(value)), Cell("–"), Cell("–")
    return Cell(number(value)), Cell(check["target"]), Cell("pass" if check["passed"] else "FAIL")


def _explained(name: str, checks: Mapping[str, Any]) -> str:
    return CONTROLS.get(name) or checks.get(name, {}).get("description", "")


def _without_cells(
    report: Report, name: str, values: Mapping[str, Any], known: Sequence[str]
) -> tuple[Cell, ...]:
    full = [report["systems"][name].get(relevance, {}).get("P@10") for relevance in known]
    pairs = zip(full, (values.get(relevance) for relevance in known), strict=True)
    return tuple(Cell(number(value)) for pair in pairs for value in pair)


def _tag_table(caption: str, tags: Sequence[Mapping[str, Any]]) -> Table:
    fields = ("n_relevant", "n_predicted", "n_hits", "precision", "recall")
    columns = ("tag", "photos", "predicted", "hits", "precision", "recall")
    rows = [Row(printed(tag["word"]), tuple(Cell(number(tag[f])) for f in fields)) for tag in tags]
    return Table(caption, columns, tuple(rows))


def _tuning_table(name: str, tuning: Mapping[str, Any]) -> Table:
    rows = []
    for trial in tuning["tried"]:
        chosen = trial["params"] == tuning.get("chosen")
        score = Cell(number(trial.get("P@10")), "chosen" if chosen else "", chosen)
        rows.append(Row(parameters(trial["params"]), (score,)))
    refitted = tuning.get("refitted")
    fitted = "" if refitted is None else f", {'' if refitted else 'not '}refitted on train + dev"
    return Table(f"{name}: {len(rows)} tried{fitted}", ("setting", "P@10 on dev"), tuple(rows))


def _ordered_union(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group))


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name} · ")
        else:
            yield f"{prefix}{name}", _exact(value)
