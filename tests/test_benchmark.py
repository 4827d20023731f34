"""The benchmark's rows and the rivals in it; nothing here is timed, whatever the figures are."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from eval.benchmark import __main__ as benchmark
from eval.benchmark import search, tagging, timing
from eval.benchmark.rows import Row, as_markdown
from mmcgan import clusters
from mmcgan.cli import run_command
from mmcgan.index import WordIndex
from mmcgan.vocabulary import unit_rows

FAST = Row("fast", "slow", 10.0, 5.0, "photos/s", "more", 1.5, "never said")
SLOW = Row("slow", "the limit", 4.0, 2.0, "s", "less", 1, "it waits")


def test_ratio_is_larger_where_ours_is_better():
    assert (FAST.ratio, FAST.reached) == (2, True)
    assert (SLOW.ratio, SLOW.reached) == (0.5, False)


def test_row_says_why_only_where_it_is_short():
    assert FAST.as_json() == {
        "what": "fast", "against": "slow", "ours": 10.0, "rival": 5.0, "unit": "photos/s",
        "ratio": 2.0, "target": 1.5,
    }  # fmt: skip
    assert SLOW.as_json()["why"] == "it waits"
    text = as_markdown([FAST, SLOW])
    assert "| `fast` | 10 photos/s | slow | 5 photos/s | 2 | 1.5 |" in text
    assert "| 0.5 | 1 (short) |" in text
    assert text.endswith("- `slow`: it waits\n")
    assert "never said" not in text


def test_tasks_run_once_beforehand_and_then_in_turn(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 12.0, 20.0, 29.0, 30.0, 30.5, 40.0, 42.0, 50.0, 53.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    order: list[str] = []
    tasks = {name: lambda name=name: order.append(name) for name in ("a", "b")}
    assert timing.median_seconds(tasks, 3) == {"a": 2.0, "b": 2.0}
    assert order == ["a", "b"] * 4


def test_python_that_ends_badly_is_no_figure():
    timing.python("pass")()
    with pytest.raises(subprocess.CalledProcessError):
        timing.python("raise SystemExit(3)")()


def test_numpy_finds_the_same_words():
    random = np.random.default_rng(0)
    words = unit_rows(random.normal(size=(300, 8)))
    queries = unit_rows(random.normal(size=(25, 8)))
    _, expected = WordIndex(words).search(queries, 7)
    assert np.array_equal(search.numpy_search(words, queries, 7, block=10), expected)


def test_call_writes_the_rows(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(search, "N_PHOTOS", 2)
    monkeypatch.setattr(search, "N_SPREAD", 2)
    few = {
        "search": lambda: search.search_rows(n_words=50, n_large=600, repeats=1),
        "tagging": lambda: tagging.tagging_rows(repeats=1),
    }
    monkeypatch.setattr(benchmark, "GROUPS", few)
    out = tmp_path / "rows.json"
    assert run_command(benchmark.main, ["--json", str(out)]) == 0
    rows = json.loads(out.read_text())
    names = [
        "exact_one", "exact_batch", "search_speed", "search_agreement",
        "import", "first_tag", "tag_one",
    ]  # fmt: skip
    assert [row["what"] for row in rows] == names
    for row in rows:
        assert row.keys() - {"why"} == {
            "what", "against", "ours", "rival", "unit", "ratio", "target",
        }  # fmt: skip
        assert row["ours"] > 0
        assert row["rival"] > 0
        assert ("why" in row) == (row["ratio"] < row["target"])
    assert all(f"`{name}`" in capsys.readouterr().out for name in names[:1])


def test_large_dictionary_is_clustered_and_its_tags_are_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(clusters, "MIN_WORDS", 3000)
    monkeypatch.setattr(search, "TREE", ((10, 0.12), (60, 0.22), (400, 0.4)))
    monkeypatch.setattr(search, "N_SPREAD", 3)
    speed, agreement = search._clustered_rows(4000, repeats=1)
    assert len(list(clusters.cache_folder().iterdir())) == 1
    assert (speed.what, speed.target) == ("search_speed", 10)
    assert (agreement.what, agreement.target) == ("search_agreement", 0.99)
    assert 0.9 <= agreement.ratio <= 1


def test_tree_of_words_has_near_and_far_neighbours():
    words = search.tree_of_words(3000, np.random.default_rng(0))
    assert np.allclose(np.linalg.norm(words, axis=1), 1, atol=1e-5)
    cosines = np.sort(words[::30] @ words.T, axis=1)
    assert 0.3 < cosines[:, -2].mean() < 0.9
    assert abs(cosines.mean()) < 0.1


def test_draws_of_a_photo_lie_near_several_words():
    random = np.random.default_rng(0)
    words = search.tree_of_words(3000, random)
    draws = search.draws_of_photos(words, 2, random)
    assert draws.shape == (2, search.N_SAMPLES, search.SIZE)
    nearest = (draws[0] @ words.T).argmax(axis=1)
    assert 3 <= len(set(nearest)) <= search.N_MEANT
