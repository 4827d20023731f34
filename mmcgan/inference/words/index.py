"""The faiss index over the words: nearest by cosine, or best by inner product and bias.

The search is exact, but for the nearest of a very large vocabulary, which are sought in the
clusters near a query (`mmcgan.inference.words.clusters`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mmcgan.arrays import FloatArray
from mmcgan.errors import DependencyError
from mmcgan.inference.words.clusters import MAX_NEIGHBOURS, exact_of, read_or_cluster
from mmcgan.inference.words.vocabulary import unit_rows

FAISS_BLAS_DEFAULT = 128_000  # of faiss 1.15; earlier ones count queries, and only those
BLAS_FROM = 800  # queries × size, for each thread


class WordIndex:
    """Search over V word vectors; on the GPU where faiss has one.

    Without a bias, words are unit vectors and the score of a word is its cosine with the query.
    With a bias, the score is ⟨query, word⟩ + bias, a search by inner product in which the bias
    is one more dimension.
    """

    def __init__(self, word_vectors: FloatArray, bias: FloatArray | None = None):
        """Index `word_vectors` (V, E), unit rows where there is no `bias` (V,).

        Raises `DependencyError` without faiss.
        """
        faiss = import_faiss()
        self.has_bias = bias is not None
        self.table = np.ascontiguousarray(
            word_vectors if bias is None else np.column_stack([word_vectors, bias]), np.float32
        )
        has_gpu = getattr(faiss, "get_num_gpus", lambda: 0)() > 0
        # Without clusters every search is exact; with some, that for few neighbours is in them.
        self.clusters = None if self.has_bias or has_gpu else read_or_cluster(faiss, self.table)
        if self.clusters is not None:
            self._exact = exact_of(faiss, self.clusters)
            return
        self._exact = faiss.IndexFlatIP(self.table.shape[1])
        if has_gpu:
            self._exact = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, self._exact)
        self._exact.add(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def queries(self, vectors: FloatArray) -> FloatArray:
        """Return generated vectors (…, E) as what is searched for: unit rows, or with a 1 added."""
        if not self.has_bias:
            return unit_rows(vectors)
        ones = np.ones((*vectors.shape[:-1], 1), np.float32)
        return np.concatenate([vectors, ones], axis=-1, dtype=np.float32)

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        """Return the scores (Q, k) and rows (Q, k) of the k best words, best first.

        `queries` (Q, E or E + 1) are those of `queries`; of fewer than k words, all.
        """
        queries, k = np.ascontiguousarray(queries, np.float32), min(k, len(self))
        if self.clusters is None or k > MAX_NEIGHBOURS:
            return self._exact.search(queries, k)
        scores, rows = self.clusters.search(queries, k)
        short = (rows < 0).any(axis=1)  # the clusters near it hold fewer than k words
        if short.any():
            scores[short], rows[short] = self._exact.search(queries[short], k)
        return scores, rows


def import_faiss() -> Any:
    """Return the faiss module; without one, raise `DependencyError` that names the command."""
    try:
        import faiss
    except ImportError:
        raise DependencyError(
            "faiss is not installed: pip install 'mmcgan[cpu]', or 'mmcgan[gpu]' on a CUDA "
            "machine (exactly one of the two)"
        ) from None
    _prefer_matrix_products(faiss)
    return faiss


def _prefer_matrix_products(faiss: Any) -> None:
    """Let the exact search use BLAS from as few queries on as on two cores pays.

    faiss 1.15 goes query by query below queries × size = 128,000, which suits dozens of threads; on
    few, a photo's 100 draws take eight times as long so. The better limit grows with the threads
    (facebookresearch/faiss, pull request 5109).
    """
    limits = getattr(faiss, "cvar", None)
    if getattr(limits, "distance_compute_blas_threshold", None) == FAISS_BLAS_DEFAULT:
        limits.distance_compute_blas_threshold = (  # type: ignore[union-attr]
            BLAS_FROM * faiss.omp_get_max_threads()
        )
