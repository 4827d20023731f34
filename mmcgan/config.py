"""Settings of each stage: one frozen dataclass a stage, the only source of defaults and help.

The command line is made from these fields (`mmcgan.cli`), the prepared file and the run folder
store them as JSON, and the library takes them as they are (`mmcgan.options`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from mmcgan.errors import OptionError
from mmcgan.learning import LearningConfig
from mmcgan.options import Config, flag, option, shown

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
class PrepareConfig(Config):
    """`python -m mmcgan.prepare`: a raw collection → the prepared file DATA/dataset.h5."""

    dataset: Literal["sample", "folder", "mirflickr"] = option(
        "sample", "The reader: drawn sample scenes, a folder of photos, or MIRFLICKR-25000."
    )
    root: Path | None = option(
        None, "The raw collection: the photo folder, or where the MIRFLICKR archives lie."
    )
    out: Path | None = option(None, "Folder of the prepared data; data/DATASET if not given.")
    download: bool = option(False, "Fetch the MIRFLICKR archives into --root first.")
    seed: int = option(0, "Seed of the sample, the dev split and the word vectors.", at_least=0)
    min_photos: int = option(
        5, "A tag enters the vocabulary if at least so many photos of train + dev carry it.",
        at_least=1,
    )  # fmt: skip
    stop_list: Path | None = option(
        None,
        "Text file of tags to leave out everywhere, one a line, with the wildcards *, ? and [0-9]; "
        "lines that begin with # are comments. data_prep/stop_list.txt is one for Flickr.",
    )
    no_stop_list: bool = option(
        False,
        "With --dataset folder: keep what our own list for photo libraries leaves out, cameras, "
        "dates and what was done with a photo (data_prep/stop_list_library.txt).",
    )
    corpus: tuple[Path, ...] = option(
        (),
        "Further text for the word vectors: one document a line, or YFCC100M metadata, plain, .gz "
        "or .bz2; or a .zip or .tar archive of tag files or JSON, as of MIRFLICKR-1M; may be "
        "repeated.",
    )
    vectors: Path | None = option(
        None,
        "Ready word vectors instead of training: word2vec text or binary, GloVe text, or "
        "gensim KeyedVectors.",
    )
    withhold: float = option(
        0.0, "Share of the tags that --corpus or --vectors know to withhold from train and dev "
        "(eval.open_vocabulary); makes the vocabulary of user tags alone.", at_least=0, at_most=0.9,
    )  # fmt: skip
    word_size: int = option(200, "Size E of the trained word vectors.", at_least=1, at_most=10_000)
    window: int = option(50, "Skip-gram window; the default spans a whole tag list.", at_least=1)
    min_count: int | None = option(
        None, "Skip-gram leaves out words seen less often; as --min-photos if not given.",
        at_least=1,
    )  # fmt: skip
    negatives: int = option(10, "Negative samples of the skip-gram.", at_least=1)
    word_epochs: int = option(100, "Passes of the skip-gram over the text.", at_least=1)
    word_workers: int = option(
        1, "Threads of the skip-gram; only one gives the same vectors every time.", at_least=1
    )
    backbone: str = option(
        "efficientnet-lite2",
        "efficientnet-lite0, -lite1, -lite2, several with + between, timm:NAME, "
        "open_clip:NAME[:WEIGHTS] or torchvision:NAME.",
    )
    runtime: Literal["auto", "openvino", "torch"] = option(
        "auto",
        "What runs the backbone; auto takes torch on a GPU, else OpenVINO where it is installed.",
    )
    precision: Literal["float32", "bfloat16"] = option(
        "float32", "Arithmetic of the backbone; recorded, and the same when tagging."
    )
    batch_size: int = option(16, "Photos the backbone takes at once.", at_least=1)
    max_failed: float = option(
        0.05, "Give up when more than this share of the photos cannot be read.",
        at_least=0, at_most=1,
    )  # fmt: skip

    @property
    def folder(self) -> Path:
        """The folder of the prepared data."""
        return self.out or Path("data") / self.dataset

    @property
    def partial(self) -> Path:
        """What is kept while they are being made."""
        return self.folder / "partial"


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


@dataclass(frozen=True)
class EvaluateConfig(Config):
    """`python -m mmcgan.evaluate`: a run and a prepared file → a report."""

    run: Path | None = option(None, "Run folder; the newest finished one under runs/.")
    data: Path | None = option(
        None, "Folder of the prepared data; the one that the run was trained on."
    )
    split: Literal["val", "test"] = option("val", "The split to measure.")
    out: Path | None = option(None, "Folder of the report; RUN/report-SPLIT if not given.")
    seed: int = option(0, "Seed of the noise, the bootstrap and the rivals.", at_least=0)


_RUN_HELP = (
    "Run folder; the newest finished one under runs/, or else the model that ships with mmcgan."
)


@dataclass(frozen=True)
class ModelConfig(Config):
    """What says which model answers, and with which noise."""

    run: Path | None = option(None, _RUN_HELP)
    seed: int = option(0, "Seed of the noise.", at_least=0)


@dataclass(frozen=True)
class TagConfig(ModelConfig):
    """`python -m mmcgan PHOTO|FOLDER…`: photos → ranked tags, shown and written."""

    k: int | None = option(
        None,
        "Tags a photo, whatever their scores. Without --k and --threshold: at most 10, those above "
        "the threshold that the run found best on dev, and at least one.",
        at_least=1,
    )
    threshold: float | None = option(
        None, "The least score of a tag; without --k, all such tags.", at_least=0, at_most=1
    )
    no_fold: bool = option(
        False, "Give words that say the same, such as plural and singular, each by itself."
    )
    json: bool = option(False, "One JSON object a photo, a line each.")
    report: Path | None = option(
        None,
        "Folder for a contact sheet: one HTML page, to look through and to tick tags.",
    )
    csv: Path | None = option(
        None, "Table to which the tags are added, a row a photo; photos that it has are skipped."
    )
    write: Literal["sidecar", "embedded"] | None = option(
        None,
        "Write the tags as keywords: into XMP sidecars, or, after a safety copy, into the photos "
        "themselves. Photos with the same tagging by the same model are skipped.",
    )
    prefix: str | None = option(None, "With --write: what stands before each keyword: auto|.")
    remove: bool = option(False, "Take all keywords that mmcgan wrote out again.")
    dry_run: bool = option(False, "With --write or --remove: show the changes, and make none.")
    summary: Path | None = option(None, "JSON file that says at the end what was done.")

    def __post_init__(self) -> None:
        """Raise `OptionError` for a value out of range, or options that exclude each other."""
        super().__post_init__()
        if self.remove:
            self._refuse(
                "k", "threshold", "json", "report", "csv", "write", "prefix",
                reason="--remove tags nothing",
            )  # fmt: skip
        if self.write is None:
            self._refuse("prefix", reason="it needs --write sidecar or --write embedded")
        if self.dry_run and self.write is None and not self.remove:
            self._refuse("dry_run", reason="it needs --write or --remove, whose changes it shows")
        if self.dry_run:
            self._refuse("json", "csv", reason="--dry-run shows changes of files, and makes none")

    @property
    def is_of_library(self) -> bool:
        """Whether more is asked for than to show tags."""
        return bool(self.csv or self.report or self.write or self.remove or self.summary)

    def _refuse(self, *names: str, reason: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not (value is None or value is False):
                raise OptionError(f"{flag(name)}: {reason}")


@dataclass(frozen=True)
class ExportConfig(ModelConfig):
    """`python -m mmcgan.export`: a run → ONNX files."""

    out: Path = option(Path("export"), "Folder of the files.")


@dataclass(frozen=True)
class WebConfig(Config):
    """`python -m mmcgan.web`: a page on which photos are tagged."""

    run: Path | None = option(None, _RUN_HELP)
    data: Path | None = option(
        None, "Folder of prepared data whose training photos are shown beside a similar one."
    )
    host: str = option("127.0.0.1", "Address to listen on; 0.0.0.0 for the whole network.")
    port: int = option(8000, "Port to listen on.", at_least=0, at_most=65535)
