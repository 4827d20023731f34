"""What stands in the picture: the classes of a backbone's own head, as words.

`classes.csv` has a row for each of the 1,000 classes of ImageNet (ILSVRC 2012, in the usual order):
its number, its usual name, and the word that a person would write, or none where no machine should
say it of a photo. The words broader than these are in the table of rules (`rules.py`).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from mmcgan.arrays import FloatArray, IntArray
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.words.rules import RuleTable
from mmcgan.inference.words.vocabulary import normalize_tag

TABLE = Path(__file__).parent / "classes.csv"
N_CLASSES = 1000


@dataclass(frozen=True)
class ObjectWords:
    """The W words for what stands in a picture: for each the classes (W, 1000) that it covers."""

    words: tuple[str, ...]
    covered: FloatArray

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The inverse of `words`."""
        return {word: row for row, word in enumerate(self.words)}

    def scores(self, probabilities: FloatArray) -> FloatArray:
        """Return how likely a photo shows each word, (N, W) in [0, 1], given (N, 1000) of classes.

        A photo is of one class only, so that those of all classes of a word add up. Two in five
        classes are animals, and a head that knows nothing would say "animal" with .4: what is above
        chance counts, (p - chance) / (1 - chance), as in Cohen's kappa (1960).
        """
        classes, starts, chance = self._classes
        together = np.add.reduceat(probabilities[:, classes], starts, axis=1)
        return np.asarray(((together - chance) / (1 - chance)).clip(0, 1), np.float32)

    @cached_property
    def _classes(self) -> tuple[IntArray, IntArray, FloatArray]:
        """The classes of each word, one word's after the other's; where they start; by chance.

        A word covers a few classes. A matrix product would take longer, and the threads that it
        wakes keep the cores from the backbone for a while.
        """
        words, classes = self.covered.nonzero()
        starts = np.searchsorted(words, np.arange(len(self.words)))
        return classes, starts, self.covered.sum(axis=1) / N_CLASSES

    def scores_in(self, words: Sequence[str], probabilities: FloatArray) -> FloatArray:
        """Return `scores` (N, V) for the words of a vocabulary, 0 for those that are no objects."""
        rows = [row for row, word in enumerate(words) if word in self.row_of]
        scores = np.zeros((len(probabilities), len(words)), np.float32)
        scores[:, rows] = self.scores(probabilities)[:, [self.row_of[words[row]] for row in rows]]
        return scores

    def found(
        self, probabilities: FloatArray, calibration: Calibration
    ) -> Iterator[list[tuple[str, float]]]:
        """Yield the words that reach the calibration's threshold, with scores, a photo each."""
        for scores in calibration(self.scores(probabilities)):
            rows = np.flatnonzero((scores > 0) & (scores >= calibration.threshold))
            yield [(self.words[row], float(scores[row])) for row in rows]


@cache
def object_words() -> ObjectWords:
    """Return the words of all classes and what is broader, in dictionary order."""
    table, classes_of = RuleTable.read(), defaultdict[str, list[int]](list)
    for number, word in enumerate(class_words()):
        for name in {word, *table.broader(word)} if word else ():
            classes_of[name].append(number)
    words = tuple(sorted(classes_of))
    covered = np.zeros((len(words), N_CLASSES), np.float32)
    for row, word in enumerate(words):
        covered[row, classes_of[word]] = 1
    return ObjectWords(words, covered)


def class_words() -> list[str | None]:
    """Return the word of each of the 1,000 classes, None for those that have none."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [normalize_tag(row["word"]) for row in csv.DictReader(file)]
