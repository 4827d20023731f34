"""The choice among ranked tags."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmcgan.folders.choice import BEST, Choice
from mmcgan.folders.config import TagConfig
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.tagger import Tag, Tagger

RANKED = [Tag(f"w{i:02}", 0.9 - 0.05 * i) for i in range(16)]


@pytest.fixture
def tagger(trained) -> Tagger:
    return Tagger.load(trained[1])


def given(tagger, **options) -> int:
    choice = Choice.of(TagConfig(**options), tagger)
    tags = choice.among(RANKED)
    assert tags == RANKED[: len(tags)]
    return len(tags)


def test_k_alone_means_no_threshold(tagger):
    assert given(tagger, k=15) == min(15, len(tagger.model.vocabulary))


def test_threshold_alone_means_no_k(tagger):
    assert given(tagger, threshold=0.37) == 11 > BEST
    assert given(tagger, threshold=0.95) == 0


def test_both_hold_together(tagger):
    assert given(tagger, threshold=0.8, k=10) == 3
    assert given(tagger, threshold=0.1, k=2) == 2


def test_neither_gives_the_ten_best_of_a_run_without_a_calibration(tagger):
    tagger = replace(tagger, model=replace(tagger.model, calibration=None))
    assert given(tagger) == BEST


def test_neither_gives_what_reaches_the_threshold_found_on_dev(tagger):
    calibration = Calibration(1.0, 0.0, threshold=0.62)
    tagger = replace(tagger, model=replace(tagger.model, calibration=calibration))
    assert given(tagger) == 6
    assert given(tagger, k=8) == 8
    calibration = replace(calibration, threshold=0.95)
    assert given(replace(tagger, model=replace(tagger.model, calibration=calibration))) == 1


def test_at_least_one_is_given_where_none_reaches_the_threshold():
    choice = Choice(10, 0.99, at_least=1)
    assert choice.among(RANKED) == RANKED[:1]
    assert choice.among([]) == []
