"""How both networks learnt, from the log of the run; the report of digits draws it as well."""

from __future__ import annotations

from markupsafe import Markup

from eval.findings import Findings
from eval.pages.plots import Line, Log, log_plot
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


def discriminator_plots(log: Log, things: str) -> dict[str, Markup | None]:
    """Return the plots of losses and accuracies by caption; D discriminates `things`."""
    losses, rights = (_kinds(log, measure, things) for measure in ("loss_d", "d_accuracy"))
    return {
        f"Losses: the discriminator {losses}, the generator (orange)": loss_plot(log),
        f"How often the discriminator is right: {rights}; .5 is guessing": accuracy_plot(log),
    }


def loss_plot(log: Log) -> Markup | None:
    """Draw the losses of both networks over the updates; None if the log has none."""
    names = {
        "loss_d_real": Line("series-3"),
        "loss_d_fake": Line("series-3", (3, 1.2)),
        "loss_d_order": Line("series-2"),
        "loss_g_adversarial": Line("cgan", width=2),
    }
    return log_plot(log, names, "losses", "loss")


def accuracy_plot(log: Log) -> Markup | None:
    """Draw how often the discriminator is right on real and on generated pairs, or their order."""
    names = {
        "d_accuracy_real": Line("series-1"),
        "d_accuracy_fake": Line("cgan", (3, 1.2), 2),
        "d_accuracy_order": Line("series-2"),
    }
    return log_plot(log, names, "accuracies", "discriminator's accuracy", top=1.0)


def _kinds(log: Log, measure: str, things: str) -> str:
    """Say on what D was measured: each kind apart, which is which of a pair of them, or both."""
    apart, order = (any(f"{measure}_{on}" in r for r in log) for on in ("real", "order"))
    if order and apart:
        return f"on real {things} (solid), generated ones (dashed) and which is which (purple)"
    if order:
        return f"on which of two {things} is the real one (purple)"
    return f"on real {things} (solid) and generated ones (dashed)"
