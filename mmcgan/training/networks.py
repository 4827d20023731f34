"""Generators and discriminator: those of arXiv 1411.1784, section 4.2, and the mixture.

Shapes: B batch, N images, S draws an image, D feature size, E word-vector size, Z noise size,
V words, K members.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmcgan.arrays import FloatArray
from mmcgan.inference.network import Network, NetworkRecord, build_network
from mmcgan.training.config import TrainConfig


class Dropout(nn.Dropout):
    """torch's dropout; on a CPU its masks are drawn in less than half the time.

    `bernoulli_` calls the random generator for one number after the other, and compares a uniform
    double. Drawing these together gives the same mask (but where torch takes MKL's generator).
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs, while training some of them 0 and the others the larger for it."""
        if not self.training or not self.p or inputs.device.type != "cpu":
            return super().forward(inputs)
        keep = 1 - self.p
        mask = torch.rand(inputs.shape, dtype=torch.float64) < keep
        return inputs * mask.to(inputs.dtype).div_(keep)


class Maxout(nn.Module):
    """The largest of several linear maps, unit by unit (Goodfellow et al. 2013, equation 3)."""

    def __init__(self, in_features: int, n_units: int, n_pieces: int):
        super().__init__()
        self.linear = nn.Linear(in_features, n_units * n_pieces)
        self.shape = (n_units, n_pieces)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (…, in_features) to (…, n_units)."""
        pieces: Tensor = self.linear(inputs).unflatten(-1, self.shape)
        return pieces.amax(-1)


def units(in_features: int, n_units: int, pieces: int = 1) -> nn.Module:
    """Return a hidden layer (…, in_features) → (…, n_units): maxout, or ReLU of one piece."""
    if pieces > 1:
        return Maxout(in_features, n_units, pieces)
    return nn.Sequential(nn.Linear(in_features, n_units), nn.ReLU())


class Generator(nn.Module):
    """Noise and a condition, such as image features → vectors, some draws a condition.

    In section 4.2 of the paper the two meet only in the last, linear layer: every image gets a
    cloud of the same shape, shifted. In section 4.1 they meet in a hidden layer of `joint_units`,
    and the output is squashed. A `condition_size` of 0 is a generator without a condition.
    """

    n_members = 1

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
        vectors: Tensor = self.squash(self.output(hidden))
        return vectors

    def sample(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Map noise (1, S, Z), the same for all conditions, and these (N, D) to (N, S, E).

        The same as `forward` on every pair where nothing but the output joins the two, with each
        layer run once a condition or once a draw. Dropout is off.
        """
        noise_hidden = torch.relu(self.noise_layer(noise))
        condition_hidden = torch.relu(self.condition_layer(condition))
        n_noise_units = noise_hidden.shape[-1]
        noise_weight, condition_weight = (
            self.output.weight[:, :n_noise_units], self.output.weight[:, n_noise_units:]
        )  # fmt: skip
        from_noise = noise_hidden @ noise_weight.T + self.output.bias
        return from_noise + (condition_hidden @ condition_weight.T).unsqueeze(1)

    def noise(self, n_images: int, n_draws: int, random: torch.Generator | None = None) -> Tensor:
        """Draw Gaussian noise (n_images, n_draws, Z)."""
        return torch.randn(n_images, n_draws, self.noise_size, generator=random)


class MixtureGenerator(nn.Module):
    """K generators behind one source of noise, each with its share of an image's draws.

    After Hoang et al. 2018 (MGAN), where several generators keep the modes apart; here they also
    make the mean of the draws that of an ensemble. Member k draws

        (location_k(x) + ((z · noise) ∘ softplus(gate_k(x))) · reach) · output_k,

    so the image decides how far and in which directions the noise reaches. Noise comes in pairs
    z, -z: the mean of a member's draws is that of its location alone.

    A mixture that learns its words has no outputs: each member draws in the space of its own
    hidden units, where the word table has a block for it, and E = H. `condense` gives it outputs.
    """

    def __init__(self, feature_size: int, vector_size: int | None, config: TrainConfig):
        super().__init__()
        self.noise_size, self.n_members = config.noise_size, config.members
        self.members = nn.ModuleList(
            Member(feature_size, vector_size, config) for _ in range(config.members)
        )
        self.noise_layer = nn.Linear(config.noise_size, config.noise_units, bias=False)
        self.reach = nn.Linear(config.noise_units, config.image_units, bias=False)
        self.noise_scale = 1.0  # how far the noise reaches; another one is fitted for tagging

    def forward(self, noise: Tensor, image_features: Tensor) -> Tensor:
        """Map noise (B, S, Z), or (1, S, Z) for all, and features (B, D) to vectors (B, S, E).

        S is a multiple of K; draws s·K/S … of member s follow each other.
        """
        n_draws = noise.shape[1] // self.n_members
        directions = self.noise_layer(noise).unflatten(1, (self.n_members, n_draws))
        draws = []
        for k, member in enumerate(self.members):
            assert isinstance(member, Member)
            location, gate = member(image_features)  # (B, H), (B, U)
            reach = self.reach(directions[:, k] * gate.unsqueeze(1))  # (B, S/K, H)
            draws.append(member.output(location.unsqueeze(1) + self.noise_scale * reach))
        return torch.cat(draws, dim=1)

    sample = forward

    def centres(self, image_features: Tensor) -> Tensor:
        """Map features (B, D) to the mean (B, K, E) of each member's draws: those without noise."""
        centres = []
        for member in self.members:
            assert isinstance(member, Member)
            centres.append(member.output(member.locate(image_features)))
        return torch.stack(centres, dim=1)

    def noise(self, n_images: int, n_draws: int, random: torch.Generator | None = None) -> Tensor:
        """Draw Gaussian noise (n_images, n_draws, Z) in pairs z, -z within each member's draws.

        Where a member has an odd number of draws, its last one is 0.
        """
        n_each = n_draws // self.n_members
        shape = (n_images, self.n_members, n_each // 2, self.noise_size)
        half = torch.randn(shape, generator=random)
        rest = torch.zeros(n_images, self.n_members, n_each % 2, self.noise_size)
        return torch.cat([half, -half, rest], dim=2).flatten(1, 2)


class Member(nn.Module):
    """One generator of the mixture: image features → where its draws lie and how they spread."""

    def __init__(self, feature_size: int, vector_size: int | None, config: TrainConfig):
        super().__init__()
        self.input_dropout = Dropout(config.input_dropout)
        self.trunk = nn.Linear(feature_size, config.image_units)
        self.dropout = Dropout(config.dropout)
        self.gate = nn.Linear(config.image_units, config.noise_units)
        self.output = (
            nn.Identity() if vector_size is None
            else nn.Linear(config.image_units, vector_size, bias=False)
        )  # fmt: skip

    def forward(self, image_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the location (B, H), before the output, and the gate (B, U) of images (B, D)."""
        location = self.locate(image_features)
        # The spread reads what the trunk knows of the image and does not shape it.
        return location, nn.functional.softplus(self.gate(location.detach()))

    def locate(self, image_features: Tensor) -> Tensor:
        """Return the location (B, H), before the output, of images (B, D)."""
        location: Tensor = self.dropout(torch.relu(self.trunk(self.input_dropout(image_features))))
        return location


class WordTable(nn.Module):
    """The words as the generator aims at them: K vectors (K, V, E) and a bias (V,) a word.

    Each member of a mixture that learns its words has vectors of its own; else K is 1. In the
    preset `paper` they are as they were given, and the bias is 0.
    """

    def __init__(self, vectors: Tensor, bias: Tensor):
        super().__init__()
        self.vectors, self.bias = nn.Parameter(vectors), nn.Parameter(bias)

    def forward(
        self, vectors: Tensor, columns: Tensor | None = None, frozen: bool = False
    ) -> Tensor:
        """Return the logits (B, S, V) of all words, or of those in `columns`, for (B, S, E).

        The first S/K vectors are of member 1, and so on. With `frozen` no gradient reaches the
        table.
        """
        table: Tensor = self.vectors.detach() if frozen else self.vectors
        bias: Tensor = self.bias.detach() if frozen else self.bias
        if columns is not None and len(columns) < len(bias):
            table, bias = table[:, columns], bias[columns]
        n_images, n_draws, size = vectors.shape
        n_members, n_words = table.shape[:2]
        by_member = vectors.view(n_images, n_members, -1, size).transpose(0, 1)
        logits = by_member.reshape(n_members, -1, size) @ table.mT
        by_image = logits.view(n_members, n_images, -1, n_words).transpose(0, 1)
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
        hidden: Tensor = self.condition_layer(condition)
        return hidden

    def judge(self, examples: Tensor, condition_hidden: Tensor | None) -> Tensor:
        """Return the logits (B, S) of examples (B, S, E) beside embedded conditions (B, H)."""
        hidden = self.dropout(self.example_layer(examples))
        if condition_hidden is not None:
            condition_hidden = self.dropout(condition_hidden).unsqueeze(1)
            condition_hidden = condition_hidden.expand(-1, examples.shape[1], -1)
            hidden = torch.cat([hidden, condition_hidden], dim=-1)
        logits: Tensor = self.output(self.dropout(self.maxout(hidden)))
        return logits.squeeze(-1)

    def forward(self, examples: Tensor, condition: Tensor) -> Tensor:
        """Return the logits (B, S) of examples (B, S, E) beside their conditions (B, D)."""
        return self.judge(examples, self.embed_condition(condition))


def build_generator(
    feature_size: int, vector_size: int, config: TrainConfig
) -> Generator | MixtureGenerator:
    """Build the generator that `config` names, as it tags: into vectors of `vector_size`."""
    if config.generator == "mixture":
        return MixtureGenerator(feature_size, vector_size, config)
    return Generator(
        config.noise_size, feature_size, vector_size, noise_units=config.noise_units,
        condition_units=config.image_units, dropout=config.dropout,
    )  # fmt: skip


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
        generators=generator.n_members,
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
    config = TrainConfig(
        generator=record.kind,
        members=record.generators,
        draws=2 * record.generators,
        **{name: getattr(record, name) for name in ("noise_size", "noise_units", "image_units")},
    )
    with torch.random.fork_rng():
        generator = build_generator(record.feature_size, record.vector_size, config)
    weights = {name: network.weights[name] for name in network.shapes(record)}
    generator.load_state_dict({n: torch.from_numpy(a).float() for n, a in weights.items()})
    if isinstance(generator, MixtureGenerator):
        generator.noise_scale = record.noise_scale
    return generator.eval()


def build_networks(
    feature_size: int,
    word_vectors: Tensor,
    frequency: Tensor,
    judged_size: int,
    config: TrainConfig,
) -> tuple[Generator | MixtureGenerator, WordTable, Discriminator]:
    """Build generator, word table and discriminator; the first weights come from the seed.

    Sizes come from the data: `word_vectors` (V, E) start the table, unless a mixture learns it
    from nothing, `frequency` (V,) its bias; `judged_size` is that of the vectors that the
    discriminator sees.
    """
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        generator = (
            MixtureGenerator(feature_size, None, config) if config.learns_spaces
            else build_generator(feature_size, word_vectors.shape[1], config)
        )  # fmt: skip
        discriminator = Discriminator(
            judged_size, feature_size, example_units=config.d_word_units,
            condition_units=config.d_image_units, joint_units=config.maxout_units,
            joint_pieces=config.maxout_pieces, dropout=config.d_dropout,
        )  # fmt: skip
        initialize(generator, config.generator_init)
        initialize(discriminator, config.discriminator_init)
        words = _build_words(word_vectors, frequency, config)
    return generator, words, discriminator


def _build_words(word_vectors: Tensor, frequency: Tensor, config: TrainConfig) -> WordTable:
    given = word_vectors.unsqueeze(0)
    if not config.retrieval:
        return WordTable(given, torch.zeros(len(word_vectors))).requires_grad_(False)
    if not config.learns_spaces:
        return WordTable(given, torch.logit(frequency))
    learnt = torch.empty(config.members, len(word_vectors), config.image_units)
    limit = 1 / math.sqrt(config.image_units)  # as torch's own for a linear layer
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
