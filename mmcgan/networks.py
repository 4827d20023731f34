"""Generator and discriminator of arXiv 1411.1784, section 4.2, and the maxout layer.

Shapes: B batch, N images, S samples an image, D feature size, E word-vector size, Z noise size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmcgan.config import TrainConfig


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


class Generator(nn.Module):
    """Noise and image features → a word vector.

    Noise and image meet only in the last, linear layer, as in the paper: every image gets a
    cloud of the same shape, shifted.
    """

    def __init__(self, feature_size: int, vector_size: int, config: TrainConfig):
        super().__init__()
        self.noise_layer = nn.Linear(config.noise_size, config.noise_units)
        self.image_layer = nn.Linear(feature_size, config.image_units)
        self.output = nn.Linear(config.noise_units + config.image_units, vector_size)
        self.dropout = nn.Dropout(config.dropout)

    @property
    def noise_size(self) -> int:
        """The size Z of the noise."""
        return self.noise_layer.in_features

    def forward(self, noise: Tensor, image_features: Tensor) -> Tensor:
        """Map noise (B, Z) and image features (B, D) to word vectors (B, E)."""
        noise_hidden = self.dropout(torch.relu(self.noise_layer(noise)))
        image_hidden = self.dropout(torch.relu(self.image_layer(image_features)))
        vectors: Tensor = self.output(torch.cat([noise_hidden, image_hidden], dim=-1))
        return vectors

    def sample(self, noise: Tensor, image_features: Tensor) -> Tensor:
        """Map noise (S, Z) and image features (N, D) to S vectors for each image, (N, S, E).

        The same as `forward` on every pair, with each layer run once an image or once a draw.
        Dropout is off.
        """
        noise_hidden = torch.relu(self.noise_layer(noise))
        image_hidden = torch.relu(self.image_layer(image_features))
        n_noise_units = noise_hidden.shape[-1]
        noise_weight, image_weight = (
            self.output.weight[:, :n_noise_units], self.output.weight[:, n_noise_units:]
        )  # fmt: skip
        from_noise = noise_hidden @ noise_weight.T + self.output.bias
        return from_noise + (image_hidden @ image_weight.T).unsqueeze(1)  # (S, E) + (N, 1, E)


class Discriminator(nn.Module):
    """Word vector and image features → the logit of "a person wrote this word on this photo"."""

    def __init__(self, feature_size: int, vector_size: int, config: TrainConfig):
        super().__init__()
        self.word_layer = nn.Linear(vector_size, config.d_word_units)
        self.image_layer = nn.Linear(feature_size, config.d_image_units)
        joined = config.d_word_units + config.d_image_units
        self.maxout = Maxout(joined, config.maxout_units, config.maxout_pieces)
        self.output = nn.Linear(config.maxout_units, 1)
        self.dropout = nn.Dropout(config.dropout)

    def embed_images(self, image_features: Tensor) -> Tensor:
        """Map image features (B, D) to the hidden layer that real and fake words share."""
        return torch.relu(self.image_layer(image_features))

    def judge(self, word_vectors: Tensor, image_hidden: Tensor) -> Tensor:
        """Return the logits (B,) of word vectors (B, E) beside embedded images."""
        word_hidden = self.dropout(torch.relu(self.word_layer(word_vectors)))
        joined = torch.cat([word_hidden, self.dropout(image_hidden)], dim=-1)
        logits: Tensor = self.output(self.dropout(self.maxout(joined)))
        return logits.squeeze(-1)

    def forward(self, word_vectors: Tensor, image_features: Tensor) -> Tensor:
        """Return the logits (B,) of word vectors (B, E) beside image features (B, D)."""
        return self.judge(word_vectors, self.embed_images(image_features))


def build_networks(
    feature_size: int, vector_size: int, config: TrainConfig
) -> tuple[Generator, Discriminator]:
    """Build both networks; their sizes come from the data, their first weights from the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        generator = Generator(feature_size, vector_size, config)
        discriminator = Discriminator(feature_size, vector_size, config)
        _initialize(generator, config.generator_init)
        _initialize(discriminator, config.discriminator_init)
    return generator, discriminator


def _initialize(network: nn.Module, limit: float) -> None:
    """Draw every weight evenly from ±`limit`, in the order of the layers; biases start at 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.uniform_(layer.weight, -limit, limit)
            nn.init.zeros_(layer.bias)
