"""What a generator and a discriminator of digits play for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcgan.training.adversarial import ADVERSARIAL, PLAYS, Judge, Losses
from mmcgan.training.learning import LearningConfig
from mmcgan.training.losses import sample_likelihood

WIDTH = 0.2  # of the Gaussians around samples; about what validation chooses on MNIST


@dataclass(frozen=True)
class LabelledBatch:
    """Real examples (B, 1, E) of a mini-batch and their labels (B,)."""

    real: Tensor
    labels: Tensor


class NoisyGenerator(nn.Module):
    """A generator that draws its own noise."""

    def noise(self, n: int, random: torch.Generator | None = None) -> Tensor:
        """Draw noise (n, 1, Z)."""
        raise NotImplementedError


class LabelledGame:
    """Examples with a label, such as digits: real ones, and generated ones of the same labels.

    `generator` maps noise (B, 1, Z) and labels (B,) to examples (B, 1, E) and draws its `noise`;
    `discriminator` maps examples and labels to logits (B, 1).
    """

    unit = "examples"

    def __init__(
        self,
        generator: NoisyGenerator,
        discriminator: nn.Module,
        examples: Tensor,
        labels: Tensor,
        config: LearningConfig,
        likelihood: float = 0.0,
    ):
        """Play with `examples` (N, E) and `labels` (N,); `likelihood` weighs that of samples."""
        self.generator, self.discriminator = generator, discriminator
        self.learners = nn.ModuleDict({"generator": generator})
        self.examples, self.labels, self.config = examples, labels, config
        self.play = PLAYS[config.loss]
        self.likelihood = likelihood

    @property
    def n_examples(self) -> int:
        """How many examples make an epoch."""
        return len(self.examples)

    @property
    def batch_size(self) -> int:
        """Examples in a mini-batch."""
        return min(self.config.batch_size, len(self.examples))

    @property
    def device(self) -> torch.device:
        """Where the examples are."""
        return self.examples.device

    def batch(self, chosen: Tensor) -> LabelledBatch:
        """Return the examples `chosen` (B,)."""
        return LabelledBatch(self.examples[chosen].unsqueeze(1), self.labels[chosen])

    def draw_all(self, batch: LabelledBatch) -> Tensor:
        """Generate an example of each label of the mini-batch: (B, 1, E)."""
        noise = self.generator.noise(len(batch.labels))
        draws: Tensor = self.generator(noise.to(self.device), batch.labels)
        return draws.float()

    def discriminator_losses(self, batch: LabelledBatch) -> tuple[Losses, Losses]:
        """Return the terms that D lowers, and how often it was right, by name."""
        with torch.no_grad():
            fake = self.draw_all(batch)
        return self.play.discriminator_losses(
            self._judge_beside(batch), batch.real, fake, self.config.gradient_penalty
        )

    def generator_losses(self, draws: Tensor, batch: LabelledBatch) -> Losses:
        """Return the terms that G lowers for its draws (B, 1, E), by name."""
        loss = self.play.generator_loss(self._judge_beside(batch), batch.real, draws)
        losses = {ADVERSARIAL: loss}
        if self.likelihood:
            same = batch.labels.unsqueeze(1) == batch.labels
            loss = sample_likelihood(draws[:, 0], batch.real[:, 0], same, WIDTH)
            losses["loss_g_likelihood"] = self.likelihood * loss
        return losses

    def _judge_beside(self, batch: LabelledBatch) -> Judge:
        """Return how D judges examples (B, S, E) beside the labels of a mini-batch."""
        return lambda examples: self.discriminator(examples, batch.labels).float()

    def steer(self, gradients: Losses) -> Losses:
        """Return the gradients as they are: the term may move all of an example."""
        return gradients
