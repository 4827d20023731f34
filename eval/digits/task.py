"""The task of digits: examples with a label, and what a generator and a discriminator learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmcgan.training.learning import LearningConfig
from mmcgan.training.losses import sample_likelihood
from mmcgan.training.terms.adversarial import AdversarialTerm, Discriminate
from mmcgan.training.terms.term import Mean, Term
from mmcgan.training.trainer import TrainingTask

WIDTH = 0.2  # of the Gaussians around samples; about what validation chooses on MNIST


@dataclass(frozen=True)
class LabelledBatch:
    """Real examples (B, 1, E) of a mini-batch and their labels (B,)."""

    real: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """How many there are."""
        return len(self.labels)

    @property
    def n_discriminated(self) -> int:
        """The discriminator looks at all of them."""
        return len(self)

    def part(self, first: int, step: int) -> LabelledBatch:
        """Return the examples `first`, `first` + `step`, …"""
        return LabelledBatch(self.real[first::step], self.labels[first::step])


class NoisyGenerator(nn.Module):
    """A generator that draws its own noise."""

    def noise(self, n: int, random: torch.Generator | None = None) -> Tensor:
        """Draw noise (n, 1, Z)."""
        raise NotImplementedError


class LabelledAdversarial(AdversarialTerm):
    """The adversarial term on labelled examples."""

    def discriminate(self, batch: LabelledBatch, task: LabelledTask) -> Discriminate:
        """Return the discriminator beside the labels of a mini-batch."""
        return lambda examples: task.discriminator(examples, batch.labels).float()

    def real(self, batch: LabelledBatch, task: LabelledTask) -> Tensor:
        """Return the real examples (B, 1, E)."""
        return batch.real

    def seen(self, draws: Tensor, batch: LabelledBatch, task: LabelledTask) -> Tensor:
        """Return the draws as they are."""
        return draws


@dataclass(frozen=True)
class SampleLikelihood:
    """The likelihood of the real examples of a mini-batch under its samples."""

    weight: float

    name: ClassVar[str] = "loss_g_likelihood"
    moves_mean: ClassVar[bool] = True

    def mean_loss(self, draws: Tensor, batch: LabelledBatch, task: LabelledTask) -> Mean:
        """Return -log p(x) of the real examples, the samples of their label as centres."""
        same = batch.labels.unsqueeze(1) == batch.labels
        return Mean(sample_likelihood(draws[:, 0], batch.real[:, 0], same, WIDTH), len(batch))


class LabelledTask(TrainingTask):
    """Examples with a label, such as digits: real ones, and generated ones of the same labels.

    `generator` maps noise (B, 1, Z) and labels (B,) to examples (B, 1, E) and draws its `noise`;
    `discriminator` maps examples and labels to logits (B, 1).
    """

    unit, n_generators = "examples", 1

    def __init__(
        self,
        generator: NoisyGenerator,
        discriminator: nn.Module,
        examples: Tensor,
        labels: Tensor,
        config: LearningConfig,
        likelihood: float = 0.0,
    ):
        """Learn from `examples` (N, E) and `labels` (N,); `likelihood` weighs that of samples."""
        self.generator, self.discriminator = generator, discriminator
        self.learners = nn.ModuleDict({"generator": generator})
        self.examples, self.labels, self.device = examples, labels, examples.device
        self.n_examples = len(examples)
        self.batch_size = min(config.optimiser.batch_size, len(examples))
        self.n_discriminated = self.batch_size
        objective = config.objective
        self.adversarial = LabelledAdversarial(
            objective.loss, objective.gradient_penalty, objective.adversarial_share
        )
        terms: list[Term] = [self.adversarial, SampleLikelihood(likelihood)]
        self.terms = [term for term in terms if term.weight]

    def batch(self, chosen: Tensor, random: torch.Generator) -> LabelledBatch:
        """Return the examples `chosen` (B,)."""
        return LabelledBatch(self.examples[chosen].unsqueeze(1), self.labels[chosen])

    def noise(self, n: int, random: torch.Generator) -> Tensor:
        """Draw the noise (n, 1, Z) of as many examples."""
        return self.generator.noise(n, random)

    def draw(self, batch: LabelledBatch, noise: Tensor) -> Tensor:
        """Generate an example of each label of the mini-batch: (B, 1, E)."""
        return self.generator(noise.to(self.device), batch.labels).float()
