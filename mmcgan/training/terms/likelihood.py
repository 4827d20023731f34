"""The likelihood term: the likelihood of a photo's tags under its single draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from mmcgan.training.config import Moves
from mmcgan.training.losses import draw_likelihood
from mmcgan.training.sampler import Batch
from mmcgan.training.terms.term import AskedTerm, Mean, OfTags


@dataclass(frozen=True)
class Likelihood(AskedTerm):
    """The draws of a photo share its tags among them; the lower the temperature, the more so."""

    likelihood: float
    likelihood_temperature: float = 1.0
    moves: Moves = "draws"

    name: ClassVar[str] = "loss_g_likelihood"
    absent: ClassVar[dict[str, Any]] = {"likelihood": 0.0}

    @property
    def weight(self) -> float:
        """What it is multiplied by."""
        return self.likelihood

    @property
    def moves_mean(self) -> bool:
        """Whether it moves whole draws, or only their spread."""
        return self.moves == "draws"

    def mean_loss(self, draws: Tensor, batch: Batch, task: OfTags) -> Mean:
        """Return -log P(tags), over the photos that the discriminator looks at too."""
        n, scored = batch.n_discriminated, batch.scored
        scores = task.words(draws[:n], scored.columns, frozen=True) / self.likelihood_temperature
        return Mean(draw_likelihood(scores, scored.targets[:n]), n)
