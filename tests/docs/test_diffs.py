"""The diffs on the pages, which show how to add something, fit the code as it is."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from helpers.pages import PAGES, ROOT, blocks, name_of

DIFFS = [
    pytest.param(diff, id=f"{name_of(page)}: {diff.splitlines()[0]}")
    for page in PAGES
    for diff in blocks(page, "diff")
]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("diff", DIFFS)
def test_diff_applies(diff):
    check = ["git", "apply", "--check", "-"]
    result = subprocess.run(check, cwd=ROOT, input=diff, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_pages_show_diffs():
    assert len(DIFFS) >= 4
