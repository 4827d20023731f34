"""The task of learning photos' tags: the networks, the examples and the terms, put together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmcgan.training.config import TrainConfig
from mmcgan.training.networks import Networks
from mmcgan.training.sampler import Batch, Examples, Sampler
from mmcgan.training.terms import build_terms
from mmcgan.training.terms.adversarial import TagAdversarial
from mmcgan.training.trainer import TrainingTask


class TagTask(Sampler, TrainingTask):
    """A generator, a word table and a discriminator that learn terms from the tags of photos.

    Networks, examples and the settings, which say which terms, make the task.
    """

    def __init__(self, networks: Networks, examples: Examples, config: TrainConfig):
        super().__init__(examples, config)
        self.generator, self.words, self.discriminator = networks
        # What tags: the generator and the words it aims at.
        self.learners = nn.ModuleDict({"generator": self.generator, "words": self.words})
        self.terms = build_terms(config.objective)
        self.adversarial = next(term for term in self.terms if isinstance(term, TagAdversarial))
        self.n_generators, self.n_draws = self.generator.n_generators, config.generator.draws
        self.device = examples.pairs.device

    def noise(self, n: int, random: torch.Generator) -> Tensor:
        """Draw the noise (n, S, Z) of as many photos."""
        return self.generator.noise(n, self.n_draws, random)

    def draw(self, batch: Batch, noise: Tensor) -> Tensor:
        """Generate vectors (n, S, E) for the first n photos of a mini-batch."""
        return self.generator(noise.to(self.device), batch.images[: len(noise)]).float()
