"""The networks of arXiv 1411.1784, section 4.1, and the label multiplied in instead of beside."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from eval.digits.config import DigitsConfig, Kind
from eval.digits.data import N_CLASSES
from eval.digits.task import NoisyGenerator
from mmcgan.training.networks import Discriminator, Generator, initialize

PIECES, JOINT_PIECES = 5, 4  # of the discriminator's maxout units (section 4.1)


class DigitGenerator(NoisyGenerator):
    """Noise (B, S, Z) and labels (B,) → images (B, S, P) in [0, 1]."""

    def __init__(self, n_pixels: int, n_classes: int, config: DigitsConfig):
        """Build it; `n_classes` is 0 where there is no condition."""
        super().__init__()
        options = config.generator
        self.kind_of_noise = options.noise
        self.label = Label(n_classes, options.noise_size, options.condition)
        self.network = Generator(
            options.noise_size,
            self.label.size,
            n_pixels,
            noise_units=options.noise_units,
            condition_units=options.label_units,
            joint_units=options.joint_units,
            squash=nn.Sigmoid(),
            dropout=options.dropout,
        )

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Return the images that noise and labels make."""
        return self.network(*self.label(noise, labels))

    def noise(self, n: int, random: torch.Generator | None = None) -> Tensor:
        """Draw noise (n, 1, Z)."""
        shape = (n, 1, self.network.noise_size)
        if self.kind_of_noise == "gaussian":
            return torch.randn(shape, generator=random)
        unit = torch.rand(shape, generator=random)
        return unit if self.kind_of_noise == "unit" else (2 * unit - 1) * math.sqrt(3)


class DigitDiscriminator(nn.Module):
    """Images (B, S, P) and labels (B,) → the logits (B, S) of "this is a real digit"."""

    def __init__(self, n_pixels: int, n_classes: int, config: DigitsConfig):
        """Build it; `n_classes` is 0 where there is no condition."""
        super().__init__()
        options = config.discriminator
        self.label = Label(n_classes, n_pixels, config.generator.condition)
        self.network = Discriminator(
            n_pixels,
            self.label.size,
            example_units=options.image_units,
            condition_units=options.label_units,
            joint_units=options.joint_units,
            joint_pieces=JOINT_PIECES,
            pieces=PIECES,
            dropout=options.dropout,
        )

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the logits."""
        images, condition = self.label(images, labels)
        hidden = None if condition is None else self.network.embed_condition(condition)
        return self.network.discriminate(images, hidden)


class Label(nn.Module):
    """How a label joins an input: as a condition beside it, multiplied into it, or not at all.

    Multiplied is the element-wise product with an embedding of the label (Odena et al. 2017 use
    it for class conditions). `size` is that of the condition beside the input.
    """

    def __init__(self, n_classes: int, input_size: int, how: str):
        super().__init__()
        self.n_classes = n_classes
        self.size = n_classes if how == "concatenated" else 0
        self.embedding = None
        if n_classes and not self.size:
            self.embedding = nn.Embedding(n_classes, input_size)
            nn.init.normal_(self.embedding.weight, mean=1.0, std=0.5)

    def forward(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the inputs (B, S, I) with the label in them, and the condition beside them."""
        if self.embedding is not None:
            return inputs * self.embedding(labels).unsqueeze(1), None
        if not self.size:
            return inputs, None
        return inputs, nn.functional.one_hot(labels, self.n_classes).to(inputs.dtype)


def build_networks(
    n_pixels: int, kind: Kind, config: DigitsConfig
) -> tuple[DigitGenerator, DigitDiscriminator]:
    """Build both networks; the first weights come from the seed."""
    n_classes = N_CLASSES if kind == "cgan" else 0
    with torch.random.fork_rng():
        torch.manual_seed(config.run.seed)
        generator = DigitGenerator(n_pixels, n_classes, config)
        discriminator = DigitDiscriminator(n_pixels, n_classes, config)
        initialize(generator, config.generator.init)
        initialize(discriminator, config.discriminator.init)
    return generator, discriminator
