"""Scores made probabilities, and the threshold that is best on dev."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from mmcgan.errors import RunError
from mmcgan.files import read_json, write_json
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.model import read_model
from mmcgan.inference.tagger import Tagger
from mmcgan.training.calibrate import fit_calibration
from mmcgan.training.prepared.dataset import read_dataset
from mmcgan.training.runs import RunDir


@pytest.mark.parametrize("values", [(0, 1, 0.5), (-1, 0, 0.5), (1, np.inf, 0.5), (1, 0, np.nan)])
def test_a_calibration_that_keeps_no_ranking_is_refused(values):
    with pytest.raises(ValueError, match="no calibration keeps a ranking"):
        Calibration(*values)


@pytest.mark.parametrize("fixture", ["trained", "trained_modern"])
def test_a_run_keeps_what_was_fitted_on_dev(fixture, request):
    data, run = request.getfixturevalue(fixture)
    dataset, model = read_dataset(data), read_model(RunDir(run))
    stored = read_json(run / "model.json", RunError)["calibration"]
    assert model.calibration == Calibration(**stored)
    rows, words = dataset.rows("dev"), np.arange(len(model.vocabulary))
    tags = sparse.csr_array(dataset.tag_matrix(model.facts["tags"], model.vocabulary.words)[rows])
    batches = Tagger(model).ranked(dataset.features[rows])
    again = fit_calibration(np.concatenate([b.scores_of(words)[0] for b in batches]), tags)
    kept = (model.calibration.scale, model.calibration.shift, model.calibration.threshold)
    assert kept == pytest.approx((again.scale, again.shift, again.threshold), abs=0.02)


def test_a_run_without_a_calibration_has_the_scores_of_its_ranking(trained, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").write_bytes((trained[1] / "model.safetensors").read_bytes())
    description = read_json(trained[1] / "model.json", RunError)
    features = read_dataset(trained[0]).features[:4]
    calibrated = Tagger.load(trained[1]).tag_features(features)
    del description["calibration"]
    write_json(run / "model.json", description)
    tagger = Tagger.load(run)
    assert tagger.model.calibration is None
    plain = tagger.tag_features(features)
    scores = next(tagger.ranked(features)).rank(10).scores
    assert np.array([[t.score for t in tags] for tags in plain]) == pytest.approx(scores)
    assert [[t.word for t in tags] for tags in plain] == [
        [t.word for t in tags] for tags in calibrated
    ]
    write_json(
        run / "model.json", description | {"calibration": {"scale": -1, "shift": 0, "threshold": 0}}
    )
    with pytest.raises(RunError, match="no calibration keeps a ranking"):
        Tagger.load(run)
    assert replace(tagger.model, calibration=Calibration(1, 0, 0)).calibrated(
        scores
    ) == pytest.approx(scores, abs=1e-6)
