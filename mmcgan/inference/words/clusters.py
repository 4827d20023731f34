"""Search among very many words: only in the clusters of words that lie near a query.

An inverted file with product-quantised vectors (Jégou et al. 2011; four bits a code, André et al.
2017) finds candidates, which are scored again exactly. The number of clusters to search is chosen
once: the least that finds the neighbours of sample queries. Where no small share of the clusters
does, as with vectors without structure, the search stays exact. The result is kept in the user's
cache folder, and can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import numpy as np

from mmcgan.arrays import FloatArray, IntArray
from mmcgan.files import atomic_path, user_cache
from mmcgan.inference.words.vocabulary import unit_rows

MIN_WORDS = 50_000  # below, the exact search is as fast
MAX_NEIGHBOURS = 50  # of a query; for more, too few clusters are searched
CANDIDATES = 10  # scored again exactly, for each neighbour wanted
PROBES = (8, 16, 32, 64, 128)  # numbers of clusters to search; the first that is enough is taken
MAX_SHARE = 0.15  # of all clusters; beyond, the exact search is as fast
RECALL = 0.98  # share of the neighbours of sample queries that is enough

N_SAMPLED, N_NEIGHBOURS, NOISE = 256, 20, 0.7  # a sample query is a word plus noise of this length
MAX_TRAINING, ITERATIONS = 2**16, 6  # words and rounds of k-means


def read_or_cluster(faiss: Any, table: FloatArray) -> Any | None:
    """Return the search in clusters of `table` (V, E), unit rows; None if exact search is better.

    It may miss a word, but its scores are exact. Without a folder that can be written to, nothing
    is kept.
    """
    if len(table) < MIN_WORDS:
        return None
    digest = hashlib.sha256(f"{faiss.__version__} {table.shape}".encode())
    digest.update(np.ascontiguousarray(table).data)
    path = user_cache("clusters") / f"{digest.hexdigest()[:32]}.faiss"
    index = None
    if path.is_file():
        with contextlib.suppress(RuntimeError):  # the file is broken
            index = faiss.read_index(str(path))
    if index is None:
        # An empty index is kept where clusters gain nothing.
        index = _cluster(faiss, table) or faiss.IndexFlatIP(table.shape[1])
        with contextlib.suppress(OSError, RuntimeError), atomic_path(path) as partial:
            faiss.write_index(index, str(partial))
    if not index.ntotal:
        return None
    index.k_factor = CANDIDATES  # not in the file
    return index


def exact_of(faiss: Any, index: Any) -> Any:
    """Return the exact search over the same words, which holds no second copy of them."""
    return faiss.downcast_index(index.refine_index)


def _cluster(faiss: Any, table: FloatArray) -> Any | None:
    """Make the search of `table` (V, E); None if a few clusters miss too many neighbours."""
    n_words, size = table.shape
    n_clusters = 2 ** round(np.log2(2 * n_words**0.5))
    padding = f"Pad{size + 1}," if size % 2 else ""
    recipe = f"{padding}IVF{n_clusters},PQ{-(-size // 2)}x4fs,RFlat"
    index = faiss.index_factory(size, recipe, faiss.METRIC_INNER_PRODUCT)
    lists = faiss.extract_index_ivf(index)
    lists.cp.niter, lists.cp.max_points_per_centroid, lists.cp.spherical = ITERATIONS, 40, True
    random = np.random.default_rng(0)
    index.train(table[np.sort(random.permutation(n_words)[:MAX_TRAINING])])
    index.add(table)
    index.k_factor = CANDIDATES
    noise = unit_rows(random.normal(size=(N_SAMPLED, size)))
    queries = unit_rows(table[random.integers(0, n_words, N_SAMPLED)] + NOISE * noise)
    _, wanted = exact_of(faiss, index).search(queries, N_NEIGHBOURS)
    for probes in PROBES:
        lists.nprobe = probes
        _, found = index.search(queries, N_NEIGHBOURS)
        if probes <= MAX_SHARE * n_clusters and recall(wanted, found) >= RECALL:
            return index
    return None


def recall(wanted: IntArray, found: IntArray) -> float:
    """Return the share of the `wanted` rows (Q, k) that are among the `found` ones (Q, k)."""
    pairs = zip(wanted, found, strict=True)
    return float(np.mean([np.isin(right, own).mean() for right, own in pairs]))
