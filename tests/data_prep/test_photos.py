"""The text of a tag, the records of readers, and splits by hash."""

from __future__ import annotations

from collections import Counter

import pytest

from data_prep.photos import Collection, clean_tags, split_of
from mmcgan.inference.words.vocabulary import MAX_TAG_LENGTH, normalize_tag, printed


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("Sea", "sea"),
        ("  Plant Life ", "plant_life"),
        ("plant_life", "plant_life"),
        ("plant__life", "plant_life"),
        ("plant _\t life", "plant_life"),
        ("plant\u00a0life", "plant_life"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("ﬁre", "fire"),
        ("ＮＩＫＯＮ", "nikon"),
        ("cafe\u0301", "café"),
        ("zero\u200bwidth", "zerowidth"),
        ("bell\x07", "bell"),
        ("2007", "2007"),
        ("東京", "東京"),
        ("♥", "♥"),
        ("d'or", "d'or"),
        ("_edge_", "edge"),
    ],
)
def test_normalize_tag_gives_one_spelling(text, token):
    assert normalize_tag(text) == token


@pytest.mark.parametrize("text", ["", "   ", "___", "...", "?!", "\x00\x01", "\u200b", "-"])
def test_normalize_tag_leaves_nothing_of_what_is_no_tag(text):
    assert normalize_tag(text) is None


def test_normalize_tag_is_settled_by_one_pass():
    for text in ("Plant Life", "ΆΣ", "İstanbul", "ﬃ", "Ǆ", "cafe\u0301", "ſt"):
        token = normalize_tag(text)
        assert token is not None
        assert normalize_tag(token) == token


def test_normalize_tag_drops_what_is_too_long():
    assert normalize_tag("a" * MAX_TAG_LENGTH) == "a" * MAX_TAG_LENGTH
    assert normalize_tag("a" * (MAX_TAG_LENGTH + 1)) is None


def test_printed_is_how_a_person_writes_the_token():
    assert printed("plant_life") == "plant life"
    assert normalize_tag(printed("plant_life")) == "plant_life"


def test_clean_tags_keeps_the_order_and_counts_what_it_drops():
    dropped: Counter[str] = Counter()
    texts = ["Sea", "nikon", "ocean", "SEA", "!!", " ", "a" * 200, "sea"]
    assert clean_tags(texts, frozenset({"nikon"}), dropped) == ("sea", "ocean")
    assert +dropped == {
        "tags without a letter, digit or symbol, or too long": 2,
        "tags on the stop list": 1,
        "tags repeated on the same photo": 2,
    }


def test_clean_tags_of_no_tags_is_empty():
    dropped: Counter[str] = Counter()
    assert clean_tags([], frozenset(), dropped) == ()
    assert not +dropped


@pytest.mark.parametrize(
    ("name", "split"),
    [("a.jpg", "train"), ("im1", "train"), ("im4", "val"), ("im7", "dev"), ("im10", "test")],
)
def test_split_of_is_stable(name, split):
    """Written down once: a photo must not change its split with a version or a machine."""
    assert split_of(name, 0) == split


def test_split_of_fills_the_splits_by_their_shares():
    n = 20_000
    counts = Counter(split_of(f"photo{i}.jpg", 0) for i in range(n))
    for split, share in {"val": 0.15, "test": 0.15, "dev": 0.7 * 0.06, "train": 0.7 * 0.94}.items():
        assert counts[split] / n == pytest.approx(share, abs=0.01)


def test_split_of_moves_only_dev_with_the_seed():
    names = [f"photo{i}.jpg" for i in range(3000)]
    first, second = ([split_of(name, seed) for name in names] for seed in (0, 1))
    for a, b in zip(first, second, strict=True):
        assert a == b or {a, b} == {"train", "dev"}
    assert first != second


def test_collection_starts_without_labels_and_counts():
    collection = Collection("empty", ())
    assert collection.annotation_names == collection.relevant_annotation_names == ()
    assert not collection.dropped
    assert collection.truth is None
