"""Settings of `mmcgan train`: the only source of their defaults and help."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from mmcgan.errors import OptionError
from mmcgan.options import option, shown
from mmcgan.training.learning import LearningConfig

TagSource = Literal["user", "user+annotations"]

DEFAULT_PRESET = "modern"
# Where a preset differs from the defaults of `TrainConfig`, which are the paper's.
PRESETS: dict[str, dict[str, Any]] = {
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
        "input_dropout": 0.5,
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


@dataclass(frozen=True)
class TrainConfig(LearningConfig):
    """`python -m mmcgan.train`: a prepared file → a run folder.

    A preset is a set of values (`PRESETS`); `TrainConfig.of` starts from one. The defaults of the
    fields are the preset `paper`: arXiv 1411.1784, section 4.2; what the paper leaves open says so.
    """

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
    examples: Literal["pairs", "photos"] = option(
        "pairs", "An example is a photo with one of its tags, or with all of them."
    )
    judged_examples: int | None = option(
        None,
        "Examples of a mini-batch whose single draws are judged, and weighed by their likelihood; "
        "all if not given.",
        at_least=1,
    )
    generator: Literal["linear", "mixture"] = option(
        "linear",
        "Noise and image meet in the linear output, or in each of several generators' spread.",
    )
    members: int = option(1, "Generators in the mixture.", at_least=1, at_most=50)
    noise_size: int = option(100, "Size Z of the Gaussian noise.", at_least=1)
    noise_units: int = option(500, "Generator: units after the noise.", at_least=1)
    image_units: int = option(2000, "Generator: ReLU units after the image.", at_least=1)
    draws: int = option(
        1, "Vectors generated for an example in an update; for each member two or more.", at_least=1
    )
    vector_size: int = option(
        640,
        "Size E that the words of a mixture which learns them are condensed to for tagging.",
        at_least=1,
    )
    d_word_units: int = option(500, "Discriminator: ReLU units after the word vector.", at_least=1)
    d_image_units: int = option(1200, "Discriminator: ReLU units after the image.", at_least=1)
    maxout_units: int = option(1000, "Discriminator: maxout units of the join.", at_least=1)
    maxout_pieces: int = option(3, "Linear pieces a maxout unit.", at_least=1)
    input_dropout: float = option(
        0.0, "Dropout of the features, mixture.", at_least=0, at_most=0.99
    )
    dropout: float = option(0.5, "Dropout in the generator.", at_least=0, at_most=0.99)
    d_dropout: float = option(0.5, "Dropout in the discriminator.", at_least=0, at_most=0.99)
    generator_init: float | None = option(
        0.05,
        "Generator: first weights are uniform in ± this, biases 0 (the released code's value); "
        "by the size of the layer if not given.",
        at_least=0,
    )
    discriminator_init: float | None = option(
        0.005, "Discriminator: the same (the released code's value).", at_least=0
    )
    judged: Literal["words", "sets"] = option(
        "words",
        "The discriminator judges generated vectors as they are, or the set of a draw's best tags.",
    )
    retrieval: float = option(
        0.0, "Weight of the likelihood of a photo's tags under the mean of its draws.", at_least=0
    )
    untagged: int = option(
        0,
        "Untagged photos of train beside a mini-batch; their target is the tags of similar photos.",
        at_least=0,
    )
    likelihood: float = option(
        0.0, "Weight of the likelihood of a photo's tags under single draws.", at_least=0
    )
    likelihood_temperature: float = option(
        1.0, "Temperature of the words of a single draw; the lower, the more it commits.",
        at_least=0.01,
    )  # fmt: skip
    moves: Literal["draws", "spread"] = option(
        "draws",
        "What the adversarial term and the likelihood of draws move: whole draws, or only how a "
        "member's draws spread around their mean.",
    )
    ranking: Literal["vote", "mean"] = option(
        "vote", "The paper's vote of the nearest words, or the words of the mean draw."
    )

    def __post_init__(self) -> None:
        """Raise `OptionError` for a value that is out of range, or does not fit another."""
        super().__post_init__()
        if self.draws % self.members:
            raise OptionError(
                f"--draws: {self.draws} cannot be shared among {self.members} --members, it must "
                "be a multiple of them"
            )
        if self.generator == "mixture" and self.draws < 2 * self.members:
            raise OptionError(
                f"--draws: {self.draws} is one for each of {self.members} --members, which leaves "
                "no noise; it must be two or more for each"
            )
        if self.learns_spaces and self.judged == "words":
            raise OptionError(
                "--judged: a mixture that learns its words has no vectors beside those given; "
                "use sets, or --retrieval 0"
            )

    @property
    def learns_spaces(self) -> bool:
        """Whether each generator of a mixture learns the words in a space of its own."""
        return self.generator == "mixture" and self.retrieval > 0

    @classmethod
    def of(cls, preset: str = DEFAULT_PRESET, **settings: Any) -> TrainConfig:
        """Return the values of `preset`, with `settings` in place of some of them.

        Raises `OptionError` for a preset that there is not, or a value that a field does not take.
        """
        return cls(**{**PRESETS.get(preset, {}), "preset": preset, **settings})

    @classmethod
    def defaults(cls, name: str) -> str:
        """Return the default of a field, and the paper's where it is another."""
        paper = next(f.default for f in fields(cls) if f.name == name)
        modern = PRESETS[DEFAULT_PRESET].get(name, paper)
        if name == "preset" or modern == paper:
            return shown(DEFAULT_PRESET if name == "preset" else paper)
        said = ["not set" if value is None else value for value in (modern, paper)]
        return f"  [default: {said[0]}; paper: {said[1]}]"
