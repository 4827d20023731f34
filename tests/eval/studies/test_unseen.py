"""The measures of seen and withheld words, on three images worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from eval.figures.bootstrap import resample_counts
from eval.figures.metrics import MIAP_DEPTH
from eval.studies.unseen import (
    MEASURES,
    Answers,
    chance_values,
    figures_of,
    harmonic_mean,
    values_of,
)
from mmcgan.inference.words.ranking import rank_scores

N_SEEN, N_WITHHELD = 11, 11
N_WORDS = N_SEEN + N_WITHHELD
TAGS = [(0, 11), (1, 2), (11, 21)]  # columns of seen words 0 … 10 and withheld ones 11 … 21
NAN = np.nan


@pytest.fixture(scope="module")
def relevant():
    """(3, 22): what each image carries."""
    tags = np.zeros((3, N_WORDS), np.float32)
    for row, columns in enumerate(TAGS):
        tags[row, list(columns)] = 1
    return sparse.csr_array(tags)


@pytest.fixture(scope="module")
def values(relevant):
    """Words in the order of the columns for the first two images, in reverse for the third."""
    columns = np.arange(N_WORDS, dtype=np.float32)
    scores = np.stack([-columns, -columns, columns])
    alone = rank_scores(scores[:, N_SEEN:], MIAP_DEPTH)
    return values_of(Answers(alone, rank_scores(scores, MIAP_DEPTH)), relevant, N_SEEN)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("R@10 alone", [1, NAN, 1 / 2]),  # the third: 21 is first, 11 is eleventh
        ("MiAP alone", [1, NAN, (1 + 2 / 11) / 2]),
        ("P@10", [1 / 10, 2 / 10, 1 / 10]),
        ("R@10 seen", [1, 1, NAN]),
        ("R@10 withheld", [0, NAN, 1 / 2]),
    ],
)
def test_values_of_each_image(values, measure, expected):
    assert values[measure] == pytest.approx(expected, nan_ok=True)


def test_figures_are_means_over_the_images_that_have_a_value(values):
    figures = figures_of(values, resample_counts(3, 0))
    assert list(figures) == list(MEASURES)
    assert figures["R@10 alone"]["value"] == pytest.approx(3 / 4)
    assert figures["P@10"]["value"] == pytest.approx(4 / 30)
    assert figures["R@10 seen"] == pytest.approx({"value": 1, "low": 1, "high": 1})
    # Seen 1, withheld 1/4: 2 · 1/4 / (5/4).
    assert figures["R@10 harmonic"]["value"] == pytest.approx(0.4)
    # Withheld is 0 where only the first image is drawn, 1/2 where only the third is: 2 · 1/2 / 1.5.
    assert figures["R@10 harmonic"]["low"] == 0
    assert figures["R@10 harmonic"]["high"] == pytest.approx(2 / 3)


def test_figures_leave_out_what_no_image_has(relevant):
    seen_only = relevant[1:2]
    scores = np.zeros((1, N_WORDS), np.float32)
    answers = Answers(rank_scores(scores[:, N_SEEN:], 10), rank_scores(scores, 10))
    figures = figures_of(values_of(answers, seen_only, N_SEEN), resample_counts(1, 0))
    assert figures.keys() == {"P@10", "R@10 seen"}


def test_chance_is_worked_out_by_hand(relevant):
    values = chance_values(relevant, N_SEEN)
    harmonic = sum(1 / i for i in range(1, 12))
    # One of 11 words: AP is 1/rank, of every rank alike. Two of 11: by pairs of ranks a < b.
    pairs = [(1 / a + 2 / b) / 2 for b in range(1, 12) for a in range(1, b)]
    assert values["MiAP alone"] == pytest.approx([harmonic / 11, NAN, np.mean(pairs)], nan_ok=True)
    assert values["R@10 alone"] == pytest.approx([10 / 11, NAN, 10 / 11], nan_ok=True)
    assert values["P@10"] == pytest.approx([2 / 22] * 3)
    assert values["R@10 seen"] == pytest.approx([10 / 22, 10 / 22, NAN], nan_ok=True)
    assert values["R@10 withheld"] == pytest.approx([10 / 22, NAN, 10 / 22], nan_ok=True)


def test_chance_is_what_random_orders_give_on_average(relevant):
    random = np.random.default_rng(0)
    found = []
    for _ in range(3000):
        scores = random.normal(size=(3, N_WORDS)).astype(np.float32)
        alone = rank_scores(scores[:, N_SEEN:], MIAP_DEPTH)
        answers = Answers(alone, rank_scores(scores, MIAP_DEPTH))
        found.append(values_of(answers, relevant, N_SEEN))
    for measure, expected in chance_values(relevant, N_SEEN).items():
        mean = np.mean([values[measure] for values in found], axis=0)
        assert mean == pytest.approx(expected, abs=0.02, nan_ok=True), measure


def test_chance_finds_all_of_fewer_words_than_places():
    values = chance_values(sparse.csr_array(np.ones((1, 4), np.float32)), n_seen=2)
    for measure in ("R@10 alone", "R@10 seen", "R@10 withheld", "MiAP alone"):
        assert values[measure] == pytest.approx([1])
    assert values["P@10"] == pytest.approx([4 / 10])


@pytest.mark.parametrize(
    ("a", "b", "mean"), [(1, 0.25, 0.4), (0, 0, 0), (0, 1, 0), (0.5, 0.5, 0.5)]
)
def test_harmonic_mean(a, b, mean):
    assert harmonic_mean(np.array([a], float), np.array([b], float)) == pytest.approx([mean])
