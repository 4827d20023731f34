"""Whether the best words of one draw are a set that a person might have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.answers import Answers
from eval.figures.sets import tag_sets
from eval.findings import Findings
from eval.pages.section import Row, Section, Table, Terms, Text
from eval.pages.text import cell, percent, table_or_none, with_interval

ORDER = 130
NAMES = {  # of the measures in the table, in its order
    "never_together": "pairs never together",
    "never_together_same_size": "of as many words as real",
    "never_together_frequent": "of frequent words",
    "energy": "energy score",
    "realism": "told from real, AUC",
}
BESIDE = {
    "independent": "where each word is from another draw",
    "ranking": "in the final ranking",
    "real": "among people's own tags",
}


def measure(answers: Answers) -> dict[str, Any]:
    """Return `sets`."""
    found = tag_sets(
        answers.drawn.sets,
        answers.systems["cgan"].ranking.rows,
        answers.relevant[answers.tags],
        answers.train_tags,
        answers.vocabulary.vectors,
        answers.seed,
    )
    return {"sets": found} if found else {}


def section(findings: Findings) -> Section | None:
    """Show the measures of each kind of sets, and what they mean."""
    part = findings.part("sets")
    table = sets_table(part)
    meanings = {NAMES.get(name, name): text for name, text in part.get("measures", {}).items()}
    description = Text(part.get("description", ""), fine=True)
    blocks = Text(sets_said(part)), table, description, Terms(meanings)
    return Section.of("sets", "Tag sets", "Tag sets", *blocks) if table else None


def sets_table(part: Mapping[str, Any]) -> Table | None:
    """Return the measures of each kind of sets; None where none were measured."""
    kinds = part.get("kinds", {})
    known = [m for m in NAMES if any(m in kind for kind in kinds.values())]
    rows = [Row(name, tuple(cell(kind.get(m)) for m in known)) for name, kind in kinds.items()]
    columns = ("sets", *(NAMES[measure] for measure in known))
    caption = "Sets of tags, with 95 % intervals"
    return table_or_none(caption, columns, rows if known else (), "figures")


def sets_said(part: Mapping[str, Any]) -> str:
    """Say how much the sets of one draw are like those of people; "" where not measured."""
    kinds = part.get("kinds", {})
    ours = kinds.get("one draw", {})
    said = []
    if "never_together_same_size" in ours:
        shares = {name: kind.get("never_together_same_size") for name, kind in kinds.items()}
        said.append(
            "Of the pairs of words within one draw's sets, as large as the photo's own, "
            f"{percent(ours['never_together_same_size']['value'])} are on no training photo "
            "together"
        )
        beside = [
            f"{percent(shares[name]['value'])} {text}"
            for name, text in BESIDE.items()
            if shares.get(name)
        ]
        said[0] += f"{'; ' if beside else ''}{', '.join(beside)}."
    if "realism" in ours:
        said.append(
            "By the words alone, a classifier tells one draw's sets from real ones with an AUC of "
            f"{with_interval(ours['realism'])}; .5 is guessing."
        )
    return " ".join(said)
