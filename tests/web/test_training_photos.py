from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.thumbnails import with_thumbnails

pytest.importorskip("fastapi", reason="needs the extra web")

from mmcgan.errors import DataError
from mmcgan.inference.model import Model, read_model
from mmcgan.training.prepared.dataset import Dataset, read_dataset
from mmcgan.training.runs import RunDir
from mmcgan.web.training_photos import TrainingPhotos


@pytest.fixture
def dataset(trained) -> Dataset:
    return with_thumbnails(read_dataset(trained[0]))


@pytest.fixture
def model(trained) -> Model:
    return read_model(RunDir(trained[1]))


def test_training_photos_are_those_of_train_that_have_a_thumbnail(dataset, model):
    photos = TrainingPhotos.of(dataset, model)
    rows = [row for row in range(0, 200, 2) if dataset.split[row] == 0]
    assert photos.jpegs == tuple(b"%d" % row for row in rows)
    assert set(photos.tags[0]) == {*dataset.tags["user"].of(0), *dataset.tags["annotations"].of(0)}


def test_training_photos_with_the_word_are_found_by_standardised_cosine(dataset, model):
    photos = TrainingPhotos.of(dataset, model)
    query = model.standardizer(dataset.features[1:2])[0]
    features = model.standardizer(dataset.features[[int(jpeg) for jpeg in photos.jpegs]])
    cosines = features @ query / np.linalg.norm(features, axis=1)
    carry = [place for place, tags in enumerate(photos.tags) if "sea" in tags]
    expected = sorted(carry, key=lambda place: -cosines[place])
    assert photos.similar(dataset.features[1:2], "sea", 1000) == expected
    assert photos.similar(dataset.features[1:2], "sea", 3) == expected[:3]
    assert photos.similar(dataset.features[1:2], "no such word", 3) == []


def test_data_without_thumbnails_has_no_training_photos(dataset, model):
    photos = TrainingPhotos.of(replace(dataset, thumbnails={}), model)
    assert photos.similar(dataset.features[:1], "sea", 3) == []


def test_training_photos_of_another_backbone_are_refused(dataset, model):
    other = replace(dataset, backbone=dataset.backbone | {"name": "torchvision:alexnet"})
    with pytest.raises(DataError, match=r"another backbone .*alexnet, not efficientnet-lite0"):
        TrainingPhotos.of(other, model)
