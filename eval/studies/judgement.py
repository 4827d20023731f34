"""What judges say of tags on photographs, as figures. docs/judging/README.md has the rules.

Tables are data frames: `photos` (id, subject, accepted, half), `tags` (photo, system, rank, word),
`verdicts` (photo, word, judge1, judge2), where a verdict is 1, right, or 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eval.figures.bootstrap import Figure, figure, resample_counts
from mmcgan.arrays import DoubleArray
from mmcgan.training.synonyms import singular, spellings

JUDGES = ["judge1", "judge2"]
DEPTH = 10  # best tags of a photo that are judged
BEST = 5  # of them, those that most measures are of
ENOUGH = 3  # right ones among these
FREQUENT = 0.1  # share of the photos from which on a word is frequent
SEED = 0  # of the bootstrap

MEASURES = {
    "right of five": "Share of right tags among the five best of all photos.",
    "right of ten": "The same of the ten best.",
    "three right": "Share of the photos with at least three right tags among the five best.",
    "subject named": "Share of the photos whose main subject is among the five best.",
    "annotators' words": "Share of the places among the five best that go to plant life, "
    "structures, indoor and transport, or to the words that take their places.",
}
ANNOTATORS_WORDS = {
    "plant life": "plant",
    "structures": "architecture",
    "indoor": "indoors",
    "transport": "vehicle",
}  # with the words that take their places
_IRREGULAR = {
    "children": "child",
    "leaves": "leaf",
    "men": "man",
    "people": "person",
    "women": "woman",
}

Values = npt.NDArray[np.number[Any]]


def folded(word: str) -> str:
    """Return what is the same for all spellings of a word: no case, accent, space or plural."""
    *_, plain = spellings(word.lower())
    return _IRREGULAR.get(plain, singular(plain))


def names_of(photos: pd.DataFrame) -> dict[str, set[str]]:
    """Return the folded names of each photo's main subject, by the photo's id."""
    names = photos["subject"] + ";" + photos["accepted"]
    return {
        photo: {folded(name) for name in text.split(";") if name}
        for photo, text in zip(photos["id"], names, strict=True)
    }


def measure(
    photos: pd.DataFrame, tags: pd.DataFrame, verdicts: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """Return the results of each system in each half that it has tags in: `results[half][system]`.

    A system some of whose ten best tags are not judged has only their number, as "not judged".
    """
    best = tags[tags["rank"] <= DEPTH].merge(verdicts, on=["photo", "word"], how="left")
    halves = {str(half): part for half, part in photos.groupby("half")}
    return {
        half: {
            str(system): measure_system(part, given)
            for system, given in best[best["photo"].isin(part["id"])].groupby("system")
        }
        for half, part in halves.items()
    }


def measure_system(photos: pd.DataFrame, given: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of a system on N photos; `given` are its ten best tags and verdicts."""
    n_open = int(given[JUDGES].isna().any(axis=1).sum())
    if n_open:
        return {"not judged": n_open}
    words = frequent_words(given[given["rank"] <= BEST], len(photos))
    return {
        "n_photos": len(photos),
        "tags a photo": len(given) / len(photos),
        "figures": figures_of(photos, given),
        "frequent words": words,
        "worst frequent word": max((word["wrong"] for word in words), default=0.0),
    }


def figures_of(photos: pd.DataFrame, given: pd.DataFrame) -> dict[str, Figure | None]:
    """Return each measure with its interval over photos; see `MEASURES`."""
    counts = resample_counts(len(photos), SEED).astype(float)
    five = given[given["rank"] <= BEST]
    names = names_of(photos)
    words = five["word"].map(folded)
    is_subject = [word in names[photo] for photo, word in zip(five["photo"], words, strict=True)]
    pairs = ANNOTATORS_WORDS.items()
    is_annotators = words.isin({folded(word) for pair in pairs for word in pair})

    def by_photo(values: Any, rows: pd.DataFrame) -> DoubleArray:
        """Return the sum (N,) of the values of each photo's tags."""
        sums = pd.Series(values, index=rows["photo"], dtype=float).groupby(level=0).sum()
        return sums.reindex(photos["id"], fill_value=0.0).to_numpy()

    n_five, n_ten = (by_photo(1.0, rows) for rows in (five, given))
    each = np.ones(len(photos))
    right = [by_photo(five[judge].to_numpy(), five) for judge in JUDGES]
    right_of_ten = [by_photo(given[judge].to_numpy(), given) for judge in JUDGES]
    parts = {
        "right of five": (np.mean(right, axis=0), n_five),
        "right of ten": (np.mean(right_of_ten, axis=0), n_ten),
        "three right": (np.mean([n >= ENOUGH for n in right], axis=0), each),
        "subject named": (by_photo(is_subject, five) > 0, each),
        "annotators' words": (by_photo(is_annotators.to_numpy(), five), n_five),
    }
    return {name: share(part, whole, counts) for name, (part, whole) in parts.items()}


def share(part: Values, whole: Values, counts: DoubleArray) -> Figure | None:
    """Return Σ part / Σ whole over N photos, resampled by `counts` (N, B); None of nothing."""
    if not whole.sum():
        return None
    wholes = whole @ counts
    shares = np.divide(part @ counts, wholes, out=np.full(len(wholes), np.nan), where=wholes > 0)
    return figure(float(part.sum() / whole.sum()), shares)


def frequent_words(five: pd.DataFrame, n_photos: int) -> list[dict[str, Any]]:
    """Return the words on over a tenth of the photos, the most frequent first.

    Of each the share of the photos that have it, and of these the share where it is wrong.
    """
    found = [
        {
            "word": str(word),
            "photos": len(rows) / n_photos,
            "wrong": 1 - float(rows[JUDGES].to_numpy(dtype=float).mean()),
        }
        for word, rows in five.groupby("word")
        if len(rows) > FREQUENT * n_photos
    ]
    return sorted(found, key=lambda entry: (-entry["photos"], entry["word"]))


def agreement(verdicts: pd.DataFrame) -> dict[str, float | int | None]:
    """Return how far the judges agree: the share of the same verdicts, and Cohen's kappa.

    Kappa (Cohen 1960) is (p - c) / (1 - c), c being the share that two judges would have in common
    by chance, each with his share of right tags; None where that is 1, or there is no verdict.
    """
    if verdicts.empty:
        return {"n_pairs": 0, "same": None, "kappa": None}
    first, second = (verdicts[judge].to_numpy(dtype=float) for judge in JUDGES)
    same = float((first == second).mean())
    a, b = float(first.mean()), float(second.mean())
    chance = a * b + (1 - a) * (1 - b)
    kappa = (same - chance) / (1 - chance) if chance < 1 else None
    return {"n_pairs": len(verdicts), "same": same, "kappa": kappa}
