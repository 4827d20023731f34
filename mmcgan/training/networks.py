"""Generators and discriminator: those of arXiv 1411.1784, section 4.2, and the mixture.

Shapes: B batch, N images, S draws an image, D feature size, E word-vector size, Z noise size,
V words, K generators.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mmcgan.arrays import FloatArray
from mmcgan.inference.network import Network, NetworkRecord, build_network, weight_shapes
from mmcgan.training.config import GeneratorOptions, TrainConfig
from mmcgan.training.layers import Dropout, Maxout, units


class Generator(nn.Module):
    """Noise and a condition, such as image features → vectors, some draws a condition.

    In section 4.2 of the paper the two meet only in the last, linear layer: every image gets a
    cloud of the same shape, shifted. In section 4.1 they meet in a hidden layer of `joint_units`,
    and the output is squashed. A `condition_size` of 0 is a generator without a condition.
    """

    n_generators = 1

    def __init__(
        self,
        noise_size: int,
        condition_size: int,
        vector_size: int,
        *,
        noise_units: int,
        condition_units: int,
        joint_units: int = 0,
        squash: nn.Module | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.noise_size = noise_size
        self.noise_layer = nn.Linear(noise_size, noise_units)
        joined = noise_units
        if condition_size:
            self.condition_layer = nn.Linear(condition_size, condition_units)
            joined += condition_units
        if joint_units:
            self.joint = nn.Linear(joined, joint_units)
        self.output = nn.Linear(joint_units or joined, vector_size)
        self.squash = squash or nn.Identity()
        self.dropout = Dropout(dropout)

    def forward(self, noise: Tensor, condition: Tensor | None) -> Tensor:
        """Map noise (B, S, Z) and conditions (B, D) to vectors (B, S, E)."""
        hidden = self.dropout(torch.relu(self.noise_layer(noise)))
        if condition is not None:
            condition_hidden = self.dropout(torch.relu(self.condition_layer(condition)))
            condition_hidden = condition_hidden.unsqueeze(1).expand(-1, noise.shape[1], -1)
            hidden = torch.cat([hidden, condition_hidden], dim=-1)
        if hasattr(self, "joint"):
            hidden = self.dropout(torch.relu(self.joint(hidden)))
        return self.squash(self.output(hidden))

    def sample(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Map noise (1, S, Z), the same for all conditions, and these (N, D) to (N, S, E).

        The same as `forward` on every pair, with each layer below the join run once a condition or
        once a draw. Dropout is off.
        """
        join = self.joint if hasattr(self, "joint") else self.output
        noise_hidden = torch.relu(self.noise_layer(noise))
        condition_hidden = torch.relu(self.condition_layer(condition))
        n_noise_units = noise_hidden.shape[-1]
        from_noise = noise_hidden @ join.weight[:, :n_noise_units].T + join.bias
        from_condition = condition_hidden @ join.weight[:, n_noise_units:].T
        joined = from_noise + from_condition.unsqueeze(1)
        return self.squash(joined if join is self.output else self.output(torch.relu(joined)))

    def noise(self, n_images: int, n_draws: int, random: torch.Generator | None = None) -> Tensor:
        """Draw Gaussian noise (n_images, n_draws, Z)."""
        return torch.randn(n_images, n_draws, self.noise_size, generator=random)


class MixtureGenerator(nn.Module):
    """K generators behind one source of noise, each with its share of an image's draws.

    After Hoang et al. 2018 (MGAN), where several generators keep the modes apart; here they also
    make the mean of the draws that of an ensemble. Generator k draws

        (location_k(x) + ((z · noise) ∘ softplus(gate_k(x))) · reach) · output_k,

    so the image decides how far and in which directions the noise reaches. Noise comes in pairs
    z, -z: the mean of a generator's draws is that of its location alone.

    A mixture that learns its words has no outputs: each generator draws in the space of its own
    hidden units, where the word table has a block for it, and E = H. `project_words` gives it
    outputs.
    """

    def __init__(self, feature_size: int, vector_size: int | None, options: GeneratorOptions):
        super().__init__()
        self.noise_size, self.n_generators = options.noise_size, options.n_generators
        # The names of these modules are those of the stored tensors.
        self.members: Any = nn.ModuleList(
            ImageGenerator(feature_size, vector_size, replace(options, input_dropout=dropout))
            for dropout in input_dropouts(options)
        )
        self.noise_layer = nn.Linear(options.noise_size, options.noise_units, bias=False)
        self.reach = nn.Linear(options.noise_units, options.units, bias=False)
        self.noise_scale = 1.0  # how far the noise reaches; another one is fitted for tagging

    def forward(self, noise: Tensor, image_features: Tensor) -> Tensor:
        """Map noise (B, S, Z), or (1, S, Z) for all, and features (B, D) to vectors (B, S, E).

        S is a multiple of K: the first S/K draws are of the first generator, and so on.
        """
        n_draws = noise.shape[1] // self.n_generators
        directions = self.noise_layer(noise).unflatten(1, (self.n_generators, n_draws))
        draws = []
        for k, generator in enumerate(self.members):
            location, gate = generator(image_features)  # (B, H), (B, U)
            reach = self.reach(directions[:, k] * gate.unsqueeze(1))  # (B, S/K, H)
            draws.append(generator.output(location.unsqueeze(1) + self.noise_scale * reach))
        return torch.cat(draws, dim=1)

    sample = forward

    def centres(self, image_features: Tensor) -> Tensor:
        """Map features (B, D) to the mean (B, K, E) of each generator's draws: without noise."""
        centres = [one.output(one.locate(image_features)) for one in self.members]
        return torch.stack(centres, dim=1)

    def noise(self, n_images: int, n_draws: int, random: torch.Generator | None = None) -> Tensor:
        """Draw Gaussian noise (n_images, n_draws, Z) in pairs z, -z within a generator's draws.

        Where a generator has an odd number of draws, its last one is 0.
        """
        n_each = n_draws // self.n_generators
        shape = (n_images, self.n_generators, n_each // 2, self.noise_size)
        half = torch.randn(shape, generator=random)
        rest = torch.zeros(n_images, self.n_generators, n_each % 2, self.noise_size)
        return torch.cat([half, -half, rest], dim=2).flatten(1, 2)


def input_dropouts(options: GeneratorOptions) -> list[float]:
    """Return the dropout of the features of each generator of a mixture, from little to much.

    Where photos have many tags, little is better, where they have few, much: a mixture with both
    does well on either.
    """
    least = max(options.input_dropout - options.input_dropout_spread, 0.0)
    return np.linspace(options.input_dropout, least, options.n_generators)[::-1].tolist()


class ImageGenerator(nn.Module):
    """One generator of the mixture: image features → where its draws lie and how they spread."""

    def __init__(self, feature_size: int, vector_size: int | None, options: GeneratorOptions):
        super().__init__()
        self.input_dropout = Dropout(options.input_dropout)
        self.trunk = nn.Linear(feature_size, options.units)
        self.dropout = Dropout(options.dropout)
        self.gate = nn.Linear(options.units, options.noise_units)
        self.output: nn.Module = nn.Identity()
        if vector_size is not None:
            self.output = nn.Linear(options.units, vector_size, bias=False)

    def forward(self, image_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the location (B, H), before the output, and the gate (B, U) of images (B, D)."""
        location = self.locate(image_features)
        # The spread reads what the trunk knows of the image and does not shape it.
        return location, nn.functional.softplus(self.gate(location.detach()))

    def locate(self, image_features: Tensor) -> Tensor:
        """Return the location (B, H), before the output, of images (B, D)."""
        return self.dropout(torch.relu(self.trunk(self.input_dropout(image_features))))


class WordTable(nn.Module):
    """The words as the generator aims at them: K vectors (K, V, E) and a bias (V,) a word.

    Each generator of a mixture that learns its words has vectors of its own; else K is 1. In the
    preset `paper` they are as they were given, and the bias is 0.
    """

    def __init__(self, vectors: Tensor, bias: Tensor):
        super().__init__()
        self.vectors, self.bias = nn.Parameter(vectors), nn.Parameter(bias)

    def forward(
        self, vectors: Tensor, columns: Tensor | None = None, frozen: bool = False
    ) -> Tensor:
        """Return the logits (B, S, V) of all words, or of those in `columns`, for (B, S, E).

        The first S/K vectors are of the first generator, and so on. With `frozen` no gradient
        reaches the table.
        """
        table, bias = (p.detach() if frozen else p for p in (self.vectors, self.bias))
        if columns is not None and len(columns) < len(bias):
            table, bias = table[:, columns], bias[columns]
        n_images, n_draws, size = vectors.shape
        n_generators, n_words = table.shape[:2]
        by_member = vectors.view(n_images, n_generators, -1, size).transpose(0, 1)
        logits = by_member.reshape(n_generators, -1, size) @ table.mT
        by_image = logits.view(n_generators, n_images, -1, n_words).transpose(0, 1)
        return by_image.reshape(n_images, n_draws, n_words) + bias


class Discriminator(nn.Module):
    """An example and its condition → the logit of "this is real", a word of this photo, say.

    Hidden layers are of ReLU units, or of maxout units of `pieces`; those of the join are maxout.
    A `condition_size` of 0 is a discriminator without a condition.
    """

    def __init__(
        self,
        example_size: int,
        condition_size: int,
        *,
        example_units: int,
        condition_units: int,
        joint_units: int,
        joint_pieces: int,
        pieces: int = 1,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.example_layer = units(example_size, example_units, pieces)
        joined = example_units
        if condition_size:
            self.condition_layer = units(condition_size, condition_units, pieces)
            joined += condition_units
        self.maxout = Maxout(joined, joint_units, joint_pieces)
        self.output = nn.Linear(joint_units, 1)
        self.dropout = Dropout(dropout)

    def embed_condition(self, condition: Tensor) -> Tensor:
        """Map conditions (B, D) to the hidden layer that real and fake examples share."""
        return self.condition_layer(condition)

    def discriminate(self, examples: Tensor, condition_hidden: Tensor | None) -> Tensor:
        """Return the logits (B, S) of examples (B, S, E) beside embedded conditions (B, H)."""
        hidden = self.dropout(self.example_layer(examples))
        if condition_hidden is not None:
            condition_hidden = self.dropout(condition_hidden).unsqueeze(1)
            condition_hidden = condition_hidden.expand(-1, examples.shape[1], -1)
            hidden = torch.cat([hidden, condition_hidden], dim=-1)
        return self.output(self.dropout(self.maxout(hidden))).squeeze(-1)

    def forward(self, examples: Tensor, condition: Tensor) -> Tensor:
        """Return the logits (B, S) of examples (B, S, E) beside their conditions (B, D)."""
        return self.discriminate(examples, self.embed_condition(condition))


class Networks(NamedTuple):
    """The networks of a training: the generator, the words it aims at, and the discriminator."""

    generator: Generator | MixtureGenerator
    words: WordTable
    discriminator: Discriminator


def build_generator(
    feature_size: int, vector_size: int | None, options: GeneratorOptions
) -> Generator | MixtureGenerator:
    """Build the generator that the settings name, into vectors of `vector_size`.

    Without that, a mixture draws in the spaces of its own units, as it does where it learns words.
    """
    if options.kind == "mixture" or vector_size is None:
        return MixtureGenerator(feature_size, vector_size, options)
    return Generator(
        options.noise_size,
        feature_size,
        vector_size,
        noise_units=options.noise_units,
        condition_units=options.units,
        dropout=options.dropout,
    )


def as_network(
    generator: Generator | MixtureGenerator, outputs: Mapping[str, FloatArray]
) -> Network:
    """Return a generator as it answers, with `outputs` in the place of, or beside, its weights."""
    weights = {name: t.detach().cpu().numpy() for name, t in generator.state_dict().items()}
    weights |= outputs
    noise_units, noise_size = weights["noise_layer.weight"].shape
    is_mixture = isinstance(generator, MixtureGenerator)
    first = weights["members.0.trunk.weight" if is_mixture else "condition_layer.weight"]
    record = NetworkRecord(
        kind="mixture" if is_mixture else "linear",
        generators=generator.n_generators,
        feature_size=first.shape[1],
        vector_size=len(weights["members.0.output.weight" if is_mixture else "output.weight"]),
        noise_size=noise_size,
        noise_units=noise_units,
        image_units=first.shape[0],
    )
    return build_network(record, weights)


def as_generator(network: Network) -> Generator | MixtureGenerator:
    """Return a network as a torch module, in evaluation mode."""
    record = network.record
    options = GeneratorOptions(
        record.kind, record.generators, record.noise_size, record.noise_units, record.image_units
    )
    with torch.random.fork_rng():
        generator = build_generator(record.feature_size, record.vector_size, options)
    weights = {name: network.weights[name] for name in weight_shapes(record)}
    generator.load_state_dict({n: torch.from_numpy(a).float() for n, a in weights.items()})
    if isinstance(generator, MixtureGenerator):
        generator.noise_scale = record.noise_scale
    return generator.eval()


def build_networks(
    feature_size: int,
    word_vectors: Tensor,
    frequency: Tensor,
    example_size: int,
    config: TrainConfig,
) -> Networks:
    """Build generator, word table and discriminator; the first weights come from the seed.

    Sizes come from the data: `word_vectors` (V, E) start the table, unless a mixture learns it
    from nothing, `frequency` (V,) its bias; `example_size` is that of the vectors that the
    discriminator sees.
    """
    options = config.discriminator
    with torch.random.fork_rng():
        torch.manual_seed(config.run.seed)
        vector_size = None if config.learns_spaces else word_vectors.shape[1]
        generator = build_generator(feature_size, vector_size, config.generator)
        discriminator = Discriminator(
            example_size,
            feature_size,
            example_units=options.word_units,
            condition_units=options.image_units,
            joint_units=options.maxout_units,
            joint_pieces=options.maxout_pieces,
            dropout=options.dropout,
        )
        initialize(generator, config.generator.init)
        initialize(discriminator, options.init)
        words = _build_words(word_vectors, frequency, config)
    return Networks(generator, words, discriminator)


def _build_words(word_vectors: Tensor, frequency: Tensor, config: TrainConfig) -> WordTable:
    given, options = word_vectors.unsqueeze(0), config.generator
    if not config.learns_words:
        return WordTable(given, torch.zeros(len(word_vectors))).requires_grad_(False)
    if not config.learns_spaces:
        return WordTable(given, torch.logit(frequency))
    learnt = torch.empty(options.n_generators, len(word_vectors), options.units)
    limit = 1 / math.sqrt(options.units)  # as torch's own for a linear layer
    return WordTable(learnt.uniform_(-limit, limit), torch.logit(frequency))


def initialize(network: nn.Module, limit: float | None) -> None:
    """Draw every weight evenly from ±`limit`, in the order of the layers; biases start at 0.

    Without a limit, layers keep torch's own, which shrinks with their inputs.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear) and limit is not None:
            nn.init.uniform_(layer.weight, -limit, limit)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
