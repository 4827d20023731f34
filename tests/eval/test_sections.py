"""The sections of a report: found by themselves, in order, each with what it shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.reports import Page, lean_report, render_html, render_markdown

from eval import sections
from eval.pages.section import Folded, Legend, Plots, Section, Table, Terms, Text

TABLE = Table("Words", ("word", "n"), ())

A_MEASURE = """
from eval.pages.section import Section, Text

ORDER = 45


def measure(answers):
    return {"longest": "x"}


def section(findings):
    return Section("longest", "Longest word", "Longest", [Text(findings.report["longest"])])
"""


def test_modules_come_in_the_order_of_the_report():
    modules = sections.section_modules()
    orders = [module.ORDER for module in modules]
    assert orders == sorted(set(orders))
    assert {module.__name__ for module in modules} == {
        f"eval.sections.{path.stem}"
        for path in Path(sections.__file__).parent.glob("*.py")
        if path.stem != "__init__"
    }


@pytest.fixture
def one_more(tmp_path, monkeypatch):
    """One more module beside those of the report."""
    (tmp_path / "longest.py").write_text(A_MEASURE)
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    sections.section_modules.cache_clear()
    yield
    sections.section_modules.cache_clear()
    sys.modules.pop("eval.sections.longest", None)


def test_a_new_measure_is_one_more_module(one_more):
    report = lean_report() | {"longest": "llanfairpwllgwyngyll"}
    ids = [attrs["id"] for attrs in Page(render_html(report, [], [])).all("section")]
    assert "longest" in ids
    assert "## Longest word\n\nllanfairpwllgwyngyll\n" in render_markdown(report, [])


def test_section_has_no_empty_blocks():
    found = Section.of("a", "A", "A", Text(""), Plots([]), None, Terms({}), Legend([]), TABLE)
    assert found.blocks == [TABLE]


def test_section_of_pictures_alone_is_not_in_markdown():
    assert not Section("a", "A", "A", [Legend(["cgan"])]).in_markdown
    assert Section("a", "A", "A", [Legend(["cgan"]), Folded(TABLE)]).in_markdown
