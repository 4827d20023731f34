"""Two views of a photo in one network."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.models import SEEING, seeing_backbone
from PIL import Image

from mmcgan.inference.photos.decoding import compute_features, look_at
from mmcgan.inference.photos.feature_cache import FeatureCache
from mmcgan.inference.photos.views import TwoViews, described, stored_classes


@pytest.fixture
def views() -> TwoViews:
    return TwoViews(seeing_backbone())


@pytest.fixture
def photo() -> Image.Image:
    """A wide photo, red in the middle and blue at both ends."""
    image = Image.new("RGB", (30, 10), (0, 0, 255))
    image.paste((255, 0, 0), (10, 0, 20, 10))
    return image


def test_the_square_and_the_whole_photo_are_seen(views, photo):
    pixels = views.preprocess(photo)
    assert pixels.shape == (2, 4, 4, 3)
    features, classes = views.split(views.features_of_pixels(pixels[None]))
    backbone = seeing_backbone()
    assert np.array_equal(features, backbone.features([photo]))
    whole = backbone.features_of_pixels(backbone.preprocess_whole(photo)[None])
    assert classes == pytest.approx(backbone.class_probabilities(whole), abs=1e-3)
    # The ends are seen in the whole photo alone.
    assert classes[0, 2] > backbone.class_probabilities(features)[0, 2]


def test_features_have_half_precision_and_the_size_that_is_told(views, photo):
    features = views.features_of_pixels(views.preprocess(photo)[None])
    assert features.shape == (1, views.feature_size)
    assert np.array_equal(features, features.astype(np.float16))


def test_a_cache_keeps_both_views_apart_from_the_features_of_the_square(views, photo, tmp_path):
    path = tmp_path / "photo.png"
    photo.save(path)
    cache = FeatureCache(views.record, tmp_path / "cache")
    first = look_at(path, views, cache)
    fresh = compute_features([first], views, cache)
    again = look_at(path, views, cache)
    assert again.pixels is None
    assert np.array_equal(compute_features([again], views, cache), fresh)
    assert FeatureCache(SEEING, tmp_path / "cache").get(first.key) is None


def test_stored_features_tell_their_classes_without_the_network(photo):
    backbone = seeing_backbone()
    features = backbone.features([photo])
    found = stored_classes(SEEING, features)
    assert found is not None
    assert np.array_equal(found, backbone.class_probabilities(features))
    assert stored_classes({"feature_size": 6, "image_size": 4}, features) is None
    with pytest.raises(NotImplementedError, match="without its network"):
        described(SEEING).features([photo])
