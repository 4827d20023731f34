"""Photos of the training set that the page shows beside a similar one: those with a thumbnail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmcgan.arrays import FloatArray
from mmcgan.errors import DataError
from mmcgan.inference.model import Model
from mmcgan.inference.network import Standardizer
from mmcgan.inference.photos.backbone import network_facts
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.prepared.dataset import SPLITS, Dataset


@dataclass(frozen=True)
class TrainingPhotos:
    """T photos of train: `jpegs`, the `tags` of each, and unit rows of `features` (T, D)."""

    jpegs: tuple[bytes, ...]
    tags: tuple[tuple[str, ...], ...]
    features: FloatArray
    standardizer: Standardizer

    @classmethod
    def of(cls, dataset: Dataset, model: Model) -> TrainingPhotos:
        """Return the training photos of `dataset`, their features standardised as the model's are.

        Raises `DataError` if the features were made by another backbone than the model's.
        """
        _check_same_network(dataset, model)
        train = SPLITS.index("train")
        rows = [row for row in dataset.thumbnails if dataset.split[row] == train]
        features = dataset.features_of(rows)
        return cls(
            jpegs=tuple(dataset.thumbnails[row] for row in rows),
            tags=tuple(_tags_of(dataset, row) for row in rows),
            features=unit_rows(model.standardizer(features)),
            standardizer=model.standardizer,
        )

    def similar(self, features: FloatArray, word: str, n_photos: int) -> list[int]:
        """Return the places of photos that carry `word`, by cosine with raw `features` (1, D)."""
        cosines = self.features @ unit_rows(self.standardizer(features))[0]
        ordered = np.argsort(-cosines, kind="stable").tolist()
        return [place for place in ordered if word in self.tags[place]][:n_photos]


def _check_same_network(dataset: Dataset, model: Model) -> None:
    """Raise `DataError` unless one network made the features of `dataset` and the model's."""
    found, wanted = (network_facts(record) for record in (dataset.backbone, model.backbone))
    other = [key for key in {**wanted, **found} if found.get(key) != wanted.get(key)]
    if other:
        raise DataError(
            f"the data {dataset.name} was prepared with another backbone than the model's "
            f"({found['name']}, not {wanted['name']}; they differ in {', '.join(other)}); name "
            "the data that the run learnt from with --data"
        )


def _tags_of(dataset: Dataset, row: int) -> tuple[str, ...]:
    tables = [dataset.tags[name] for name in ("user", "annotations") if name in dataset.tags]
    return tuple(dict.fromkeys(word for table in tables for word in table.of(row)))
