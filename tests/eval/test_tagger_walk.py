"""The way of the Tagger through an evaluation is short: it is asked in one place, then stored."""

from __future__ import annotations

from pathlib import Path

from helpers.tagger_walk import Walk, walk_evaluation


def test_tagger_passes_few_files_and_returns_seldom(trained_modern, tmp_path):
    data, run = trained_modern
    walk = walk_evaluation(run, data, tmp_path, Path(__file__).parents[2])
    assert (tmp_path / "report.html").is_file()
    assert {"eval/systems.py", "eval/store.py"} <= set(walk.stays)
    assert not [name for name in walk.stays if name.startswith(("eval/baselines", "eval/sections"))]
    assert walk.n_files <= 11
    assert walk.n_returns <= 16


def test_stays_are_calls_into_one_file_after_the_other():
    files = ["a", "a", "b", "a", "c", "c", "b"]
    walk = Walk(Path(), dict.fromkeys(("caller", i, name, "f") for i, name in enumerate(files)))
    assert walk.stays == ["a", "b", "a", "c", "b"]
    assert (walk.n_files, walk.n_returns) == (3, 2)
