"""Tag many photos, write their tags, and skip the photos that are done; or take the tags out.

A photo is done if every place that is asked for has its tags, by the same model with the same
options: the table of --csv, and the record in its sidecar or in the photo. So a call that was
interrupted goes on when it is repeated, and repeated on a grown library, it tags the new photos.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from tqdm import tqdm

from mmcgan.errors import MetadataError, MmcganError, PhotoError
from mmcgan.files import is_file, locked
from mmcgan.folders.choice import Choice
from mmcgan.folders.config import TagConfig
from mmcgan.folders.summary import Summary
from mmcgan.folders.tag_list import TagList
from mmcgan.inference.model_dir import ModelDir, model_name
from mmcgan.inference.tagger import Tag, Tagger
from mmcgan.metadata import (
    Change,
    Listings,
    Marks,
    model_of_embedded,
    model_of_sidecar,
    plan_embedded,
    plan_removal,
    plan_sidecar,
)

Result = list[Tag] | MmcganError
Show = Callable[[str, Result], None]
Make = Callable[[Change], None]  # applies a change, or only shows it


def tag_library(
    photos: Sequence[str],
    tagger: Tagger,
    choice: Choice,
    outputs: Sequence[Output],
    summary: Summary,
    show: Show,
) -> None:
    """Tag `photos` and put their tags into `outputs`, photo by photo; skip those that are done.

    `show` is called with each photo and its tags, or with the error of one that cannot be opened or
    written; the others are tagged nevertheless.
    """
    with tqdm(total=len(photos), desc="tagging", unit="photo", disable=None) as progress:
        waiting, undone = itertools.tee(_undone(photos, outputs, summary, progress))
        for ranked, photo in zip(tagger.tag_each(waiting, choice.k), undone, strict=True):
            result: Result = ranked
            if not isinstance(ranked, PhotoError):
                result = _put(photo, choice.among(ranked), outputs, summary)
            if isinstance(result, MmcganError):
                summary.failed.append((photo, str(result)))
            show(photo, result)
            progress.update()


def _put(photo: str, tags: list[Tag], outputs: Sequence[Output], summary: Summary) -> Result:
    """Put the tags of one photo into all outputs and return them, or the error if that fails."""
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
            progress.total = len(photos) - summary.n_done_before  # photos that still take time
            progress.refresh()
        else:
            yield photo


def clear_library(photos: Sequence[str], make: Make, summary: Summary, show: Show) -> None:
    """Take our keywords out of `photos` and their sidecars; call `show` with errors."""
    listings = Listings()
    for photo in tqdm(photos, desc="removing", unit="photo", disable=None):
        for problem in _clear(Path(photo), make, summary, listings):
            summary.failed.append((photo, problem))
            show(photo, MetadataError(problem))


def _clear(photo: Path, make: Make, summary: Summary, listings: Listings) -> list[str]:
    """Take our keywords out of one photo, as far as that can be done; return what cannot be."""
    problems: list[str] = []
    try:
        with _held(photo):
            removal = plan_removal(photo, listings)
            problems += removal.problems
            for change in removal:
                try:
                    make(change)
                    summary.n_changed += 1
                except MetadataError as error:
                    problems.append(str(error))
            if not (removal or problems or is_file(photo) or listings.sidecars(photo)):
                problems.append(f"{photo}: there is no such file")
    except MetadataError as error:
        problems.append(str(error))
    return problems


@contextmanager
def _held(photo: Path) -> Iterator[None]:
    """Hold a photo and its sidecars for the block, while parallel calls wait for them.

    An error of the system is one of this photo: it becomes a `MetadataError`.
    """
    try:
        with locked(photo):
            yield
    except BrokenPipeError:  # nobody reads what is shown
        raise
    except OSError as reason:
        raise MetadataError(
            f"{reason.filename or photo} cannot be read or written: {reason.strerror or reason}"
        ) from None


@dataclass(frozen=True)
class KeywordOutput:
    """Writes tags as keywords into sidecars, or into the photos; `model` is the `tagging_name`."""

    place: str
    model: str
    prefix: str
    make: Make
    summary: Summary
    time: datetime = field(default_factory=lambda: datetime.now().astimezone())
    listings: Listings = field(default_factory=Listings)

    def has(self, photo: str) -> bool:
        """Whether the photo has keywords by this model already."""
        try:
            if self.place == "sidecar":
                return model_of_sidecar(Path(photo), self.listings) == self.model
            return model_of_embedded(Path(photo)) == self.model
        except (MetadataError, OSError):
            return False  # `put` will raise it

    def put(self, photo: str, tags: Sequence[Tag]) -> None:
        """Replace our keywords of a photo by its tags; raise `MetadataError` if that fails."""
        plan = plan_sidecar if self.place == "sidecar" else plan_embedded
        marks = Marks(tuple(tags), self.model, self.time, self.prefix)
        with _held(Path(photo)):
            change = plan(Path(photo), marks, self.listings)
            if change.is_needed:
                self.make(change)
                self.summary.n_changed += 1


Output: TypeAlias = TagList | KeywordOutput  # to write tags to; `has` says which photos are done


def build_outputs(config: TagConfig, run: Path, make: Make, summary: Summary) -> list[Output]:
    """Return the outputs that the options ask for; raises as `TagList` does."""
    if not (config.csv or config.write):
        return []
    model = tagging_name(run, config)
    outputs: list[Output] = [TagList(config.csv, model)] if config.csv else []
    if config.write:
        outputs.append(KeywordOutput(config.write, model, config.prefix or "", make, summary))
    return outputs


def tagging_name(run: Path, config: TagConfig) -> str:
    """Return a name for the tags of a run: the run's name, and a hash of its model and the options.

    All options that the tags depend on are hashed, so that the same name stands for the same tags.
    """
    digest = hashlib.sha256()
    for path in (ModelDir(run).model_path, ModelDir(run).weights_path):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    options = [config.k, config.threshold, config.no_fold, config.prefix, config.seed]
    options += ["no objects"] if config.no_objects else []
    digest.update(json.dumps(options).encode())
    return f"{model_name(run)} {digest.hexdigest()[:12]}"
