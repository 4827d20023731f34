"""The one spelling of a tag, and words ↔ rows."""

from __future__ import annotations

import numpy as np
import pytest

from mmcgan.vocabulary import MAX_TAG_LENGTH, Vocabulary, normalize_tag, printed, unit_rows


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


def test_vocabulary_maps_words_to_rows_and_leaves_out_unknown_ones():
    vocabulary = Vocabulary(("cat", "sea"), np.eye(2, 3, dtype=np.float32), np.array([4, 2]))
    assert (len(vocabulary), vocabulary.vector_size) == (2, 3)
    assert vocabulary.row_of == {"cat": 0, "sea": 1}
    assert vocabulary.rows(["sea", "unknown", "cat"]) == [1, 0]
