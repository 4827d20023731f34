"""Which words say the same, by their spelling, our list and what the photos of a library say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from mmcgan.errors import RunError
from mmcgan.files import read_json
from mmcgan.inference.model import read_model
from mmcgan.inference.words.vocabulary import Vocabulary, normalize_tag, unit_rows
from mmcgan.training.runs import RunDir
from mmcgan.training.synonyms import _listed, _may_be_synonyms, find_synonyms

N = 400
# Of each word: the scenes in whose photos it is, and how often it is there.
LIBRARY: dict[str, tuple[str, float]] = {
    "sea": ("coast", 0.7),
    "ocean": ("coast", 0.4),
    "mar": ("coast", 0.3),
    "sand": ("coast", 0.5),
    "beach": ("coast", 0.6),
    "waves": ("coast", 0.4),
    "flower": ("garden", 0.6),
    "flowers": ("garden", 0.5),
    "garden": ("garden", 0.6),
    "rose": ("garden", 0.4),
    "glass": ("table", 0.6),
    "dinner": ("table", 0.6),
    "wine": ("table", 0.5),
    "glasses": ("face", 0.6),
    "face": ("face", 0.5),
    "portrait": ("face", 0.6),
    "red": ("red", 0.7),
    "blue": ("blue", 0.7),
    "cat": ("cat", 0.8),
    "dog": ("dog", 0.8),
    "pet": ("cat dog", 0.6),
    "colour": ("red blue", 0.5),
    "fur": ("cat dog", 0.5),
}
SCENES = sorted({scene for scenes, _ in LIBRARY.values() for scene in scenes.split()})


def library(
    words: dict[str, tuple[str, float]] = LIBRARY, seed: int = 0
) -> tuple[Vocabulary, sparse.csr_array, torch.Tensor]:
    """Photos of scenes that look different, red and blue ones somewhat alike, as cat and dog."""
    random = np.random.default_rng(seed)
    scene = random.integers(len(SCENES), size=N)
    looks = random.normal(size=(len(SCENES), 30))
    features = looks[scene] + random.normal(size=(N, 30))
    names = tuple(sorted(words))
    tags = np.array(
        [
            [SCENES[s] in words[w][0].split() and random.random() < words[w][1] for w in names]
            for s in scene
        ],
        float,
    )
    vectors = unit_rows(random.normal(size=(len(names), 4)))
    vocabulary = Vocabulary(names, vectors, tags.sum(axis=0).astype(np.int64))
    return vocabulary, sparse.csr_array(tags), torch.from_numpy(features.astype(np.float32))


def with_tags(photos: dict[str, list[int]]) -> dict[str, str]:
    """the synonyms of a library in which each word is on the photos named, which all look alike."""
    words = tuple(sorted(photos))
    tags = np.zeros((60, len(words)))
    for i, word in enumerate(words):
        tags[photos[word], i] = 1
    counts = tags.sum(axis=0).astype(np.int64)
    vocabulary = Vocabulary(words, unit_rows(np.eye(len(words))), counts)
    return find_synonyms(vocabulary, sparse.csr_array(tags), torch.ones(60, 3))


def test_words_that_say_the_same_are_folded_and_no_others():
    assert find_synonyms(*library()) == {"flowers": "flower", "mar": "sea", "ocean": "sea"}


def test_pairs_and_photos_in_parts_give_the_same_synonyms(monkeypatch):
    whole = find_synonyms(*library())
    monkeypatch.setattr("mmcgan.training.prepared.feature_rows.CHUNK_BYTES", 1)
    assert find_synonyms(*library()) == whole != {}


def test_the_form_that_is_used_most_wins():
    words = LIBRARY | {"flowers": ("garden", 0.9), "ocean": ("coast", 0.95)}
    assert find_synonyms(*library(words)) == {"flower": "flowers", "mar": "ocean", "sea": "ocean"}


def test_words_that_mean_something_else_here_are_not_folded():
    words = LIBRARY | {"mar": ("face", 0.4)}  # photos of March, say
    assert "mar" not in find_synonyms(*library(words))


def test_the_same_library_gives_the_same_synonyms_in_the_same_order():
    assert list(find_synonyms(*library()).items()) == list(find_synonyms(*library()).items())


def test_a_library_without_such_words_has_no_synonyms():
    assert with_tags({"one": [1, 2], "other": [2, 3]}) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("flower", "flowers"),
        ("city", "cities"),
        ("church", "churches"),
        ("box", "boxes"),
        ("glass", "glasses"),
        ("new_york", "newyork"),
        ("zürich", "zurich"),
        ("sky", "cielo"),
        ("bw", "black_and_white"),
        ("cat", "katzen"),
    ],
)
def test_words_may_be_synonyms_by_spelling_or_our_list(one, other):
    assert _may_be_synonyms([one, "else", other]) == {(0, 2)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("red", "blue"),
        ("cat", "dog"),
        ("bus", "bu"),
        ("2007", "2008"),
        ("80s", "80"),
        ("a|b", "ab"),
        ("sunset", "sunrise"),
        ("sand", "beach"),
        ("日本", "東京"),
        ("♥", "☆"),
    ],
)
def test_other_words_are_never_synonyms(one, other):
    assert _may_be_synonyms([one, "else", other]) == set()


def test_the_list_holds_words_as_they_are_kept():
    assert [word for word in _listed() if normalize_tag(word) != word] == []


def test_a_path_is_folded_into_its_leaf_where_that_has_one_meaning():
    heron, fruit, town = list(range(10)), list(range(20, 28)), list(range(30, 38))
    found = with_tags(
        {
            "heron": heron,
            "animals|birds|heron": heron[:9],
            "birds": list(range(50)),
            "orange": fruit + town,
            "fruits|orange": fruit,
            "towns|orange": town,
        }
    )
    assert found == {"animals|birds|heron": "heron"}


def test_no_chain_of_synonyms_leads_to_a_word_that_is_no_synonym():
    photos = list(range(50))
    found = with_tags(
        {
            "color": photos[:40],
            "colors": photos[:30],
            "a|colors": photos[:30],
            "else": photos,
        }
    )
    assert not set(found) & set(found.values())


@pytest.mark.parametrize("fixture", ["trained", "trained_modern"])
def test_a_run_keeps_the_synonyms_of_its_library(fixture, request):
    stored = read_json(request.getfixturevalue(fixture)[1] / "model.json", RunError)
    model = read_model(RunDir(request.getfixturevalue(fixture)[1]))
    assert model.rules.becomes == stored["rules"]["becomes"]
    assert model.rules.becomes == {"animal": "animals", "katze": "cat", "mar": "sea"}
