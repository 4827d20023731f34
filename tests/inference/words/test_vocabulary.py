"""The one spelling of a tag, and words ↔ rows."""

from __future__ import annotations

import numpy as np
import pytest

from mmcgan.inference.words.vocabulary import (
    MAX_TAG_LENGTH,
    Vocabulary,
    normalize_tag,
    printed,
    transform_words,
    unit_rows,
)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Plant Life", "plant_life"),
        ("  plant__life ", "plant_life"),
        ("plant\tlife\n", "plant_life"),
        ("plant\u00a0life", "plant_life"),  # no-break space
        ("Straße", "strasse"),
        ("ＳＥＡ", "sea"),  # full width
        ("cafe\u0301", "caf\u00e9"),  # combining accent
        ("日本", "日本"),
        ("se\u200ba", "sea"),  # zero-width space
        ("se\x00a", "sea"),
        ("black & white", "black_&_white"),
        ("\N{SUNRISE}", "\N{SUNRISE}"),
        ("2008", "2008"),
        ("", None),
        (" _ ", None),
        ("!?", None),
        ("x" * MAX_TAG_LENGTH, "x" * MAX_TAG_LENGTH),
        ("x" * (MAX_TAG_LENGTH + 1), None),
    ],
)
def test_normalize_tag_gives_one_spelling(text, word):
    assert normalize_tag(text) == word


@pytest.mark.parametrize("text", ["Plant Life", "ﬁn", "İstanbul", "Ǆ", "ΑΣ", "½ moon", "a\u0345"])
def test_normalize_tag_is_the_same_when_done_twice(text):
    word = normalize_tag(text)
    assert word
    assert normalize_tag(word) == word


def test_printed_is_how_a_person_writes_a_word():
    assert printed("plant_life") == "plant life"


def test_unit_rows_divides_each_row_by_its_own_norm():
    given = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]])
    unit = unit_rows(given)
    assert unit.dtype == np.float32
    assert np.allclose(unit, [[0.6, 0.8], [0, 0], [0, -1]])
    assert given.tolist() == [[3, 4], [0, 0], [0, -2]]


def test_unit_rows_takes_vectors_of_several_images():
    assert unit_rows(np.full((2, 3, 4), 5.0)).tolist() == np.full((2, 3, 4), 0.5).tolist()


@pytest.mark.parametrize("space", ["as given", "centred", "half-whitened", "whitened"])
def test_transformed_words_have_unit_norm(space):
    vectors = unit_rows(np.random.default_rng(9).normal(size=(12, 5)))
    table = transform_words(vectors, space)
    assert (len(table), table.dtype) == (12, np.float32)
    assert np.linalg.norm(table, axis=1) == pytest.approx(np.ones(12), abs=1e-5)


def test_whitened_words_of_equal_spread_are_only_centred():
    # Four corners of a square around (5, 5): centred they are whitened already, up to rotation.
    corners = np.array([[4, 4], [4, 6], [6, 4], [6, 6]], np.float32)
    whitened, centred = (transform_words(corners, s) for s in ("whitened", "centred"))
    assert whitened @ whitened.T == pytest.approx(centred @ centred.T, abs=1e-5)
    assert centred @ centred.T == pytest.approx(
        np.array([[1, 0, 0, -1], [0, 1, -1, 0], [0, -1, 1, 0], [-1, 0, 0, 1]]), abs=1e-5
    )


def test_words_as_given_are_only_made_unit_rows():
    assert transform_words(np.array([[3.0, 4.0]], np.float32), "as given").tolist() == (
        [[pytest.approx(0.6), pytest.approx(0.8)]]
    )


def test_half_whitened_words_have_the_root_of_the_spread():
    # The corners of a rectangle 4 to 1: centred, with singular values 8 and 2. Their roots are
    # 2 to 1, so that of the rectangle's sides. cos of two corners: (2² - 1²) / (2² + 1²).
    corners = np.array([[4, 1], [4, -1], [-4, 1], [-4, -1]], np.float32)
    table = transform_words(corners, "half-whitened")
    assert float(table[0] @ table[1]) == pytest.approx(3 / 5, abs=1e-5)
    whitened = transform_words(corners, "whitened")
    assert float(whitened[0] @ whitened[1]) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("space", ["centred", "half-whitened", "whitened"])
def test_transformed_words_lose_the_directions_in_which_none_differs(space):
    # Two words differ in one direction; three components of rounding are no directions.
    two = unit_rows(np.array([[1, 0, 0, 2], [0, 1, 0, 2]], np.float32))
    table = transform_words(two, space)
    assert table.shape == (2, 1)
    assert float(table[0, 0] * table[1, 0]) == pytest.approx(-1)
    same = np.tile(np.array([[0, 1]], np.float32), (4, 1))
    assert transform_words(same, space).shape == (4, 0)


@pytest.mark.parametrize("space", ["centred", "half-whitened", "whitened"])
def test_transformed_words_are_those_of_the_singular_values(space):
    power = {"centred": 1, "half-whitened": 0.5, "whitened": 0}[space]
    drawn = np.random.default_rng(0).normal(size=(40_000, 3)) @ np.diag([1, 3, 9]) + 5
    left, singular, _ = np.linalg.svd(drawn - drawn.mean(axis=0), full_matrices=False)
    wanted = unit_rows(left * singular**power)
    table = transform_words(drawn.astype(np.float32), space)
    some = np.random.default_rng(1).integers(0, len(drawn), 50)
    assert table[some] @ table[some].T == pytest.approx(wanted[some] @ wanted[some].T, abs=1e-4)


def test_vocabulary_maps_words_to_rows_and_leaves_out_unknown_ones():
    vocabulary = Vocabulary(("cat", "sea"), np.eye(2, 3, dtype=np.float32), np.array([4, 2]))
    assert (len(vocabulary), vocabulary.vector_size) == (2, 3)
    assert vocabulary.row_of == {"cat": 0, "sea": 1}
    assert vocabulary.rows(["sea", "unknown", "cat"]) == [1, 0]
