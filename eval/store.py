"""The store of an evaluation: its schema, its one writer and its one reader.

A report is measured, drawn and written again from the store alone: neither the run nor the prepared
data are needed. Two of its files are tables for everybody (`eval.predictions`), the third holds
the rest:

REPORT/predictions.parquet      the ranking of every system for every photo
REPORT/concept_scores.parquet   the scores of all concepts; only where there are concepts
REPORT/answers.h5               HDF5, written last

Attributes of answers.h5
    format            "mmcgan-answers"
    format_version    FORMAT_VERSION; another one is refused
Contents; N photos, V words, E word-vector size, C concepts, M training photos, K photos of dev,
S draws a photo, R sets a photo, T scenes, W words of the truth, G photos of the gallery
    record            JSON: split, tags, seed, concepts, n_outside, n_skipped, n_left_out, checks,
                      scores, tuning, baselines_left_out, facts (data, run, command, versions)
    image_id          (N,) int64, or UTF-8 text where the collection has no numbers
    words             (V,) text in dictionary order
    word_vectors      (V, E) float32, unit rows
    n_photos          (V,) int64, photos of train + dev that carry the word
    relevant/SOURCE   the words that are right for each photo, a table (N, V) as below; SOURCE is
                      user, and user+annotations where there are annotations
    annotated         (N, C) uint8, 1 where the annotators gave the concept
    train_tags        the tags of the training photos, a table (M, V)
    has_duplicate     (N,) uint8, 1 where a training photo is nearly the same
    draws/nearest     (N, S) int32, the rows of the words nearest to the generated vectors
    draws/sets        (N, R, 10) int32, the ten best words of some of these vectors
    logits            (K + N, V) float32, those of the MLP: first of dev, then of the N photos;
                      empty where it was left out
    compared/         many draws, beside these logits
        dev_tags      a table (K, V)
        dev_draws     (K, 1000) int16 or int32, as draws/nearest
        draws         (N, 1000)
    truth/            only where the true distribution is known (the sample)
        scene         (N,) int64, a row of `probability`
        words, probability, annotation_probability   as in the prepared file
    gallery/          the photos to show
        place         (G,) int64, places among the N photos
        jpeg          (G,) variable-length bytes
        tags          (G,) text, JSON: the user tags and the annotations
    log               (L,) text, JSON: the records of the run's log
A table (N, V) is a group `indptr` (N + 1,) int64, `indices` (…,) int32 of 0/1 in compressed rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.answers import Answers, Compared, Drawn, GalleryPhoto, Scores
from eval.figures.distribution import Photos, blocks
from eval.predictions import read_predictions, write_predictions
from mmcgan.arrays import FloatArray
from mmcgan.errors import DataError
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.prepared.dataset import Truth
from mmcgan.training.prepared.large_array import map_array, open_whole, write_around

ANSWERS = "answers.h5"
FORMAT = "mmcgan-answers"
FORMAT_VERSION = 1

_AGAIN = "evaluate again"
_TEXT = h5py.string_dtype("utf-8")
_RECORD = "split tags seed concepts n_outside n_skipped n_left_out tuning baselines_left_out facts"


def write_store(out_dir: Path, answers: Answers) -> None:
    """Write the store; each file appears under its name only when it is whole.

    An older answers.h5 goes first, so that the files of two evaluations are never taken for one.
    """
    (out_dir / ANSWERS).unlink(missing_ok=True)
    names = answers.image_ids, answers.vocabulary.words, answers.concepts
    write_predictions(out_dir, list(answers.systems.values()), *names)
    logits: Any = _Logits(answers)  # an array as far as writing it goes
    with write_around(out_dir / ANSWERS, "logits", logits) as file:
        file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION)
        _write(file, answers)


def read_store(out_dir: Path) -> Answers:
    """Read the store of an evaluation.

    Raises `DataError` that names the file if one is missing, broken or of another version.
    """
    path = out_dir / ANSWERS
    if not path.is_file():
        raise DataError(f"{path} is missing, so {out_dir} holds no whole evaluation; {_AGAIN}")
    with open_whole(
        path, "mmcgan.evaluate", "a whole store", _AGAIN, FORMAT, [FORMAT_VERSION]
    ) as file:
        found = _read(file)
    names = found["image_ids"], found["vocabulary"].words, found["concepts"]
    return Answers(systems=read_predictions(out_dir, *names), **found)


def _write(file: h5py.File, answers: Answers) -> None:
    """Write all but the logits."""
    _write_texts(file, "record", [json.dumps(_record(answers))])
    _write_ids(file, answers.image_ids)
    _write_texts(file, "words", answers.vocabulary.words)
    _write_array(file, "word_vectors", answers.vocabulary.vectors)
    _write_array(file, "n_photos", answers.vocabulary.n_photos)
    for source, table in answers.relevant.items():
        _write_table(file, f"relevant/{source}", table)
    _write_table(file, "train_tags", answers.train_tags)
    _write_array(file, "annotated", answers.annotated.astype(np.uint8))
    _write_array(file, "has_duplicate", answers.has_duplicate.astype(np.uint8))
    _write_array(file, "draws/nearest", answers.drawn.nearest.astype(np.int32))
    _write_array(file, "draws/sets", answers.drawn.sets.astype(np.int32))
    _write_texts(file, "log", [json.dumps(record) for record in answers.log])
    _write_gallery(file, answers.gallery)
    if answers.compared:
        _write_table(file, "compared/dev_tags", answers.compared.dev.tags)
        _write_array(file, "compared/dev_draws", answers.compared.dev.draws)
        _write_array(file, "compared/draws", answers.compared.measured.draws)
    if answers.truth:
        _write_array(file, "truth/scene", answers.truth.scene)
        _write_texts(file, "truth/words", answers.truth.words)
        for name in ("probability", "annotation_probability"):
            _write_array(file, f"truth/{name}", getattr(answers.truth, name))


def _record(answers: Answers) -> dict[str, Any]:
    scores = answers.scores
    calibration = None if scores.calibration is None else asdict(scores.calibration)
    return {name: getattr(answers, name) for name in _RECORD.split()} | {
        "checks": answers.drawn.checks,
        "scores": {"are_probabilities": scores.are_probabilities, "calibration": calibration},
    }


def _read(file: h5py.File) -> dict[str, Any]:
    """Return what `Answers` takes beside the systems."""
    record = json.loads(_texts(file["record"])[0])
    checks, scores = record.pop("checks"), record.pop("scores")
    words, vectors = tuple(_texts(file["words"])), file["word_vectors"][:]
    relevant = {source: _table(group, len(words)) for source, group in file["relevant"].items()}
    calibration = scores["calibration"]
    return record | {
        "image_ids": _ids(file["image_id"]),
        "vocabulary": Vocabulary(words, vectors, file["n_photos"][:]),
        "relevant": relevant,
        "train_tags": _table(file["train_tags"], len(words)),
        "annotated": file["annotated"][:].astype(np.bool_),
        "has_duplicate": file["has_duplicate"][:].astype(np.bool_),
        "drawn": Drawn(file["draws/nearest"][:], file["draws/sets"][:], checks),
        "scores": Scores(
            scores["are_probabilities"], Calibration(**calibration) if calibration else None
        ),
        "compared": _read_compared(file, relevant[record["tags"]]) if "compared" in file else None,
        "truth": _read_truth(file["truth"]) if "truth" in file else None,
        "gallery": _read_gallery(file["gallery"]),
        "log": [json.loads(line) for line in _texts(file["log"])],
    }


def _read_compared(file: h5py.File, tags: sparse.csr_array) -> Compared:
    group, logits = file["compared"], map_array(file["logits"])
    dev_tags = _table(group["dev_tags"], tags.shape[1])
    n_dev = dev_tags.shape[0]
    return Compared(
        Photos(dev_tags, group["dev_draws"][:], logits[:n_dev].__getitem__),
        Photos(tags, group["draws"][:], logits[n_dev:].__getitem__),
    )


def _read_truth(group: h5py.Group) -> Truth:
    tables = group["probability"][:], group["annotation_probability"][:]
    return Truth(group["scene"][:], tuple(_texts(group["words"])), *tables)


def _write_gallery(file: h5py.File, photos: Sequence[GalleryPhoto]) -> None:
    file["gallery/place"] = np.array([photo.place for photo in photos], np.int64)
    jpeg = file.create_dataset("gallery/jpeg", (len(photos),), h5py.vlen_dtype(np.uint8))
    for i, photo in enumerate(photos):
        jpeg[i] = np.frombuffer(photo.thumbnail_jpeg, np.uint8)
    tags = [json.dumps([list(photo.user_tags), list(photo.annotations)]) for photo in photos]
    _write_texts(file, "gallery/tags", tags)


def _read_gallery(group: h5py.Group) -> list[GalleryPhoto]:
    columns = group["place"][:].tolist(), group["jpeg"][:], _texts(group["tags"])
    return [
        GalleryPhoto(place, jpeg.tobytes(), *json.loads(tags))
        for place, jpeg, tags in zip(*columns, strict=True)
    ]


def _write_array(file: h5py.File, name: str, array: npt.NDArray[Any]) -> None:
    how = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if array.size else {}
    file.create_dataset(name, data=array, **how)


def _write_texts(file: h5py.File, name: str, texts: Sequence[Any]) -> None:
    file.create_dataset(name, data=np.array(list(texts), dtype=object), dtype=_TEXT)


def _texts(stored: h5py.Dataset) -> list[str]:
    return stored.asstr()[:].tolist()


def _write_ids(file: h5py.File, image_ids: npt.NDArray[Any]) -> None:
    if image_ids.dtype.kind in "UO":
        _write_texts(file, "image_id", image_ids.tolist())
    else:
        file["image_id"] = image_ids


def _ids(stored: h5py.Dataset) -> npt.NDArray[Any]:
    return stored.asstr()[:] if h5py.check_string_dtype(stored.dtype) else stored[:]


def _write_table(file: h5py.File, name: str, table: sparse.csr_array) -> None:
    _write_array(file, f"{name}/indptr", table.indptr.astype(np.int64))
    _write_array(file, f"{name}/indices", table.indices.astype(np.int32))


def _table(group: h5py.Group, n_words: int) -> sparse.csr_array:
    indptr, indices = group["indptr"][:], group["indices"][:]
    parts = np.ones(len(indices), np.float32), indices, indptr
    table = sparse.csr_array(parts, shape=(len(indptr) - 1, n_words))
    table.check_format(full_check=True)
    return table


class _Logits:
    """The logits (K + N, V) of dev and of the measured photos, made where they are written.

    They are made in blocks, whatever rows are asked for, so that the same photo always meets the
    same others in the network: its logits are then the same to the last bit.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, answers: Answers):
        compared = answers.compared
        kinds = (compared.dev, compared.measured) if compared else ()
        n_words = answers.train_tags.shape[1]
        self._blocks = [(photos, block) for photos in kinds for block in blocks(*photos.tags.shape)]
        ends = np.cumsum([block.stop - block.start for _, block in self._blocks], dtype=int)
        self._ends = ends.tolist()
        self.shape = (self._ends[-1] if kinds else 0, n_words)
        self.nbytes = self.shape[0] * n_words * self.dtype.itemsize
        self._made = lru_cache(maxsize=1)(self._make)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> FloatArray:
        """Return the logits of some rows."""
        start, stop, _ = rows.indices(len(self))
        parts = [np.zeros((0, self.shape[1]), np.float32)]
        for i, end in enumerate(self._ends):
            first = self._ends[i - 1] if i else 0
            if first < stop and end > start:
                parts.append(self._made(i)[max(start - first, 0) : stop - first])
        return np.concatenate(parts)

    def _make(self, number: int) -> FloatArray:
        photos, block = self._blocks[number]
        return np.asarray(photos.logits(block), np.float32)
