"""Words and their rows: the text of a tag, and a table of words with their unit vectors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from mmcgan.arrays import FloatArray, IntArray

MAX_TAG_LENGTH = 100  # characters; longer lines are text that was never meant as a tag

# The power to which the singular values of the centred word table are taken.
WORD_POWERS = {"centred": 1.0, "half-whitened": 0.5, "whitened": 0.0}

_SPACES = re.compile(r"[\s_]+")


def normalize_tag(text: str) -> str | None:
    """Return the one spelling that a tag is stored under, or None if nothing is left of it.

    Unicode NFKC, case folded, control characters dropped, inner spaces and underscores made into
    one underscore: "Plant Life" and "plant_life" are the same token.
    """
    # The cache is for words, which recur; a text too long for a word would only fill it.
    return _normalize_word(text) if len(text) <= MAX_TAG_LENGTH else _normalize(text)


def _normalize(text: str) -> str | None:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    visible = "".join(c for c in folded if c.isspace() or unicodedata.category(c)[0] != "C")
    token = _SPACES.sub("_", visible).strip("_")
    has_content = any(c.isalnum() or unicodedata.category(c) == "So" for c in token)
    return token if has_content and len(token) <= MAX_TAG_LENGTH else None


_normalize_word = lru_cache(maxsize=2**16)(_normalize)


def printed(word: str) -> str:
    """Return a token as a person writes it: "plant_life" → "plant life"."""
    return word.replace("_", " ")


def unit_rows(vectors: npt.ArrayLike) -> FloatArray:
    """Return `vectors` (N, E) with each row divided by its own norm; zero rows stay zero."""
    table = np.asarray(vectors, np.float32)
    norms = np.linalg.norm(table, axis=-1, keepdims=True)
    return np.divide(table, norms, out=np.zeros_like(table), where=norms > 0)


def transform_words(word_vectors: FloatArray, space: str) -> FloatArray:
    """Return unit rows of the table (V, E) "as given" or in one of the spaces of WORD_POWERS.

    Evening out the singular values keeps a few words from being near everything.
    """
    if space == "as given":
        return unit_rows(word_vectors)
    mean = word_vectors.mean(axis=0, dtype=np.float64)
    # The eigenvectors of the squares (E, E) do without a second table of many words, as SVD needs.
    squares = np.zeros((len(mean), len(mean)))
    for part in np.array_split(word_vectors, len(word_vectors) // 2**14 + 1):
        centred = part - mean
        squares += centred.T @ centred
    values, directions = np.linalg.eigh(squares)
    singular = np.sqrt(np.maximum(values, 0))[::-1]
    kept = singular > 1e-4 * singular.max(initial=0)  # the rest is rounding
    turn = directions[:, ::-1][:, kept] * singular[kept] ** (WORD_POWERS[space] - 1)
    turned = word_vectors @ turn.astype(np.float32)
    turned -= (mean @ turn).astype(np.float32)
    return unit_rows(turned)


@dataclass(frozen=True)
class Vocabulary:
    """The words a system may answer with, in dictionary order, which tells nothing of frequency.

    `words` has V entries; `vectors` is (V, E) float32 of unit rows; `n_photos` (V,) int64 counts
    the photos of train + dev that carry each word.
    """

    words: tuple[str, ...]
    vectors: FloatArray
    n_photos: IntArray

    def __len__(self) -> int:
        return len(self.words)

    @property
    def vector_size(self) -> int:
        """The size E of a word vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The inverse of `words`."""
        return {word: row for row, word in enumerate(self.words)}

    def rows(self, words: Iterable[str]) -> list[int]:
        """Return the rows of those `words` that are in the vocabulary."""
        return [self.row_of[word] for word in words if word in self.row_of]
