"""The prepared file DATA/dataset.h5: its schema, its one writer and its one reader.

Attributes of the file
    format            "mmcgan-dataset"
    format_version    2; in files of version 1, which are read too, features are float32 and no
                      record names a pooling. Another one is refused
    name              name of the collection
    dataset_id        SHA-256 of the contents; a run names the data it was made from by it
    config            JSON: the settings of `prepare`
    backbone          JSON: name, weights_sha256, preprocessing, runtime, precision, feature_size,
                      and pooling where all levels of a network are pooled
    counts            JSON: what was kept and what was dropped, and why
    versions          JSON: versions of the packages that made it
    command           the command line that made it
Contents; N images, D feature size, V words, E word-vector size, T thumbnails, C scenes
    image_id          (N,) int64, or UTF-8 text where the collection has no numbers
    split             (N,) uint8, a row of SPLITS
    features          (N, D) float16, as the backbone gives them, or float32; never NaN; photos that
                      could not be read are not in the file
    tags/SOURCE/      the tags of each image in compressed rows, SOURCE one of user, annotations,
                      relevant_annotations; the last two only where the collection has them
        words         (U,) text, every word of that source
        indptr        (N + 1,) int64; words of image i: indices[indptr[i]:indptr[i + 1]]
        indices       (…,) int32, rows of `words`
    vocabulary/TAGS/  the vocabulary for `train --tags TAGS`: user, and user+annotations where
                      there are annotations; or withheld, the words of `prepare --withhold`
        words         (V,) text in dictionary order
        vectors       (V, E) float32, unit rows
        n_photos      (V,) int64, photos of train + dev that carry the word
    thumbnails/       JPEG thumbnails: a few of val and test for the reports, up to 1,000 of train
        row           (T,) int64, rows of image_id
        jpeg          (T,) variable-length bytes
    truth/            only where the true distribution is known (the sample)
        scene         (N,) int64, a row of `probability`
        words         (W,) text
        probability   (C, W) float64, p(user tag | scene)
        annotation_probability   (C, W) float64, p(annotation | scene)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import h5py
import numpy as np
import numpy.typing as npt
from scipy import sparse

from mmcgan.arrays import BoolArray, DoubleArray, FloatArray, IntArray, StoredArray
from mmcgan.errors import DataError
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.config import TagSource
from mmcgan.training.prepared.feature_rows import chunks_of, some_rows
from mmcgan.training.prepared.large_array import map_array, open_whole, write_around

FILE_NAME = "dataset.h5"
FORMAT = "mmcgan-dataset"
FORMAT_VERSION = 2
READ_VERSIONS = (1, FORMAT_VERSION)
SPLITS = ("train", "dev", "val", "test")
TAG_SOURCES: tuple[TagSource, ...] = get_args(TagSource)

# What is measured on: of more photos, or more scores of words, a seeded choice is as good.
MAX_MEASURED, MAX_MEASURED_SCORES = 10_000, 2**31

JSON_ATTRIBUTES = ("config", "backbone", "counts", "versions")
_AGAIN = "delete it and run python -m mmcgan.prepare again"
_TEXT = h5py.string_dtype("utf-8")


@dataclass(frozen=True)
class TagTable:
    """The tags of N images: `words` (U,), and a 0/1 matrix (N, U) in compressed rows."""

    words: tuple[str, ...]
    matrix: sparse.csr_array

    @classmethod
    def from_lists(
        cls, lists: Sequence[Iterable[str]], words: Iterable[str] | None = None
    ) -> TagTable:
        """Build the table of `lists`, one an image; columns are `words`, or all that occur."""
        rows = [list(dict.fromkeys(tags)) for tags in lists]
        columns = tuple(sorted({w for tags in rows for w in tags} if words is None else words))
        column_of = {word: j for j, word in enumerate(columns)}
        indices = [column_of[w] for tags in rows for w in tags]
        indptr = np.concatenate([[0], np.cumsum([len(tags) for tags in rows])]).astype(np.int64)
        parts = np.ones(len(indices), np.float32), np.asarray(indices, np.int32), indptr
        return cls(columns, sparse.csr_array(parts, shape=(len(rows), len(columns))))

    def of(self, row: int) -> list[str]:
        """Return the words of image `row`, in the order in which they were written."""
        start, end = self.matrix.indptr[row], self.matrix.indptr[row + 1]
        return [self.words[j] for j in self.matrix.indices[start:end]]

    def in_vocabulary(self, words: Sequence[str]) -> sparse.csr_array:
        """Return the 0/1 matrix (N, V) with one column for each of `words`."""
        column_of = {word: j for j, word in enumerate(words)}
        pairs = [(u, column_of[w]) for u, w in enumerate(self.words) if w in column_of]
        u, v = np.array(pairs, np.int64).reshape(-1, 2).T
        ones, shape = np.ones(len(u), np.float32), (len(self.words), len(words))
        return sparse.csr_array(self.matrix @ sparse.csr_array((ones, (u, v)), shape=shape))


@dataclass(frozen=True)
class Truth:
    """The true tag distribution of a drawn collection.

    `scene` (N,) int64 names the row of both tables for each image; `words` are their W columns.
    `probability` (C, W) is p(user tag | scene), `annotation_probability` (C, W) p(annotation |
    scene); all are independent given the scene.
    """

    scene: IntArray
    words: tuple[str, ...]
    probability: DoubleArray
    annotation_probability: DoubleArray

    def of(self, source: TagSource) -> DoubleArray:
        """Return p(tag | scene) (C, W) for a kind of tags that can be learnt."""
        if source == "user":
            return self.probability
        return 1 - (1 - self.probability) * (1 - self.annotation_probability)


@dataclass(frozen=True)
class Dataset:
    """A prepared file, all but the features in memory; the module's docstring has the shapes."""

    name: str
    image_ids: npt.NDArray[Any]
    split: npt.NDArray[np.uint8]
    features: StoredArray
    tags: dict[str, TagTable]
    vocabularies: dict[str, Vocabulary]
    thumbnails: dict[int, bytes]
    truth: Truth | None
    config: dict[str, Any]
    backbone: dict[str, Any]
    counts: dict[str, Any]
    versions: dict[str, str]
    command: str

    @property
    def feature_size(self) -> int:
        """The size D of an image's feature vector."""
        return int(self.features.shape[1])

    def features_of(self, rows: IntArray | Sequence[int] | slice) -> FloatArray:
        """Return the features (N, D) of images, in single precision, in which all is computed."""
        return np.asarray(self.features[rows], np.float32)

    @property
    def tag_sources(self) -> list[TagSource]:
        """The kinds of tags that can be learnt from this data."""
        return [source for source in TAG_SOURCES if source in self.vocabularies]

    @property
    def annotation_names(self) -> tuple[str, ...]:
        """The potential labels of the collection; empty where it has none."""
        table = self.tags.get("annotations")
        return table.words if table else ()

    def tag_matrix(self, source: TagSource, words: Sequence[str]) -> sparse.csr_array:
        """Return which image carries which of `words` by `source`: 0/1 csr (N, V).

        Raises `DataError` where `source` asks for annotations and there are none.
        """
        matrix = self.tags["user"].in_vocabulary(words)
        if source == "user":
            return matrix
        if "annotations" not in self.tags:
            raise DataError(f"the data {self.name} has no annotations; use --tags user")
        return sparse.csr_array(matrix.maximum(self.tags["annotations"].in_vocabulary(words)))

    @cached_property
    def is_tagged(self) -> BoolArray:
        """(N,): whether an image has at least one user tag in the vocabulary of user tags.

        Only these are examples to learn from, and only these are evaluated.
        """
        matrix = self.tags["user"].in_vocabulary(self.vocabularies["user"].words)
        return np.asarray(np.diff(matrix.indptr) > 0)

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Return the rows of the tagged images of `split`, in file order."""
        return np.flatnonzero(self.is_tagged & (self.split == SPLITS.index(split)))

    def measured_rows(self, split: str, n_words: int) -> npt.NDArray[np.int64]:
        """Return those `rows` of a split on which answers of `n_words` words are measured.

        They are all of them, or a seeded choice of very many, in file order.
        """
        rows = self.rows(split)
        most = max(min(MAX_MEASURED, MAX_MEASURED_SCORES // n_words), 1)
        return rows[some_rows(len(rows), most)]

    def untagged_rows(self, split: str) -> npt.NDArray[np.int64]:
        """Return the rows of the other images of `split`, which have no tag of the vocabulary."""
        return np.flatnonzero(~self.is_tagged & (self.split == SPLITS.index(split)))

    def require(self, *splits: str) -> None:
        """Raise `DataError` that names the first of `splits` without a tagged image."""
        for split in splits:
            if not len(self.rows(split)):
                raise DataError(
                    f"the split {split} of {self.name} has no photo with a tag of the "
                    "vocabulary; prepare more photos, or lower --min-photos"
                )

    @cached_property
    def dataset_id(self) -> str:
        """SHA-256 of what a run depends on: ids, splits, features, tags and vocabularies."""
        digest = hashlib.sha256()
        arrays: list[npt.NDArray[Any]] = [self.split, self.features]
        names: list[Any] = [self.image_ids.tolist()]
        for source, table in sorted(self.tags.items()):
            arrays += [table.matrix.indptr.astype(np.int64), table.matrix.indices.astype(np.int32)]
            names += [source, table.words]
        for source, vocabulary in sorted(self.vocabularies.items()):
            arrays += [vocabulary.vectors]
            names += [source, vocabulary.words]
        for array in arrays:
            for part in chunks_of(array):
                digest.update(np.ascontiguousarray(part).tobytes())
        digest.update(json.dumps(names).encode())
        return digest.hexdigest()


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write the prepared file; it appears under its name only when it is whole."""
    with write_around(path, "features", dataset.features) as file:
        file.attrs.update(
            format=FORMAT,
            format_version=FORMAT_VERSION,
            name=dataset.name,
            dataset_id=dataset.dataset_id,
            **{key: json.dumps(getattr(dataset, key)) for key in JSON_ATTRIBUTES},
            command=dataset.command,
        )
        _write_array(file, "image_id", dataset.image_ids)
        file["split"] = dataset.split
        for source, table in dataset.tags.items():
            _write_array(file, f"tags/{source}/words", table.words)
            file[f"tags/{source}/indptr"] = table.matrix.indptr.astype(np.int64)
            file[f"tags/{source}/indices"] = table.matrix.indices.astype(np.int32)
        for source, vocabulary in dataset.vocabularies.items():
            _write_array(file, f"vocabulary/{source}/words", vocabulary.words)
            file[f"vocabulary/{source}/vectors"] = vocabulary.vectors
            file[f"vocabulary/{source}/n_photos"] = vocabulary.n_photos
        _write_thumbnails(file, dataset.thumbnails)
        if dataset.truth:
            file["truth/scene"] = dataset.truth.scene
            _write_array(file, "truth/words", dataset.truth.words)
            file["truth/probability"] = dataset.truth.probability
            file["truth/annotation_probability"] = dataset.truth.annotation_probability


def read_dataset(data_dir: Path) -> Dataset:
    """Read DATA/dataset.h5.

    Raises `DataError` if it is missing, truncated, of another version, or holds features that
    are not finite or tables whose shapes do not fit each other.
    """
    path = data_dir / FILE_NAME
    if not path.is_file():
        raise DataError(f"{path} is missing; make it with python -m mmcgan.prepare")
    with open_whole(
        path, "mmcgan.prepare", "a whole prepared file", _AGAIN, FORMAT, READ_VERSIONS
    ) as file:
        dataset = _read(file)
    _check_contents(dataset, path)
    return dataset


def newest_data(parent: Path = Path("data")) -> Path:
    """Return the folder under `parent` whose prepared file is the newest."""
    found = sorted(parent.glob(f"*/{FILE_NAME}"), key=lambda p: (p.stat().st_mtime, str(p)))
    if not found:
        raise DataError(
            f"no prepared data under {parent}/; make some with "
            "python -m mmcgan.prepare, or name it with --data"
        )
    return found[-1].parent


def _write_array(file: h5py.File, name: str, values: Any) -> None:
    array = np.asarray(values)
    if array.dtype.kind in "UO" or not len(array):
        file.create_dataset(name, data=np.array(list(values), dtype=object), dtype=_TEXT)
    else:
        file[name] = array


def _write_thumbnails(file: h5py.File, thumbnails: dict[int, bytes]) -> None:
    file["thumbnails/row"] = np.array(list(thumbnails), np.int64)
    jpeg = file.create_dataset("thumbnails/jpeg", (len(thumbnails),), h5py.vlen_dtype(np.uint8))
    for i, data in enumerate(thumbnails.values()):
        jpeg[i] = np.frombuffer(data, np.uint8)


def _read(file: h5py.File) -> Dataset:
    n_images = len(file["split"])
    meta = {key: json.loads(file.attrs[key]) for key in JSON_ATTRIBUTES}
    thumbnails = zip(file["thumbnails/row"][:], file["thumbnails/jpeg"][:], strict=True)
    return Dataset(
        name=str(file.attrs["name"]),
        command=str(file.attrs["command"]),
        image_ids=_read_array(file["image_id"]),
        split=file["split"][:],
        features=map_array(file["features"]),
        tags={source: _read_tags(group, n_images) for source, group in file["tags"].items()},
        vocabularies={
            source: Vocabulary(
                tuple(_read_array(group["words"])), group["vectors"][:], group["n_photos"][:]
            )
            for source, group in file["vocabulary"].items()
        },
        thumbnails={int(row): jpeg.tobytes() for row, jpeg in thumbnails},
        truth=_read_truth(file["truth"]) if "truth" in file else None,
        **meta,
    )


def _read_array(stored: h5py.Dataset) -> npt.NDArray[Any]:
    return np.asarray(stored.asstr()[:] if h5py.check_string_dtype(stored.dtype) else stored[:])


def _read_tags(group: h5py.Group, n_images: int) -> TagTable:
    words, indices = tuple(_read_array(group["words"])), group["indices"][:]
    parts = np.ones(len(indices), np.float32), indices, group["indptr"][:]
    matrix = sparse.csr_array(parts, shape=(n_images, len(words)))
    matrix.check_format(full_check=True)
    return TagTable(words, matrix)


def _read_truth(group: h5py.Group) -> Truth:
    tables = group["probability"][:], group["annotation_probability"][:]
    return Truth(group["scene"][:], tuple(_read_array(group["words"])), *tables)


def _check_contents(dataset: Dataset, path: Path) -> None:
    n_images = len(dataset.split)
    if not len(dataset.image_ids) == len(dataset.features) == n_images:
        raise DataError(
            f"{path} has {len(dataset.image_ids)} image ids, {len(dataset.features)} feature rows "
            f"and {n_images} splits, they must be equally many; {_AGAIN}"
        )
    if "user" not in dataset.tags or "user" not in dataset.vocabularies:
        raise DataError(f"{path} lacks the user tags or their vocabulary; {_AGAIN}")
    _check_table("features", dataset.features, path, np.float16, np.float32)
    for source, vocabulary in dataset.vocabularies.items():
        _check_table(f"vocabulary/{source}/vectors", vocabulary.vectors, path, np.float32)
        if not len(vocabulary) == len(vocabulary.vectors) == len(vocabulary.n_photos):
            raise DataError(
                f"{path}: vocabulary {source} has {len(vocabulary)} words, "
                f"{len(vocabulary.vectors)} vectors and {len(vocabulary.n_photos)} counts, they "
                f"must be equally many; {_AGAIN}"
            )


def _check_table(name: str, table: npt.NDArray[Any], path: Path, *types: type) -> None:
    """Raise `DataError` if `table` is not a matrix of finite values of one of `types`."""
    if table.ndim != 2 or table.dtype not in types:
        wanted = " or ".join(np.dtype(kind).name for kind in types)
        raise DataError(
            f"{path}: {name} is {table.dtype} of shape {table.shape}, it must be {wanted} of two "
            f"dimensions; {_AGAIN}"
        )
    n_bad = sum(int((~np.isfinite(part)).any(axis=1).sum()) for part in chunks_of(table))
    if n_bad:
        raise DataError(
            f"{path}: {name} has {n_bad} of {len(table)} rows with values that are not finite; "
            f"{_AGAIN}"
        )
