"""Search in clusters: what it finds, when it is used, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from mmcgan.files import user_cache
from mmcgan.inference.words import clusters, index
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.vocabulary import unit_rows

N_WORDS, SIZE = 3000, 12


def grouped_words(n_words: int = N_WORDS, size: int = SIZE, groups: int = 100) -> np.ndarray:
    random = np.random.default_rng(0)
    centres = random.normal(size=(groups, size))[np.arange(n_words) % groups]
    return unit_rows(centres + 0.2 * random.normal(size=(n_words, size)))


def queries_near(words: np.ndarray, n_queries: int = 200) -> np.ndarray:
    random = np.random.default_rng(1)
    near = words[random.integers(0, len(words), n_queries)]
    return unit_rows(near + 0.1 * random.normal(size=near.shape))


def recall(index: WordIndex, words: np.ndarray, k: int = 10) -> float:
    queries = queries_near(words)
    _, found = index.search(queries, k)
    wanted = np.argsort(-(queries @ words.T), axis=1)[:, :k]
    return float(np.mean([np.isin(w, f).mean() for w, f in zip(wanted, found, strict=True)]))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(clusters, "MIN_WORDS", 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return user_cache("clusters")


@pytest.fixture
def clusterings(monkeypatch) -> list[int]:
    """One more for each time that words were clustered."""
    done: list[int] = []
    cluster = clusters._cluster
    monkeypatch.setattr(clusters, "_cluster", lambda *args: done.append(1) or cluster(*args))
    return done


@pytest.mark.parametrize("size", [12, 7])  # seven is no whole number of pairs
def test_neighbours_in_clusters_are_the_nearest_words_with_their_cosines(size):
    words = grouped_words(size=size)
    found = WordIndex(words)
    assert found.clusters is not None
    assert recall(found, words) >= 0.97
    queries = queries_near(words)
    cosines, rows = found.search(queries, 10)
    assert np.allclose(cosines, np.einsum("qe,qke->qk", queries, words[rows]), atol=1e-5)
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_words_without_structure_are_searched_exactly(monkeypatch):
    words = unit_rows(np.random.default_rng(0).normal(size=(N_WORDS, 60)))
    found = WordIndex(words)
    assert found.clusters is None
    assert recall(found, words) == 1


def test_few_words_are_searched_exactly_and_nothing_is_kept(folder):
    assert WordIndex(grouped_words(999)).clusters is None
    assert not folder.exists()


def test_words_with_a_bias_are_searched_exactly():
    words = grouped_words()
    assert WordIndex(words, np.zeros(N_WORDS, np.float32)).clusters is None


def test_many_neighbours_are_exact():
    words = grouped_words()
    found = WordIndex(words)
    assert found.clusters is not None
    queries = queries_near(words, 20)
    _, rows = found.search(queries, 1000)
    assert rows.shape == (20, 1000)
    wanted = np.argsort(-(queries @ words.T), axis=1)[:, :1000]
    assert np.mean([len(np.intersect1d(w, r)) for w, r in zip(wanted, rows, strict=True)]) > 999


def test_a_query_whose_clusters_hold_too_few_words_is_searched_exactly(monkeypatch):
    # All but some words are one; these few are far from it and make clusters of their own.
    words = np.tile(unit_rows(np.ones((1, SIZE))), (N_WORDS, 1))
    words[:40] = unit_rows(np.random.default_rng(0).normal(size=(40, SIZE)))
    found = WordIndex(words)
    _, rows = found.search(words[:40], 50)
    assert rows.min() >= 0
    assert (rows[:, 0] == np.arange(40)).all()


@pytest.mark.parametrize("broken", ["zero", "duplicate"])
def test_zero_and_duplicate_vectors_do_no_harm(broken):
    words = grouped_words()
    words[:500] = 0 if broken == "zero" else words[0]
    found = WordIndex(words)
    rest = words[500:]
    _, rows = found.search(queries_near(rest), 5)
    assert rows.min() >= 0
    nearest = 500 + np.argmax(queries_near(rest) @ rest.T, axis=1)
    assert (rows[:, 0] == nearest).mean() > 0.95


def test_clusters_are_kept_and_read_again(folder, clusterings):
    words = grouped_words()
    first = WordIndex(words).search(queries_near(words), 10)
    again = WordIndex(words).search(queries_near(words), 10)
    assert len(clusterings) == 1
    assert len(list(folder.iterdir())) == 1
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_that_exact_is_better_is_kept_too(clusterings):
    words = unit_rows(np.random.default_rng(0).normal(size=(N_WORDS, 60)))
    assert WordIndex(words).clusters is None
    assert WordIndex(words).clusters is None
    assert len(clusterings) == 1


def test_other_words_have_other_clusters(folder, clusterings):
    words = grouped_words()
    WordIndex(words)
    words[0] = words[1]
    WordIndex(words)
    assert len(clusterings) == len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"IxFI", None])
def test_broken_files_are_made_anew(folder, clusterings, content):
    words = grouped_words()
    WordIndex(words)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    assert recall(WordIndex(words), words) >= 0.97
    assert len(clusterings) == 2


def test_without_a_folder_to_write_to_nothing_is_kept(tmp_path, monkeypatch, clusterings):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    words = grouped_words()
    assert recall(WordIndex(words), words) >= 0.97
    assert WordIndex(words).clusters is not None
    assert len(clusterings) == 2


def test_the_exact_search_shares_the_words(folder):
    words = grouped_words()
    found = WordIndex(words)
    assert found._exact.ntotal == N_WORDS
    assert index.exact_of(faiss, found.clusters).this == found._exact.this
