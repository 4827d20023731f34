"""Settings of `mmcgan tag`, and those of every command that asks a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmcgan.errors import OptionError
from mmcgan.options import Config, flag, option

RUN_HELP = (
    "Run folder; the newest finished one under runs/, or else the model that ships with mmcgan."
)


@dataclass(frozen=True)
class ModelConfig(Config):
    """The model that answers, and the seed of its noise."""

    run: Path | None = option(None, RUN_HELP)
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
    no_objects: bool = option(
        False, "Add no words for what stands in the picture, which take a second look at it."
    )
    json: bool = option(False, "One JSON object a photo, a line each.")
    report: Path | None = option(
        None, "Folder for a contact sheet: one HTML page, to look through and to tick tags."
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
    cache_size: float | None = option(
        None,
        "GiB that the features of photos seen before may take in your cache folder, from now on "
        "and for other commands too; 1 until it was given.",
        at_least=0,
        at_most=1_000_000,
    )
    summary: Path | None = option(None, "JSON file that says at the end what was done.")

    def __post_init__(self) -> None:
        """Raise `OptionError` for a value out of range, or options that exclude each other."""
        super().__post_init__()
        if self.remove:
            self._refuse(
                "k threshold json report csv write prefix cache_size", "--remove tags nothing"
            )
        if self.write is None:
            self._refuse("prefix", "it needs --write sidecar or --write embedded")
        if self.dry_run and self.write is None and not self.remove:
            self._refuse("dry_run", "it needs --write or --remove, whose changes it shows")
        if self.dry_run:
            self._refuse("json csv", "--dry-run shows changes of files, and makes none")

    @property
    def is_of_library(self) -> bool:
        """Whether the options ask for more than showing tags."""
        return bool(self.csv or self.report or self.write or self.remove or self.summary)

    def _refuse(self, names: str, reason: str) -> None:
        for name in names.split():
            value = getattr(self, name)
            if not (value is None or value is False):
                raise OptionError(f"{flag(name)}: {reason}")
