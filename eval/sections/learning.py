"""How both networks learnt, from the log of the run."""

from __future__ import annotations

from eval.findings import Findings
from eval.pages.learning import discriminator_plots
from eval.pages.plots import Line, log_plot
from eval.pages.section import Plots, Section

ORDER = 50


def section(findings: Findings) -> Section | None:
    """Show losses, accuracies, and what was measured on dev."""
    line = Line("cgan", width=2)
    words = "distinct words among the samples of a photo"
    plots = Plots.of(
        discriminator_plots(findings.log, "pairs")
        | {
            "P@10 on dev, which chose the model": log_plot(
                findings.log, {"P@10": line}, "dev", "P@10 on dev"
            ),
            words.capitalize(): log_plot(findings.log, {"distinct_words": line}, "distinct", words),
        }
    )
    return Section("learning", "Learning curves", "Learning", [plots]) if plots else None
