"""The result of every reader, a `Collection` of `Photo` records; clean tags; splits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mmcgan.inference.words.vocabulary import normalize_tag
from mmcgan.training.prepared.dataset import Truth

VAL_SHARE = TEST_SHARE = 0.15  # of all groups
DEV_SHARE = 0.06  # of the groups of train


@dataclass(frozen=True)
class Photo:
    """One photo of a raw collection.

    `read` returns the encoded file (JPEG, PNG, …), or its path where it lies on disk as it is, and
    raises `OSError` or `PhotoError`; messages call the photo by its `name`. All words are
    normalised, each at most once a photo.
    """

    image_id: int | str
    name: str
    read: Callable[[], bytes | Path]
    split: str
    tags: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    relevant_annotations: tuple[str, ...] = ()


def photo_of_file(
    path: Path,
    image_id: int | str,
    split: str,
    tags: tuple[str, ...],
    annotations: tuple[str, ...] = (),
) -> Photo:
    """Return a photo that is decoded from the file at `path`."""
    return Photo(image_id, str(path), partial(Path, path), split, tags, annotations)


@dataclass(frozen=True)
class Collection:
    """All photos of a raw collection, in a stable order.

    `annotation_names` and `relevant_annotation_names` are all labels that the collection knows,
    empty where it has none; `dropped` counts, by reason, what was left out while reading;
    `truth` is the true tag distribution of a drawn collection.
    """

    name: str
    photos: tuple[Photo, ...]
    annotation_names: tuple[str, ...] = ()
    relevant_annotation_names: tuple[str, ...] = ()
    dropped: Counter[str] = field(default_factory=Counter)
    truth: Truth | None = None


def clean_tags(
    texts: Iterable[str], stop_words: Container[str], dropped: Counter[str]
) -> tuple[str, ...]:
    """Normalise the tags of one photo; count in `dropped` what is left out and why."""
    kept: dict[str, None] = {}
    for text in texts:
        word = normalize_tag(text)
        if word is None:
            dropped["tags without a letter, digit or symbol, or too long"] += bool(text.strip())
        elif word in stop_words:
            dropped["tags on the stop list"] += 1
        elif word in kept:
            dropped["tags repeated on the same photo"] += 1
        else:
            kept[word] = None
    return tuple(kept)


def split_of(group: str, seed: int) -> str:
    """Return the split of a group of photos: a stable hash of its name.

    Which groups are val and test depends on the name alone; dev is a seeded share of the rest.
    """
    place = _unit_hash(group)
    if place < VAL_SHARE:
        return "val"
    if place < VAL_SHARE + TEST_SHARE:
        return "test"
    return "dev" if _unit_hash(f"{seed}:dev:{group}") < DEV_SHARE else "train"


def _unit_hash(text: str) -> float:
    """Map text to [0, 1) evenly, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
