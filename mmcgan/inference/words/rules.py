"""Rules of words: which word takes the place of another, which is never given, and how sure.

They turn the words of a vocabulary into words for people. `rules.csv` is our table for photos in
English, for the tags of Flickr and for what stands in a picture (`objects.py`); the columns are

    word       as a person writes it
    becomes    the word that takes its place; - where the word is never given
    broader    the words that hold wherever it does, ; between them, and theirs in turn
    threshold  the least score at which it is given; empty where any score will do

A model carries its own rules, so that another table changes no stored model, and which of its words
are general. Those of a run that a person trains are its synonyms (`mmcgan.training.synonyms`).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mmcgan.inference.words.vocabulary import normalize_tag

TABLE = Path(__file__).parent / "rules.csv"
NEVER = "-"  # no word is spelled so
ALL = 2**31 - 1  # words: a particular one may be far down
N_FIRST = 2  # particular words that come before the general ones
LEAST_OF_FIRST = 0.6  # their least score


@dataclass(frozen=True)
class Rules:
    """What becomes of the words of a model.

    `becomes` has the word that takes a word's place, or `NEVER`; `thresholds` the least score at
    which a word is given; `broader` all words that hold wherever a word does; `general` the words
    that hold for so many photos that they say little of one. Without any, no word is particular.
    """

    becomes: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    broader: Mapping[str, Sequence[str]] = field(default_factory=dict)
    general: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raise `ValueError` if a word that takes a place has none itself."""
        for word, by in self.becomes.items():
            if by in self.becomes:
                raise ValueError(f"{word} becomes {by}, which becomes {self.becomes[by]}")

    def depth(self, k: int) -> int:
        """Return how many of a model's best words leave k to give."""
        if self.general:
            return ALL
        n_alike = Counter(self.becomes.values())
        n_dropped = n_alike.pop(NEVER, 0) + len(self.thresholds)
        n_folded = min(n_alike.total(), k * max(n_alike.values(), default=0))
        return k + n_folded + n_dropped

    def apply(self, scored: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
        """Return the words to give and their scores, best first, of equal ones the first.

        The best are by score, but that up to `N_FIRST` particular words of `LEAST_OF_FIRST` or more
        come first. "Jellyfish" may be less likely than "blue" and "nature", and says more.

        Words that become the same word say the same thing, and each is evidence for it. They are
        seldom written together, so that their scores may not be added up: the best one counts. A
        broader word is as likely as the likeliest that it is broader than, or more.
        """
        scores: dict[str, float] = {}
        for word, score in scored:
            word = self.becomes.get(word, word)
            for name in (word, *self.broader.get(word, ())):
                scores[name] = max(scores.get(name, score), score)
        scores.pop(NEVER, None)
        least = self.thresholds
        given = [(w, score) for w, score in scores.items() if w not in least or score >= least[w]]
        ranked = sorted(given, key=lambda pair: -pair[1])
        first = self._first(ranked)
        return [*first, *(pair for pair in ranked if pair not in first)]

    def _first(self, ranked: Sequence[tuple[str, float]]) -> Sequence[tuple[str, float]]:
        """Return the particular words that come first, none that another one is narrower than."""
        if not self.general:
            return ()
        likely = [
            pair for pair in ranked if pair[1] >= LEAST_OF_FIRST and pair[0] not in self.general
        ]
        implied = {name for word, _ in likely for name in self.broader.get(word, ())}
        return [pair for pair in likely if pair[0] not in implied][:N_FIRST]


class Row(NamedTuple):
    """A row of the table: words as they are stored; `becomes` is empty for a word that stays."""

    word: str
    becomes: str
    broader: tuple[str, ...]
    threshold: float | None


@dataclass(frozen=True)
class RuleTable:
    """All rows of a table of rules, by their words."""

    rows: Mapping[str, Row]

    @classmethod
    def read(cls, path: Path = TABLE) -> RuleTable:
        """Read a table; raises `ValueError` for a broken row."""
        with path.open(encoding="utf-8", newline="") as file:
            rows = [_row(cells) for cells in csv.DictReader(file)]
        return cls({row.word: row for row in rows})

    def rules(self, words: Iterable[str]) -> Rules:
        """Return the rules for a model that may give `words`, or what becomes of them."""
        known = [self.rows[word] for word in sorted(set(words)) if word in self.rows]
        becomes = {row.word: row.becomes for row in known if row.becomes}
        taken = {row.word for row in known} | set(becomes.values())
        thresholds = {
            word: row.threshold
            for word in sorted(taken & self.rows.keys())
            if (row := self.rows[word]).threshold is not None and not row.becomes
        }
        broader = {word: tuple(sorted(self.broader(word))) for word in sorted(taken)}
        return Rules(becomes, thresholds, {word: by for word, by in broader.items() if by})

    def broader(self, word: str) -> set[str]:
        """Return all words that hold wherever `word` does, without itself."""
        found: set[str] = set()
        waiting = [word]
        while waiting:
            row = self.rows.get(waiting.pop())
            new = [by for by in (row.broader if row else ()) if by not in found]
            found.update(new)
            waiting += new
        return found


def _row(cells: Mapping[str, str]) -> Row:
    becomes, least = cells["becomes"], cells["threshold"]
    return Row(
        _stored(cells["word"]),
        becomes if becomes in ("", NEVER) else _stored(becomes),
        tuple(_stored(word) for word in cells["broader"].split(";") if word),
        float(least) if least else None,
    )


def _stored(text: str) -> str:
    word = normalize_tag(text)
    if word is None:
        raise ValueError(f"a table of rules says of {text!r}, which is no word")
    return word
