"""Metadata in the form of YFCC100M, of made-up photos in made-up words.

It is like the real thing where that matters to reading it: 25 columns, percent-encoded texts, words
as frequent as Zipf's law says, some of them not ASCII, some tags of two words, some descriptions
with markup and addresses, many photos without a description.
"""

from __future__ import annotations

import bz2
from pathlib import Path
from urllib.parse import quote_plus

import numpy as np

N_WORDS = 20_000
_ONSETS = ("b", "ch", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "z")
_SYLLABLES = [onset + vowel for onset in _ONSETS for vowel in ("a", "e", "i", "o", "u", "ai", "é")]

# Columns that nothing reads: owner, times and camera; place; licence, server and file.
_TAKEN = "12345678@N00\ta+nickname\t2008-06-01 12:00:00.0\t1212321600\tCanon+EOS+400D"
_PLACE = "\t13.404954\t52.520007\t16"
_STORED = (
    "Attribution License\thttp://creativecommons.org/licenses/by/2.0/\t3210\t4\t0123456789\t"
    "9876543210\tjpg\t0"
)


def write_metadata(path: Path, n_photos: int, n_words: int = N_WORDS, seed: int = 0) -> None:
    """Write the lines of `n_photos` photos, compressed by bz2, from a dictionary of `n_words`."""
    random = np.random.default_rng(seed)
    texts = _Texts(random, n_words)
    with bz2.open(path, "wt", encoding="utf-8") as file:
        file.writelines(_line(number, texts, random) for number in range(n_photos))


class _Texts:
    """Draws words, the r-th most frequent one with a probability like 1 / (r + 2.7)."""

    def __init__(self, random: np.random.Generator, n_words: int):
        places = random.choice(len(_SYLLABLES) ** 3, n_words, replace=False)
        syllables = np.unravel_index(places, [len(_SYLLABLES)] * 3)  # three of each word
        self._words = [
            "".join(_SYLLABLES[i] for i in word) for word in zip(*syllables, strict=True)
        ]
        shares = 1 / (np.arange(n_words) + 2.7)
        self._shares = np.cumsum(shares / shares.sum())
        self._random = random

    def words(self, mean: float) -> list[str]:
        """Return some words, `mean` of them on average."""
        places = np.searchsorted(self._shares, self._random.random(self._random.poisson(mean)))
        return [self._words[min(place, len(self._words) - 1)] for place in places]


def _line(number: int, texts: _Texts, random: np.random.Generator) -> str:
    title = " ".join(texts.words(4)).capitalize()
    description = ""
    if random.random() < 0.4:
        first, second = texts.words(12), texts.words(8)
        description = f"{' '.join(first)}, <i>{' '.join(second)}</i>. http://example.org/{number}"
    tags = [*texts.words(6), *(" ".join(texts.words(2)) for _ in range(random.poisson(0.5)))]
    ids = f"{number}\t{10**9 + number}\t{random.integers(2**63):032x}"
    encoded = f"{quote_plus(title)}\t{quote_plus(description)}\t{','.join(map(quote_plus, tags))}"
    page = f"http://www.example.org/photos/12345678@N00/{number}/"
    file = f"http://farm4.example.org/3210/{number}_0123456789.jpg"
    return "\t".join([ids, _TAKEN, encoded, _PLACE, page, file, _STORED]) + "\n"
