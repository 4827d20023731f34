"""Settings of training two networks against each other, whatever it is that they generate.

The defaults are those of arXiv 1411.1784, section 4; what the paper leaves open says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mmcgan.options import Config, option, shown

if TYPE_CHECKING:
    from typing_extensions import Self

Presets = dict[str, dict[str, Any]]
LossName = Literal["saturating", "non-saturating", "wasserstein", "relativistic"]


@dataclass(frozen=True)
class ObjectiveOptions(Config):
    """What both networks learn."""

    loss: LossName = option(
        "saturating",
        "The adversarial loss of both networks. Open in the paper: G lowers log(1 - D(G(z))) as in "
        "its value function, or -log D(G(z)). Others: the critic of a Wasserstein GAN, or logits "
        "of real and generated examples compared.",
    )
    adversarial_share: float | None = option(
        None,
        "Share of the gradient on what is generated that the adversarial term is scaled to; its "
        "own size if not given.",
        at_least=0,
        at_most=0.99,
    )
    gradient_penalty: float = option(
        0.0,
        "Weight of the penalty on the discriminator's gradient: at real examples; wasserstein: "
        "between real and generated ones; relativistic: at both.",
        at_least=0,
    )


@dataclass(frozen=True)
class OptimiserOptions(Config):
    """How both networks learn it."""

    kind: Literal["sgd", "adamw"] = option(
        "sgd", "SGD with the paper's schedules, or AdamW with a cosine to 0.", name="optimizer"
    )
    batch_size: int = option(
        100,
        "Examples in a mini-batch; of photos no more than a fortieth, but 16.",
        at_least=1,
    )
    discriminator_steps: int = option(
        1, "Discriminator updates before each generator update (k of the original GAN).", at_least=1
    )
    learning_rate: float = option(0.1, "Learning rate of the first update.", at_least=0)
    d_learning_rate: float | None = option(
        None, "The same of the discriminator; that of the generator if not given.", at_least=0
    )
    weight_decay: float = option(0.0, "Weight decay of the networks.", at_least=0)
    learning_rate_decay: float = option(
        1.00004,
        "SGD: divides the learning rate after every mini-batch (the released code: 1.000004).",
        at_least=1,
    )
    momentum_epochs: int = option(
        250,
        "SGD: epochs over which the momentum rises, linearly (the released code's value).",
        at_least=1,
    )
    precision: Literal["float32", "bfloat16"] = option(
        "float32",
        "Of the matrix products; weights and losses stay in float32. bfloat16 is several times as "
        "fast on processors that have it, and much slower on others.",
    )
    average: float = option(
        0.0,
        "Decay a step of the running average of the generator's weights, which is what is kept; 0: "
        "the last weights.",
        at_least=0,
        at_most=0.9999,
    )


@dataclass(frozen=True)
class RunOptions(Config):
    """How long a run takes, and where its random numbers begin."""

    seed: int = option(
        0, "Seed of the weights, the order of the examples, noise and dropout.", at_least=0
    )
    epochs: int | None = option(
        None,
        "Passes over all examples; if not given 8, or as many as make 1,500 updates.",
        at_least=1,
    )
    patience: int = option(5, "Stop after so many evaluations without a better one.", at_least=1)
    evaluate_every: int | None = option(
        None,
        "Updates between two evaluations, each with a checkpoint; if not given an epoch, but at "
        "least 100.",
        at_least=1,
    )


@dataclass(frozen=True)
class LearningConfig(Config):
    """The settings of a training; those of the two networks are for whoever builds them."""

    generator: Config = Config()
    discriminator: Config = Config()
    objective: ObjectiveOptions = ObjectiveOptions()
    optimiser: OptimiserOptions = OptimiserOptions()
    run: RunOptions = RunOptions()

    presets: ClassVar[Presets] = {}
    default_preset: ClassVar[str] = "paper"

    @classmethod
    def of(cls, preset: str = "", **values: Any) -> Self:
        """Return the values of `preset`, with `values` of options in place of some of them.

        Raises `OptionError` for a preset that there is not, or a value that an option does not
        take.
        """
        preset = preset or cls.default_preset
        return cls.from_options(**{**cls.presets.get(preset, {}), "preset": preset, **values})

    @classmethod
    def defaults(cls, name: str) -> str:
        """Return the default of an option, and the values of presets that have another."""
        if name == "preset":
            return shown(cls.default_preset)
        default = cls.default(name)
        values = {preset: own.get(name, default) for preset, own in cls.presets.items()}
        default = values.get(cls.default_preset, default)
        others = {preset: value for preset, value in values.items() if value != default}
        if not others:
            return shown(default)
        said = {p: "not set" if v is None else v for p, v in {"default": default, **others}.items()}
        return f"  [{'; '.join(f'{preset}: {value}' for preset, value in said.items())}]"
