"""How widely each system draws on the vocabulary, and whether some words are hubs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from eval.answers import Answers
from eval.figures.metrics import CUT, hit_counts
from eval.figures.modes import word_modes
from eval.findings import Findings
from eval.pages.plots import MAX_POINTS, Line, cgan_on_top, draw_line, make_logarithmic
from eval.pages.section import Cell, Legend, Plots, Section, Table, Text
from eval.pages.svg import drawing, name_axes, new_axes, svg
from eval.pages.text import number, percent, system_row, table_or_none
from mmcgan.arrays import FloatArray, IntArray
from mmcgan.inference.words.ranking import Ranking
from mmcgan.inference.words.vocabulary import Vocabulary, printed

ORDER = 70
DESCRIPTIONS = {
    "coverage": "Share of the vocabulary that is in the top ten of any photo.",
    "entropy": "Entropy of the words in the top tens over that of an even spread: 1 is even.",
    "n_plus": "Number of words that are right in the top ten of at least one photo.",
    "diversity": "Mean cosine distance between two words of the same top ten.",
    "hub_share": "Share of all top-ten places that the most retrieved word takes.",
    "hub_skewness": "Skewness, over the vocabulary, of how often a word is in a top ten.",
}
HUBS = (
    "A hub is a word that is near everything and so comes back for every photo. A healthy curve "
    "falls slowly and reaches far to the right."
)
CAPTION = "How often each word is in a top ten, words by rank, both axes logarithmic"
COLUMNS = (
    "Coverage: share of the vocabulary in any top ten. N+: tags with a recall above zero. "
    "Diversity: mean cosine distance between the words of a top ten. Hub share: share of all "
    "places in the top tens that the hub takes. Skewness: of how often each word is retrieved; "
    "high means few words take most places."
)


def measure(answers: Answers) -> dict[str, Any]:
    """Return the coverage of each system, and `retrieval_counts`."""
    n_words = len(answers.vocabulary)
    return {
        "systems": {
            name: {
                "n_plus": {s: int((hit_counts(r) > 0).sum()) for s, r in by_source.items()},
                **coverage(answers.systems[name].ranking, answers.vocabulary),
            }
            for name, by_source in answers.ranked.items()
        },
        "retrieval_counts": {
            name: sorted_counts(system.ranking, n_words) for name, system in answers.systems.items()
        },
        "metrics": DESCRIPTIONS,
    }


def sorted_counts(ranking: Ranking, n_words: int) -> list[int]:
    """Return in how many top tens each word is that is in any, most often first."""
    counts = np.sort(word_modes(ranking, n_words).counts)[::-1]
    return counts[counts > 0].tolist()


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


def section(findings: Findings) -> Section | None:
    """Show how often each word is retrieved, and a table."""
    table = coverage_table(findings)
    plot = retrieval_plot(findings.part("retrieval_counts"), findings.lines)
    if not (table or plot):
        return None
    return Section.of(
        "coverage",
        "Coverage and hubs",
        "Coverage",
        Text(HUBS),
        Legend(list(findings.lines)) if plot else None,
        Plots.of({CAPTION: plot}),
        table,
        Text(COLUMNS, fine=True) if table else None,
    )


def coverage_table(findings: Findings) -> Table | None:
    """Return coverage, diversity and hubs of each system; None where none were measured."""
    systems = {n: s for n, s in findings.report["systems"].items() if "coverage" in s}
    counts = [system.get("n_plus", {}) for system in systems.values()]
    known = [source for source in findings.sources if any(source in own for own in counts)]
    of_words = ("diversity", "hub", "hub share", "skewness")
    columns = ("system", "coverage", "entropy", *(f"N+ ({s})" for s in known), *of_words)
    rows = (system_row(name, s["role"], _cells(s, known)) for name, s in systems.items())
    return table_or_none("How widely each system draws on the vocabulary", columns, rows)


def _cells(system: Mapping[str, Any], known: Sequence[str]) -> list[Cell]:
    texts = [
        percent(system["coverage"]),
        number(system.get("entropy")),
        *(number(system.get("n_plus", {}).get(source)) for source in known),
        number(system.get("diversity")),
        printed(system.get("hub_word") or "–"),
        percent(system.get("hub_share")),
        number(system.get("hub_skewness")),
    ]
    return [Cell(text) for text in texts]


def retrieval_plot(counts: Mapping[str, Sequence[int]], lines: Mapping[str, Line]) -> Markup | None:
    """Draw how often each word is in a top ten, words by rank, both axes logarithmic."""
    drawn = {name: [n for n in values if n > 0] for name, values in counts.items()}
    drawn = {name: values for name, values in drawn.items() if values}
    if not drawn:
        return None
    with drawing():
        figure, axes = new_axes()
        for name in cgan_on_top(drawn, lines):
            ranks = _spread(len(drawn[name]))
            draw_line(axes, ranks, [drawn[name][rank - 1] for rank in ranks], lines[name])
        longest, highest = max(map(len, drawn.values())), max(v[0] for v in drawn.values())
        make_logarithmic(axes, 1.25 * longest, 1.6 * highest)
        name_axes(axes, "rank of the word", "times in a top ten")
        said = ", ".join(f"{name} {len(values)} words" for name, values in drawn.items())
        return svg(figure, "retrieval", f"How often each word is retrieved, by rank: {said}.")


def _spread(n: int) -> list[int]:
    """Return up to MAX_POINTS ranks from 1 to n, evenly on a logarithmic axis."""
    return sorted({round(rank) for rank in np.geomspace(1, n, MAX_POINTS).tolist()})
