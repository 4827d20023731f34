"""The pages: as short as they should be, and naming only what there is."""

from __future__ import annotations

import re
from importlib import import_module, util

import pytest
from helpers.pages import (
    GENERATED,
    PAGES,
    ROOT,
    anchors,
    blocks,
    code_spans,
    links,
    load_help_pages,
    name_of,
)

MAX_README_BYTES = 9 * 1024
HELP = load_help_pages()
_PATH = re.compile(r"(?<![\w./-])(?:mmcgan|data_prep|eval|tests|docs)/[\w./-]*[\w/]")
_MODULE = re.compile(r"(?<![\w./-])(?:mmcgan|data_prep|eval)(?:\.[A-Za-z_]\w*)+")
_FILES = (".csv", ".json", ".md", ".xmp")  # `mmcgan.tags.csv` is no module


def each_page(test):
    return pytest.mark.parametrize("page", PAGES, ids=name_of)(test)


def test_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= MAX_README_BYTES


@each_page
def test_paths_that_a_page_names_are_there(page):
    named = {path for span in code_spans(page) for path in _PATH.findall(span)}
    assert {path for path in named if not (ROOT / path).exists()} == set()


@each_page
def test_modules_that_a_page_names_are_there(page):
    named = {
        name
        for span in code_spans(page)
        for name in _MODULE.findall(span)
        if not name.endswith(_FILES)
    }
    assert {name for name in named if not is_there(name)} == set()


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    module, _, attribute = name.rpartition(".")
    try:
        if util.find_spec(name):
            return True
    except ModuleNotFoundError:
        pass
    return bool(module) and hasattr(import_module(module), attribute)


@each_page
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_reached_from_the_readme():
    reached, to_read = set(), [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        reached.add(page)
        found = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
        to_read += [p for p in found if p.suffix == ".md" and p not in reached and p.is_file()]
    wanted = {*PAGES, *GENERATED.glob("*.md")}
    assert {name_of(page) for page in wanted - reached} == set()


@each_page
def test_python_of_a_page_compiles(page):
    for text in blocks(page, "python"):
        compile(text, name_of(page), "exec")
