"""One space for all generators of a mixture: what is kept of the mean logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.tasks import FEATURE_SIZE, make_photos, make_task, modern
from torch import Tensor

from mmcgan.training import project_words as room
from mmcgan.training.networks import MixtureGenerator, WordTable, as_generator, as_network
from mmcgan.training.project_words import Projected, mean_logits, project_words

N_PHOTOS, N_WORDS = 40, 4


def mixture() -> tuple[MixtureGenerator, WordTable]:
    """A mixture that learns its words, whose words and photos differ much."""
    game = make_task(modern(), make_photos())
    game.generator.eval().requires_grad_(False)
    game.words.requires_grad_(False)
    game.words.vectors.mul_(5)
    return game.generator, game.words


def photos(n: int = N_PHOTOS) -> Tensor:
    return 3 * torch.randn(n, FEATURE_SIZE, generator=torch.Generator().manual_seed(3))


def logits_of(generator: MixtureGenerator, words: WordTable, noise: Tensor, x: Tensor) -> Tensor:
    """The logits of each draw, (N, S, V)."""
    return words(generator.sample(noise, x))


def projected_logits(projected: Projected, generator: Any, noise: Tensor, x: Tensor) -> Tensor:
    """The same once the words are projected, (N, S, V)."""
    module = as_generator(as_network(generator, projected.outputs))
    draws = module.sample(noise, x).detach()
    return draws @ torch.from_numpy(projected.table).T + torch.from_numpy(projected.bias)


@pytest.mark.parametrize("size", [4, 9])
def test_with_all_directions_every_draw_keeps_its_logits(size):
    generator, words = mixture()
    projected = project_words(generator, words, photos(), N_PHOTOS, size)
    assert projected.table.shape == (N_WORDS, 4)  # no more than there are words
    noise, x = generator.noise(1, 8), photos(5)
    expected = logits_of(generator, words, noise, x)
    assert torch.allclose(projected_logits(projected, generator, noise, x), expected, atol=1e-4)
    assert float(expected.std(dim=1).max()) > 0.1  # the draws of a photo differ


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_mean_logits_keep_their_principal_components(size):
    generator, words = mixture()
    x = photos()
    projected = project_words(generator, words, x, len(x), size)
    full = mean_logits(generator, words, x)
    kept = projected_logits(projected, generator, torch.zeros(1, 2, 3), x).mean(dim=1)
    # Eckart & Young: what is lost is the sum of the squares of the left out singular values.
    values = torch.linalg.svdvals(full - full.mean(dim=0))
    lost = float((full - kept).detach().square().sum())
    assert lost == pytest.approx(float(values[size:].square().sum()), rel=1e-3)
    assert lost > 0.01
    assert torch.allclose(full.mean(dim=0), kept.mean(dim=0), atol=1e-4)


def test_words_are_orthonormal_directions():
    generator, words = mixture()
    table = torch.from_numpy(project_words(generator, words, photos(), N_PHOTOS, 3).table)
    assert torch.allclose(table.T @ table, torch.eye(3), atol=1e-5)


def test_fewer_photos_than_components_are_enough():
    generator, words = mixture()
    projected = project_words(generator, words, photos(2), 2, 3)
    assert projected.table.shape == (N_WORDS, 2)
    assert as_network(generator, projected.outputs).draws(photos(3).numpy(), 4, 0).shape == (
        3,
        4,
        2,
    )


@pytest.mark.parametrize(
    ("limit", "value", "expected"), [("MAX_PHOTOS", 10, 9), ("MAX_LOGITS", 5 * N_WORDS, 5)]
)
def test_of_many_photos_or_words_a_part_is_looked_at(monkeypatch, limit, value, expected):
    monkeypatch.setattr(room, limit, value)
    seen = []
    monkeypatch.setattr(
        room,
        "mean_logits",
        lambda g, w, x: seen.append(len(x)) or mean_logits(g, w, x),
    )
    generator, words = mixture()
    project_words(generator, words, photos(35), 35, 3)
    assert seen == [expected]


def test_projecting_is_the_same_every_time_and_leaves_everything_as_it_was():
    generator, words = mixture()
    kept = {n: t.clone() for n, t in (generator.state_dict() | words.state_dict()).items()}
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first = project_words(generator, words, photos(), N_PHOTOS, 2)
    assert torch.equal(torch.rand(1), expected)
    torch.manual_seed(2)
    again = project_words(generator, words, photos(), N_PHOTOS, 2)
    assert np.array_equal(first.table, again.table)
    after = generator.state_dict() | words.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in kept.items())


def test_mean_logits_are_those_of_each_photo_alone(monkeypatch):
    generator, words = mixture()
    whole = mean_logits(generator, words, photos(7))
    monkeypatch.setattr(room, "BATCH", 3)
    assert torch.allclose(mean_logits(generator, words, photos(7)), whole, atol=1e-5)
    paired = logits_of(generator, words, generator.noise(1, 4), photos(7)).mean(dim=1)
    assert torch.allclose(whole, paired, atol=1e-4)
