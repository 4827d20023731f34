"""The figures of judged tags, on two halves of a few photos worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eval.studies.judgement import (
    ANNOTATORS_WORDS,
    JUDGES,
    MEASURES,
    agreement,
    folded,
    measure,
    names_of,
    share,
)

PHOTOS = pd.DataFrame(
    [("1", "ladybug", "ladybird;beetle", "A"), ("2", "smoke", "", "A"), ("3", "cat", "", "B")],
    columns=["id", "subject", "accepted", "half"],
)
# By photo and word the verdicts of both judges; words in the order of their ranks.
GIVEN = {
    "1": {
        "ladybirds": "11",
        "plant life": "10",
        "macro": "11",
        "sea": "00",
        "red": "10",
        "x": "11",
    },
    "2": {"fire": "00", "plant": "00", "blue": "11"},
    "3": {"cat": "11"},
}


def tags_of(given, system="new"):
    rows = [(p, system, n, w) for p, words in given.items() for n, w in enumerate(words, 1)]
    return pd.DataFrame(rows, columns=["photo", "system", "rank", "word"])


def verdicts_of(given):
    rows = [(p, w, *map(int, said)) for p, words in given.items() for w, said in words.items()]
    return pd.DataFrame(rows, columns=["photo", "word", *JUDGES])


@pytest.fixture(scope="module")
def results():
    return measure(PHOTOS, tags_of(GIVEN), verdicts_of(GIVEN))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("right of five", (4 + 2 + 1 + 1) / 2 / 8),  # of photo 1 four and two, of photo 2 one
        ("right of ten", (5 + 3 + 1 + 1) / 2 / 9),
        ("three right", 1 / 2 / 2),  # photo 1, by the first judge
        ("subject named", 1 / 2),  # as a plural of another name
        ("annotators' words", 2 / 8),
    ],
)
def test_figures_of_a_half(results, name, expected):
    figure = results["A"]["new"]["figures"][name]
    assert figure["value"] == pytest.approx(expected)
    assert 0 <= figure["low"] <= expected <= figure["high"] <= 1


def test_halves_are_measured_each_by_itself(results):
    assert results["B"]["new"]["n_photos"] == 1
    values = {n: figure["value"] for n, figure in results["B"]["new"]["figures"].items()}
    assert list(values) == list(MEASURES)
    assert values == pytest.approx(
        {"right of five": 1, "right of ten": 1, "three right": 0, "subject named": 1}
        | {"annotators' words": 0}
    )


def test_frequent_words_are_those_on_more_than_a_tenth_of_the_photos():
    ids = [str(n) for n in range(20)]
    photos = PHOTOS.loc[[0] * 20].assign(id=ids)
    given = {id: {"often": "11"} for id in ids}
    given |= {id: {"wrong": "00", "half": "10", "rare": "00"} for id in ids[:3]}
    del given["0"]["rare"]  # two photos have it, which is a tenth
    found = measure(photos, tags_of(given), verdicts_of(given))["A"]["new"]
    assert found["frequent words"] == [
        {"word": "often", "photos": 17 / 20, "wrong": 0},
        {"word": "half", "photos": 3 / 20, "wrong": 0.5},
        {"word": "wrong", "photos": 3 / 20, "wrong": 1},
    ]
    assert found["worst frequent word"] == 1


def test_a_word_below_the_five_best_is_not_frequent():
    given = {"3": dict.fromkeys("abcdef", "11")}
    found = measure(PHOTOS, tags_of(given), verdicts_of(given))["B"]["new"]
    assert [entry["word"] for entry in found["frequent words"]] == list("abcde")


def test_the_eleventh_tag_is_not_judged():
    given = {"3": dict.fromkeys("abcdefghij", "11")}
    tags = tags_of({"3": [*given["3"], "unjudged"]})
    found = measure(PHOTOS, tags, verdicts_of(given))
    assert found["B"]["new"]["figures"]["right of ten"]["value"] == 1


def test_a_system_with_tags_to_judge_has_no_figures():
    tags = pd.concat([tags_of(GIVEN), tags_of({"1": ["red", "other"], "3": ["cat"]}, "old")])
    found = measure(PHOTOS, tags, verdicts_of(GIVEN))
    assert found["A"]["old"] == {"not judged": 1}
    assert "figures" in found["B"]["old"]
    assert "figures" in found["A"]["new"]


def test_a_system_is_measured_only_in_a_half_that_it_has_tags_in():
    tags = pd.concat([tags_of(GIVEN), tags_of({"3": ["cat"]}, "of B alone")])
    found = measure(PHOTOS, tags, verdicts_of(GIVEN))
    assert {half: list(systems) for half, systems in found.items()} == {
        "A": ["new"],
        "B": ["new", "of B alone"],
    }


def test_a_photo_without_tags_has_nothing_right_and_no_subject():
    given = {"1": {"ladybird": "11", "macro": "11", "red": "11"}}
    figures = measure(PHOTOS, tags_of(given), verdicts_of(given))["A"]["new"]["figures"]
    assert figures["right of five"]["value"] == 1
    assert figures["three right"]["value"] == figures["subject named"]["value"] == 0.5


def test_share_of_nothing_is_none():
    assert share(np.zeros(2), np.zeros(2), np.ones((2, 3))) is None


@pytest.mark.parametrize(
    ("word", "same"),
    [
        ("Hot-Air Balloons", "hotairballoon"),
        ("plant_life", "plant life"),
        ("Café", "cafe"),
        ("people", "person"),
        ("leaves", "leaf"),
        ("beaches", "beach"),
        ("moss", "moss"),
        ("structures", "structure"),
    ],
)
def test_folded_words_are_the_same(word, same):
    assert folded(word) == folded(same)


@pytest.mark.parametrize(("word", "other"), [("sea", "seat"), ("glass", "grass"), ("car", "cat")])
def test_folded_words_differ(word, other):
    assert folded(word) != folded(other)


def test_names_of_a_photo_are_its_subject_and_what_is_accepted():
    assert names_of(PHOTOS) == {
        "1": {"ladybug", "ladybird", "beetle"},
        "2": {"smoke"},
        "3": {"cat"},
    }


def test_annotators_words_count_under_each_of_their_names():
    words = [word for pair in ANNOTATORS_WORDS.items() for word in pair]
    given = {"3": dict.fromkeys(words[:5], "11"), "1": dict.fromkeys(words[5:], "11")}
    found = measure(PHOTOS, tags_of(given), verdicts_of(given))
    for half in "AB":
        assert found[half]["new"]["figures"]["annotators' words"]["value"] == 1


@pytest.mark.parametrize(
    ("said", "same", "kappa"),
    [
        (["11", "11", "00", "00"], 1, 1),
        (["11", "10", "01", "00"], 0.5, 0),  # as often as by chance
        (["11", "11", "11", "10"], 0.75, 0),  # 1 · 3/4 + 0 · 1/4
        (["10", "01"], 0, -1),
        (["11", "11"], 1, None),
    ],
)
def test_agreement_of_two_judges(said, same, kappa):
    verdicts = verdicts_of({"1": dict(zip("abcd", said, strict=False))})
    expected = {"n_pairs": len(said), "same": same, "kappa": kappa}
    assert agreement(verdicts) == pytest.approx(expected)


def test_agreement_of_no_verdicts():
    assert agreement(verdicts_of({})) == {"n_pairs": 0, "same": None, "kappa": None}
