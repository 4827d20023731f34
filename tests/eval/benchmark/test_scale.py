"""How costs grow: memory not with the images; exponents, rows and plots."""

from __future__ import annotations

import numpy as np
import pytest

from eval.benchmark import scale
from eval.benchmark.__main__ import draw_growth
from eval.benchmark.rows import Row
from eval.benchmark.scale import Cost, exponent, run_stage
from eval.benchmark.stages import __main__ as stages
from eval.benchmark.stages.__main__ import FEATURE_SIZE
from mmcgan.cli import run_command
from mmcgan.training.prepared.dataset import SPLITS

# As many photos are measured of both.
FEW, MANY, N_WORDS = 10_000, 26_000, 200
MIB = 2**20


@pytest.fixture(scope="module")
def costs(tmp_path_factory) -> dict[tuple[str, int], Cost]:
    folder = tmp_path_factory.mktemp("scale")
    return {
        (stage, size): run_stage(stage, size, N_WORDS, folder / str(size))
        for size in (FEW, MANY)
        for stage in ("draw", "prepare", "train", "evaluate", "tag")
    }


@pytest.mark.parametrize("stage", ["prepare", "train", "evaluate", "tag"])
def test_memory_does_not_grow_with_the_features(costs, stage):
    grown = costs[stage, MANY].peak_bytes - costs[stage, FEW].peak_bytes
    features = 4 * FEATURE_SIZE * (MANY - FEW)
    assert features > 75 * MIB
    assert grown < features / 2


def test_drawn_photos_are_a_prepared_file_with_every_word(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "FEATURE_SIZE", 8)
    stages.draw(900, 50, tmp_path)
    stages.prepare(900, 50, tmp_path)
    dataset = stages.read_dataset(tmp_path)
    assert dataset.features.shape == (900, 8)
    assert dataset.vocabularies["user"].words == tuple(stages._words(50))
    assert [len(dataset.rows(split)) for split in SPLITS] == [630, 90, 90, 90]
    assert 0 < np.diff(dataset.tags["user"].matrix.indptr).max() <= stages.TAGS


@pytest.mark.parametrize(("many_words", "ranking"), [(50, "mean"), (49, "vote")])
def test_stages_go_on_from_each_other(tmp_path, monkeypatch, many_words, ranking):
    monkeypatch.setattr(stages, "FEATURE_SIZE", 8)
    monkeypatch.setattr(stages, "MANY_WORDS", many_words)
    for stage in ("draw", "prepare", "train", "tag"):
        stages.STAGES[stage](2000, 50, tmp_path)
    assert stages.Tagger.load(tmp_path / "run").model.ranking == ranking


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fly", "10", "5"], "fly"),
        (["draw", "1", "5"], "N_IMAGES"),
        (["draw", "10", "29"], "29 words"),
    ],
)
def test_stage_that_cannot_be_is_one_line(tmp_path, capsys, arguments, words):
    assert run_command(stages.main, [*arguments, str(tmp_path / "none")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_exponent_worked_out_by_hand():
    assert exponent({10: 5.0, 100: 50.0, 1000: 500.0}) == pytest.approx(1)
    assert exponent({10: 5.0, 1000: 50.0}) == pytest.approx(0.5)
    assert exponent({10: 7.0, 1000: 7.0}) == pytest.approx(0)


def test_rows_say_how_time_and_memory_grow(monkeypatch):
    called = []

    def cost(stage, n_images, n_words, folder):
        called.append((stage, n_images, n_words))
        return Cost(seconds=n_images * n_words / 100, peak_bytes=3 * MIB)

    monkeypatch.setattr(scale, "run_stage", cost)
    monkeypatch.setattr(scale, "BY_IMAGES", (("prepare", "train"), (10, 1000)))
    monkeypatch.setattr(scale, "BY_WORDS", (("rank",), (20, 200)))
    monkeypatch.setattr(scale, "N_FEW_WORDS", 5)
    monkeypatch.setattr(scale, "N_SOME_IMAGES", 7)
    rows = list(scale.scale_rows())
    assert called == [
        ("draw", 10, 5),
        ("prepare", 10, 5),
        ("train", 10, 5),
        ("draw", 1000, 5),
        ("prepare", 1000, 5),
        ("train", 1000, 5),
        ("draw", 7, 20),
        ("rank", 7, 20),
        ("draw", 7, 200),
        ("rank", 7, 200),
    ]
    by_name = {row.what: row for row in rows}
    assert len(by_name) == 6
    assert by_name["scale_train_images_time"].ratio == pytest.approx(1)
    assert by_name["scale_train_images_memory"].ours == 0.01  # not at all
    assert by_name["scale_rank_words_time"].points == ((20, 1.4), (200, 14.0))
    assert "points" not in by_name["scale_rank_words_time"].as_json()


@pytest.mark.parametrize("n_grown", [0, 1, 5])
def test_rows_with_points_are_drawn(tmp_path, n_grown):
    grown = Row("scale_train_time", "x", 0.9, 1, "exponent", "less", 1, "", ((1, 2.0), (10, 9.0)))
    plain = Row("import", "x", 0.9, 1, "s", "less", 1)
    draw_growth([plain] + [grown] * n_grown, tmp_path / "plots" / "growth.svg")
    drawn = (tmp_path / "plots" / "growth.svg").read_text("utf-8")
    assert drawn.count('id="axes_') == n_grown
    assert "</svg>" in drawn
