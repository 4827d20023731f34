"""How costs grow: memory not with the images; exponents, rows and plots."""

from __future__ import annotations

import numpy as np
import pytest

from eval.benchmark import scale
from eval.benchmark.plots import draw_growth
from eval.benchmark.rows import Row
from eval.benchmark.scale import FEATURE_SIZE, Cost, exponent, run_stage

FEW, MANY = 10_000, 30_000
MIB = 2**20


@pytest.fixture(scope="module")
def costs(tmp_path_factory) -> dict[tuple[str, int], Cost]:
    folder = tmp_path_factory.mktemp("scale")
    return {
        (stage, size): run_stage(stage, size, folder / str(size))
        for size in (FEW, MANY)
        for stage in ("write", "train", "tag")
    }


@pytest.mark.parametrize("stage", ["write", "train", "tag"])
def test_memory_does_not_grow_with_the_features(costs, stage):
    grown = costs[stage, MANY].peak_bytes - costs[stage, FEW].peak_bytes
    features = 4 * FEATURE_SIZE * (MANY - FEW)
    assert features > 95 * MIB
    assert grown < features / 3


def test_drawn_photos_are_a_prepared_file(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "FEATURE_SIZE", 8)
    scale.write_photos(tmp_path, 900)
    dataset = scale.read_dataset(tmp_path)
    assert dataset.features.shape == (900, 8)
    assert len(set(dataset.split.tolist())) == 4
    assert 0 < np.diff(dataset.tags["user"].matrix.indptr).max() <= scale.TAGS
    assert [p.name for p in tmp_path.iterdir()] == ["dataset.h5"]


def test_exponent_worked_out_by_hand():
    assert exponent({10: 5.0, 100: 50.0, 1000: 500.0}) == pytest.approx(1)
    assert exponent({10: 5.0, 1000: 50.0}) == pytest.approx(0.5)
    assert exponent({10: 7.0, 1000: 7.0}) == pytest.approx(0)


def test_rows_say_how_time_and_memory_grow(monkeypatch):
    called = []

    def cost(stage, size, folder):
        called.append((stage, size))
        return Cost(seconds=size / 100, peak_bytes=3 * MIB)

    monkeypatch.setattr(scale, "run_stage", cost)
    rows = list(scale.scale_rows((10, 1000), (20, 200)))
    assert called == [("write", 10), ("train", 10), ("tag", 10), ("write", 1000),
                      ("train", 1000), ("tag", 1000), ("rank", 20), ("rank", 200)]  # fmt: skip
    by_name = {row.what: row for row in rows}
    assert len(by_name) == 8
    assert by_name["scale_train_time"].ratio == pytest.approx(1)
    assert by_name["scale_train_memory"].ours == 0.01  # not at all
    assert by_name["scale_rank_time"].points == ((20, 0.2), (200, 2.0))
    assert "points" not in by_name["scale_rank_time"].as_json()


@pytest.mark.parametrize("n_grown", [0, 1, 5])
def test_rows_with_points_are_drawn(tmp_path, n_grown):
    grown = Row("scale_train_time", "x", 0.9, 1, "exponent", "less", 1, "", ((1, 2.0), (10, 9.0)))
    plain = Row("import", "x", 0.9, 1, "s", "less", 1)
    draw_growth([plain] + [grown] * n_grown, tmp_path / "plots" / "growth.svg")
    drawn = (tmp_path / "plots" / "growth.svg").read_text("utf-8")
    assert drawn.count('id="axes_') == n_grown
    assert "</svg>" in drawn
