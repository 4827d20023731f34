"""How widely a system draws on the vocabulary: coverage, entropy, diversity, hubs, by tag."""

from __future__ import annotations

from typing import Any

import numpy as np

from eval.figures.metrics import CUT, RankingWithTruth
from eval.figures.modes import Modes
from mmcgan.arrays import FloatArray, IntArray
from mmcgan.inference.words.ranking import Ranking
from mmcgan.inference.words.vocabulary import Vocabulary


def word_modes(ranking: Ranking, n_words: int) -> Modes:
    """Return in how many images' top ten each of V words is."""
    return Modes.of(ranking.rows[:, :CUT], n_words)


def sorted_counts(ranking: Ranking, n_words: int) -> list[int]:
    """Return in how many top tens each word is that is in any, most often first."""
    counts = np.sort(word_modes(ranking, n_words).counts)[::-1]
    return counts[counts > 0].tolist()


def hit_counts(ranked: RankingWithTruth) -> IntArray:
    """Return (V,): in how many images' top ten each word is, and is relevant."""
    best = ranked.ranking.rows[:, :CUT]
    return np.bincount(best[ranked.hits[:, :CUT]], minlength=ranked.relevant.shape[1])


def coverage(ranking: Ranking, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return what is covered of the vocabulary and how evenly; what is not defined is left out."""
    modes = word_modes(ranking, len(vocabulary))
    counts, hub = modes.counts, int(modes.counts.argmax())
    values = {
        "coverage": modes.coverage,
        "entropy": modes.entropy,
        "hub_share": float(counts[hub] / counts.sum()),
        "hub_word": vocabulary.words[hub],
        "hub_skewness": skewness(counts),
        "diversity": diversity(ranking, vocabulary.vectors),
    }
    return {name: value for name, value in values.items() if value is not None}


def skewness(counts: IntArray) -> float | None:
    """Return the skewness of `counts`, the mean cube of the standard scores; None if all equal."""
    deviation = counts - counts.mean()
    spread = np.sqrt((deviation**2).mean())
    return float((deviation**3).mean() / spread**3) if spread > 0 else None


def diversity(ranking: Ranking, word_vectors: FloatArray) -> float | None:
    """Return the mean cosine distance of two words in the same top ten; None for single words.

    With unit vectors v of k words, the cosines of all pairs add up to (|Σv|² - Σ|v|²) / 2.
    """
    best = ranking.rows[:, :CUT]
    k = best.shape[1]
    if k < 2:
        return None
    sums = np.stack([word_vectors[rows].sum(axis=0) for rows in best])
    own = np.einsum("we,we->w", word_vectors, word_vectors)[best].sum(axis=1)
    return float(1 - (((sums**2).sum(axis=1) - own) / (k * (k - 1))).mean())


def per_tag(ranked: RankingWithTruth, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """Return how often the top tens name a word and are right, frequent words first.

    Left out are words that are neither named nor relevant. Precision or recall is None where
    nothing was predicted or nothing is relevant.
    """
    n_relevant = np.asarray(ranked.relevant.sum(axis=0)).astype(int).tolist()
    n_predicted = word_modes(ranked.ranking, len(vocabulary)).counts.tolist()
    n_hits = hit_counts(ranked).tolist()
    lines = [
        {
            "word": word,
            "n_relevant": relevant,
            "n_predicted": predicted,
            "n_hits": hits,
            "precision": hits / predicted if predicted else None,
            "recall": hits / relevant if relevant else None,
        }
        for word, relevant, predicted, hits in zip(
            vocabulary.words, n_relevant, n_predicted, n_hits, strict=True
        )
        if relevant or predicted
    ]
    return sorted(lines, key=lambda line: (-line["n_relevant"], line["word"]))
