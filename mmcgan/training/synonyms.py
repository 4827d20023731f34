"""Words that say the same of a photo: plural and singular, spellings, languages, a path's leaf.

Which words may be doubles is asked of their spelling and of a list of ours (`doubles.txt`); whether
they are is asked of the library: the photos of both must look alike, and the words beside them must
be the same. Neither alone is enough. On MIRFLICKR sand and beach are as near to each other as sea
and ocean in every measure of vectors and co-occurrence, and a glass is near to no glasses.

Word vectors are those of positive pointwise mutual information of the tags of a photo, which
skip-gram factorises (Levy and Goldberg 2014); how photos look is the mean of their features.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows
from mmcgan.training.prepared.feature_rows import Rows, chunks

LIST = Path(__file__).parent / "synonyms.txt"
ALIKE = 0.5  # cosine of the mean features of the photos of both words
SAME_COMPANY = 0.15  # cosine of their vectors of mutual information
SAME_LEAF = 0.8  # of the photos with a path's leaf, those that have the path

_NOT_LETTERS = re.compile(r"[\W_]+")
Pairs = set[tuple[int, int]]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def find_synonyms(
    vocabulary: Vocabulary, tags: sparse.csr_array, image_features: Rows
) -> dict[str, str]:
    """Return the doubles among V words: each with the word that takes its place, the most used.

    `tags` (M, V) are 0/1, `image_features` (M or more, D) the standardised features of the photos.
    """
    words = vocabulary.words
    alike = np.array(sorted(_may_be_doubles(words)), np.int64).reshape(-1, 2)
    alike = alike[_cosines(partial(_companies, tags), alike) >= SAME_COMPANY]
    alike = alike[_cosines(partial(_looks, tags, image_features), alike) >= ALIKE]
    agree = [*_leaves(words, tags), *((int(a), int(b)) for a, b in alike)]
    return {words[row]: words[by] for row, by in sorted(_most_used(agree, vocabulary).items())}


def _cosines(vectors_of: Callable[[IntArray], sparse.csr_array], pairs: IntArray) -> FloatArray:
    """Return the cosines (P,) of words in `pairs` (P, 2), whose vectors are unit rows."""
    rows, places = np.unique(pairs, return_inverse=True)
    vectors = vectors_of(rows)
    left, right = places.reshape(-1, 2).T
    cosines = [
        vectors[left[part]].multiply(vectors[right[part]]).sum(axis=1)
        for part in chunks(len(pairs), 8 * vectors.shape[1])
    ]
    return np.concatenate([np.zeros(0), *cosines])


def _may_be_doubles(words: Iterable[str]) -> Pairs:
    """Return the pairs of rows, the lower first, that are spelled alike or are on the list."""
    keys: defaultdict[str, list[int]] = defaultdict(list)
    for row, word in enumerate(words):
        for key in {f"spelled {_singular(spelled)}" for spelled in _spellings(word)} | {
            f"listed {group}" for group in _listed().get(word, ())
        }:
            keys[key].append(row)
    return {pair for rows in keys.values() for pair in combinations(rows, 2)}


def _spellings(word: str) -> Iterator[str]:
    """Yield a word as it is, and without accents and what stands between its letters."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    yield word
    if "|" not in word:
        yield _NOT_LETTERS.sub("", plain) or word


def _singular(word: str) -> str:
    """Return a word without the plural's ending, of those that only add letters."""
    if len(word) < 4 or not word.isalpha():
        return word
    for ending, instead in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"),
                            ("sses", "ss"), ("ss", "ss"), ("s", "")):  # fmt: skip
        if word.endswith(ending):
            return word.removesuffix(ending) + instead
    return word


@cache
def _listed() -> dict[str, list[int]]:
    """Return the lines of the list that each word is in."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        for word in [] if line.startswith("#") else line.split():
            found[word].append(number)
    return dict(found)


def _looks(tags: sparse.csr_array, image_features: Rows, rows: IntArray) -> sparse.csr_array:
    """Return what the photos of each of W words `rows` look like: unit rows (W, D)."""
    n_photos, size = tags.shape[0], image_features.shape[1]
    own = sparse.csr_array(tags[:, rows])
    sums = np.zeros((len(rows), size))
    for part in chunks(n_photos, 4 * size):
        features = image_features[part].cpu().numpy()
        sums += own[part].T @ features
    return sparse.csr_array(unit_rows(sums))


def _companies(tags: sparse.csr_array, rows: IntArray) -> sparse.csr_array:
    """Return the words beside the W words `rows`: positive mutual information, unit rows (W, V)."""
    together = sparse.coo_array(tags[:, rows].T @ tags)
    row, column = together.row, together.col
    n_photos = np.asarray(tags.sum(axis=0), np.float64)
    expected = n_photos[rows][row] * n_photos[column] / tags.shape[0]
    information = np.log(np.maximum(together.data / expected, 1))
    information[rows[row] == column] = 0
    norms = np.sqrt(np.bincount(row, information**2, len(rows)))
    unit = np.divide(information, norms[row], out=information, where=norms[row] > 0)
    return sparse.csr_array((unit, (row, column)), together.shape)


def _leaves(words: tuple[str, ...], tags: sparse.csr_array) -> list[tuple[int, int]]:
    """Return the pairs of a path and its leaf, where the leaf has hardly another meaning."""
    row_of = {word: row for row, word in enumerate(words)}
    pairs = [
        (path, row_of[leaf])
        for path, word in enumerate(words)
        if "|" in word and (leaf := word.rpartition("|")[2]) in row_of
    ]
    columns = sparse.csc_array(tags)

    def photos(row: int) -> npt.NDArray[np.integer]:
        return columns.indices[columns.indptr[row] : columns.indptr[row + 1]]

    return [
        (path, leaf)
        for path, leaf in pairs
        if len(np.intersect1d(photos(path), photos(leaf))) >= SAME_LEAF * len(photos(leaf)) > 0
    ]


def _most_used(pairs: list[tuple[int, int]], vocabulary: Vocabulary) -> dict[int, int]:
    """Return the rows that another takes the place of: the most used of those it is a double of.

    Of equally used words it is the shorter, then the first. What has a double in its place takes
    no other's, so that no chain of doubles leads from a word to one that is none of it.
    """
    partners: defaultdict[int, list[int]] = defaultdict(list)
    for a, b in pairs:
        partners[a].append(b)
        partners[b].append(a)

    def rank(row: int) -> tuple[int, int, int]:
        return -int(vocabulary.n_photos[row]), len(vocabulary.words[row]), row

    found: dict[int, int] = {}
    for row in sorted(partners, key=rank):
        better = [p for p in partners[row] if rank(p) < rank(row) and p not in found]
        if better:
            found[row] = min(better, key=rank)
    return found
