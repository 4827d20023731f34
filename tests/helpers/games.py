"""Small games that several tests play: five photos, four words, networks of a few units."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmcgan.training.config import TrainConfig
from mmcgan.training.game import Examples, TagGame
from mmcgan.training.networks import build_networks
from mmcgan.training.ranks import ALONE, Ranks
from mmcgan.training.trainer import Trainer

SMALL = TrainConfig(
    batch_size=4, noise_size=3, noise_units=5, image_units=6, d_word_units=5, d_image_units=6,
    maxout_units=4, maxout_pieces=2, generator_init=0.5, discriminator_init=0.5,
    epochs=2, momentum_epochs=2, evaluate_every=5,
)  # fmt: skip
FEATURE_SIZE, VECTOR_SIZE, N_PAIRS = 7, 3, 20


def modern(**settings: Any) -> TrainConfig:
    """The modern preset with networks as small as those of SMALL."""
    sizes: dict[str, Any] = {
        "noise_size": 3, "noise_units": 5, "image_units": 6, "members": 2, "draws": 4,
        "d_word_units": 5, "d_image_units": 6, "maxout_units": 4,
        "maxout_pieces": 2, "batch_size": 4, "judged_examples": None, "untagged": 0,
        "evaluate_every": 5, "epochs": 20,
    }  # fmt: skip
    return TrainConfig.of("modern", **{**sizes, **settings})


def make_examples(n_pairs: int = N_PAIRS) -> Examples:
    """Five photos, each with all four words; with fewer pairs, the first of them."""
    random = torch.Generator().manual_seed(0)
    pairs = torch.stack([torch.arange(n_pairs) // 4, torch.arange(n_pairs) % 4], dim=1)
    return examples_of(pairs, torch.randn(5, FEATURE_SIZE, generator=random))


def make_photos() -> Examples:
    """Five photos of four words: with words 0; 0 and 1; 1, 2 and 3; 3; 0 and 2."""
    tags = [[0], [0, 1], [1, 2, 3], [3], [0, 2]]
    pairs = torch.tensor([(photo, word) for photo, words in enumerate(tags) for word in words])
    return examples_of(pairs, torch.randn(5, FEATURE_SIZE, generator=random_of(0)))


def examples_of(pairs: Tensor, features: Tensor, n_words: int = 4) -> Examples:
    """The examples `pairs` of photos with `features`, with random word vectors."""
    return Examples(features, torch.randn(n_words, VECTOR_SIZE, generator=random_of(1)), pairs)


def random_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_game(
    config: TrainConfig = SMALL, examples: Examples | None = None, ranks: Ranks = ALONE
) -> TagGame:
    """The game of `config` for `examples`, all of `make_examples` if not given."""
    examples = examples or make_examples()
    vectors = examples.word_vectors
    frequency = torch.linspace(0.2, 0.6, len(vectors))
    networks = build_networks(
        examples.image_features.shape[1], vectors.clone(), frequency, vectors.shape[1], config
    )
    return TagGame(*networks, examples, config, ranks)


def make_trainer(config: TrainConfig = SMALL, examples: Examples | None = None) -> Trainer:
    return Trainer(make_game(config, examples), config)


def weights_of(trainer: Trainer) -> list[Tensor]:
    """All weights of both networks as they are now."""
    return [p.detach().clone() for n in (trainer.learners, trainer.discriminator)
            for p in n.parameters()]  # fmt: skip


def assert_same(first: Any, second: Any) -> None:
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
