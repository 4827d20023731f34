"""The networks of section 4.2 and their training as one writes them at first, in plain torch.

Same sizes, losses, dropout and mini-batches of shuffled pairs as the preset `paper`; one row a pair
in Python lists, torch's `DataLoader` as it comes, each network run whole whenever it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader

from mmcgan.training.config import TrainConfig
from mmcgan.training.networks import initialize
from mmcgan.training.sampler import Examples
from mmcgan.training.schedules import MOMENTUM_START


class PlainGenerator(nn.Module):
    """Noise (B, Z) and image features (B, D) → word vectors (B, E)."""

    def __init__(self, feature_size: int, vector_size: int, config: TrainConfig):
        super().__init__()
        options = config.generator
        self.noise_layer = nn.Linear(options.noise_size, options.noise_units)
        self.image_layer = nn.Linear(feature_size, options.units)
        self.output = nn.Linear(options.noise_units + options.units, vector_size)
        self.dropout = nn.Dropout(options.dropout)
        initialize(self, options.init)

    def forward(self, noise: Tensor, images: Tensor) -> Tensor:
        """Return the generated vectors."""
        from_noise = self.dropout(torch.relu(self.noise_layer(noise)))
        from_images = self.dropout(torch.relu(self.image_layer(images)))
        return self.output(torch.cat([from_noise, from_images], dim=1))


class PlainDiscriminator(nn.Module):
    """Word vectors (B, E) and image features (B, D) → logits (B,)."""

    def __init__(self, feature_size: int, vector_size: int, config: TrainConfig):
        super().__init__()
        options = config.discriminator
        joined = options.word_units + options.image_units
        self.word_layer = nn.Linear(vector_size, options.word_units)
        self.image_layer = nn.Linear(feature_size, options.image_units)
        self.maxout = nn.Linear(joined, options.maxout_units * options.maxout_pieces)
        self.output = nn.Linear(options.maxout_units, 1)
        self.n_pieces = options.maxout_pieces
        self.dropout = nn.Dropout(options.dropout)
        initialize(self, options.init)

    def forward(self, words: Tensor, images: Tensor) -> Tensor:
        """Return the logits of "real"."""
        from_words = self.dropout(torch.relu(self.word_layer(words)))
        from_images = self.dropout(torch.relu(self.image_layer(images)))
        pieces = self.maxout(torch.cat([from_words, from_images], dim=1))
        hidden = pieces.view(len(words), -1, self.n_pieces).max(dim=2).values
        return self.output(self.dropout(hidden)).squeeze(1)


class PlainGan:
    """Both networks and their optimisers."""

    def __init__(self, feature_size: int, vector_size: int, config: TrainConfig):
        self.generator = PlainGenerator(feature_size, vector_size, config)
        self.discriminator = PlainDiscriminator(feature_size, vector_size, config)
        self.optimizer_g, self.optimizer_d = (
            torch.optim.SGD(network.parameters(), config.optimiser.learning_rate, MOMENTUM_START)
            for network in (self.generator, self.discriminator)
        )
        self.noise_size = config.generator.noise_size

    def step(self, images: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Step D, then G, on pairs (B, D) and (B, E); return D's losses on real and fake, G's."""
        real, fake = torch.ones(len(images)), torch.zeros(len(images))
        generated = self.generator(torch.randn(len(images), self.noise_size), images)
        loss_real = binary_cross_entropy_with_logits(self.discriminator(words, images), real)
        logits = self.discriminator(generated.detach(), images)
        loss_fake = binary_cross_entropy_with_logits(logits, fake)
        self.optimizer_d.zero_grad()
        (loss_real + loss_fake).backward()  # type: ignore[no-untyped-call]
        self.optimizer_d.step()

        generated = self.generator(torch.randn(len(images), self.noise_size), images)
        loss_g = -binary_cross_entropy_with_logits(self.discriminator(generated, images), fake)
        self.optimizer_g.zero_grad()
        loss_g.backward()  # type: ignore[no-untyped-call]
        self.optimizer_g.step()
        return loss_real, loss_fake, loss_g


def plain_batches(examples: Examples, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield mini-batches of shuffled pairs, images (B, D) and words (B, E), epoch after epoch."""
    images, words = examples.image_features[:].tolist(), examples.word_vectors.tolist()
    rows: Any = [(images[image], words[word]) for image, word in examples.pairs.tolist()]
    loader = DataLoader(rows, batch_size, shuffle=True, drop_last=True)
    while True:
        # A list of numbers a row becomes a tensor (B,) a column.
        for image_columns, word_columns in loader:
            yield torch.stack(image_columns, 1).float(), torch.stack(word_columns, 1).float()
