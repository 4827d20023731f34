"""Which tags become words, and that no word or vector comes from val or test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.config import PrepareConfig
from data_prep.photos import Photo
from data_prep.words import build_vocabularies, check_sources, count_words, tags_of
from mmcgan.errors import DataError, OptionError

CONFIG = PrepareConfig(min_photos=2, word_size=4, word_epochs=3)


def photo(split: str, tags: str, annotations: str = "") -> Photo:
    return Photo("id", "name", bytes, split, tuple(tags.split()), tuple(annotations.split()))


PHOTOS = [
    photo("train", "sea cat", "animals sea"),
    photo("train", "sea sky", "animals"),
    photo("dev", "cat sky sea"),
    photo("dev", "rare"),
    photo("train", "", "sea"),
    photo("val", "rare val_only", "animals"),
    photo("test", "rare test_only test_only", "animals"),
]


def vectors_file(path: Path, words: Sequence[str]) -> Path:
    path.write_text("".join(f"{word} {i + 1} 2\n" for i, word in enumerate(words)))
    return path


def test_tags_of_a_photo_are_each_there_once():
    assert tags_of(PHOTOS[0], "user") == ("sea", "cat")
    assert tags_of(PHOTOS[0], "user+annotations") == ("sea", "cat", "animals")


def test_count_words_counts_photos_of_train_and_dev_alone():
    assert count_words(PHOTOS, "user", 1) == {"cat": 2, "rare": 1, "sea": 3, "sky": 2}
    both = count_words(PHOTOS, "user+annotations", 2)
    assert both == {"animals": 2, "cat": 2, "sea": 4, "sky": 2}
    assert list(both) == sorted(both)


def test_count_words_says_that_no_word_is_in_enough_photos():
    with pytest.raises(DataError, match=r"--min-photos: no tag is carried by 4 .* frequent by 3"):
        count_words(PHOTOS, "user", 4)


@pytest.mark.parametrize("photos", [[], [photo("val", "cat")], [photo("train", "")]])
def test_count_words_says_that_there_are_no_tags(photos):
    with pytest.raises(DataError, match="photos of train and dev has a tag"):
        count_words(photos, "user", 1)


def test_build_vocabularies_has_words_unit_vectors_and_counts():
    vocabularies, counts = build_vocabularies(PHOTOS, [], CONFIG)
    assert vocabularies.keys() == {"user"}
    user = vocabularies["user"]
    assert user.words == ("cat", "sea", "sky")
    assert user.n_photos.tolist() == [2, 3, 2]
    assert (user.vectors.shape, user.vectors.dtype) == ((3, 4), np.float32)
    assert np.allclose(np.linalg.norm(user.vectors, axis=1), 1, atol=1e-6)
    assert counts["vocabulary"] == {"user": {"words": 3, "words_without_vector": 0}}
    assert counts["corpus_left_out"] == {}


def test_build_vocabularies_gives_each_kind_of_tags_vectors_of_its_own():
    with_labels, _ = build_vocabularies(PHOTOS, ["animals", "sea"], CONFIG)
    assert with_labels["user+annotations"].words == ("animals", "cat", "sea", "sky")
    without, _ = build_vocabularies([replace(p, annotations=()) for p in PHOTOS], [], CONFIG)
    assert np.array_equal(with_labels["user"].vectors, without["user"].vectors)


def test_build_vocabularies_learns_nothing_from_val_and_test():
    others = [photo("val", "sea sea_side cat"), photo("test", "sea cat sky", "sea")] * 20
    kept = [p for p in PHOTOS if p.split in ("train", "dev")]
    found, _ = build_vocabularies(kept + others, ["animals", "sea"], CONFIG)
    alone, _ = build_vocabularies(kept, ["animals", "sea"], CONFIG)
    for source, vocabulary in alone.items():
        assert found[source].words == vocabulary.words
        assert found[source].n_photos.tolist() == vocabulary.n_photos.tolist()
        assert np.array_equal(found[source].vectors, vocabulary.vectors)


def test_build_vocabularies_learns_from_a_corpus_too(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat by the sea\n" * 20)
    config = PrepareConfig(**(CONFIG.to_json() | {"corpus": (text,), "out": tmp_path / "out"}))
    found, _ = build_vocabularies(PHOTOS, [], config)
    alone, _ = build_vocabularies(PHOTOS, [], CONFIG)
    assert found["user"].words == alone["user"].words
    assert not np.allclose(found["user"].vectors, alone["user"].vectors)


def test_build_vocabularies_leaves_out_words_that_are_too_seldom_in_the_text():
    config = PrepareConfig(**(CONFIG.to_json() | {"min_count": 3}))
    vocabularies, counts = build_vocabularies(PHOTOS, [], config)
    assert vocabularies["user"].words == ("sea",)
    assert counts["vocabulary"]["user"] == {"words": 1, "words_without_vector": 2}


def test_build_vocabularies_takes_ready_vectors_of_any_size(tmp_path):
    path = vectors_file(tmp_path / "v.txt", ["sky", "Sea", "dog"])
    vocabularies, counts = build_vocabularies(PHOTOS, [], PrepareConfig(min_photos=2, vectors=path))
    user = vocabularies["user"]
    assert user.words == ("sea", "sky")
    assert np.allclose(user.vectors, np.array([[2, 2], [1, 2]]) / [[8**0.5], [5**0.5]])
    assert user.n_photos.tolist() == [3, 2]
    assert counts["vocabulary"]["user"] == {"words": 2, "words_without_vector": 1}


def test_build_vocabularies_says_that_no_word_has_a_vector(tmp_path):
    path = vectors_file(tmp_path / "v.txt", ["dog"])
    with pytest.raises(DataError, match="none of the 3 tags of the vocabulary has a word vector"):
        build_vocabularies(PHOTOS, [], PrepareConfig(min_photos=2, vectors=path))


def test_check_sources_says_at_once_what_cannot_be_read(tmp_path):
    check_sources(PrepareConfig())
    good = vectors_file(tmp_path / "v.txt", ["dog"])
    check_sources(PrepareConfig(vectors=good, corpus=(good,)))
    with pytest.raises(OptionError, match=r"--vectors: .*missing"):
        check_sources(PrepareConfig(vectors=tmp_path / "missing"))
    with pytest.raises(OptionError, match=r"--corpus: .*missing"):
        check_sources(PrepareConfig(corpus=(good, tmp_path / "missing")))
    (tmp_path / "bad.txt").write_text("dog 1 2 3\ncat 1 2\n")
    with pytest.raises(DataError, match=r"--vectors: .*bad\.txt .*differ in width"):
        check_sources(PrepareConfig(vectors=tmp_path / "bad.txt"))
