"""The task of learning photos' tags: the networks, the examples and the terms, put together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmcgan.training.config import TrainConfig
from mmcgan.training.networks import Networks
from mmcgan.training.sampler import Batch, Examples, MiniBatch, PairSampler, build_sampler
from mmcgan.training.terms import Terms, build_terms
from mmcgan.training.terms.adversarial import TagAdversarial
from mmcgan.training.trainer import TrainingTask


class TagTask(TrainingTask):
    """A generator, a word table and a discriminator that learn `terms` from the tags of photos.

    `n_draws` vectors are generated for an example in an update.
    """

    def __init__(self, networks: Networks, sampler: PairSampler, terms: Terms, n_draws: int):
        self.generator, self.words, self.discriminator = networks
        # What tags: the generator and the words it aims at.
        self.learners = nn.ModuleDict({"generator": self.generator, "words": self.words})
        self.sampler, self.terms, self.n_draws = sampler, terms, n_draws
        self.examples = sampler.examples
        self.unit, self.n_examples = sampler.unit, sampler.n_examples
        self.batch_size, self.n_discriminated = sampler.batch_size, sampler.n_discriminated
        self.n_generators = self.generator.n_generators
        self.device = self.examples.pairs.device
        self.adversarial = next(term for term in terms if isinstance(term, TagAdversarial))

    @classmethod
    def of(cls, networks: Networks, examples: Examples, config: TrainConfig) -> TagTask:
        """Return the task that the settings ask for."""
        terms = build_terms(config.objective)
        return cls(networks, build_sampler(examples, config), terms, config.generator.draws)

    def batch(self, chosen: Tensor, random: torch.Generator) -> MiniBatch:
        """Return the examples `chosen` (B,), and what `random` chooses beside them."""
        return self.sampler.batch(chosen, random)

    def noise(self, n: int, random: torch.Generator) -> Tensor:
        """Draw the noise (n, S, Z) of as many photos."""
        return self.generator.noise(n, self.n_draws, random)

    def draw(self, batch: Batch, noise: Tensor) -> Tensor:
        """Generate vectors (n, S, E) for the first n photos of a mini-batch."""
        return self.generator(noise.to(self.device), batch.images[: len(noise)]).float()
