"""Single tags: how often each is given, and how often that is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from eval.answers import Answers
from eval.figures.metrics import RankingWithTruth, hit_counts
from eval.figures.modes import word_modes
from eval.findings import Findings
from eval.pages.plots import finite, label_margin, label_rows, make_logarithmic
from eval.pages.section import Beside, Cell, Folded, Plots, Row, Section, Table, Text
from eval.pages.svg import colour, drawing, label, name_axes, new_axes, svg
from eval.pages.text import number
from mmcgan.inference.words.vocabulary import Vocabulary, printed

ORDER = 60
N_TAGS = 50  # rows of the table of single tags
N_EXTREMES = 15  # rows of the tables of the best and the worst tags
MIN_RELEVANT = 5  # photos that a tag needs to be called best or worst
N_BARS = 20  # words in the plot of single tags
N_NAMED = 4  # points with a name in the plot of balance

Tags = Sequence[Mapping[str, Any]]


def measure(answers: Answers) -> dict[str, Any]:
    """Return `per_tag`."""
    return {"per_tag": per_tag(answers.own, answers.vocabulary)}


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


def section(findings: Findings) -> Section | None:
    """Show plots of all tags, and tables of the most frequent, the best and the worst."""
    tags = findings.report.get("per_tag", [])
    tables = tag_tables(tags)
    balance = "How often each tag is given, and how often it should be; on the line it is as often"
    drawn = {
        "Recall (orange) and precision (blue) of the most frequent tags": tag_plot(tags),
        balance: balance_plot(tags),
    }
    said = (
        "How the cgan does on each tag with ten tags a photo: of the photos that carry it, the "
        "share that get it (recall), and of those that get it, the share that carry it (precision)."
    )
    if not tables:
        return None
    blocks = Text(said), Plots.of(drawn), Beside(tables[1:]), Folded(tables[0])
    return Section.of("tags", "Single tags", "Single tags", *blocks)


def tag_tables(tags: Tags) -> list[Table]:
    """Return the most frequent tags, and those of some frequency with the best and worst recall."""
    known = [t for t in tags if t["n_relevant"] >= MIN_RELEVANT and t["recall"] is not None]
    by_recall = sorted(known, key=lambda t: (-t["recall"], -t["n_relevant"], t["word"]))
    worst = sorted(known, key=lambda t: (t["recall"], -t["n_relevant"], t["word"]))
    if len(known) < 2 * N_EXTREMES:
        by_recall = worst = []
    found = [
        _tag_table(f"The {min(N_TAGS, len(tags))} most frequent tags", tags[:N_TAGS]),
        _tag_table("Found best, by recall", by_recall[:N_EXTREMES]),
        _tag_table("Found worst, the most frequent first", worst[:N_EXTREMES]),
    ]
    return [table for table in found if table.rows]


def _tag_table(caption: str, tags: Tags) -> Table:
    fields = ("n_relevant", "n_predicted", "n_hits", "precision", "recall")
    columns = ("tag", "photos", "predicted", "hits", "precision", "recall")
    rows = [Row(printed(tag["word"]), tuple(Cell(number(tag[f])) for f in fields)) for tag in tags]
    return Table(caption, columns, tuple(rows))


def tag_plot(per_tag: Tags) -> Markup | None:
    """Draw precision and recall of the most frequent tags, as pairs of points."""
    tags = list(reversed(per_tag[:N_BARS]))
    if not tags:
        return None
    names = [label(printed(tag["word"])) for tag in tags]
    recalls = [finite(tag["recall"]) for tag in tags]
    precisions = [finite(tag["precision"]) for tag in tags]
    with drawing():
        figure, axes = new_axes(0.47 + 0.21 * len(tags), left=label_margin(names), top=0.05)
        places = np.arange(len(tags))
        axes.hlines(places, recalls, precisions, color=colour("line"), linewidth=2)
        axes.plot(recalls, places, "o", markersize=5.5, color=colour("cgan"))
        axes.plot(precisions, places, "D", markersize=4, color=colour("series-3"))
        label_rows(axes, names)
        axes.set_xlim(-0.015, max([v for v in recalls + precisions if v == v] + [0.01]) * 1.06)
        name_axes(axes, "recall ●   precision ◆", "")
        alt = f"Recall and precision of the {len(tags)} most frequent tags; the table has them."
        return svg(figure, "tags", alt)


def balance_plot(per_tag: Tags) -> Markup | None:
    """Draw how often each tag is given over how often it is right to give it; both logarithmic.

    The line is balance: above it are the words that are given too often. Zero is drawn at ½.
    """
    tags = [tag for tag in per_tag if tag["n_relevant"] > 0]
    if not tags:
        return None
    carried = [tag["n_relevant"] for tag in tags]
    given = [max(tag["n_predicted"], 0.5) for tag in tags]
    highest = 1.6 * max(carried + given)
    with drawing():
        figure, axes = new_axes(0.47 + 0.21 * N_BARS)
        axes.plot([0.4, highest], [0.4, highest], color=colour("muted"), linewidth=1)
        axes.plot(carried, given, "o", markersize=3.5, alpha=0.6, color=colour("cgan"), mew=0)
        for place in _apart(given)[:N_NAMED]:
            _name_point(axes, carried[place], given[place], printed(tags[place]["word"]))
        make_logarithmic(axes, highest, highest)
        name_axes(axes, "photos that carry the tag", "photos that get it (0 drawn at ½)")
        never = sum(tag["n_predicted"] == 0 for tag in tags)
        alt = f"How often {len(tags)} tags are given over how often they are right; "
        return svg(figure, "balance", f"{alt}{never} of them are never given.")


def _apart(heights: Sequence[float]) -> list[int]:
    """Return places of the highest points whose names, on a logarithmic axis, do not overlap."""
    chosen: list[int] = []
    for place in sorted(range(len(heights)), key=lambda i: -heights[i]):
        if all(heights[other] > 1.3 * heights[place] for other in chosen):
            chosen.append(place)
    return chosen


def _name_point(axes: Axes, x: float, y: float, text: str) -> None:
    """Write `text` beside a point, on the side that has the room."""
    axes.annotate(
        label(text),
        (x, y),
        (-5, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=8,
        color=colour("muted"),
    )
