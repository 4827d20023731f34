"""Photos of the training set that can be shown beside another one: those with a thumbnail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmcgan.errors import DataError
from mmcgan.inference.model import Model
from mmcgan.inference.standardizer import Standardizer
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.prepared.dataset import SPLITS, Dataset

_SAME = ("name", "weights_sha256", "feature_size")  # of two backbones whose features compare


@dataclass(frozen=True)
class Album:
    """T photos of train: `jpegs`, the `tags` of each, and unit rows of `features` (T, D)."""

    jpegs: tuple[bytes, ...]
    tags: tuple[tuple[str, ...], ...]
    features: npt.NDArray[np.float32]
    standardizer: Standardizer

    @classmethod
    def of(cls, dataset: Dataset, model: Model) -> Album:
        """Return the photos of prepared data, compared as the model sees them.

        Raises `DataError` if the features of the data are not of the model's backbone.
        """
        for key in _SAME:
            if dataset.backbone.get(key) != model.backbone.get(key):
                raise DataError(
                    f"the data {dataset.name} was prepared with another backbone than the model's "
                    f"({key}: {dataset.backbone.get(key)}, not {model.backbone.get(key)}); name "
                    "the data that the run learnt from with --data"
                )
        train = SPLITS.index("train")
        rows = [row for row in dataset.thumbnails if dataset.split[row] == train]
        features = np.asarray(dataset.features[rows], np.float32)
        return cls(
            jpegs=tuple(dataset.thumbnails[row] for row in rows),
            tags=tuple(_tags_of(dataset, row) for row in rows),
            features=unit_rows(model.standardizer(features)),
            standardizer=model.standardizer,
        )

    def similar(self, features: npt.NDArray[np.float32], word: str, n_photos: int) -> list[int]:
        """Return the photos that carry `word`, those most like raw `features` (1, D) first."""
        cosines = self.features @ unit_rows(self.standardizer(features))[0]
        ordered = np.argsort(-cosines, kind="stable").tolist()
        return [place for place in ordered if word in self.tags[place]][:n_photos]


def _tags_of(dataset: Dataset, row: int) -> tuple[str, ...]:
    tables = [dataset.tags[name] for name in ("user", "annotations") if name in dataset.tags]
    return tuple(dict.fromkeys(word for table in tables for word in table.of(row)))
