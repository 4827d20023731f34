"""Search over the words: exact, beside NumPy; of a very large dictionary, beside exact faiss."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from eval.benchmark.rows import Row
from eval.benchmark.timing import median_seconds
from mmcgan.inference.tagger import N_SAMPLES
from mmcgan.inference.words.clusters import recall
from mmcgan.inference.words.index import WordIndex, import_faiss
from mmcgan.inference.words.ranking import N_NEIGHBOURS, Draws, count_votes
from mmcgan.inference.words.vocabulary import unit_rows

FloatArray = npt.NDArray[np.float32]

N_WORDS, SIZE = 20_000, 200
N_PHOTOS, N_TAGS = 100, 10  # of a batch


N_LARGE = 247_465  # words of the paper's dictionary (arXiv 1411.1784, section 4.2)
N_SPREAD = 20  # photos whose tags are compared
# Nodes of a level of the tree of words, and their part of the variance of a vector; the rest is the
# word's own. So a word's nearest and 20th nearest have cosines of about .73 and .49, as between the
# skip-gram vectors of a text.
TREE = ((60, 0.12), (1_000, 0.22), (12_000, 0.2), (90_000, 0.18))
SPREAD = 0.7  # length of the noise of a draw, beside a word of length 1
N_MEANT = 10  # words that the draws of a photo lie around


def search_rows(n_words: int = N_WORDS, n_large: int = N_LARGE, repeats: int = 9) -> Iterator[Row]:
    """Yield the rows of small dictionaries, and those of a large one."""
    yield from _exact_rows(n_words, repeats)
    yield from _clustered_rows(n_large, max(repeats // 3, 1))


def _exact_rows(n_words: int, repeats: int) -> Iterator[Row]:
    """Yield `exact_one` and `exact_batch`: the neighbours that draws vote for."""
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


def _clustered_rows(n_words: int, repeats: int) -> Iterator[Row]:
    """Yield `search_speed` and `search_agreement`: all draws of some photos to their tags."""
    random = np.random.default_rng(0)
    words = tree_of_words(n_words, random)
    photos = draws_of_photos(words, N_SPREAD, random)
    queries = photos.reshape(-1, SIZE)
    index, exact = WordIndex(words), import_faiss().IndexFlatIP(SIZE)
    exact.add(words)
    against = f"exact faiss, {n_words:,} words, {N_SAMPLES} draws a photo"
    seconds = median_seconds(
        {
            "ours": partial(index.search, queries, N_NEIGHBOURS),
            "exact": partial(exact.search, queries, N_NEIGHBOURS),
        },
        repeats,
    )
    yield Row(
        "search_speed", against, N_SPREAD / seconds["ours"], N_SPREAD / seconds["exact"],
        "photos/s", "more", 10, "the candidates of every draw are scored again exactly",
    )  # fmt: skip
    draws = Draws(photos, index)
    found, wanted = (
        count_votes(draws, search(queries, N_NEIGHBOURS)[1].reshape(N_SPREAD, N_SAMPLES, -1))
        .rank(N_TAGS).rows
        for search in (index.search, exact.search)
    )  # fmt: skip
    yield Row(
        "search_agreement", f"{against}: the same of the ten tags", recall(wanted, found), 1.0,
        "of 1", "more", 0.99, "clusters that are not searched hold neighbours",
    )  # fmt: skip


def tree_of_words(n_words: int, random: np.random.Generator) -> FloatArray:
    """Return unit vectors (V, SIZE) of words in groups of groups, some large, many small."""
    n_leaves = TREE[-1][0]
    leaf = np.sort((random.random(n_words) ** 1.5 * n_leaves).astype(np.int64))
    own = 1 - sum(share for _, share in TREE)
    words = own**0.5 * random.normal(size=(n_words, SIZE))
    for n_nodes, share in TREE:
        words += share**0.5 * random.normal(size=(n_nodes, SIZE))[leaf * n_nodes // n_leaves]
    return unit_rows(words)


def draws_of_photos(words: FloatArray, n_photos: int, random: np.random.Generator) -> FloatArray:
    """Return the draws (N, S, SIZE) of photos: around words of one kind, and some of others."""
    photos = []
    for _ in range(n_photos):
        kind = words @ words[random.integers(len(words))]
        near = np.argsort(-kind)[: 40 * N_MEANT]
        n_others = N_MEANT // 3
        meant = np.concatenate([
            random.choice(near, N_MEANT - n_others), random.integers(0, len(words), n_others)
        ])  # fmt: skip
        noise = unit_rows(random.normal(size=(N_SAMPLES, SIZE)))
        photos.append(unit_rows(words[random.choice(meant, N_SAMPLES)] + SPREAD * noise))
    return np.stack(photos)


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
