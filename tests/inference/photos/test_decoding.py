"""Photos decoded ahead: their order, how many at once, and what fails on the way."""

from __future__ import annotations

import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mmcgan.errors import PhotoError
from mmcgan.inference.photos.backbone import Backbone
from mmcgan.inference.photos.decoding import BATCHES_IN_FLIGHT, decode_ahead, decode_pixels
from mmcgan.inference.photos.images import open_photo

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


def test_pixels_are_those_of_the_photo_as_the_backbone_sees_it(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    buffer = BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    expected = BACKBONE.preprocess(open_photo(buffer.getvalue()))
    path = tmp_path / "a.png"
    path.write_bytes(buffer.getvalue())
    for data in (path, buffer.getvalue()):
        pixels = decode_pixels(data, BACKBONE)
        assert pixels.shape == (8, 8, 3)
        assert np.array_equal(pixels, expected)
    with pytest.raises(PhotoError, match="mine is empty"):
        decode_pixels(b"", BACKBONE, "mine")
