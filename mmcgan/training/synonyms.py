"""Synonyms among the words: plural and singular, spellings, languages, a path and its leaf.

Two words are candidates if they are spelled alike or stand together in `synonyms.txt`. The library
then decides: the photos of both must look alike, and the same words must stand beside them. Neither
test alone is enough. On MIRFLICKR sand and beach are as near to each other as sea and ocean in
every measure of vectors and co-occurrence, and glass is near to no glasses.

The words beside a word are measured by positive pointwise mutual information, which skip-gram
factorises (Levy and Goldberg 2014); the looks of its photos by the mean of their features.
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
from scipy import sparse

from mmcgan.arrays import DoubleArray, IntArray
from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows
from mmcgan.training.prepared.feature_rows import Rows, chunks

LIST = Path(__file__).parent / "synonyms.txt"
ALIKE = 0.5  # cosine of the mean features of the photos of both words
SAME_NEIGHBOURS = 0.15  # cosine of their vectors of mutual information
SAME_LEAF = 0.8  # share of the photos with a path's leaf that carry the path too

_NOT_LETTERS = re.compile(r"[\W_]+")
_PLURALS = {"ies": "y", "ches": "ch", "shes": "sh", "xes": "x", "sses": "ss", "ss": "ss", "s": ""}


def find_synonyms(
    vocabulary: Vocabulary, tags: sparse.csr_array, image_features: Rows
) -> dict[str, str]:
    """Return the synonyms among V words: each with the word that takes its place, the most used.

    `tags` (M, V) are 0/1, `image_features` (M or more, D) the standardised features of the photos.
    """
    words = vocabulary.words
    pairs = np.array(sorted(_may_be_synonyms(words)), np.int64).reshape(-1, 2)
    pairs = pairs[_cosines(partial(_neighbours, tags), pairs) >= SAME_NEIGHBOURS]
    pairs = pairs[_cosines(partial(_looks, tags, image_features), pairs) >= ALIKE]
    agree = [*_leaves(words, tags), *((int(a), int(b)) for a, b in pairs)]
    return {words[row]: words[by] for row, by in sorted(_most_used(agree, vocabulary).items())}


def _cosines(vectors_of: Callable[[IntArray], sparse.csr_array], pairs: IntArray) -> DoubleArray:
    """Return the cosines (P,) of the words in `pairs` (P, 2); `vectors_of` gives unit rows."""
    rows, places = np.unique(pairs, return_inverse=True)
    vectors = vectors_of(rows)
    left, right = places.reshape(-1, 2).T
    cosines = [
        vectors[left[part]].multiply(vectors[right[part]]).sum(axis=1)
        for part in chunks(len(pairs), 8 * vectors.shape[1])
    ]
    return np.concatenate([np.zeros(0), *cosines])


def _may_be_synonyms(words: Iterable[str]) -> set[tuple[int, int]]:
    """Return the pairs of rows, the lower first, that are spelled alike or listed together."""
    groups: defaultdict[str | int, list[int]] = defaultdict(list)  # by spelling or line
    for row, word in enumerate(words):
        plain = {singular(spelled) for spelled in spellings(word)}
        for group in [*plain, *_listed().get(word, ())]:
            groups[group].append(row)
    return {pair for rows in groups.values() for pair in combinations(rows, 2)}


def spellings(word: str) -> Iterator[str]:
    """Yield a word as it is, and without accents, spaces and punctuation; a path only as it is."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    yield word
    if "|" not in word:
        yield _NOT_LETTERS.sub("", plain) or word


def singular(word: str) -> str:
    """Return a word without its English plural ending, if it has one of the regular kind."""
    if len(word) < 4 or not word.isalpha():
        return word
    for ending, singular in _PLURALS.items():
        if word.endswith(ending):
            return word.removesuffix(ending) + singular
    return word


@cache
def _listed() -> dict[str, list[int]]:
    """Return for each word of `synonyms.txt` the lines that it stands in."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        for word in [] if line.startswith("#") else line.split():
            found[word].append(number)
    return dict(found)


def _looks(tags: sparse.csr_array, image_features: Rows, rows: IntArray) -> sparse.csr_array:
    """Return the mean features of the photos of each of the W words `rows`: unit rows (W, D)."""
    n_photos, size = tags.shape[0], image_features.shape[1]
    own = sparse.csr_array(tags[:, rows])
    sums = np.zeros((len(rows), size))
    for part in chunks(n_photos, 4 * size):
        features = image_features[part].cpu().numpy()
        sums += own[part].T @ features
    return sparse.csr_array(unit_rows(sums))


def _neighbours(tags: sparse.csr_array, rows: IntArray) -> sparse.csr_array:
    """Return the words beside each of the W words `rows`: mutual information, unit rows (W, V)."""
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
    """Return the pairs of a path and its leaf, unless the leaf often stands without the path.

    "fruit|orange" and "orange" are a pair where nearly all photos of an orange carry the path; with
    oranges of another kind in the library they are not.
    """
    row_of = {word: row for row, word in enumerate(words)}
    pairs = [
        (path, row_of[leaf])
        for path, word in enumerate(words)
        if "|" in word and (leaf := word.rpartition("|")[2]) in row_of
    ]
    paths, leaves = np.array(pairs, np.int64).reshape(-1, 2).T
    of_leaf = tags[:, leaves]
    n_leaf, n_both = of_leaf.sum(axis=0), of_leaf.multiply(tags[:, paths]).sum(axis=0)
    is_one = (n_both >= SAME_LEAF * n_leaf) & (n_leaf > 0)
    return [pair for pair, is_synonym in zip(pairs, is_one, strict=True) if is_synonym]


def _most_used(pairs: list[tuple[int, int]], vocabulary: Vocabulary) -> dict[int, int]:
    """Return the rows that are replaced, each with the row of its most used synonym.

    Of equally used words the shorter one is taken, then the first. A word that is replaced itself
    replaces no other: a chain of synonyms could end at a word that is not a synonym of its first.
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
