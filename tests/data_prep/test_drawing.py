"""The layers that the scenes are painted with."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.drawing import Layer, Part, Picture, blobs, grey, land, noise, sky, things, water

SHAPE = (40, 60)
SQUARE = [((-1, -1), (1, -1), (1, 1), (-1, 1))]


def painted(*layers: Layer, seed: int = 0) -> np.ndarray:
    picture = Picture(np.random.default_rng(seed), SHAPE)
    for paint in layers:
        paint(picture)
    return picture.pixels


@pytest.mark.parametrize("shape", [SHAPE, (1, 1), (2, 90)])
def test_noise_fills_its_range_and_is_smooth(shape):
    found = noise(np.random.default_rng(0), shape, 2, 2)
    assert found.shape == shape
    assert found.min() == 0
    assert found.max() == (1 if found.size > 1 else 0)
    assert np.abs(np.diff(found, axis=1)).max(initial=0) < 0.3


def test_colours_are_near_those_of_the_palette():
    picture = Picture(np.random.default_rng(0), SHAPE)
    for _ in range(20):
        found = picture.colour("ff0000 0000ff")
        assert np.abs(found - [[1, 0, 0], [0, 0, 1]]).max(axis=1).min() < 0.3
        assert ((found >= 0) & (found <= 1)).all()


def test_sky_runs_from_the_top_to_the_horizon():
    column = painted(sky((0.5, 0.5), ["000000 ffffff"])).mean(axis=(1, 2))
    assert (np.diff(column[:20]) > 0).all()
    assert column[:2].max() < 0.2
    assert column[20:].min() > 0.8


def test_land_lies_below_its_top_and_counts_from_the_horizon():
    before = painted(sky((0.5, 0.5), ["ffffff ffffff"]))
    after = painted(
        sky((0.5, 0.5), ["ffffff ffffff"]), land("000000", (0.1, 0.1, 1), (0, 0, 1), (4, 4, 0.2))
    )
    assert (after[:24] == before[:24]).all()
    assert after[25:].max() < 0.3


def test_land_has_an_edge_where_it_rises():
    def green(edge: str) -> np.ndarray:
        return painted(land("000000", (1, 1, 1), (0.8, 0.8, 2), (4, 4, 0), edge))[..., 1]

    assert green("").max() < 0.2
    assert green("00ff00").max() > 0.8


def test_water_mirrors_what_is_above_it():
    pixels = painted(sky((0.5, 0.5), ["ff0000 0000ff"]), water("000000", 0.9))
    assert (pixels[21, :, 2] > pixels[21, :, 0]).all()  # blue as the sky at the horizon
    assert (pixels[38, :, 0] > pixels[38, :, 2]).all()  # red as the top


@pytest.mark.parametrize(("cover", "share"), [(-0.1, (0, 0)), (0.5, (0.2, 0.8)), (1.5, (1, 1))])
def test_blobs_cover_about_their_share(cover, share):
    white = painted(blobs("ffffff", (cover, cover), (3, 3), 0))[..., 0] > 0.5
    assert share[0] <= white.mean() <= share[1]


def test_grey_takes_the_colours_away():
    assert np.ptp(painted(sky((1, 1), ["ff8000 0080ff"]), grey((1, 1))), axis=2).max() < 1e-5


def test_things_lie_side_by_side_and_the_lower_are_larger():
    layer = things([Part("ffffff", SQUARE)], (2, 2), (0.02, 0.12), (0.2, 0.8))
    for seed in range(5):
        is_white = painted(layer, seed=seed)[..., 0] > 0.5
        halves = [half for half in (is_white[:, :30], is_white[:, 30:]) if half.any()]
        rows = [np.flatnonzero(half.any(axis=1)) for half in halves]
        assert len(halves) == 2
        high, low = sorted(rows, key=lambda found: found.mean())
        assert len(high) <= len(low)


def test_things_may_be_none_or_outside_the_picture():
    assert not painted(things([Part("ffffff", SQUARE)], (0, 0), (0.1, 0.2), (0, 1))).any()
    assert not painted(things([Part("ffffff", SQUARE)], (3, 3), (0.1, 0.2), (-3, -2))).any()


def test_a_part_is_repeated_around_the_middle():
    ray = [((0.5, 0.0), (1, -0.1), (1, 0.1))]
    rng = np.random.default_rng(0)
    found = np.array(Part("ffffff", ray, turns=(4, 4)).polygons(rng))
    assert found.shape == (4, 3, 2)
    assert np.allclose(found[:, 0], [[0.5, 0], [0, 0.5], [-0.5, 0], [0, -0.5]])
    assert np.allclose(np.linalg.norm(found[:, 1:], axis=2), 1)


def test_a_part_leaves_out_some_of_its_polygons():
    part = Part("ffffff", SQUARE * 100, share=0.3)
    assert 15 < len(part.polygons(np.random.default_rng(0))) < 45
