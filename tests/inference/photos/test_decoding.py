"""Photos decoded ahead: their order, how many at once, and what fails on the way."""

from __future__ import annotations

import threading
from io import BytesIO

import numpy as np
import pytest
from helpers.photos import decoded
from PIL import Image

from mmcgan.errors import PhotoError, PhotoWarning
from mmcgan.inference.photos import images
from mmcgan.inference.photos.backbone import Backbone
from mmcgan.inference.photos.decoding import (
    BATCHES_IN_FLIGHT,
    compute_features,
    decode_ahead,
    decode_pixels,
    look_at,
)

BACKBONE = Backbone({"image_size": 8}, lambda pixels: pixels)


def test_items_come_in_their_order_in_batches():
    first = threading.Event()

    def decode(number: int) -> int:
        if number == 0:
            first.wait(10)  # the others may well be done before it
        first.set() if number == 1 else None
        return -number

    batches = list(decode_ahead(decode, range(10), 4))
    assert batches == [[0, -1, -2, -3], [-4, -5, -6, -7], [-8, -9]]
    assert list(decode_ahead(decode, [], 4)) == []
    assert list(decode_ahead(decode, [7], 4)) == [[-7]]


def test_no_more_than_a_few_batches_are_taken_ahead():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    batches = decode_ahead(abs, items(), 5)
    for n_batches in range(3):
        next(batches)
        assert len(taken) == 5 * (n_batches + BATCHES_IN_FLIGHT)


def test_what_decoding_raises_comes_in_its_place():
    def decode(number: int) -> int:
        return 1 // (number - 5)

    batches = decode_ahead(decode, range(10), 2)
    assert len([next(batches), next(batches)]) == 2
    with pytest.raises(ZeroDivisionError):
        next(batches)


def test_leaving_early_leaves_no_thread():
    before = threading.active_count()
    batches = decode_ahead(abs, range(100), 5)
    next(batches)
    batches.close()
    assert threading.active_count() == before


class Cache(dict):
    """Features by name, whose files are read as far as keys need them."""

    def key(self, data, name=None):
        return bytes(data.read()[-4:])

    def get(self, key):
        return super().get(key)

    def put(self, found):
        self.update(found)


def test_a_photo_that_the_cache_knows_is_not_decoded(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"no photo")
    cache = Cache({b"hoto": np.ones(3)})
    assert look_at(path, BACKBONE, cache).features.tolist() == [1, 1, 1]
    path.write_bytes(b"no picture")
    with pytest.raises(PhotoError, match=r"a\.jpg is not a photo"):
        look_at(path, BACKBONE, cache)
    with pytest.raises(PhotoError, match="mine: there is no such file"):
        look_at(tmp_path / "gone", BACKBONE, cache, "mine")


def test_a_photo_that_is_cut_short_is_warned_of_each_time(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-2])
    backbone = Backbone({"image_size": 8, "feature_size": 3}, lambda p: p.mean((1, 2)))
    cache = Cache()
    for _ in range(2):
        with pytest.warns(PhotoWarning, match=r"a\.jpg is cut short"):
            seen = look_at(path, backbone, cache)
        compute_features([seen], backbone, cache)
        assert not cache


def test_a_file_beyond_the_limit_of_uploads_is_decoded_from_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_IMAGE_BYTES", 100)
    path = tmp_path / "a.tif"
    Image.fromarray(np.zeros((120, 90), np.uint16)).save(path)
    assert look_at(path, BACKBONE, Cache()).pixels.shape == (8, 8, 3)


def test_pixels_are_those_of_the_photo_as_the_backbone_sees_it(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    buffer = BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    expected = BACKBONE.preprocess(decoded(buffer.getvalue()))
    path = tmp_path / "a.png"
    path.write_bytes(buffer.getvalue())
    for data in (path, buffer.getvalue()):
        pixels = decode_pixels(data, BACKBONE)
        assert pixels.shape == (8, 8, 3)
        assert np.array_equal(pixels, expected)
    with pytest.raises(PhotoError, match="mine is empty"):
        decode_pixels(b"", BACKBONE, "mine")
