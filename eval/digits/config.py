"""Settings of `python -m eval.digits`; the defaults are arXiv 1411.1784, section 4.1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from mmcgan.options import Config, option
from mmcgan.training.learning import LearningConfig, LossName, ObjectiveOptions, Presets, RunOptions

Kind = Literal["gan", "cgan"]

EPOCHS, MIN_UPDATES = 40, 4000

# Where a preset differs from the defaults of `DigitsConfig`, which are the paper's.
# Dropout makes the gradient of a penalised discriminator noisy, and G needs none of it.
_SMOOTH: dict[str, Any] = {
    "noise": "gaussian",
    "dropout": 0.0,
    "d_dropout": 0.0,
    "generator_init": None,
    "discriminator_init": None,
    "optimizer": "adamw",
    "learning_rate": 5e-4,
    "average": 0.995,
}
_R1 = _SMOOTH | {"gradient_penalty": 1.0}
_LARGE_BATCHES = {"batch_size": 500, "learning_rate": 1e-3}
PRESETS: Presets = {
    "paper": {},
    "r1": _R1,
    "likelihood": _R1 | _LARGE_BATCHES | {"likelihood": 1.0, "adversarial_share": 0.3},
    "relativistic": _R1 | {"loss": "relativistic"},
    "wgan-gp": _SMOOTH
    | {"loss": "wasserstein", "gradient_penalty": 10.0, "discriminator_steps": 5},
}


@dataclass(frozen=True)
class DigitGeneratorOptions(Config):
    """The generator."""

    condition: Literal["concatenated", "multiplied"] = option(
        "concatenated",
        "How the label joins, cgan: one-hot beside noise and image, or a learnt embedding "
        "multiplied into them.",
    )
    noise: Literal["unit", "uniform", "gaussian"] = option(
        "uniform",
        "Uniform in [0, 1], the unit hypercube that the paper names; uniform in ±√3, of variance "
        "1, as in the released code; or Gaussian.",
    )
    noise_size: int = option(100, "Size of the noise.", at_least=1)
    noise_units: int = option(200, "ReLU units after the noise.", at_least=1)
    label_units: int = option(1000, "ReLU units after the label.", at_least=1)
    joint_units: int = option(1200, "ReLU units of the join.", at_least=1)
    dropout: float = option(0.5, "Dropout in the generator.", at_least=0, at_most=0.99)
    init: float | None = option(
        0.05,
        "First weights are uniform in ± this (the released code's value); by the size "
        "of the layer where a preset leaves it out.",
        name="generator_init",
        at_least=0,
    )


@dataclass(frozen=True)
class DigitDiscriminatorOptions(Config):
    """The discriminator."""

    image_units: int = option(
        240, "Maxout units after the image, of 5 pieces.", name="d_image_units", at_least=1
    )
    label_units: int = option(
        50, "Maxout units after the label, of 5 pieces.", name="d_label_units", at_least=1
    )
    joint_units: int = option(
        240, "Maxout units of the join, of 4 pieces.", name="d_joint_units", at_least=1
    )
    dropout: float = option(
        0.5, "Dropout in the discriminator.", name="d_dropout", at_least=0, at_most=0.99
    )
    init: float | None = option(
        0.005,
        "The same as --generator-init (the released code's value).",
        name="discriminator_init",
        at_least=0,
    )


@dataclass(frozen=True)
class DigitObjectiveOptions(ObjectiveOptions):
    """What both networks learn of digits."""

    loss: LossName = option(
        "non-saturating",
        "The adversarial loss of both networks. Open in the paper; the code of the original GAN "
        "has G lower -log D(G(z)).",
    )
    likelihood: float = option(
        0.0, "Weight of the likelihood of real digits under a mini-batch's samples.", at_least=0
    )


@dataclass(frozen=True)
class DigitRunOptions(RunOptions):
    """The run: its data, its folder and its length."""

    data: Path | None = option(
        None, "Folder of MNIST's four IDX files; scikit-learn's 8 x 8 digits if not given."
    )
    out: Path = option(Path("digits"), "Run folder, with report.json and report.html.")
    download: bool = option(False, "Fetch MNIST's files into --data first.")
    preset: Literal["paper", "r1", "likelihood", "relativistic", "wgan-gp"] = option(
        "paper", "The set of values that the options start from."
    )
    patience: int = option(
        1000, "Stop after so many evaluations without a better likelihood.", at_least=1
    )
    epochs: int | None = option(
        None,
        f"Passes over all examples; if not given {EPOCHS}, or what {MIN_UPDATES} updates take.",
        at_least=1,
    )


@dataclass(frozen=True)
class DigitsConfig(LearningConfig):
    """`python -m eval.digits [gan|cgan]`: digits → a run folder with a report."""

    generator: DigitGeneratorOptions = DigitGeneratorOptions()
    discriminator: DigitDiscriminatorOptions = DigitDiscriminatorOptions()
    objective: DigitObjectiveOptions = DigitObjectiveOptions()
    run: DigitRunOptions = DigitRunOptions()

    presets: ClassVar[Presets] = PRESETS

    def settled(self, n_examples: int) -> DigitsConfig:
        """Return the same with the number of epochs that suits so many examples, if not given."""
        if self.run.epochs is not None:
            return self
        n_batches = max(n_examples // self.optimiser.batch_size, 1)
        per_epoch = n_batches / self.optimiser.discriminator_steps
        return self.with_options(epochs=max(EPOCHS, math.ceil(MIN_UPDATES / per_epoch)))
