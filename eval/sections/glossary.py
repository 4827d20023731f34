"""What each measure means."""

from __future__ import annotations

from eval.findings import Findings
from eval.pages.section import Section, Terms

ORDER = 150


def section(findings: Findings) -> Section | None:
    """Show the descriptions of all measures."""
    meanings = findings.part("metrics")
    return Section("glossary", "Glossary", "Glossary", [Terms(meanings)]) if meanings else None
