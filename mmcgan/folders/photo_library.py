"""Many photos at once: tag them, write what is asked for, skip what is done; or take it all back.

A photo is done where everything that is asked for has it: the table of --csv, and the record of
what is ours in its sidecar, or in itself, by the same model with the same options. So a call that
was interrupted goes on when it is made again, and one on a library that has grown does the rest.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from mmcgan.errors import MetadataError, MmcganError, PhotoError
from mmcgan.folders.choice import Choice
from mmcgan.folders.config import TagConfig
from mmcgan.folders.summary import Summary
from mmcgan.folders.tag_list import TagList
from mmcgan.inference.model_dir import ModelDir, model_name
from mmcgan.inference.tagger import Tag, Tagger
from mmcgan.metadata import (
    Change,
    Marks,
    find_sidecars,
    model_of_embedded,
    model_of_sidecar,
    plan_embedded,
    plan_removal,
    plan_sidecar,
)

Result = list[Tag] | MmcganError
Show = Callable[[str, Result], None]
Make = Callable[[Change], None]  # what becomes of a change: it is applied, or only shown


class Output(Protocol):
    """Where tags are written; `has` says which photos are done."""

    def has(self, photo: str) -> bool:
        """Whether the tags of a photo are there."""

    def put(self, photo: str, tags: Sequence[Tag]) -> None:
        """Write the tags of a photo."""


def tag_library(
    photos: Sequence[str],
    tagger: Tagger,
    choice: Choice,
    outputs: Sequence[Output],
    summary: Summary,
    show: Show,
) -> None:
    """Tag `photos` and put their tags into `outputs`, photo by photo; what is done is skipped.

    `show` is given each photo as it is tagged, or the error of one that cannot be opened or be
    written, with which it goes on.
    """
    with tqdm(total=len(photos), desc="tagging", unit="photo", disable=None) as progress:
        waiting, undone = itertools.tee(_undone(photos, outputs, summary, progress))
        for ranked, photo in zip(tagger.tag_each(waiting, choice.depth), undone, strict=True):
            result: Result = ranked
            if not isinstance(ranked, PhotoError):
                result = _put(photo, choice.among(ranked), outputs, summary)
            if isinstance(result, MmcganError):
                summary.failed.append((photo, str(result)))
            show(photo, result)
            progress.update()


def _put(photo: str, tags: list[Tag], outputs: Sequence[Output], summary: Summary) -> Result:
    """Put the tags of one photo where they belong, and return them, or why that failed."""
    try:
        for output in outputs:
            output.put(photo, tags)
    except MetadataError as error:
        return error
    summary.n_tagged += 1
    summary.words.update(tag.word for tag in tags)
    return tags


def _undone(
    photos: Sequence[str], outputs: Sequence[Output], summary: Summary, progress: tqdm[Any]
) -> Iterator[str]:
    for photo in photos:
        if outputs and all(output.has(photo) for output in outputs):
            summary.n_done_before += 1
            progress.total = len(photos) - summary.n_done_before  # what the time left is of
            progress.refresh()
        else:
            yield photo


def clear_library(photos: Sequence[str], make: Make, summary: Summary, show: Show) -> None:
    """Take our keywords out of `photos` and their sidecars; `show` is given what fails."""
    for photo in tqdm(photos, desc="removing", unit="photo", disable=None):
        try:
            changes = plan_removal(Path(photo))
            if not (changes or Path(photo).exists() or find_sidecars(Path(photo))):
                raise PhotoError(f"{photo}: there is no such file")
            for change in changes:
                make(change)
                summary.n_changed += 1
        except (MetadataError, PhotoError) as error:
            summary.failed.append((photo, str(error)))
            show(photo, error)


@dataclass(frozen=True)
class Keywords:
    """The tags as keywords of photos, in sidecars or embedded; `model` is their `tagging_name`."""

    place: str
    model: str
    prefix: str
    make: Make
    summary: Summary
    time: datetime = field(default_factory=lambda: datetime.now().astimezone())

    def has(self, photo: str) -> bool:
        """Whether the keywords of a photo are those of this model already."""
        read = model_of_sidecar if self.place == "sidecar" else model_of_embedded
        try:
            return read(Path(photo)) == self.model
        except MetadataError:
            return False  # writing says what is wrong

    def put(self, photo: str, tags: Sequence[Tag]) -> None:
        """Write the tags of a photo in place of any of ours; raise `MetadataError`."""
        plan = plan_sidecar if self.place == "sidecar" else plan_embedded
        marks = Marks(tuple(tags), self.model, self.time, self.prefix)
        change = plan(Path(photo), marks)
        if change.is_needed:
            self.make(change)
            self.summary.n_changed += 1


def build_outputs(config: TagConfig, run: Path, make: Make, summary: Summary) -> list[Output]:
    """Return where the options say that tags are to be written; raise as `TagList` does."""
    if not (config.csv or config.write):
        return []
    model = tagging_name(run, config)
    outputs: list[Output] = [TagList(config.csv, model)] if config.csv else []
    if config.write:
        outputs.append(Keywords(config.write, model, config.prefix or "", make, summary))
    return outputs


def tagging_name(run: Path, config: TagConfig) -> str:
    """Return what tags are from: the run's name, and a hash of its model and of all options that
    the tags depend on, so that the same name stands for the same tags.
    """  # fmt: skip
    digest = hashlib.sha256()
    for path in (ModelDir(run).model_path, ModelDir(run).weights_path):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    options = [config.k, config.threshold, config.no_fold, config.prefix, config.seed]
    digest.update(json.dumps(options).encode())
    return f"{model_name(run)} {digest.hexdigest()[:12]}"
