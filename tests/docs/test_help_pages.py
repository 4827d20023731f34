"""The help pages in docs/commands are what the commands print with --help."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from helpers.pages import GENERATED, ROOT, load_help_pages

HELP = load_help_pages()
AGAIN = "run python docs/help_pages.py and commit docs/commands"


@pytest.fixture(autouse=True)
def _click_of_the_constraints():
    """Versions of click differ in how they print; the pages are those of the pinned one."""
    pinned = re.search(r"^click==(\S+)", (ROOT / "constraints.txt").read_text("utf-8"), re.M)[1]
    if version("click") != pinned:
        pytest.skip(f"the help pages are those of click {pinned}")


@pytest.mark.parametrize("typed", HELP.COMMANDS)
def test_help_page_is_what_the_command_prints(typed):
    page = GENERATED / HELP.page_name(typed)
    assert page.is_file(), f"{page.name} is missing; {AGAIN}"
    assert page.read_text("utf-8") == HELP.page_of(typed), f"{page.name} is not current; {AGAIN}"


def test_there_is_no_page_of_a_command_that_is_gone():
    wanted = {HELP.page_name(typed) for typed in HELP.COMMANDS}
    assert {path.name for path in GENERATED.iterdir()} == wanted, AGAIN


def test_pages_are_written_and_old_ones_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr(HELP, "PAGES", tmp_path / "commands")
    (tmp_path / "commands").mkdir()
    (tmp_path / "commands" / "gone.md").touch()
    HELP.main()
    written = {path.name: path.read_text("utf-8") for path in (tmp_path / "commands").iterdir()}
    assert written == {path.name: path.read_text("utf-8") for path in GENERATED.iterdir()}
