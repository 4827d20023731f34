"""The faiss index over the word vectors: nearest words by cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mmcgan.errors import DependencyError


class WordIndex:
    """Exact nearest-neighbour search over V unit word vectors; on the GPU where faiss has one."""

    def __init__(self, word_vectors: npt.NDArray[np.float32]):
        """Index `word_vectors` (V, E), unit rows. Raises `DependencyError` without faiss."""
        faiss = import_faiss()
        self.vectors = np.ascontiguousarray(word_vectors, np.float32)
        self._index = _on_gpu(faiss, faiss.IndexFlatIP(word_vectors.shape[1]))
        self._index.add(self.vectors)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(
        self, vectors: npt.NDArray[np.float32], k: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Return the cosines (Q, k) and rows (Q, k) of the k nearest words, nearest first.

        `vectors` is (Q, E) of unit rows; k is at most V.
        """
        queries = np.ascontiguousarray(vectors, np.float32)
        cosines, rows = self._index.search(queries, min(k, len(self)))
        return cosines, rows


def import_faiss() -> Any:
    """Return the faiss module; without one, raise `DependencyError` that names the command."""
    try:
        import faiss
    except ImportError:
        raise DependencyError(
            "faiss is not installed: pip install 'mmcgan[cpu]', or 'mmcgan[gpu]' on a CUDA "
            "machine (exactly one of the two)"
        ) from None
    return faiss


def _on_gpu(faiss: Any, index: Any) -> Any:
    """Move the index to the first GPU if this build of faiss and this machine have one."""
    if getattr(faiss, "get_num_gpus", lambda: 0)() == 0:
        return index
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
