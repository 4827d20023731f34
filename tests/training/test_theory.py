"""What the theory of GANs says, on densities that are known (arXiv 1406.2661, section 4).

The discriminators are trained by the project's own trainer against a generator that stays as it
is (learning rate 0): real and generated numbers are Gaussian.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import norm
from torch import nn

from eval.digits.task import LabelledTask, NoisyGenerator
from mmcgan.training.learning import LearningConfig
from mmcgan.training.losses import critic_fake_loss, critic_real_loss, value_function
from mmcgan.training.networks import Discriminator
from mmcgan.training.trainer import Trainer

N_EXAMPLES = 20_000


class Gaussian(NoisyGenerator):
    """x = mean · (1, 0, …) + deviation · z, in `size` dimensions."""

    def __init__(self, mean: float, deviation: float, size: int):
        super().__init__()
        self.mean = nn.Parameter(mean * torch.eye(size)[0])
        self.deviation = nn.Parameter(torch.tensor(deviation))

    def forward(self, noise, labels):
        return self.mean + self.deviation * noise

    def noise(self, n, random=None):
        return torch.randn(n, 1, len(self.mean), generator=random)


class Plain(nn.Module):
    """The project's discriminator without a condition."""

    def __init__(self, size: int):
        super().__init__()
        self.network = Discriminator(
            size, 0, example_units=32, condition_units=0, joint_units=32, joint_pieces=2
        )

    def forward(self, examples, labels):
        return self.network.discriminate(examples, None)


@cache
def discriminate(mean: float, deviation: float, size: int = 1) -> nn.Module:
    return trained(mean, deviation, size, loss="non-saturating")


def trained(mean: float, deviation: float, size: int, **settings) -> nn.Module:
    """A discriminator of Gaussians around 0 and around `mean`, trained to its optimum."""
    torch.manual_seed(0)
    examples = deviation * torch.randn(N_EXAMPLES, size)
    generator, discriminator = Gaussian(mean, deviation, size), Plain(size)
    config = LearningConfig.from_options(
        optimizer="adamw",
        learning_rate=0.0,
        d_learning_rate=5e-3,
        batch_size=500,
        epochs=15,
        **settings,
    )
    labels = torch.zeros(N_EXAMPLES, dtype=torch.long)
    trainer = Trainer(LabelledTask(generator, discriminator, examples, labels, config), config)
    while trainer.update < trainer.n_updates:
        trainer.step()
    assert generator.mean.tolist() == pytest.approx([mean] + [0.0] * (size - 1))
    return discriminator.eval().requires_grad_(False)


def logits_at(discriminator: nn.Module, points: np.ndarray) -> torch.Tensor:
    """The logits at points (N, size)."""
    return discriminator(torch.tensor(points, dtype=torch.float32).unsqueeze(1), None)[:, 0]


def both_logits(
    discriminator: nn.Module, mean: float, deviation: float, size: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits at many real and generated points."""
    z = deviation * np.random.default_rng(0).normal(size=(200_000, size))
    return logits_at(discriminator, z), logits_at(discriminator, z + mean * np.eye(size)[0])


def value(mean: float, deviation: float, size: int = 1) -> float:
    discriminator = discriminate(mean, deviation, size)
    return float(value_function(*both_logits(discriminator, mean, deviation, size)))


def jensen_shannon(mean: float, deviation: float) -> float:
    """JSD of the two Gaussians by the trapezoidal rule."""
    x = np.linspace(-8 * deviation, mean + 8 * deviation, 200_001)
    p, q = norm(0, deviation).pdf(x), norm(mean, deviation).pdf(x)
    middle = (p + q) / 2
    terms = [
        np.where(d > 0, d * np.log(np.maximum(d, 1e-300) / np.maximum(middle, 1e-300)), 0)
        for d in (p, q)
    ]
    return float(trapezoid(sum(terms), x) / 2)


def test_trained_discriminator_approaches_the_optimal_one():
    # Proposition 1: D*(x) = p_data(x) / (p_data(x) + p_g(x)).
    x = np.linspace(-2, 3.5, 200)
    p_data, p_g = norm(0, 1).pdf(x), norm(1.5, 1).pdf(x)
    found = torch.sigmoid(logits_at(discriminate(1.5, 1.0), x[:, None])).numpy()
    assert np.abs(found - p_data / (p_data + p_g)).max() < 0.06


def test_value_is_minus_log_4_where_the_generator_is_the_data():
    # Theorem 1: C(G) = -log 4 if and only if p_g = p_data.
    assert value(0.0, 1.0) == pytest.approx(-math.log(4), abs=0.01)


def test_value_at_the_optimal_discriminator_is_the_jensen_shannon_divergence():
    # Equation 6: C(G) = -log 4 + 2 JSD(p_data ‖ p_g).
    estimate = (value(1.5, 1.0) + math.log(4)) / 2
    assert estimate == pytest.approx(jensen_shannon(1.5, 1.0), abs=0.01)


def test_apart_jensen_shannon_stays_and_wasserstein_grows():
    # Arjovsky et al. 2017, example 1: of distributions that do not overlap, JSD is log 2 however
    # far they are, and the Wasserstein distance is how far.
    # In the plane: on a line, a critic that starts the wrong way round cannot turn without losing
    # its slope, which the penalty forbids.
    distances = (1.0, 2.0, 4.0)
    shannon, wasserstein = [], []
    for distance in distances:
        shannon.append((value(distance, 0.05, 2) + math.log(4)) / 2)
        critic = trained(distance, 0.05, 2, loss="wasserstein", gradient_penalty=50.0)
        real, fake = both_logits(critic, distance, 0.05, 2)
        wasserstein.append(-float(critic_real_loss(real) + critic_fake_loss(fake)))
    assert shannon == pytest.approx([math.log(2)] * 3, abs=0.01)
    assert wasserstein == pytest.approx(distances, rel=0.1)
