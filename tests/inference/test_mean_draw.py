"""The mean draw on OpenVINO, from several threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.models import MIXTURE, make_features, random_weights

from mmcgan.inference.network import build_network

pytest.importorskip("openvino")


def test_mean_draw_is_the_same_from_several_threads():
    network, features = build_network(MIXTURE, random_weights(MIXTURE)), make_features(9)

    def of(image: int) -> np.ndarray:
        return network.mean_draw(features[image : image + 1], 100, 0)

    expected = [of(i) for i in range(9)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert np.array_equal(list(pool.map(of, range(9))), expected)
