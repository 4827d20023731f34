"""The systems that answer from the model itself: with what stands in the picture, too."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.models import MIXTURE, SEEING, WORDS, make_features, make_model, three_colours

from eval import systems
from eval.systems import OBJECTS, generate
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.tagger import Tagger

OBJECTS_SEEN = Calibration(1.0, 0.0, 0.2)


@pytest.fixture
def features() -> np.ndarray:
    """Features of ten photos, of which the last three are the roots of three classes."""
    features = make_features(10)
    features[:, 3:] = np.sqrt(np.random.default_rng(5).dirichlet([0.3] * 3, 10))
    return features


@pytest.fixture(autouse=True)
def _three_words(monkeypatch):
    monkeypatch.setattr(systems, "object_words", three_colours)


def test_words_that_are_objects_have_the_larger_of_two_probabilities(features):
    tagger = Tagger(make_model(MIXTURE, backbone=SEEING, objects=OBJECTS_SEEN))
    generated = generate(tagger, features, ["beach", "sea"])
    own, objects = generated.predictions, {v.name: v for v in generated.variants}[OBJECTS]
    assert (own.name, objects.role) == ("cgan", "variant")
    found, plain = (
        np.take_along_axis(r.scores, np.argsort(r.rows, axis=1), axis=1)
        for r in (objects.ranking, own.ranking)
    )
    shares = features[:, 5] ** 2, features[:, 4] ** 2
    seen = dict(zip(("beach", "café"), ((s - 0.001) / 0.999 for s in shares), strict=True))
    for row, word in enumerate(WORDS):
        expected = np.maximum(plain[:, row], seen.get(word, 0))
        assert found[:, row] == pytest.approx(expected, abs=1e-5)
    assert (found[:, WORDS.index("beach")] > plain[:, WORDS.index("beach")]).any()
    assert objects.concept_scores[:, 0] == pytest.approx(found[:, WORDS.index("beach")])


@pytest.mark.parametrize(
    "changes",
    [{"objects": None}, {"backbone": {"name": "small", "feature_size": 6, "image_size": 4}}],
    ids=["no calibration of objects", "no classes"],
)
def test_without_objects_there_is_no_such_system(features, changes):
    model = make_model(MIXTURE, **{"backbone": SEEING, "objects": OBJECTS_SEEN} | changes)
    names = [variant.name for variant in generate(Tagger(model), features, []).variants]
    assert OBJECTS not in names
