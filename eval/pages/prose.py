"""What a report says in sentences: the summary and the state of the discriminator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eval.pages.tables import Report, interval, number, percent, relevances

RELEVANT_BY = {
    "user": "the photo's own user tags",
    "user+annotations": "the photo's user tags and annotations",
}
COLLAPSE_CHECKS = {"distinct_words", "noise_variance_share"}
N_LAST_RECORDS = 10


def headline(report: Report) -> str:
    """Return the name of the report: what was measured, and on which photos."""
    name = report.get("data", {}).get("name")
    return "Photo tagging on " + " · ".join(str(part) for part in (name, report["split"]) if part)


def summary(report: Report) -> list[str]:
    """Return the sentences that say, in plain words, what was measured and what came out."""
    relevance = relevances(report)[0]
    sentences = [_what_was_measured(report, relevance)]
    figures = measured(report, relevance, "P@10")
    ours = cgan_of(report, figures)
    if ours:
        sentences.append(
            f"Of ten tags that the cgan gives a photo, {10 * ours['value']:.2f} are right on "
            f"average: P@10 is {_with_interval(ours)}."
        )
        sentences += _against_rivals(report, figures, ours)
    ceiling = report.get("relevance", {}).get(relevance, {}).get("ceiling", {}).get("P@10")
    if ceiling is not None:
        sentences.append(
            f"The most that any system could reach is {number(ceiling)}, since many "
            "photos carry fewer than ten tags."
        )
    return [*sentences, *_passed(report)]


def measured(report: Report, relevance: str, measure: str) -> dict[str, Mapping[str, Any]]:
    """Return one measure of every system that has it."""
    return {
        name: system[relevance][measure]
        for name, system in report["systems"].items()
        if measure in system.get(relevance, {})
    }


def cgan_of(report: Report, figures: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the entry of the run's own system among `figures`, None if it is not there."""
    own = [figures[name] for name in figures if report["systems"][name]["role"] == "cgan"]
    return own[0] if own else None


def best_rival(report: Report, figures: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the rival with the highest of `figures`, None without rivals."""
    rivals = [n for n in figures if report["systems"][n]["role"] == "rival"]
    return max(rivals, key=lambda name: figures[name]["value"], default=None)


def compared(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Say how two measures compare; where their 95 % intervals overlap, not more than that."""
    if ours.get("low", ours["value"]) > theirs.get("high", theirs["value"]):
        return "clearly above"
    if ours.get("high", ours["value"]) < theirs.get("low", theirs["value"]):
        return "clearly below"
    return "not clearly different from"


def discriminator_state(log: Sequence[Mapping[str, Any]]) -> str:
    """Say how often the discriminator was right at the end of training; "" without records."""
    names = ("d_accuracy_real", "d_accuracy_fake")
    records = [r for r in log if all(_is_finite(r.get(name)) for name in names)][-N_LAST_RECORDS:]
    if not records:
        return ""
    real, fake = (sum(r[name] for r in records) / len(records) for name in names)
    return (
        f"At the end of training (last {len(records)} records of the log, up to update "
        f"{records[-1]['update']:,}) the discriminator took {percent(real)} of the real pairs for "
        f"real and {percent(fake)} of the generated ones for generated. {_meaning(real, fake)}"
    ).strip()


def near_duplicates(report: Report) -> str:
    """Say how many photos have a near duplicate in train; "" where that was not counted."""
    found = report.get("near_duplicates") or {}
    if "n_images" not in found:
        return ""
    return (
        f"{found['n_images']:,} of {report['n_images']:,} evaluated photos have a neighbour in "
        f"train with a cosine of their features above {found['threshold']:g}. What a system "
        "learnt of that neighbour may help it; without these photos the figures are:"
    )


def has_collapsed(report: Report) -> bool:
    """Return whether a check of the variety of the generated words has failed."""
    failed = {check["name"] for check in report.get("checks", []) if not check["passed"]}
    return bool(failed & COLLAPSE_CHECKS)


def tiles(report: Report, figures: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return the figures that a page shows large: title, value, interval, system."""
    rival = best_rival(report, figures)
    own = next((n for n in figures if report["systems"][n]["role"] == "cgan"), None)
    shown = {"the cgan of this run": own, "the best rival": rival}
    if rival != "frequency" and "frequency" in figures:
        shown["without looking: frequency"] = "frequency"
    return [
        (title, number(figures[name]["value"]), interval(figures[name]), name)
        for title, name in shown.items()
        if name
    ]


def relevance_facts(report: Report, relevance: str) -> str:
    """Say what a way of relevance means, and what is known of it."""
    facts = report.get("relevance", {}).get(relevance, {})
    said = [f"Right is what is among {RELEVANT_BY.get(relevance, relevance)}."]
    if "n_relevant_mean" in facts:
        said.append(
            f"A photo carries {number(float(facts['n_relevant_mean']))} of them on average."
        )
    if "n_outside_vocabulary" in facts:
        said.append(
            f"Tags outside the vocabulary, which no system can give: "
            f"{number(facts['n_outside_vocabulary'])}."
        )
    return " ".join(said)


def _what_was_measured(report: Report, relevance: str) -> str:
    reasons = {
        "n_skipped": "more had no tag to be judged by and were left out",
        "n_left_out": "others were left out by chance, as these are enough",
    }
    left_out = [f"{report[name]:,} {why}" for name, why in reasons.items() if report.get(name)]
    said = f" ({'; '.join(left_out)})" if left_out else ""
    return (
        f"A conditional GAN (“cgan”) was asked for the tags of {report['n_images']:,} photos of "
        f"the split {report['split']}, none of which it was trained on{said}. A tag counts as "
        f"right if it is among {RELEVANT_BY.get(relevance, relevance)}."
    )


def _against_rivals(
    report: Report, figures: Mapping[str, Mapping[str, Any]], ours: Mapping[str, Any]
) -> list[str]:
    said = []
    rival = best_rival(report, figures)
    if rival:
        ratio = report.get("ratios", {}).get(report["tags"], {}).get(rival)
        how = compared(ratio, {"value": 1.0}) if ratio else compared(ours, figures[rival])
        said.append(
            f"That is {how} the best rival, {rival}, which reaches "
            f"{_with_interval(figures[rival])} on the same photos and features."
        )
        if ratio:
            said.append(
                f"Photo by photo it is {ratio['value']:.3f} times that "
                f"(95 % interval {ratio['low']:.3f}–{ratio['high']:.3f})."
            )
    if rival != "frequency" and "frequency" in figures:
        said.append(
            f"Always giving the most frequent tags, without looking at the photo, reaches "
            f"{_with_interval(figures['frequency'])}; the cgan is "
            f"{compared(ours, figures['frequency'])} that."
        )
    left_out = report.get("rivals_left_out", {})
    return [*said, *(f"The rival {name} was left out: {why}." for name, why in left_out.items())]


def _passed(report: Report) -> list[str]:
    checks = report.get("checks", [])
    if not checks:
        return []
    n_passed = sum(check["passed"] for check in checks)
    failed = ", ".join(check["name"] for check in checks if not check["passed"])
    return [f"{n_passed} of {len(checks)} checks passed{'; failed: ' if failed else ''}{failed}."]


def _with_interval(value: Mapping[str, Any]) -> str:
    bounds = interval(value)
    return number(value["value"]) + (f" (95 % interval {bounds})" if bounds else "")


def _meaning(real: float, fake: float) -> str:
    if min(real, fake) > 0.9:
        return "It tells them apart nearly always, so the generator has little to learn from."
    if max(real, fake) < 0.6:
        return "It can hardly tell them apart."
    return ""


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
