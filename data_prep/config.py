"""Settings of `mmcgan prepare`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmcgan.options import Config, option


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
        5,
        "A tag enters the vocabulary if at least so many photos of train + dev carry it.",
        at_least=1,
    )
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
        None, "Ready word vectors instead of training: word2vec text or binary, or GloVe text."
    )
    withhold: float = option(
        0.0,
        "Share of the tags that --corpus or --vectors know to withhold from train and dev "
        "(eval.studies.open_vocabulary); makes the vocabulary of user tags alone.",
        at_least=0,
        at_most=0.9,
    )
    word_size: int = option(200, "Size E of the trained word vectors.", at_least=1, at_most=10_000)
    window: int = option(50, "Skip-gram window; the default spans a whole tag list.", at_least=1)
    min_count: int | None = option(
        None,
        "Skip-gram leaves out words seen less often; as --min-photos if not given.",
        at_least=1,
    )
    negatives: int = option(10, "Negative samples of the skip-gram.", at_least=1)
    word_epochs: int = option(100, "Passes of the skip-gram over the text.", at_least=1)
    word_workers: int = option(
        1, "Threads of the skip-gram; only one gives the same vectors every time.", at_least=1
    )
    backbone: str = option(
        "efficientnet-lite2",
        "efficientnet-lite0, -lite1, -lite2, several with + between, all levels of each (with "
        ":mean at the end the mean of the last feature map alone), timm:NAME, "
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
        0.05,
        "Give up when more than this share of the photos cannot be read.",
        at_least=0,
        at_most=1,
    )

    @property
    def folder(self) -> Path:
        """The folder of the prepared data."""
        return self.out or Path("data") / self.dataset

    @property
    def partial(self) -> Path:
        """The folder of what is kept while they are being made."""
        return self.folder / "partial"
