"""From the stored answers to the figures of a report: plain numbers, ready for JSON."""

from __future__ import annotations

from typing import Any

from eval.answers import Answers
from eval.sections import section_modules


def measure(answers: Answers) -> dict[str, Any]:
    """Return the figures of a report: what was measured, and what each section measures."""
    figures: dict[str, Any] = {
        "format": "mmcgan-report",
        "format_version": 1,
        "split": answers.split,
        "tags": answers.tags,
        "relevances": list(answers.relevant),
        "n_images": len(answers.image_ids),
        "n_skipped": answers.n_skipped,
        "n_left_out": answers.n_left_out,
        "n_concepts": len(answers.concepts),
        "n_concepts_without_photo": int((~answers.annotated.any(axis=0)).sum()),
        "concepts": list(answers.concepts),
    }
    for module in section_modules():
        if hasattr(module, "measure"):
            figures = _merged(figures, module.measure(answers))
    return figures


def _merged(figures: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return both; sections may each add to the same system, for one."""
    both = {
        name: _merged(figures[name], more[name])
        for name in figures.keys() & more.keys()
        if isinstance(figures[name], dict)
    }
    return figures | more | both
