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
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from mmcgan.feature_rows import Rows, chunks
from mmcgan.vocabulary import Vocabulary, unit_rows

LIST = Path(__file__).parent / "doubles.txt"
ALIKE = 0.5  # cosine of the mean features of the photos of both words
SAME_COMPANY = 0.15  # cosine of their vectors of mutual information
SAME_LEAF = 0.8  # of the photos with a path's leaf, those that have the path

_NOT_LETTERS = re.compile(r"[\W_]+")
Pairs = set[tuple[int, int]]


def find_doubles(
    vocabulary: Vocabulary, tags: sparse.csr_array, image_features: Rows
) -> dict[str, str]:
    """Return the doubles among V words: each with the word that takes its place, the most used.

    `tags` (M, V) are 0/1, `image_features` (M or more, D) the standardised features of the photos.
    """
    words = vocabulary.words
    alike = sorted(_may_be_doubles(words))
    agree = [*_leaves(words, tags), *(_agreeing(alike, tags, image_features) if alike else ())]
    return {words[row]: words[by] for row, by in sorted(_most_used(agree, vocabulary).items())}


def _agreeing(
    pairs: list[tuple[int, int]], tags: sparse.csr_array, image_features: Rows
) -> list[tuple[int, int]]:
    """Return those `pairs` whose photos look alike and have the same words beside them."""
    rows = sorted({row for pair in pairs for row in pair})
    place = {row: i for i, row in enumerate(rows)}
    look, company = _looks(sparse.csr_array(tags[:, rows]), image_features), _companies(tags, rows)
    return [
        (a, b)
        for a, b in pairs
        if look[place[a]] @ look[place[b]] >= ALIKE
        and company[place[a]] @ company[place[b]] >= SAME_COMPANY
    ]


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


def _looks(tags: sparse.csr_array, image_features: Rows) -> npt.NDArray[np.float32]:
    """Return what the photos of each word look like: unit rows (W, D) for `tags` (M, W)."""
    n_photos, size = tags.shape[0], image_features.shape[1]
    sums = np.zeros((tags.shape[1], size))
    for part in chunks(n_photos, 4 * size):
        features = image_features[torch.arange(part.start, part.stop)].cpu().numpy()
        sums += tags[part].T @ features
    return unit_rows(sums)


def _companies(tags: sparse.csr_array, rows: list[int]) -> npt.NDArray[np.float32]:
    """Return the words beside the words `rows`: positive mutual information as unit rows (W, V)."""
    together = (tags[:, rows].T @ tags).toarray().astype(np.float64)
    together[np.arange(len(rows)), rows] = 0
    n_photos = np.asarray(tags.sum(axis=0), np.float64)
    expected = np.outer(n_photos[rows], n_photos) / tags.shape[0]
    ratio = np.divide(together, expected, out=np.zeros_like(together), where=expected > 0)
    return unit_rows(np.log(np.maximum(ratio, 1)))


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
