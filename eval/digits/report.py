"""The report of a GAN on digits: its sections, from the measured dict.

A part that the dict lacks, or has as None, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.digits.plots import class_plot, likelihood_plot, sigma_plot
from eval.pages.plots import Log
from eval.pages.report import write_report
from eval.pages.section import Cell, Page, Pictures, Plots, Row, Section, Table, Text, Tile
from eval.pages.text import number, percent, table_or_none
from eval.sections.facts import facts_section
from eval.sections.learning import discriminator_plots

Report = Mapping[str, Any]

KINDS = {"gan": "GAN", "cgan": "Conditional GAN"}

# Measure → which values are good, and what it means.
MEASURES = {
    "log-likelihood": (
        "higher",
        "Mean log-density of the test digits under a Gaussian Parzen window around the generated "
        "ones, with its standard error. It rewards pixels near every test digit, not looking like "
        "a digit.",
    ),
    "condition accuracy": (
        "higher",
        "How often the classifier takes a generated digit for the one that was asked for.",
    ),
    "classifier accuracy": (
        "higher",
        "How often the classifier is right on test digits. What it says of generated ones is no "
        "more certain than that.",
    ),
    "FID": (
        "lower",
        "Fréchet distance between the classifier's features of generated and of test digits, "
        "each as a Gaussian; 0 where both are alike.",
    ),
    "Inception Score": (
        "higher",
        "How sure the classifier is of each generated digit while all of them spread over the "
        "classes: from 1 to the number of classes.",
    ),
    "precision": (
        "higher",
        "Share of generated digits that lie among test digits, by nearest neighbours of the "
        "classifier's features: how real they are.",
    ),
    "recall": (
        "higher",
        "Share of test digits that lie among generated ones, likewise: how much of their variety "
        "is generated.",
    ),
    "density": (
        "higher",
        "In how many neighbourhoods of test digits a generated one lies, on the average, so that "
        "an outlier counts for less than in precision; about 1 where both are alike.",
    ),
    "coverage": (
        "higher",
        "Share of test digits with a generated one in their neighbourhood; outliers among the "
        "generated ones do not raise it, as they do recall.",
    ),
    "modes covered": (
        "all of them",
        "Classes of which the classifier found any generated digit.",
    ),
    "evenness": (
        "near 1",
        "Entropy of the generated classes over that of an even spread: 1 is even, 0 one class "
        "alone.",
    ),
    "different nearest digits": (
        "many",
        "How many training digits are the nearest one of some generated digit, by their pixels. "
        "Few mean that the generator repeats itself.",
    ),
    "distance to training digits": (
        "near that of test digits",
        "Mean Euclidean distance, over all pixels, to the nearest training digit. Much less than "
        "that of test digits would mean copies.",
    ),
}
TILES = {  # measure → how to read it, and its colour of the palette
    "log-likelihood": ("higher is better", "cgan"),
    "condition accuracy": ("higher is better", "series-1"),
    "FID": ("lower is better", "series-3"),
    "modes covered": ("by the classifier", "series-2"),
}


def write_digits_report(
    out: Path, report: dict[str, Any], log: Log, pictures: Mapping[str, bytes]
) -> None:
    """Write report.json, report.md and report.html into `out`, each whole or not at all.

    `log` are the records of the run's log.jsonl, `pictures` PNGs by caption; both may be empty.
    Raises `ValueError` if the report holds a number that is not finite.
    """
    write_report(out, report, digits_page(report, log, pictures))


def digits_page(report: Report, log: Log, pictures: Mapping[str, bytes]) -> Page:
    """Return the page of a report."""
    given = {name: part for name, part in report.items() if part is not None}
    cells = measure_cells(given)
    tiles = [
        Tile(name, cells[name].text, cells[name].note, reading, colour)
        for name, (reading, colour) in TILES.items()
        if name in cells
    ]
    sections = [
        Section.of("pictures", "Pictures", "Pictures", Pictures(pictures)),
        Section.of("measures", "Measures", "Measures", _measure_table(cells)),
        _likelihood_section(given),
        Section.of("classes", "Classes", "Classes", _class_plots(given.get("modes", {}))),
        Section.of("learning", "Learning curves", "Learning", _learning_plots(log)),
        facts_section(given),
    ]
    shown = [section for section in sections if section and section.blocks]
    return Page(headline(given), summary(given), tiles, shown, {})


def headline(report: Report) -> str:
    """Return the name of the report: what learnt which digits, and the log-likelihood."""
    name = report.get("data", {}).get("name")
    learnt = _kind(report) + (f" on {name}" if name else "")
    likelihood = report.get("log_likelihood")
    return f"{learnt}: log-likelihood {_with_error(likelihood)}" if likelihood else learnt


def summary(report: Report) -> list[str]:
    """Return the sentences that say, in plain words, what was measured and how to read it."""
    said = [*_what_was_learnt(report), *_likelihood_said(report), *_classifier_said(report)]
    if "fid" in report or "inception_score" in report:
        said.append(
            "FID, Inception Score, precision and recall come from this small classifier, trained "
            "on the same data, instead of from Inception: they compare only inside this project."
        )
    return said


def measure_cells(report: Report) -> dict[str, Cell]:
    """Return the value of each of MEASURES that the report has, in their order."""
    cells = _likelihood_cells(report.get("log_likelihood"))
    cells |= {
        "condition accuracy": Cell(percent(report.get("condition_accuracy"))),
        "classifier accuracy": Cell(percent(report.get("classifier_accuracy"))),
        "FID": Cell(number(report.get("fid"))),
        "Inception Score": Cell(number(report.get("inception_score"))),
    }
    cells |= {
        name: Cell(number(report.get(name)))
        for name in ("precision", "recall", "density", "coverage")
    }
    cells |= _mode_cells(report.get("modes")) | _nearest_cells(report.get("nearest"))
    nothing = number(None)
    return {name: cell for name, cell in cells.items() if cell.text != nothing}


def _likelihood_section(report: Report) -> Section | None:
    likelihood = report.get("log_likelihood")
    if not likelihood:
        return None
    caption = (
        "Log-likelihood of validation digits by the width of the window, which is on a logarithmic "
        "axis; the dashed line is the width that was chosen"
    )
    said = (
        "The estimate depends on the pixels, on the number of samples and on the width of the "
        "window: figures compare only where all three were chosen alike."
    )
    plot = sigma_plot(likelihood) if likelihood.get("validation") else None
    table = _likelihood_table(report, likelihood)
    title = "Log-likelihood"
    return Section.of("likelihood", title, title, Text(said), table, Plots.of({caption: plot}))


def _class_plots(modes: Mapping[str, Any]) -> Plots:
    caption = (
        "Share of each class, as the classifier says it, among generated digits (orange) and test "
        "digits (blue)"
    )
    return Plots.of({caption: class_plot(modes.get("counts") or [], modes.get("real_counts"))})


def _learning_plots(log: Log) -> Plots:
    learnt = "Log-likelihood of validation digits while it learnt; the best networks were kept"
    return Plots.of({learnt: likelihood_plot(log)} | discriminator_plots(log, "digits"))


def _kind(report: Report) -> str:
    return KINDS.get(report["kind"], str(report["kind"]))


def _with_error(likelihood: Mapping[str, Any]) -> str:
    """Return "132.1 ± 1.8", or the mean alone where its standard error is unknown."""
    mean, error = f"{likelihood['mean']:,.1f}", likelihood.get("se")
    return mean if error is None else f"{mean} ± {error:,.1f}"


def _what_was_learnt(report: Report) -> list[str]:
    said = []
    data, n_samples = report.get("data"), report.get("n_samples")
    preset = f" (preset {report['preset']})" if "preset" in report else ""
    if data:
        article = "A conditional GAN" if report["kind"] == "cgan" else f"A {_kind(report)}"
        said.append(
            f"{article}{preset} learnt to draw from {data['n_train']:,} digits of {data['name']}, "
            f"{data['height']} × {data['width']} pixels each."
        )
    if data and n_samples is not None:
        asked = ", each for a given class," if report["kind"] == "cgan" else ""
        said.append(
            f"{n_samples:,} digits that it generated{asked} were measured beside "
            f"{data['n_test']:,} test digits, which it never saw."
        )
    return said


def _likelihood_said(report: Report) -> list[str]:
    likelihood = report.get("log_likelihood")
    if not likelihood:
        return []
    return [
        "A Parzen window around the generated digits gives the test digits a mean log-likelihood "
        f"of {_with_error(likelihood)} nats; its width was chosen on validation.",
        "Such a figure alone misleads: blurred digits can have a high one and sharp digits a low "
        "one, so read it with the pictures and with the other measures.",
    ]


def _classifier_said(report: Report) -> list[str]:
    right, asked = (report.get(f"{name}_accuracy") for name in ("classifier", "condition"))
    if right is None:
        return []
    taken = f" takes {percent(asked)} of the generated digits for the one that was asked for"
    looked = " looked at the generated ones" if asked is None else taken
    return [f"A classifier that is right on {percent(right)} of the test digits{looked}."]


def _likelihood_cells(likelihood: Mapping[str, Any] | None) -> dict[str, Cell]:
    if not likelihood:
        return {}
    error = "" if likelihood.get("se") is None else f"± {likelihood['se']:,.1f} nats"
    return {"log-likelihood": Cell(f"{likelihood['mean']:,.1f}", error)}


def _mode_cells(modes: Mapping[str, Any] | None) -> dict[str, Cell]:
    if not modes:
        return {}
    return {
        "modes covered": Cell(
            number(modes.get("covered")), f"of {number(modes.get('of'))} classes"
        ),
        "evenness": Cell(number(modes.get("entropy"))),
    }


def _nearest_cells(nearest: Mapping[str, Any] | None) -> dict[str, Cell]:
    if not nearest:
        return {}
    looked_at, of_test = nearest.get("n_samples"), nearest.get("test_distance")
    return {
        "different nearest digits": Cell(
            number(nearest.get("n_distinct")), f"of {looked_at:,} samples" if looked_at else ""
        ),
        "distance to training digits": Cell(
            number(nearest.get("distance")),
            "" if of_test is None else f"test digits {number(of_test)}",
        ),
    }


def _measure_table(cells: Mapping[str, Cell]) -> Table | None:
    rows = (
        Row(name, (cell, Cell(MEASURES[name][0])), MEASURES[name][1])
        for name, cell in cells.items()
    )
    caption = "What was measured, and what it means"
    return table_or_none(caption, ("measure", "value", "better"), rows, "prose")


def _likelihood_table(report: Report, likelihood: Mapping[str, Any]) -> Table:
    """Return the log-likelihood of this run, and below it the published ones as published."""
    published = report.get("published", {})
    error = likelihood.get("se")
    own = f"{likelihood['mean']:,.1f}", number(None) if error is None else f"{error:,.1f}"
    rows = [Row("this run", tuple(map(Cell, own)), f"{_kind(report)}, here measured", "cgan")]
    rows += [
        Row(name, (Cell(_as_given(found.get("mean"))), Cell(_as_given(found.get("se")))))
        for name, found in published.items()
    ]
    caption = "Parzen log-likelihood" + (" beside published figures" if published else "")
    return Table(caption, ("model", "mean, nats", "standard error"), tuple(rows), "level")


def _as_given(value: float | None) -> str:
    """Return a figure with the digits that it was published with."""
    return number(None) if value is None else f"{value:,}"
