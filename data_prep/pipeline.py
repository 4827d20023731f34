"""The way from a raw collection to the prepared file, step by step.

While it is being made, DATA/partial/ holds the frozen settings and the features so far; a call
with the same settings goes on from there. It is removed when DATA/dataset.h5 is whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data_prep.config import PrepareConfig
from data_prep.features import Extracted, Extractor, find_detail
from data_prep.folder import read_folder
from data_prep.mirflickr import download, read_mirflickr
from data_prep.photos import Collection, Photo
from data_prep.sample import read_sample
from data_prep.text import StopList, read_stop_list
from data_prep.words import build_vocabularies, check_sources, count_words, withhold_words
from mmcgan.errors import DataError, OptionError, PhotoError
from mmcgan.files import read_json, write_json
from mmcgan.inference.photos.backbone import Backbone, load_backbone
from mmcgan.inference.photos.feature_cache import FeatureCache
from mmcgan.inference.photos.images import open_photo
from mmcgan.options import flag
from mmcgan.training.prepared.dataset import (
    FILE_NAME,
    SPLITS,
    Dataset,
    TagTable,
    read_dataset,
    write_dataset,
)
from mmcgan.training.ranks import ALONE, Ranks

LIBRARY_STOP_LIST = Path(__file__).with_name("stop_list_library.txt")
# Of val and test for the reports, of train to show photos that are like another one.
N_THUMBNAILS = {"val": 24, "test": 24, "train": 1000}
THUMBNAIL_SIZE = 160  # pixels, the longer side
MAX_NAMED_FAILURES = 1000  # unreadable photos kept by name in the counts

_PACKAGES = ("mmcgan", "torch", "gensim", "numpy", "pillow", "h5py")


def prepare(config: PrepareConfig, command: str, ranks: Ranks = ALONE) -> Dataset:
    """Make the prepared file, go on with a partial one, or read a finished one.

    Of several ranks each computes the features of its share, and the first does all the rest.
    Raises `OptionError` where the folder holds data of other settings, `DataError` where the
    collection is missing, broken or unfit.
    """
    folder = config.folder
    if (folder / FILE_NAME).exists():
        dataset = read_dataset(folder)
        _check_same(dataset.config, config, folder)
        shutil.rmtree(config.partial, ignore_errors=True)  # left by a call killed at its end
        return dataset
    frozen = config.partial / "config.json"
    if frozen.exists():
        # What a failed call advises: with a higher --max-failed the same work goes on.
        _check_same(read_json(frozen, DataError), config, folder, free=("max_failed",))
    check_sources(config)
    collection = ranks.after_first(read_collection, config)
    photos = collection.photos
    # Too few tags fail before the long work.
    count_words(withhold_words(photos, config)[0], "user", config.min_photos)
    if ranks.is_first:
        write_json(frozen, config.to_json())
    backbone = ranks.after_first(_load_backbone, collection, config)
    cache = FeatureCache(backbone.record) if config.dataset == "folder" else None
    extractor = Extractor(backbone, config.batch_size, config.max_failed, cache)
    extracted = extractor.extract_shared(photos, config.partial, ranks)
    if extracted is None:
        ranks.wait()  # until the first has written it
        return read_dataset(folder)
    dataset = build_dataset(collection, extracted, backbone.record, config, command)
    write_dataset(dataset, folder / FILE_NAME)
    shutil.rmtree(config.partial)
    ranks.wait()
    return dataset


def read_collection(config: PrepareConfig) -> Collection:
    """Read the raw collection that the settings name."""
    stop_words = _stop_list(config)
    if config.dataset == "sample":
        return read_sample(config.folder / "photos", stop_words, config.seed)
    if config.root is None:
        raise OptionError(f"--root: --dataset {config.dataset} needs the folder of its photos")
    if config.dataset == "folder":
        return read_folder(config.root, stop_words, config.seed)
    if config.download:
        download(config.root)
    return read_mirflickr(config.root, stop_words)


def _stop_list(config: PrepareConfig) -> StopList:
    """Return the user's stop list, joined with ours for photo libraries unless it is off."""
    own = read_stop_list(config.stop_list) if config.stop_list else StopList()
    if config.dataset != "folder" or config.no_stop_list:
        return own
    return own | read_stop_list(LIBRARY_STOP_LIST)


def _load_backbone(collection: Collection, config: PrepareConfig) -> Backbone:
    backbone = load_backbone(config.backbone, config.runtime, config.precision)
    return backbone.with_detail(find_detail(collection.photos, backbone.image_size))


def build_dataset(
    collection: Collection,
    extracted: Extracted,
    backbone_record: dict[str, Any],
    config: PrepareConfig,
    command: str,
) -> Dataset:
    """Join the readable photos, their features and their words into one `Dataset`.

    `backbone_record` describes the backbone that made the features.
    """
    readable = [collection.photos[row] for row in extracted.rows]
    photos, withheld = withhold_words(readable, config)
    vocabularies, word_counts = build_vocabularies(
        photos, collection.annotation_names, config, withheld
    )
    truth = collection.truth
    if truth:
        truth = replace(truth, scene=truth.scene[extracted.rows])
    dataset = Dataset(
        name=collection.name,
        image_ids=np.array([photo.image_id for photo in photos]),
        split=np.array([SPLITS.index(photo.split) for photo in photos], np.uint8),
        features=extracted.features,
        tags=_tag_tables(photos, collection),
        vocabularies=vocabularies,
        thumbnails={},
        truth=truth,
        config=config.to_json(),
        backbone=backbone_record,
        counts={},
        versions={package: version(package) for package in _PACKAGES},
        command=command,
    )
    return replace(
        dataset,
        thumbnails=_thumbnails(photos, dataset),
        counts=_count(dataset, collection, extracted) | word_counts,
    )


def _tag_tables(photos: Sequence[Photo], collection: Collection) -> dict[str, TagTable]:
    """Return the table of each source of tags that the collection has."""
    tables = {"user": TagTable.from_lists([photo.tags for photo in photos])}
    if names := collection.annotation_names:
        labels = [photo.annotations for photo in photos]
        tables["annotations"] = TagTable.from_lists(labels, names)
    if names := collection.relevant_annotation_names:
        labels = [photo.relevant_annotations for photo in photos]
        tables["relevant_annotations"] = TagTable.from_lists(labels, names)
    return tables


def _thumbnails(photos: Sequence[Photo], dataset: Dataset) -> dict[int, bytes]:
    """Make small JPEGs of a seeded choice of the tagged photos of each split."""
    random = np.random.default_rng(0)
    chosen = [
        random.choice(rows, min(n_photos, len(rows)), replace=False)
        for split, n_photos in N_THUMBNAILS.items()
        for rows in [dataset.rows(split)]
    ]
    rows = np.sort(np.concatenate(chosen))
    made = {int(row): _thumbnail(photos[row]) for row in rows}
    return {row: picture for row, picture in made.items() if picture is not None}


def _thumbnail(photo: Photo) -> bytes | None:
    """Return a small JPEG; None of a photo that is gone by now."""
    buffer = BytesIO()
    try:
        with open_photo(photo.read(), photo.name) as image:
            image.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.LANCZOS)
            image.save(buffer, "JPEG", quality=80)
    except (PhotoError, OSError):
        return None
    return buffer.getvalue()


def _count(dataset: Dataset, collection: Collection, extracted: Extracted) -> dict[str, Any]:
    """Count the photos that were kept, and by reason those that were left out."""
    return {
        "photos": len(collection.photos),
        "unreadable": len(extracted.failures),
        "unreadable_photos": [list(f) for f in extracted.failures[:MAX_NAMED_FAILURES]],
        "splits": {
            split: {"photos": int((dataset.split == i).sum()), "tagged": len(dataset.rows(split))}
            for i, split in enumerate(SPLITS)
        },
        "dropped": dict(sorted(collection.dropped.items())),
    }


def _check_same(
    found: Any, config: PrepareConfig, folder: Path, free: tuple[str, ...] = ()
) -> None:
    """Raise `OptionError` for the first setting that differs in `found`, those in `free` apart."""
    if not isinstance(found, dict):
        raise DataError(f"the settings in {folder} are broken; delete that folder")
    before = PrepareConfig().to_json() | found  # a setting that is newer has its default there
    for name, value in config.to_json().items():
        if before[name] != value and name not in ("out", "download", *free):
            raise OptionError(
                f"{flag(name)}: {folder} was prepared with {before[name]!r}, this call says "
                f"{value!r}; name another folder with --out, or delete that one"
            )
