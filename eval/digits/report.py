"""The report of a GAN on digits: its sections, from the measured dict.

Without a condition the dict has no `condition_accuracy`; other digits than MNIST's have no
`published` figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.digits.plots import class_plot, sigma_plot
from eval.pages.plots import Line, Log, log_plot
from eval.pages.report import write_report
from eval.pages.section import Block, Cell, Page, Pictures, Plots, Row, Section, Table, Text, Tile
from eval.pages.text import number, percent
from eval.sections.facts import facts_section
from eval.sections.learning import discriminator_plots

Report = Mapping[str, Any]

KINDS = {"gan": "GAN", "cgan": "Conditional GAN"}

# Measure → what it means.
MEASURES = {
    "log-likelihood": "Mean log-density of the test digits under a Gaussian Parzen window around "
    "the generated ones, with its standard error. It rewards pixels near every test digit, not "
    "looking like a digit.",
    "condition accuracy": "How often the classifier takes a generated digit for the one that was "
    "asked for.",
    "classifier accuracy": "How often the classifier is right on test digits. What it says of "
    "generated ones is no more certain than that.",
    "FID": "Fréchet distance between the classifier's features of generated and of test digits, "
    "each as a Gaussian; 0 where both are alike.",
    "Inception Score": "How sure the classifier is of each generated digit while all of them "
    "spread over the classes: from 1 to the number of classes.",
    "precision": "Share of generated digits that lie among test digits, by nearest neighbours of "
    "the classifier's features: how real they are.",
    "recall": "Share of test digits that lie among generated ones, likewise: how much of their "
    "variety is generated.",
    "density": "In how many neighbourhoods of test digits a generated one lies, on the average, "
    "so that an outlier counts for less than in precision; about 1 where both are alike.",
    "coverage": "Share of test digits with a generated one in their neighbourhood; outliers among "
    "the generated ones do not raise it, as they do recall.",
    "modes covered": "Classes of which the classifier found any generated digit.",
    "evenness": "Entropy of the generated classes over that of an even spread: 1 is even, 0 one "
    "class alone.",
    "different nearest digits": "How many training digits are the nearest one of some generated "
    "digit, by their pixels. Few mean that the generator repeats itself.",
    "distance to training digits": "Mean Euclidean distance, over all pixels, to the nearest "
    "training digit. Much less than that of test digits would mean copies.",
}
# Measure → which values are good, where those are not the higher ones.
BETTER = {
    "FID": "lower",
    "modes covered": "all of them",
    "evenness": "near 1",
    "different nearest digits": "many",
    "distance to training digits": "near that of test digits",
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
    cells = measure_cells(report)
    tiles = [
        Tile(name, cells[name].text, cells[name].note, reading, colour)
        for name, (reading, colour) in TILES.items()
        if name in cells
    ]
    sections = [
        Section.of("pictures", "Pictures", "Pictures", Pictures(pictures)),
        Section.of("measures", "Measures", "Measures", _measure_table(cells)),
        Section.of("likelihood", "Log-likelihood", "Log-likelihood", *_likelihood_blocks(report)),
        Section.of("classes", "Classes", "Classes", _class_plots(report["modes"])),
        Section.of("learning", "Learning curves", "Learning", _learning_plots(log)),
        facts_section(report),
    ]
    shown = [section for section in sections if section and section.blocks]
    return Page(headline(report), summary(report), tiles, shown, {})


def headline(report: Report) -> str:
    """Return the name of the report: what learnt which digits, and the log-likelihood."""
    learnt = f"{KINDS[report['kind']]} on {report['data']['name']}"
    return f"{learnt}: log-likelihood {_with_error(report['log_likelihood'])}"


def summary(report: Report) -> list[str]:
    """Return the sentences that say, in plain words, what was measured and how to read it."""
    data, is_cgan = report["data"], report["kind"] == "cgan"
    asked = ", each for a given class," if is_cgan else ""
    looked = " looked at the generated ones"
    if is_cgan:
        taken = percent(report["condition_accuracy"])
        looked = f" takes {taken} of the generated digits for the one that was asked for"
    return [
        f"A {'conditional ' if is_cgan else ''}GAN (preset {report['preset']}) learnt to draw from "
        f"{data['n_train']:,} digits of {data['name']}, {data['height']} × {data['width']} pixels "
        "each.",
        f"{report['n_samples']:,} digits that it generated{asked} were measured beside "
        f"{data['n_test']:,} test digits, which it never saw.",
        "A Parzen window around the generated digits gives the test digits a mean log-likelihood "
        f"of {_with_error(report['log_likelihood'])} nats; its width was chosen on validation.",
        "Such a figure alone misleads: blurred digits can have a high one and sharp digits a low "
        "one, so read it with the pictures and with the other measures.",
        f"A classifier that is right on {percent(report['classifier_accuracy'])} of the test digits"
        f"{looked}.",
        "FID, Inception Score, precision and recall come from this small classifier, trained "
        "on the same data, instead of from Inception: they compare only inside this project.",
    ]


def measure_cells(report: Report) -> dict[str, Cell]:
    """Return the value of each of MEASURES that the report has, in their order."""
    likelihood, modes, nearest = (report[k] for k in ("log_likelihood", "modes", "nearest"))
    near = f"test digits {number(nearest['test_distance'])}"
    cells = {
        "log-likelihood": Cell(f"{likelihood['mean']:,.1f}", f"± {likelihood['se']:,.1f} nats"),
        "condition accuracy": Cell(percent(report.get("condition_accuracy"))),
        "classifier accuracy": Cell(percent(report["classifier_accuracy"])),
        "FID": Cell(number(report["fid"])),
        "Inception Score": Cell(number(report["inception_score"])),
        "precision": Cell(number(report["precision"])),
        "recall": Cell(number(report["recall"])),
        "density": Cell(number(report["density"])),
        "coverage": Cell(number(report["coverage"])),
        "modes covered": Cell(number(modes["covered"]), f"of {number(modes['of'])} classes"),
        "evenness": Cell(number(modes["entropy"])),
        "different nearest digits": Cell(
            number(nearest["n_distinct"]), f"of {nearest['n_samples']:,} samples"
        ),
        "distance to training digits": Cell(number(nearest["distance"]), near),
    }
    if report["kind"] == "gan":
        del cells["condition accuracy"]
    return cells


def _likelihood_blocks(report: Report) -> list[Block]:
    caption = (
        "Log-likelihood of validation digits by the width of the window, which is on a logarithmic "
        "axis; the dashed line is the width that was chosen"
    )
    said = (
        "The estimate depends on the pixels, on the number of samples and on the width of the "
        "window: figures compare only where all three were chosen alike."
    )
    plot = Plots.of({caption: sigma_plot(report["log_likelihood"])})
    return [Text(said), _likelihood_table(report), plot]


def _class_plots(modes: Mapping[str, Any]) -> Plots:
    caption = (
        "Share of each class, as the classifier says it, among generated digits (orange) and test "
        "digits (blue)"
    )
    return Plots.of({caption: class_plot(modes["counts"], modes["real_counts"])})


def _learning_plots(log: Log) -> Plots:
    learnt = "Log-likelihood of validation digits while it learnt; the best networks were kept"
    line = {"log_likelihood": Line("cgan", width=2)}
    plot = log_plot(log, line, "log-likelihood", "log-likelihood on validation, nats")
    return Plots.of({learnt: plot} | discriminator_plots(log, "digits"))


def _with_error(likelihood: Mapping[str, Any]) -> str:
    """Return "132.1 ± 1.8"."""
    return f"{likelihood['mean']:,.1f} ± {likelihood['se']:,.1f}"


def _measure_table(cells: Mapping[str, Cell]) -> Table:
    rows = tuple(
        Row(name, (cell, Cell(BETTER.get(name, "higher"))), MEASURES[name])
        for name, cell in cells.items()
    )
    caption = "What was measured, and what it means"
    return Table(caption, ("measure", "value", "better"), rows, "prose")


def _likelihood_table(report: Report) -> Table:
    """Return the log-likelihood of this run, and below it the published ones as published."""
    likelihood, published = report["log_likelihood"], report["published"]
    own = (Cell(f"{likelihood['mean']:,.1f}"), Cell(f"{likelihood['se']:,.1f}"))
    rows = [Row("this run", own, f"{KINDS[report['kind']]}, here measured", "cgan")]
    rows += [
        Row(name, (Cell(f"{found['mean']:,}"), Cell(f"{found['se']:,}")))
        for name, found in published.items()
    ]
    caption = "Parzen log-likelihood" + (" beside published figures" if published else "")
    return Table(caption, ("model", "mean, nats", "standard error"), tuple(rows), "level")
