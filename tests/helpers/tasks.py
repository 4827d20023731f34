"""Small tasks that several tests train: five photos, four words, networks of a few units."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mmcgan.training.config import TrainConfig
from mmcgan.training.neighbours import Neighbours
from mmcgan.training.networks import build_networks
from mmcgan.training.sampler import Batch, Examples
from mmcgan.training.tag_task import TagTask
from mmcgan.training.trainer import Trainer, term_losses

SMALL = TrainConfig.of(
    "paper",
    batch_size=4,
    noise_size=3,
    noise_units=5,
    image_units=6,
    d_word_units=5,
    d_image_units=6,
    maxout_units=4,
    maxout_pieces=2,
    generator_init=0.5,
    discriminator_init=0.5,
    epochs=2,
    momentum_epochs=2,
    evaluate_every=5,
)
FEATURE_SIZE, VECTOR_SIZE, N_PAIRS = 7, 3, 20


def modern(**settings: Any) -> TrainConfig:
    """The modern preset with networks as small as those of SMALL."""
    sizes: dict[str, Any] = {
        "noise_size": 3,
        "noise_units": 5,
        "image_units": 6,
        "members": 2,
        "draws": 4,
        "d_word_units": 5,
        "d_image_units": 6,
        "maxout_units": 4,
        "maxout_pieces": 2,
        "batch_size": 4,
        "judged_examples": None,
        "untagged": 0,
        "mixup": 0.0,
        "evaluate_every": 5,
        "epochs": 20,
    }
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


def with_untagged(n_untagged: int) -> Examples:
    """The five photos and so many without tags, each with two neighbours among the five."""
    features = torch.randn(5 + n_untagged, FEATURE_SIZE, generator=random_of(3))
    rows = torch.tensor([[i % 5, (i + 1) % 5] for i in range(n_untagged)])
    weights = torch.tensor([[0.75, 0.25]]).repeat(n_untagged, 1)
    neighbours = Neighbours(rows, weights)
    return replace(make_photos(), image_features=features, neighbours=neighbours)


def tag_table() -> Tensor:
    """The words of the photos of `make_photos`, 0/1: (5, 4)."""
    return torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1], [1, 0, 1, 0]])


def examples_of(pairs: Tensor, features: Tensor, n_words: int = 4) -> Examples:
    """The examples `pairs` of photos with `features`, with random word vectors."""
    return Examples(features, torch.randn(n_words, VECTOR_SIZE, generator=random_of(1)), pairs)


def random_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_task(config: TrainConfig = SMALL, examples: Examples | None = None) -> TagTask:
    """The task of `config` for `examples`, all of `make_examples` if not given."""
    examples = examples or make_examples()
    vectors = examples.word_vectors
    frequency = torch.linspace(0.2, 0.6, len(vectors))
    networks = build_networks(
        examples.image_features.shape[1], vectors.clone(), frequency, vectors.shape[1], config
    )
    return TagTask(networks, examples, config)


def batch_of(task: TagTask, *chosen: int) -> Batch:
    """The mini-batch of the examples `chosen`, all of it."""
    return task.batch(torch.tensor(chosen), torch.default_generator).part()


def draw(task: TagTask, batch: Batch) -> Tensor:
    """Draws (B + U, S, E) for all photos of a mini-batch."""
    return task.draw(batch, task.noise(len(batch.images), torch.default_generator))


def losses_of(task: TagTask, draws: Tensor, batch: Batch) -> dict[str, Tensor]:
    """The weighted loss of each term, by name."""
    return {name: mean.value for name, mean in term_losses(task, draws, batch).items()}


PLAIN = {"dropout": 0.0, "input_dropout": 0.0, "d_dropout": 0.0}


def make_trainer(config: TrainConfig = SMALL, examples: Examples | None = None) -> Trainer:
    return Trainer(make_task(config, examples), config)


def weights_of(trainer: Trainer) -> list[Tensor]:
    """All weights of both networks as they are now."""
    return [
        p.detach().clone()
        for n in (trainer.learners, trainer.discriminator)
        for p in n.parameters()
    ]


def assert_same(first: Any, second: Any) -> None:
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
