"""Withheld words: no photo of train or dev shows them, and other text alone gives their vectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.folders import COMMAND, TinyBackbone, put_photos

from data_prep import pipeline
from data_prep.config import PrepareConfig
from data_prep.photos import Photo
from data_prep.pipeline import prepare
from data_prep.words import Withheld, build_vocabularies, check_sources, withhold_words
from mmcgan.errors import DataError, OptionError
from mmcgan.prepare import summarize
from mmcgan.training.prepared.dataset import FILE_NAME, read_dataset, write_dataset

WORDS = ("bird", "cat", "dog", "ice_cream", "sea", "sky")
UNKNOWN = "nikon"  # a tag of the photos that no text knows
ALL = {*WORDS, UNKNOWN}


def photo(split: str, *tags: str, annotations: tuple[str, ...] = ()) -> Photo:
    return Photo("id", "name", bytes, split, tags, annotations)


# Each word is on two photos of train and one of dev, nikon on four of train.
PHOTOS = [
    *(photo("train", word, UNKNOWN) for word in WORDS[:4]),
    *(photo("train", word) for word in WORDS[4:]),
    photo("train", *WORDS, annotations=("sky",)),
    photo("dev", *WORDS),
    photo("val", *WORDS),
    photo("test", "sea", UNKNOWN),
]


@pytest.fixture
def config(tmp_path: Path) -> PrepareConfig:
    """Half of the words that the text knows are withheld; sky is there too seldom."""
    text = tmp_path / "text.txt"
    text.write_text("A bird, a cat and a dog eat ice cream by the sea.\n" * 2 + "The sky.\n")
    return PrepareConfig(
        min_photos=2,
        word_size=4,
        word_epochs=3,
        corpus=(text,),
        withhold=0.4,
        seed=1,
        out=tmp_path / "out",
    )


def tags_of(photos: list[Photo], *splits: str) -> set[str]:
    return {tag for photo in photos if photo.split in splits for tag in photo.tags}


def test_nothing_is_withheld_by_default():
    photos, withheld = withhold_words(PHOTOS, PrepareConfig(min_photos=2))
    assert photos == PHOTOS
    assert withheld == Withheld({}, 0)


def test_withheld_words_are_a_share_of_those_that_the_text_knows(config):
    # Known are bird, cat, dog, ice_cream and sea, twice each; .4 of five are two.
    _, withheld = withhold_words(PHOTOS, config)
    assert len(withheld.n_photos) == 2
    assert set(withheld.n_photos) <= {"bird", "cat", "dog", "ice_cream", "sea"}
    assert set(withheld.n_photos.values()) == {3}
    assert withheld.n_without_vector == 2  # nikon and sky
    _, less = withhold_words(PHOTOS, replace(config, withhold=0.2))
    assert len(less.n_photos) == 1


def test_text_that_knows_a_word_often_enough_is_that_of_the_skip_gram(config):
    _, withheld = withhold_words(PHOTOS, replace(config, min_count=1))
    assert withheld.n_without_vector == 1  # sky is known too
    with pytest.raises(DataError, match="--withhold: other text has vectors for 0 of the 7 tags"):
        withhold_words(PHOTOS, replace(config, min_count=3))


def test_only_photos_of_train_and_dev_lose_their_withheld_tags(config):
    photos, withheld = withhold_words(PHOTOS, config)
    taken = set(withheld.n_photos)
    assert tags_of(photos, "train", "dev") == ALL - taken
    assert tags_of(photos, "val") == set(WORDS)
    for before, after in zip(PHOTOS, photos, strict=True):
        is_learnt = before.split in ("train", "dev")
        kept = tuple(t for t in before.tags if not (is_learnt and t in taken))
        assert after == replace(before, tags=kept)


def test_the_choice_is_seeded(config):
    chosen = [set(withhold_words(PHOTOS, replace(config, seed=s))[1].n_photos) for s in range(8)]
    assert chosen[1] == set(withhold_words(PHOTOS, config)[1].n_photos)
    assert len({frozenset(words) for words in chosen}) > 1


def test_withheld_words_come_from_ready_vectors_where_there_are_some(config, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("Sky 1 2\nnikon 2 1\nwolf 0 1\n")
    ready = replace(config, vectors=path, withhold=0.9)
    photos, withheld = withhold_words(PHOTOS, ready)
    assert withheld == Withheld({"nikon": 4, "sky": 3}, 5)
    with pytest.raises(DataError, match="none of the 5 tags of the vocabulary has a word vector"):
        build_vocabularies(photos, [], ready, withheld)  # the words that are left have no vector


def test_withhold_refuses_a_share_that_is_none(config):
    with pytest.raises(DataError, match=r"for 5 of the 7 tags .* a share of 0.05 of them is none"):
        withhold_words(PHOTOS, replace(config, withhold=0.05))


@pytest.mark.parametrize("share", [0.95, -0.1, float("nan")])
def test_withhold_takes_shares_from_0_to_0_9(share):
    with pytest.raises(OptionError, match=r"--withhold: .* at least 0 and at most 0\.9"):
        PrepareConfig(withhold=share)


def test_withhold_needs_other_text(config):
    check_sources(config)
    with pytest.raises(
        OptionError, match=r"--withhold: .*--corpus, or ready vectors with --vectors"
    ):
        check_sources(replace(config, corpus=()))


def test_build_vocabularies_keeps_seen_and_withheld_words_apart(config):
    photos, withheld = withhold_words(PHOTOS, config)
    vocabularies, counts = build_vocabularies(photos, ["sky"], config, withheld)
    assert vocabularies.keys() == {"user", "withheld"}  # none of user+annotations
    seen, unseen = vocabularies["user"], vocabularies["withheld"]
    assert set(unseen.words) == set(withheld.n_photos)
    assert set(seen.words) == ALL - set(unseen.words)
    assert list(unseen.words) == sorted(unseen.words)
    assert unseen.n_photos.tolist() == [3, 3]
    assert dict(zip(seen.words, seen.n_photos.tolist(), strict=True))[UNKNOWN] == 4
    for vocabulary in (seen, unseen):
        assert np.allclose(np.linalg.norm(vocabulary.vectors, axis=1), 1, atol=1e-6)
    assert counts["vocabulary"] == {
        "user": {"words": 5, "words_without_vector": 0},
        "withheld": {"words": 2, "words_without_vector": 2},
    }


def test_vectors_of_withheld_words_know_nothing_of_the_photos_that_had_them(config):
    photos, withheld = withhold_words(PHOTOS, config)
    found, _ = build_vocabularies(photos, [], config, withheld)
    # As if the tags had never been there: photos that never had them give the same vectors.
    blank = [
        replace(p, tags=tuple(t for t in p.tags if t not in withheld.n_photos)) for p in PHOTOS
    ]
    alone, _ = build_vocabularies(blank, [], config, withheld)
    for name, vocabulary in found.items():
        assert np.array_equal(vocabulary.vectors, alone[name].vectors)


# From end to end: photos of a folder with the tags sea, sky and cat, of which the text knows two.


@pytest.fixture
def folder_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrepareConfig:
    """Settings for a folder of 60 photos, with a backbone that takes no time."""
    monkeypatch.setattr(pipeline, "load_backbone", lambda *names: TinyBackbone())
    text = tmp_path / "text.txt"
    text.write_text("a cat by the sea\n" * 3)
    return PrepareConfig(
        dataset="folder",
        root=put_photos(tmp_path / "photos", 60),
        out=tmp_path / "data",
        min_photos=2,
        word_size=4,
        word_epochs=2,
        withhold=0.5,
        corpus=(text,),
    )


def test_prepare_stores_the_withheld_words(folder_config):
    prepare(folder_config, COMMAND)
    found = read_dataset(folder_config.out)
    [word] = found.vocabularies["withheld"].words
    assert word in ("sea", "cat")
    assert word not in found.vocabularies["user"].words
    assert found.tag_sources == ["user"]
    carried = {
        split: sum(word in found.tags["user"].of(row) for row in np.flatnonzero(found.split == i))
        for i, split in enumerate(("train", "dev", "val", "test"))
    }
    assert carried["train"] == carried["dev"] == 0
    assert carried["val"] + carried["test"] > 0
    texts = [
        (folder_config.root / name).with_suffix(".txt").read_text().split(", ")
        for name in found.image_ids[found.split < 2]
    ]
    n_photos = sum(word in tags for tags in texts)
    assert found.vocabularies["withheld"].n_photos.tolist() == [n_photos]
    assert "withheld: 1 words (" in summarize(found)


def test_prepare_knows_its_output_by_the_share_that_was_withheld(folder_config):
    first = prepare(folder_config, COMMAND)
    assert prepare(folder_config, COMMAND).dataset_id == first.dataset_id
    with pytest.raises(
        OptionError, match=r"^--withhold: .*prepared with 0\.5, this call says 0\.9"
    ):
        prepare(replace(folder_config, withhold=0.9), COMMAND)


def test_prepare_takes_data_that_are_older_than_the_option(folder_config):
    plain = replace(folder_config, withhold=0.0)
    first = prepare(plain, COMMAND)
    older = {name: value for name, value in first.config.items() if name != "withhold"}
    write_dataset(replace(first, config=older), folder_config.out / FILE_NAME)
    assert prepare(plain, COMMAND).dataset_id == first.dataset_id
    with pytest.raises(
        OptionError, match=r"^--withhold: .*prepared with 0\.0, this call says 0\.5"
    ):
        prepare(folder_config, COMMAND)


def test_prepare_refuses_to_withhold_without_other_text_before_the_work(folder_config):
    with pytest.raises(OptionError, match="--withhold"):
        prepare(replace(folder_config, corpus=()), COMMAND)
    assert not folder_config.out.exists()
    unknown = folder_config.root.parent / "unknown.txt"
    unknown.write_text("nothing of the kind\n")
    with pytest.raises(DataError, match="--withhold: other text has vectors for 0 of the"):
        prepare(replace(folder_config, corpus=(unknown,)), COMMAND)
    assert not (folder_config.out / "dataset.h5").exists()
