"""Settings of `mmcgan train`: the only source of their defaults and help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from mmcgan.errors import OptionError
from mmcgan.options import Config, flattened, option
from mmcgan.training.learning import LearningConfig, ObjectiveOptions, Presets, RunOptions

TagSource = Literal["user", "user+annotations"]
Seen = Literal["words", "sets"]
Moves = Literal["draws", "spread"]

DEFAULT_PRESET = "modern"
# Where a preset differs from the defaults of `TrainConfig`, which are the paper's.
PRESETS: Presets = {
    "paper": {},
    "modern": {
        "epochs": 24,
        "patience": 1000,
        "examples": "photos",
        "batch_size": 256,
        "judged_examples": 32,
        "generator": "mixture",
        "members": 8,
        "noise_units": 128,
        "image_units": 512,
        "draws": 16,
        "d_image_units": 256,
        "maxout_units": 240,
        "input_dropout": 0.8,
        "input_dropout_spread": 0.35,
        "mixup": 0.2,
        "generator_init": None,
        "discriminator_init": None,
        "loss": "non-saturating",
        "judged": "sets",
        "retrieval": 1.0,
        "untagged": 16,
        "likelihood": 1.0,
        "likelihood_temperature": 0.5,
        "moves": "spread",
        "adversarial_share": 0.3,
        "gradient_penalty": 0.3,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "d_learning_rate": 2e-4,
        "weight_decay": 0.01,
        "average": 0.99,
        "ranking": "mean",
    },
}
# Options that there were, with the values that are fixed since: runs that have them can be read.
FORMER_OPTIONS: dict[str, Any] = {
    "vector_size": 640,
    "learning_rate_floor": 1e-6,
    "momentum_start": 0.5,
    "momentum_end": 0.7,
}


@dataclass(frozen=True)
class GeneratorOptions(Config):
    """The generator, or the generators of a mixture, and how words are made of their draws."""

    kind: Literal["linear", "mixture"] = option(
        "linear",
        "Noise and image meet in the linear output, or in how far the draws of each of several "
        "generators lie apart.",
        name="generator",
    )
    n_generators: int = option(
        1, "Generators in the mixture.", name="members", at_least=1, at_most=50
    )
    noise_size: int = option(100, "Size Z of the Gaussian noise.", at_least=1)
    noise_units: int = option(500, "Units after the noise.", at_least=1)
    units: int = option(2000, "ReLU units after the image.", name="image_units", at_least=1)
    draws: int = option(
        1,
        "Vectors generated for an example in an update; for each generator of a mixture two or "
        "more.",
        at_least=1,
    )
    input_dropout: float = option(
        0.0, "Dropout of the features, mixture.", at_least=0, at_most=0.99
    )
    input_dropout_spread: float = option(
        0.0,
        "How much less of it the first generator has; it rises evenly to the last one, which has "
        "all of it.",
        at_least=0,
        at_most=0.99,
    )
    dropout: float = option(0.5, "Dropout in the generator.", at_least=0, at_most=0.99)
    init: float | None = option(
        0.05,
        "First weights are uniform in ± this, biases 0 (the released code's value); "
        "by the size of the layer if not given.",
        name="generator_init",
        at_least=0,
    )
    ranking: Literal["vote", "mean"] = option(
        "vote", "The paper's vote of the nearest words, or the words of the mean draw."
    )


@dataclass(frozen=True)
class DiscriminatorOptions(Config):
    """The discriminator, which is thrown away after the training."""

    word_units: int = option(
        500, "ReLU units after the word vector.", name="d_word_units", at_least=1
    )
    image_units: int = option(1200, "ReLU units after the image.", name="d_image_units", at_least=1)
    maxout_units: int = option(1000, "Maxout units of the join.", at_least=1)
    maxout_pieces: int = option(3, "Linear pieces a maxout unit.", at_least=1)
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
class TagObjectiveOptions(ObjectiveOptions):
    """What both networks learn of photos and their tags."""

    examples: Literal["pairs", "photos"] = option(
        "pairs", "An example is a photo with one of its tags, or with all of them."
    )
    n_discriminated: int | None = option(
        None,
        "Examples of a mini-batch whose single draws the discriminator looks at, and whose "
        "likelihood counts; all if not given.",
        name="judged_examples",
        at_least=1,
    )
    discriminated: Seen = option(
        "words",
        "The discriminator looks at generated vectors as they are, or at the set of a draw's best "
        "tags.",
        name="judged",
    )
    retrieval: float = option(
        0.0, "Weight of the likelihood of a photo's tags under the mean of its draws.", at_least=0
    )
    untagged: int = option(
        0,
        "Untagged photos of train beside a mini-batch; their target is the tags of similar photos.",
        at_least=0,
    )
    mixup: float = option(
        0.0,
        "Photos and tags are mixed in pairs, with shares from Beta(a, a); 0: they are not. Those "
        "that the discriminator looks at never are.",
        at_least=0,
        at_most=10,
    )
    likelihood: float = option(
        0.0, "Weight of the likelihood of a photo's tags under single draws.", at_least=0
    )
    likelihood_temperature: float = option(
        1.0,
        "Temperature of the words of a single draw; the lower, the more it commits.",
        at_least=0.01,
    )
    moves: Moves = option(
        "draws",
        "What the adversarial term and the likelihood of draws move: whole draws, or only how the "
        "draws of a generator spread around their mean.",
    )


@dataclass(frozen=True)
class TrainRunOptions(RunOptions):
    """The run: its data, its folder and its length."""

    data: Path | None = option(
        None, "Folder of the prepared data; the newest under data/ if not given."
    )
    out: Path | None = option(None, "Run folder; the next number under runs/ if not given.")
    preset: Literal["modern", "paper"] = option(
        "paper", "The set of values that the options start from; modern if not given."
    )
    tags: TagSource | None = option(
        None, "The tags to learn; user+annotations where the data has annotations, if not given."
    )
    resume: bool = option(False, "Go on with a partial run; start it if it is absent.")
    dry_run: bool = option(False, "Say what would be trained, and stop.")
    refit: bool = option(
        False,
        "Learn from train and dev together, all --epochs, for a model to use: dev then chooses "
        "nothing.",
    )


@dataclass(frozen=True)
class TrainConfig(LearningConfig):
    """`python -m mmcgan.train`: a prepared file → a run folder.

    A preset is a set of values (`PRESETS`); `TrainConfig.of` starts from one. The defaults of the
    options are the preset `paper`: arXiv 1411.1784, section 4.2; what the paper leaves open says
    so.
    """

    generator: GeneratorOptions = GeneratorOptions()
    discriminator: DiscriminatorOptions = DiscriminatorOptions()
    objective: TagObjectiveOptions = TagObjectiveOptions()
    run: TrainRunOptions = TrainRunOptions()

    presets: ClassVar[Presets] = PRESETS
    default_preset: ClassVar[str] = DEFAULT_PRESET

    def __post_init__(self) -> None:
        """Raise `OptionError` for a value that does not fit another."""
        draws, n_generators = self.generator.draws, self.generator.n_generators
        if draws % n_generators:
            raise OptionError(
                f"--draws: {draws} cannot be shared among {n_generators} --members, it must be a "
                "multiple of them"
            )
        if self.generator.kind == "mixture" and draws < 2 * n_generators:
            raise OptionError(
                f"--draws: {draws} is one for each of {n_generators} --members, which leaves no "
                "noise; it must be two or more for each"
            )
        if self.learns_spaces and self.objective.discriminated == "words":
            raise OptionError(
                "--judged: a mixture that learns its words has no vectors beside those given; "
                "use sets, or --retrieval 0"
            )

    @property
    def learns_words(self) -> bool:
        """Whether the words are learnt with the generator."""
        return self.objective.retrieval > 0

    @property
    def learns_spaces(self) -> bool:
        """Whether each generator of a mixture learns the words in a space of its own."""
        return self.generator.kind == "mixture" and self.learns_words

    @classmethod
    def from_json(cls, settings: Mapping[str, Any], **values: Any) -> TrainConfig:
        """Return stored settings, in groups or as they were before, with `values` in place of some.

        Raises `TypeError` or `OptionError` for those that this version cannot use.
        """
        flat = flattened(settings)
        kept = {n: v for n, v in flat.items() if n not in FORMER_OPTIONS or v != FORMER_OPTIONS[n]}
        return cls.from_options(**{**kept, **values})
