"""Exact search over the words, beside NumPy's matrix product and partition."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from eval.benchmark.rows import Row
from eval.benchmark.timing import median_seconds
from mmcgan.index import WordIndex
from mmcgan.ranking import N_NEIGHBOURS
from mmcgan.tagger import N_SAMPLES
from mmcgan.vocabulary import unit_rows

FloatArray = npt.NDArray[np.float32]

N_WORDS, SIZE = 20_000, 200
N_PHOTOS = 100  # of a batch


def search_rows(n_words: int = N_WORDS, repeats: int = 9) -> Iterator[Row]:
    """Yield the rows `exact_one` and `exact_batch`: the neighbours that draws vote for."""
    random = np.random.default_rng(0)
    words = unit_rows(random.normal(size=(n_words, SIZE)))
    draws = unit_rows(random.normal(size=(N_PHOTOS * N_SAMPLES, SIZE)))
    index = WordIndex(words)
    for what, queries in (("exact_one", draws[:N_SAMPLES]), ("exact_batch", draws)):
        seconds = median_seconds(
            {
                "ours": partial(index.search, queries, N_NEIGHBOURS),
                "numpy": partial(numpy_search, words, queries, N_NEIGHBOURS),
            },
            repeats if what == "exact_one" else max(repeats // 3, 1),
        )
        n_photos = len(queries) / N_SAMPLES
        yield Row(
            what,
            f"NumPy's matrix product and partition, {n_words:,} words",
            n_photos / seconds["ours"],
            n_photos / seconds["numpy"],
            "photos/s",
            "more",
            0.95,
            "faiss keeps a heap of the best of each query",
        )


def numpy_search(
    words: FloatArray, queries: FloatArray, k: int, block: int = N_SAMPLES
) -> npt.NDArray[np.int64]:
    """Return the k best words (Q, k) of each query by inner product, best first."""
    found = []
    for start in range(0, len(queries), block):
        scores = queries[start : start + block] @ words.T
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(found)
