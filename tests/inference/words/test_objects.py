"""The classes of a backbone's head as words."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from mmcgan.inference.calibration import Calibration
from mmcgan.inference.words.objects import N_CLASSES, TABLE, class_words, object_words
from mmcgan.inference.words.vocabulary import normalize_tag, printed

AS_IT_IS = Calibration(1.0, 0.0, 0.2)


def of_classes(**shares: float) -> np.ndarray:
    """Class probabilities (1, 1000) with the shares of these classes, by name."""
    probabilities = np.zeros((1, N_CLASSES), np.float32)
    for name, share in shares.items():
        probabilities[0, NUMBERS[name]] = share
    return probabilities


with TABLE.open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))
NUMBERS = {row["name"].replace(" ", "_"): int(row["number"]) for row in ROWS}


def test_the_table_has_each_class_once_in_order():
    assert [int(row["number"]) for row in ROWS] == list(range(N_CLASSES))
    assert len({row["name"] for row in ROWS}) == N_CLASSES
    assert len(class_words()) == N_CLASSES


@pytest.mark.parametrize(
    ("number", "name", "word"),
    [
        (0, "tench", "tench"),
        (134, "crane (bird)", "bird"),
        (207, "golden retriever", "golden retriever"),
        (285, "Egyptian cat", "cat"),
        (301, "ladybug", "ladybug"),
        (404, "airliner", "airplane"),
        (541, "drum", "drum"),
        (657, "missile", "rocket"),
        (696, "paintbrush", "paintbrush"),
        (872, "tripod", "camera tripod"),
        (967, "espresso", "espresso"),
        (968, "cup", "cup"),
        (970, "alp", "mountain"),
        (980, "volcano", "volcano"),
        (999, "toilet tissue", "toilet paper"),
    ],
)
def test_classes_have_the_numbers_that_they_always_had(number, name, word):
    assert (ROWS[number]["name"], ROWS[number]["word"]) == (name, word)


def test_words_are_lower_case_and_spelled_as_they_are_stored():
    for row in ROWS:
        if row["word"]:
            stored = normalize_tag(row["word"])
            assert stored is not None
            assert printed(stored) == row["word"]


@pytest.mark.parametrize("name", ["groom", "wig", "neck_brace", "oxygen_mask", "crutch"])
def test_what_no_machine_should_say_of_a_person_is_not_said(name):
    assert class_words()[NUMBERS[name]] is None
    assert list(object_words().found(of_classes(**{name: 0.99}), AS_IT_IS)) == [[]]


def scores(probabilities: np.ndarray) -> dict[str, float]:
    (row,) = object_words().scores(probabilities)
    return {w: float(s) for w, s in zip(object_words().words, row, strict=True) if s > 0}


def above_chance(share: float, word: str) -> float:
    """What is left of a share where each of a word's classes has a thousandth by chance."""
    chance = object_words().covered[object_words().row_of[word]].sum() / N_CLASSES
    return pytest.approx((share - chance) / (1 - chance), abs=1e-6)


def test_classes_of_one_word_add_up_and_so_do_broader_words():
    found = scores(of_classes(tabby=0.25, Egyptian_cat=0.5, beagle=0.125, ladybug=0.0625))
    shares = {
        "animal": 0.9375,
        "cat": 0.75,
        "beagle": 0.125,
        "dog": 0.125,
        "insect": 0.0625,
        "ladybug": 0.0625,
    }
    assert found == {word: above_chance(share, word) for word, share in shares.items()}


def test_a_head_that_knows_nothing_names_nothing():
    nothing = scores(np.full((1, N_CLASSES), 1 / N_CLASSES, np.float32))
    assert max(nothing.values(), default=0) < 1e-6
    assert "animal" not in scores(of_classes(tabby=0.3, volcano=0.7))


def test_a_class_counts_once_for_a_broader_word_that_it_reaches_by_two_ways():
    assert scores(of_classes(coral_reef=0.5))["sea"] == above_chance(0.5, "sea")
    found = scores(of_classes(snow_leopard=0.6))["animal"]
    assert found == above_chance(0.6, "animal")


def test_no_score_is_above_one():
    probabilities = np.full((2, N_CLASSES), 1.01 / N_CLASSES, np.float32)
    assert object_words().scores(probabilities).max() <= 1
    assert object_words().scores(of_classes(tabby=0.7, tiger_cat=0.31)).max() <= 1


def test_found_are_the_words_that_reach_the_threshold():
    calibration = Calibration(2.0, 0.0, 0.5)
    photos = np.vstack([of_classes(kite=0.6, beagle=0.4), of_classes(kite=0.2)])
    first, second = object_words().found(photos, calibration)
    assert [word for word, _ in first] == ["animal", "bird", "hawk"]
    share = scores(of_classes(kite=0.6))["bird"]
    assert dict(first)["bird"] == pytest.approx(share**2 / (share**2 + (1 - share) ** 2))
    assert second == []


def test_scores_in_a_vocabulary_are_those_of_its_words():
    words = ("café", "cat", "dog", "sea")
    found = object_words().scores_in(words, of_classes(tabby=0.5, beagle=0.25))
    assert found.tolist() == [[0, above_chance(0.5, "cat"), above_chance(0.25, "dog"), 0]]
    assert object_words().scores_in((), of_classes(tabby=0.5)).shape == (1, 0)
