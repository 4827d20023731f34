"""The benchmark's rows and the rivals in it; nothing here is timed, whatever the figures are."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from eval.benchmark import __main__ as benchmark
from eval.benchmark import features, search, tagging, timing
from eval.benchmark.photos import write_photos
from eval.benchmark.rows import Row, as_markdown
from mmcgan.backbone import load_backbone, restore_network
from mmcgan.cli import run_command
from mmcgan.images import open_photo
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


def test_plain_features_are_ours(tmp_path):
    paths = write_photos(tmp_path / "photos", 3)
    backbone = load_backbone("efficientnet-lite0")
    network = restore_network(backbone.record)
    plain = features.plain_features(paths, network, backbone.image_size)
    ours = backbone.features([open_photo(path) for path in paths])
    assert np.abs(plain - ours).max() < 0.01 * np.abs(ours).max()
    assert len({path.read_bytes() for path in paths}) == 3


def test_benchmark_extracts_what_prepare_extracts(tmp_path):
    paths = write_photos(tmp_path / "photos", 3)
    backbone = load_backbone("efficientnet-lite0")
    benchmark.extract(paths, backbone, tmp_path / "work")
    stored = np.fromfile(tmp_path / "work" / "features.f32", np.float32)
    expected = backbone.features([open_photo(path) for path in paths])
    assert np.allclose(stored.reshape(3, -1), expected, atol=1e-5)


def test_call_writes_the_rows(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(search, "N_PHOTOS", 2)
    few = {
        "features": lambda: features.feature_rows(benchmark.extract, n_photos=2, repeats=1),
        "search": lambda: search.search_rows(n_words=50, repeats=1),
        "tagging": lambda: tagging.tagging_rows(repeats=1),
    }
    monkeypatch.setattr(benchmark, "GROUPS", few)
    out = tmp_path / "rows.json"
    assert run_command(benchmark.main, ["--json", str(out)]) == 0
    rows = json.loads(out.read_text())
    names = [
        "features_plain", "features_bare", "exact_one", "exact_batch", "import", "first_tag",
        "tag_one",
    ]  # fmt: skip
    targets = [8, 0.9, 0.95, 0.95, 1, 1, 1]
    assert [row["target"] for row in rows] == targets
    assert [row["what"] for row in rows] == names
    for row in rows:
        assert row.keys() - {"why"} == {
            "what", "against", "ours", "rival", "unit", "ratio", "target",
        }  # fmt: skip
        assert 0 < row["ours"] < np.inf
        assert 0 < row["rival"] < np.inf
        assert ("why" in row) == (row["ratio"] < row["target"])
    assert all(f"`{name}`" in capsys.readouterr().out for name in names[:1])
