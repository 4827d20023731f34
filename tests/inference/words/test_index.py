"""The best words by cosine, or by inner product and bias, on whatever faiss there is."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import faiss
import numpy as np
import pytest

from mmcgan.errors import DependencyError
from mmcgan.inference.words.index import WordIndex, import_faiss
from mmcgan.inference.words.vocabulary import unit_rows


def some_words(n_words: int = 40, size: int = 7) -> np.ndarray:
    return unit_rows(np.random.default_rng(0).normal(size=(n_words, size)))


def test_search_finds_the_nearest_words_by_cosine():
    words, queries = some_words(), unit_rows(np.random.default_rng(1).normal(size=(9, 7)))
    cosines, rows = WordIndex(words).search(queries, 5)
    table = queries @ words.T
    assert rows.tolist() == np.argsort(-table, axis=1)[:, :5].tolist()
    assert np.allclose(cosines, np.take_along_axis(table, rows, axis=1), atol=1e-6)


def test_queries_without_a_bias_are_unit_vectors():
    index = WordIndex(some_words(3, 2))
    vectors = np.array([[[3.0, 4.0], [0.0, -2.0]], [[0.0, 0.0], [1.0, 0.0]]], np.float32)
    queries = index.queries(vectors)
    assert not index.has_bias
    assert np.allclose(queries, [[[0.6, 0.8], [0, -1]], [[0, 0], [1, 0]]])
    assert vectors[0, 0].tolist() == [3, 4]


def test_queries_with_a_bias_have_a_1_added():
    index = WordIndex(some_words(3, 2), np.zeros(3, np.float32))
    vectors = np.array([[[3.0, 4.0], [0.0, -2.0]]], np.float32)
    queries = index.queries(vectors)
    assert index.has_bias
    assert queries.tolist() == [[[3, 4, 1], [0, -2, 1]]]
    assert queries.dtype == np.float32


def test_search_with_a_bias_finds_the_best_inner_products_and_biases():
    random = np.random.default_rng(2)
    words, bias = random.normal(size=(40, 7)), 3 * random.normal(size=40)
    vectors = random.normal(size=(9, 7)).astype(np.float32)
    index = WordIndex(words.astype(np.float32), bias.astype(np.float32))
    scores, rows = index.search(index.queries(vectors), 5)
    dense = vectors @ words.T + bias
    assert rows.tolist() == np.argsort(-dense, axis=1)[:, :5].tolist()
    assert np.allclose(scores, np.take_along_axis(dense, rows, axis=1), atol=1e-5)
    assert (len(index), index.table.shape) == (40, (40, 8))
    # Words of another length, or another bias, would be ranked otherwise.
    plain = WordIndex(unit_rows(words))
    assert plain.search(plain.queries(vectors), 5)[1].tolist() != rows.tolist()


def test_search_gives_no_more_than_all_words():
    cosines, rows = WordIndex(some_words(3)).search(some_words(2), 20)
    assert (cosines.shape, rows.shape) == ((2, 3), (2, 3))
    assert np.sort(rows, axis=1).tolist() == [[0, 1, 2]] * 2


def test_index_takes_a_single_word_and_tables_of_other_kinds():
    index = WordIndex(np.asfortranarray(some_words().astype(np.float64)))
    assert len(index) == 40
    assert index.search(some_words()[5:6].astype(np.float64), 1)[1].tolist() == [[5]]
    assert len(WordIndex(some_words(1))) == 1


def test_index_without_faiss_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    for needs_faiss in (import_faiss, lambda: WordIndex(some_words())):
        with pytest.raises(DependencyError, match=r"pip install 'mmcgan\[cpu\]'") as caught:
            needs_faiss()
        assert "mmcgan[gpu]" in str(caught.value)


class Moved:
    """Stands in for an index on a GPU."""

    def __init__(self, index: faiss.Index):
        self.index, self.ntotal = index, 0

    def add(self, vectors: np.ndarray) -> None:
        self.index.add(vectors)
        self.ntotal = self.index.ntotal

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self.index.search(vectors, k)


def faiss_with_gpus(n_gpus: int) -> ModuleType:
    """Stand-in for the GPU build of faiss."""
    module = ModuleType("faiss")
    module.IndexFlatIP = faiss.IndexFlatIP
    module.get_num_gpus = lambda: n_gpus
    module.StandardGpuResources = lambda: "resources"
    module.index_cpu_to_gpu = lambda resources, device, index: (
        Moved(index) if (resources, device) == ("resources", 0) else None
    )
    return module


@pytest.mark.parametrize(("n_gpus", "kind"), [(1, Moved), (2, Moved), (0, faiss.IndexFlatIP)])
def test_index_lies_on_the_gpu_where_there_is_one(monkeypatch, n_gpus, kind):
    monkeypatch.setitem(sys.modules, "faiss", faiss_with_gpus(n_gpus))
    index = WordIndex(some_words())
    assert isinstance(index._exact, kind)
    assert len(index) == 40
    assert index.search(some_words()[3:4], 1)[1].tolist() == [[3]]


def test_index_lies_in_memory_with_a_build_that_knows_no_gpu(monkeypatch):
    module = faiss_with_gpus(1)
    del module.get_num_gpus
    monkeypatch.setitem(sys.modules, "faiss", module)
    assert isinstance(WordIndex(some_words())._exact, faiss.IndexFlatIP)


@pytest.mark.parametrize(("default", "wanted"), [(128_000, 3 * 800), (20, 20)])
def test_few_queries_are_searched_by_matrix_products(monkeypatch, default, wanted):
    limits = SimpleNamespace(distance_compute_blas_threshold=default)
    faiss = SimpleNamespace(cvar=limits, omp_get_max_threads=lambda: 3)
    monkeypatch.setitem(sys.modules, "faiss", faiss)
    assert import_faiss() is faiss
    assert limits.distance_compute_blas_threshold == wanted
