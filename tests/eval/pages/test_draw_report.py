"""What a report shows of the draws: tables, sentences and plots, and nothing without data."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from helpers.reports import (
    EVIL,
    Page,
    assert_tables_are_well_formed,
    lean_report,
    render_html,
    render_markdown,
)

from eval.findings import Findings
from eval.pages.plots import Line
from eval.pages.reliability import MIN_PAIRS, reliability_plot, reliability_table
from eval.sections import calibration, distribution, sets

LINES = {"cgan": Line("cgan", width=2.8), "mlp": Line("series-1")}


def figure(value: float, half: float = 0.03) -> dict:
    return {"value": value, "low": value - half, "high": value + half}


def line(low: float, predicted: float, observed: float, n: int = 1000) -> dict:
    high = 10 * low or 1e-6
    return {"low": low, "high": high, "predicted": predicted, "observed": observed, "n": n}


def made_distribution() -> dict:
    bins = [line(0.0, 1e-7, 0.0), line(0.001, 0.004, 0.003), line(0.01, 0.04, 0.05)]
    chosen = {"alpha": 0.3, "prior": "train"}
    return {
        "description": "What p is.",
        "target": "What q is.",
        "target_entropy": figure(1.2),
        "n_images": 100,
        "systems": {
            "cgan": {
                "n_draws": 5000,
                "cross_entropy": figure(5.6),
                "chosen": chosen,
                "prior_weight": 0.25,
                "n_tried": 26,
                "reliability": bins,
            },
            "mlp": {
                "cross_entropy": figure(5.4),
                "chosen": {"temperature": 1.4},
                "prior_weight": 0.0,
                "n_tried": 126,
                "reliability": bins[1:],
            },
        },
        "difference": {"name": "cgan", "against": "mlp", **figure(0.2, 0.01)},
        "by_draws": [
            {"n_draws": 100, "cross_entropy": figure(5.9), "chosen": chosen},
            {"n_draws": 5000, "cross_entropy": figure(5.6), "chosen": chosen},
        ],
    }


def made_sets() -> dict:
    return {
        "description": "What a set is.",
        "measures": {"never_together": "Never.", "energy": "Energy.", "realism": "Real."},
        "kinds": {
            "one draw": {
                "never_together": figure(0.15),
                "never_together_same_size": figure(0.12),
                "energy": figure(0.34),
                "realism": figure(0.71),
            },
            "independent": {"never_together_same_size": figure(0.25), "energy": figure(0.4)},
            "real": {"never_together_same_size": figure(0.09)},
        },
    }


def made_calibration() -> dict:
    def system(error: float) -> dict:
        bins = [line(0.01, 0.04, 0.05), line(0.1, 0.4, 0.3)]
        return {"expected_calibration_error": error, "n": 2000, "reliability": bins}

    return {
        "description": "What a score is.",
        "systems": {"as ranked": system(0.021), "calibrated": system(0.009)},
    }


def made_report() -> dict:
    return lean_report() | {
        "distribution": made_distribution(),
        "calibration": made_calibration(),
        "sets": made_sets(),
    }


def test_pages_have_both_sections_in_their_place():
    page = Page(render_html(made_report(), [], []))
    ids = [attrs["id"] for attrs in page.all("section")]
    assert ids[ids.index("truth") :][:5] == [
        "truth",
        "distribution",
        "calibration",
        "sets",
        "tuning",
    ]
    assert {a["href"].lstrip("#") for a in page.all("a")} >= {"distribution", "calibration", "sets"}
    everything = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(everything) == len(set(everything))
    markdown = render_markdown(made_report(), [])
    headings = re.findall("^## (.+)$", markdown, re.MULTILINE)
    assert "The draws as a distribution" in headings
    assert "Scores as probabilities" in headings
    assert "Tag sets" in headings
    assert_tables_are_well_formed(markdown)


@pytest.mark.parametrize(
    "text", ["What p is.", "What q is.", "What a set is.", "Energy.", "What a score is."]
)
def test_pages_say_what_was_measured(text):
    assert text in Page(render_html(made_report(), [], [])).text
    assert text in render_markdown(made_report(), [])


@pytest.mark.parametrize("part", ["distribution", "calibration", "sets"])
def test_pages_leave_out_a_part_that_is_missing_or_none(part):
    for report in (lean_report(), made_report() | {part: None}):
        page = Page(render_html(report, [], []))
        assert part not in {attrs.get("id") for attrs in page.all("section")}
        assert f"#{part}" not in {attrs["href"] for attrs in page.all("a")}
        assert_tables_are_well_formed(render_markdown(report, []))
    assert "The draws" not in render_markdown(lean_report(), [])
    assert "Tag sets" not in render_markdown(lean_report(), [])


def test_pages_keep_hostile_names_as_text():
    report = made_report()
    distribution = report["distribution"]
    distribution["systems"][EVIL] = distribution["systems"].pop("mlp")
    distribution["difference"]["against"] = EVIL
    report["sets"]["kinds"][EVIL] = report["sets"]["kinds"]["real"]
    page = Page(render_html(report, [], []))
    assert "script" not in {tag for tag, _ in page.elements}
    assert EVIL in page.text
    markdown = render_markdown(report, [])
    assert "<" not in "\n".join(li for li in markdown.splitlines() if not li.startswith("    "))
    assert_tables_are_well_formed(markdown)


def test_pages_are_the_same_bytes_again():
    assert render_html(made_report(), [], []) == render_html(made_report(), [], [])


def test_calibration_is_said_and_drawn():
    report = made_report()
    assert calibration.calibration_said(report["calibration"]) == (
        "Of the ten best tags of every photo (2,000 tags), the expected calibration error of the "
        "scores is 0.021 as ranked, 0.009 calibrated."
    )
    assert calibration.section(Findings(lean_report())) is None
    table = reliability_table(report["calibration"])
    assert [row.head for row in table.rows] == ["0.01–0.1", "0.1–1"]
    plot = reliability_plot(report["calibration"], calibration.LINES, "calibration")
    assert "calibrated 0.3 where it says 0.4" in plot
    assert plot in render_html(report, [], [])


def test_distribution_tables_hold_systems_difference_and_numbers_of_draws():
    systems, by_draws = distribution.cross_entropy_tables(Findings(made_report()))
    rows = {row.head: [cell.text for cell in row.cells] for row in systems.rows}
    assert rows["cgan"] == ["5.60", "5,000", "25.0 %", "alpha = 0.3, prior = train", "26"]
    assert rows["mlp"] == ["5.40", "–", "0.0 %", "temperature = 1.4", "126"]
    assert rows["cgan − mlp"] == ["0.200", *["–"] * 4]
    assert systems.rows[0].cells[0].note == "5.57–5.63"
    assert [(row.head, row.cells[0].text) for row in by_draws.rows] == [
        ("100", "5.90"),
        ("5,000", "5.60"),
    ]
    assert all(len(row.cells) + 1 == len(systems.columns) for row in systems.rows)


def test_reliability_table_has_a_dash_where_a_system_has_no_pair():
    table = reliability_table(made_report()["distribution"])
    rows = {row.head: [cell.text for cell in row.cells] for row in table.rows}
    assert rows["0–1e-06"] == ["1e-07", "0", "1,000", "–", "–", "–"]
    assert rows["0.001–0.01"] == ["0.004", "0.003", "1,000"] * 2
    assert reliability_table({}) is None


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.2, "clearly worse than the mlp"),
        (-0.2, "clearly better than the mlp"),
        (0.005, "not clearly better or worse than the mlp"),
    ],
)
def test_distribution_sentence_goes_no_further_than_the_interval(value, verdict):
    report = made_report()
    report["distribution"]["difference"] |= figure(value, 0.01)
    said = distribution.distribution_said(report["distribution"])
    assert verdict in said
    assert "5.60 (95 % interval 5.57–5.63)" in said
    assert distribution.section(Findings(lean_report())) is None


def test_sets_table_has_the_measures_that_there_are():
    table = sets.sets_table(made_sets())
    assert table.columns == (
        "sets",
        "pairs never together",
        "of as many words as real",
        "energy score",
        "told from real, AUC",
    )
    rows = {row.head: [cell.text for cell in row.cells] for row in table.rows}
    assert rows["one draw"] == ["0.150", "0.120", "0.340", "0.710"]
    assert rows["real"] == ["–", "0.090", "–", "–"]
    assert sets.sets_table({}) is None


def test_sets_sentences_name_the_controls_that_there_are():
    said = sets.sets_said(made_sets())
    assert "12.0 % are on no training photo together" in said
    assert "25.0 % where each word is from another draw, 9.0 % among people's own tags." in said
    assert "an AUC of 0.710 (95 % interval 0.680–0.740)" in said
    assert "ranking" not in said
    assert sets.sets_said({}) == ""
    assert sets.sets_said({"kinds": {"one draw": {}}}) == ""


def both_plots() -> list:
    part = made_distribution()
    return [reliability_plot(part, LINES), distribution.by_draws_plot(part, LINES)]


def test_plots_are_svg_elements_in_the_colours_of_the_page():
    for plot in both_plots():
        root = ElementTree.fromstring(plot)
        assert (root.tag, root.get("role")) == ("svg", "img")
        assert "var(--cgan," in plot
        assert re.findall(r"(?:stroke|fill):(#\w+)", plot) == []
    assert both_plots() == both_plots()


def test_plots_say_their_figures_to_who_cannot_see_them():
    reliability, by_draws = (
        ElementTree.fromstring(plot).get("aria-label") for plot in both_plots()
    )
    assert "cgan 0.05 where it says 0.04" in reliability
    assert "100 draws 5.900, 5,000 draws 5.600. Levels: mlp 5.400." in by_draws


def test_plots_take_what_is_hardly_there():
    part = made_distribution()
    part["by_draws"] = part["by_draws"][:1]
    assert distribution.by_draws_plot(part, {})
    part["systems"]["cgan"]["reliability"] = [line(0.0, 1e-12, 0.0)]
    assert reliability_plot(part, {})
    for system in part["systems"].values():
        system["reliability"] = [line(0.1, 0.2, 0.2, n=MIN_PAIRS - 1)]
    assert reliability_plot(part, LINES) is None
    assert reliability_plot({}, LINES) is None
    assert distribution.by_draws_plot({}, LINES) is None
