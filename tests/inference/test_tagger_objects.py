"""Words for what stands in the picture, and rules, in the tags of a photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.models import (
    MIXTURE,
    SEEING,
    WORDS,
    make_features,
    make_model,
    seeing_backbone,
    three_colours,
)
from helpers.photos import make_photo

from mmcgan.inference import tagger as tagger_module
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.photos.feature_cache import FeatureCache
from mmcgan.inference.tagger import Tag, Tagger
from mmcgan.inference.words.rules import NEVER, Rules

AS_IT_IS = Calibration(1.0, 0.0, 0.2)
RED, BLUE = [[0.9, 0.1, 0.0]], [[0.0, 0.02, 0.98]]


@pytest.fixture
def tagger(monkeypatch) -> Tagger:
    monkeypatch.setattr(tagger_module, "restore_backbone", lambda record: seeing_backbone())
    monkeypatch.setattr(tagger_module, "object_words", three_colours)
    return Tagger(make_model(MIXTURE, backbone=SEEING, objects=AS_IT_IS))


@pytest.fixture
def plain(tagger) -> Tagger:
    return replace(tagger, objects=False)


def scores(tagger: Tagger, classes: list[list[float]] | None = None, k: int = 100) -> dict:
    found = None if classes is None else np.array(classes, np.float32)
    (tags,) = tagger.tag_features(make_features(1), k, found)
    assert [tag.score for tag in tags] == sorted((tag.score for tag in tags), reverse=True)
    return dict(tags)


def test_an_object_that_is_no_word_of_the_model_is_a_word_of_its_own(tagger, plain):
    assert scores(tagger, RED) == (
        {**scores(plain), "tomato": pytest.approx(0.9, abs=2e-4), "colour": pytest.approx(1)}
    )


def test_an_object_that_is_a_word_of_the_model_has_the_larger_of_both_scores(tagger, plain):
    own = scores(plain)["beach"]
    assert scores(tagger, BLUE)["beach"] == pytest.approx(max(own, 0.98), abs=2e-4)
    surer = replace(tagger.model, calibration=Calibration(1.0, 30.0, 0.5))
    assert scores(replace(tagger, model=surer), BLUE)["beach"] > 0.98


def test_what_is_not_likely_enough_is_not_named(tagger, plain):
    assert "tomato" not in scores(tagger, [[0.19, 0.41, 0.4]])
    assert scores(tagger, [[0.0, 0.0, 0.0]]) == scores(plain)


def test_without_objects_none_are_named(tagger, plain):
    assert set(scores(plain)) == set(WORDS)
    none = replace(tagger, model=replace(tagger.model, objects=None))
    blind = replace(tagger, model=replace(tagger.model, backbone=make_model().backbone))
    for other in (none, blind):
        assert other.views is None
        assert set(scores(other)) == set(WORDS)


def test_features_alone_name_the_classes_that_they_hold(tagger, plain):
    features = make_features(1)
    features[0, 3:] = np.sqrt([0.9, 0.1, 0.0])
    (tags,) = tagger.tag_features(features, 100)
    assert dict(tags)["tomato"] == pytest.approx(0.9, abs=2e-4)
    assert "tomato" not in dict(plain.tag_features(features, 100)[0])


def test_the_whole_photo_is_looked_at_and_the_square_feeds_the_generator(tagger, plain, tmp_path):
    photo = make_photo((250, 5, 5))
    features, classes = tagger.look(photo)
    assert np.array_equal(features, plain.features(photo))
    assert classes is not None
    expected = tagger.tag_features(features, 5, classes)[0]
    assert tagger.tag(photo, 5) == expected
    assert "tomato" in dict(expected)
    cached = replace(tagger, cache=FeatureCache(tagger.seen_record, tmp_path / "cache"))
    assert [cached.tag(photo, 5) for _ in range(2)] == [expected] * 2
    assert plain.look(photo)[1] is None
    assert plain.seen_record == SEEING


def test_rules_hold_for_words_and_objects_together(tagger, plain):
    rules = Rules(
        {"beach": "sea", "rose": "flower", "日本": NEVER, "city": "tomato"}, {"colour": 1.01}
    )
    ruled = replace(tagger, model=replace(tagger.model, rules=rules))
    found, own = scores(ruled, BLUE), scores(plain)
    assert set(found) == set(WORDS) - {"beach", "rose", "日本", "city"} | {"tomato"}
    assert found["sea"] == pytest.approx(max(own["sea"], own["beach"], 0.98), abs=2e-4)
    assert found["flower"] == max(own["flower"], own["rose"])
    unfolded = scores(replace(ruled, folds=False), BLUE)
    assert set(unfolded) == {*WORDS, "colour"}


@pytest.mark.parametrize("k", [1, 3, 6])
def test_k_tags_are_left_after_folding(tagger, k):
    rules = Rules({"beach": "sea", "rose": "flower", "日本": NEVER, "night": NEVER})
    ruled = replace(tagger, model=replace(tagger.model, rules=rules))
    few = ruled.tag_features(make_features(20), k, np.zeros((20, 3), np.float32))
    every = ruled.tag_features(make_features(20), 100, np.zeros((20, 3), np.float32))
    assert [len(tags) for tags in few] == [k] * 20
    assert few == [tags[:k] for tags in every]
    assert all(isinstance(tag, Tag) for tags in few for tag in tags)
