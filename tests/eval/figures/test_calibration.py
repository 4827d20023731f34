"""Whether scores are what they say: worked out by hand, and on small runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from eval.answers import Scores
from eval.figures.metrics import RankingWithTruth
from eval.sections.calibration import N_GIVEN, calibration, calibration_of
from mmcgan.inference.tagger import Tagger
from mmcgan.training.prepared.dataset import read_dataset


def test_calibration_error_is_worked_out_by_hand():
    scores = np.array([0.31, 0.39, 0.55, 0.55, 1.0])
    found = calibration_of(scores, np.array([True, False, True, True, True]))
    bins = [
        (line["low"], line["predicted"], line["observed"], line["n"])
        for line in found["reliability"]
    ]
    assert bins == pytest.approx(np.array([(0.3, 0.35, 0.5, 2), (0.5, 0.55, 1, 2), (0.9, 1, 1, 1)]))
    assert found["n"] == 5
    assert found["expected_calibration_error"] == pytest.approx((2 * 0.15 + 2 * 0.45) / 5)


@pytest.mark.parametrize("fixture", ["trained", "trained_modern"])
def test_the_ten_best_tags_of_every_photo_are_counted(fixture, request):
    data, run = request.getfixturevalue(fixture)
    dataset, tagger = read_dataset(data), replace(Tagger.load(run), folds=False)
    model, rows = tagger.model, dataset.rows("val")
    relevant = sparse.csr_array(
        dataset.tag_matrix(model.facts["tags"], model.vocabulary.words)[rows]
    )
    ranking = next(tagger.ranked(dataset.features[rows])).rank(100)
    ranked = RankingWithTruth(ranking, relevant, model.vocabulary.vectors)
    systems = calibration(Scores(True, model.calibration).kinds, ranked)["systems"]
    assert list(systems) == ["as ranked", "calibrated"]
    tags = tagger.tag_features(dataset.features[rows], N_GIVEN)
    n_right = sum(
        tag.word in dataset.tags["user"].of(row) + dataset.tags["annotations"].of(row)
        for row, own in zip(rows, tags, strict=True)
        for tag in own
    )
    for system in systems.values():
        assert system["n"] == N_GIVEN * len(rows)
        lines = system["reliability"]
        assert sum(line["n"] * line["observed"] for line in lines) == pytest.approx(n_right)
    mean = np.mean([tag.score for own in tags for tag in own])
    lines = systems["calibrated"]["reliability"]
    assert sum(line["n"] * line["predicted"] for line in lines) / system["n"] == pytest.approx(mean)
    assert list(calibration(Scores(True, None).kinds, ranked)["systems"]) == ["as ranked"]
    assert calibration(Scores(False, model.calibration).kinds, ranked) is None
