"""Search over the words: exact, beside NumPy; of a very large dictionary, beside exact faiss."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from eval.benchmark.rows import Row, median_seconds
from mmcgan.arrays import FloatArray, IntArray
from mmcgan.inference.tagger import N_SAMPLES
from mmcgan.inference.words.clusters import recall
from mmcgan.inference.words.index import WordIndex, import_faiss
from mmcgan.inference.words.ranking import N_NEIGHBOURS, Draws, count_votes
from mmcgan.inference.words.vocabulary import unit_rows

N_WORDS, SIZE = 20_000, 200
N_PHOTOS, N_TAGS = 100, 10  # of a batch

N_LARGE = 247_465  # words of the paper's dictionary (arXiv 1411.1784, section 4.2)
N_LARGE_PHOTOS = 20  # whose tags are compared
# Nodes of a level of the tree of words, and their part of the variance of a vector; the rest is the
# word's own. So a word's nearest and 20th nearest have cosines of about .73 and .49, as between the
# skip-gram vectors of a text.
TREE = ((60, 0.12), (1_000, 0.22), (12_000, 0.2), (90_000, 0.18))
NOISE_SCALE = 0.7  # length of the noise of a draw, beside a word of length 1
N_MEANT, N_OTHERS = 10, 3  # words that the draws of a photo lie around, and those of other kinds


def search_rows(n_words: int = N_WORDS, n_large: int = N_LARGE, repeats: int = 9) -> Iterator[Row]:
    """Yield the rows of small dictionaries, and those of a large one."""
    yield from _exact_rows(n_words, repeats)
    yield from _clustered_rows(n_large, max(repeats // 3, 1))


def _exact_rows(n_words: int, repeats: int) -> Iterator[Row]:
    """Yield `exact_one` and `exact_batch`: finding the words that draws vote for."""
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
        against = f"NumPy's matrix product and partition, {n_words:,} words"
        ours, rival = (len(queries) / N_SAMPLES / seconds[name] for name in ("ours", "numpy"))
        why = "faiss keeps a heap of the best of each query"
        yield Row(what, against, ours, rival, "photos/s", "more", 0.95, why)


def _clustered_rows(n_words: int, repeats: int) -> Iterator[Row]:
    """Yield `search_speed` and `search_agreement`, from all draws of some photos to their tags."""
    random = np.random.default_rng(0)
    words = tree_of_words(n_words, random)
    photos = draws_of_photos(words, N_LARGE_PHOTOS, random)
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
    ours, rival = (N_LARGE_PHOTOS / seconds[name] for name in ("ours", "exact"))
    why = "the candidates of every draw are scored again exactly"
    yield Row("search_speed", against, ours, rival, "photos/s", "more", 10, why)
    draws, shape = Draws(photos, index), (N_LARGE_PHOTOS, N_SAMPLES, -1)
    found, wanted = (
        count_votes(draws, search(queries, N_NEIGHBOURS)[1].reshape(shape)).rank(N_TAGS).rows
        for search in (index.search, exact.search)
    )
    against, agreement = f"{against}: the same of the ten tags", recall(wanted, found)
    why = "clusters that are not searched hold neighbours"
    yield Row("search_agreement", against, agreement, 1.0, "of 1", "more", 0.99, why)


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
        alike = random.choice(near, N_MEANT - N_OTHERS)
        meant = np.concatenate([alike, random.integers(0, len(words), N_OTHERS)])
        noise = unit_rows(random.normal(size=(N_SAMPLES, SIZE)))
        photos.append(unit_rows(words[random.choice(meant, N_SAMPLES)] + NOISE_SCALE * noise))
    return np.stack(photos)


def numpy_search(
    words: FloatArray, queries: FloatArray, k: int, block: int = N_SAMPLES
) -> IntArray:
    """Return the k best words (Q, k) of each query by inner product, best first."""
    found = []
    for start in range(0, len(queries), block):
        scores = queries[start : start + block] @ words.T
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(found)
