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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "torchvision:alexnet"}, "alexnet, not efficientnet-lite0; they differ in name"),
        ({"weights_sha256": "0"}, "differ in weights_sha256"),
        ({"image_size": 128}, "differ in image_size"),
    ],
)
def test_training_photos_of_another_backbone_are_refused(dataset, model, change, said):
    other = replace(dataset, backbone=dataset.backbone | change)
    with pytest.raises(DataError, match=rf"another backbone .*{said}\)"):
        TrainingPhotos.of(other, model)


def test_training_photos_that_are_pooled_in_another_way_are_refused(dataset, model):
    record = dataset.backbone | {"pooling": {"how": ["a way"], "parts": [1280], "classes": 1000}}
    of_last_map = {key: value for key, value in record.items() if key != "pooling"}
    for made, wanted in ((record, of_last_map), (of_last_map, record)):
        data, taught = replace(dataset, backbone=made), replace(model, backbone=wanted)
        with pytest.raises(DataError, match=r"differ in pooling\)"):
            TrainingPhotos.of(data, taught)


def test_training_photos_of_the_same_network_on_another_runtime_are_shown(dataset, model):
    other = dataset.backbone | {"runtime": "torch", "precision": "bfloat16"}
    assert TrainingPhotos.of(replace(dataset, backbone=other), model).jpegs
