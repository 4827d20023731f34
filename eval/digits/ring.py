"""python -m eval.digits.ring: which losses keep all modes, on a ring of 25 Gaussians.

The plainest place to see mode collapse (Metz et al. 2017, figure 2, have 8): the same small
networks learn by each, and every sample is counted for the bump that it lies in.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from eval.digits.task import LabelledTask, NoisyGenerator
from eval.figures.modes import Modes
from mmcgan.cli import config_options, given, run_command
from mmcgan.files import write_json
from mmcgan.options import Config, option
from mmcgan.training.learning import LearningConfig
from mmcgan.training.networks import Discriminator, Generator
from mmcgan.training.trainer import Trainer

N_MODES, DEVIATION = 25, 0.02  # bumps on a ring of radius 1
N_EXAMPLES, N_SAMPLES = 25_000, 10_000
NEAR = 3  # standard deviations within which a sample belongs to a bump
UNITS, NOISE_SIZE = 128, 16

SHARED: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "batch_size": 250,
    "average": 0.99,
    "epochs": 10,
}
LOSSES: dict[str, dict[str, Any]] = {
    "saturating": {"loss": "saturating"},
    "non-saturating": {"loss": "non-saturating"},
    "non-saturating, penalty at real": {"loss": "non-saturating", "gradient_penalty": 0.1},
    "wasserstein, penalty between": {"loss": "wasserstein", "gradient_penalty": 1.0},
    "relativistic, penalty at both": {"loss": "relativistic", "gradient_penalty": 0.1},
}


@dataclass(frozen=True)
class RingConfig(Config):
    """`python -m eval.digits.ring`."""

    out: Path = option(Path("ring"), "Folder of ring.json.")
    seeds: int = option(3, "Runs of each loss.", at_least=1)


class PointGenerator(NoisyGenerator):
    """Noise (B, 1, Z) → points (B, 1, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Generator(
            NOISE_SIZE, 0, 2, noise_units=UNITS, condition_units=0, joint_units=UNITS
        )

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Return the points that noise makes; there is no condition."""
        return self.network(noise, None)

    def noise(self, n: int, random: torch.Generator | None = None) -> Tensor:
        """Draw Gaussian noise (n, 1, Z)."""
        return torch.randn(n, 1, NOISE_SIZE, generator=random)


class PointDiscriminator(nn.Module):
    """Points (B, 1, 2) → logits (B, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Discriminator(
            2, 0, example_units=UNITS, condition_units=0, joint_units=UNITS, joint_pieces=2
        )

    def forward(self, points: Tensor, labels: Tensor) -> Tensor:
        """Return the logits of "this is a real point"; there is no condition."""
        return self.network.discriminate(points, None)


def centres() -> Tensor:
    """Return the centres of the bumps, (25, 2)."""
    angles = torch.arange(N_MODES) * (2 * torch.pi / N_MODES)
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def modes_of(points: Tensor) -> Modes:
    """Count the points (N, 2) that lie in a bump, for each bump."""
    distance, nearest = torch.cdist(points, centres()).min(dim=1)
    return Modes.of(nearest[distance < NEAR * DEVIATION].numpy(), N_MODES)


def train_on_ring(settings: dict[str, Any], seed: int) -> Modes:
    """Train on the ring, and count the modes of the samples."""
    config = LearningConfig.from_options(**{**SHARED, **settings, "seed": seed})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        labels = torch.arange(N_EXAMPLES) % N_MODES
        examples = centres()[labels] + DEVIATION * torch.randn(N_EXAMPLES, 2)
        generator, discriminator = PointGenerator(), PointDiscriminator()
        task = LabelledTask(generator, discriminator, examples, labels, config)
        trainer = Trainer(task, config)
        while trainer.update < trainer.n_updates:
            trainer.step()
        best = trainer.evaluated["generator"].eval()
        with torch.inference_mode():
            points = best(generator.noise(N_SAMPLES), labels[:N_SAMPLES])[:, 0]
    return modes_of(points)


@click.command("eval.digits.ring")
@config_options(RingConfig)
def main(**options: Any) -> None:
    """Count the modes that each loss keeps on a ring of 25 Gaussians."""
    config = RingConfig(**given(options))
    results: dict[str, list[dict[str, Any]]] = {}
    click.echo("| loss | modes of 25 | samples in a mode | entropy |\n|---|---|---|---|")
    for name, settings in LOSSES.items():
        found = [train_on_ring(settings, seed) for seed in range(config.seeds)]
        results[name] = [modes.to_json() for modes in found]
        covered = np.mean([modes.n_covered for modes in found])
        share = np.mean([modes.counts.sum() / N_SAMPLES for modes in found])
        entropy = np.mean([modes.entropy for modes in found])
        click.echo(f"| {name} | {covered:.1f} | {share:.2f} | {entropy:.2f} |")
    write_json(config.out / "ring.json", results)


if __name__ == "__main__":
    sys.exit(run_command(main))
