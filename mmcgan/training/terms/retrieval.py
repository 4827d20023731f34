"""The retrieval term: the likelihood of a photo's tags under the mean of its draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from mmcgan.training.losses import retrieval_loss
from mmcgan.training.sampler import Batch
from mmcgan.training.terms.term import AskedTerm, Mean, OfTags


@dataclass(frozen=True)
class Retrieval(AskedTerm):
    """Every word on its own, a tag or not, under the mean draw of each generator.

    The words are learnt with it. Untagged photos have the tags of similar ones.
    """

    retrieval: float

    name: ClassVar[str] = "loss_g_retrieval"
    moves_mean: ClassVar[bool] = True
    absent: ClassVar[dict[str, Any]] = {"retrieval": 0.0}

    @property
    def weight(self) -> float:
        """What it is multiplied by."""
        return self.retrieval

    def mean_loss(self, draws: Tensor, batch: Batch, task: OfTags) -> Mean:
        """Return -log P(tags) a tag, over all photos of the mini-batch."""
        n_images, _, size = draws.shape
        means = draws.view(n_images, task.n_generators, -1, size).mean(2)  # (B, K, E)
        scored = batch.scored
        logits = task.words(means, scored.columns)
        return Mean(retrieval_loss(logits, scored.targets, scored.weights, scored.n_tags), n_images)
