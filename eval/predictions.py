"""The store of raw predictions: written first, read back by everything that measures.

REPORT/predictions.parquet      system, image_id, rank (from 1), word, score, tie_break: the
                                ranking of every system for every evaluated image
REPORT/concept_scores.parquet   system, image_id, word, score, tie_break: the scores of all
                                concepts for all evaluated images; only where there are concepts

Scores are those of the ranking, before any calibration.

Both have one row group a system, images in the order of the evaluation, and the roles of the
systems as JSON in the file's metadata under "roles". `image_id` is a number where the collection
has numbers, else text; system and word are dictionary-encoded text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mmcgan.arrays import FloatArray
from mmcgan.errors import DataError
from mmcgan.files import atomic_path
from mmcgan.inference.words.ranking import Ranking

PREDICTIONS = "predictions.parquet"
CONCEPT_SCORES = "concept_scores.parquet"

Role = Literal["cgan", "rival", "variant", "control"]


@dataclass(frozen=True)
class SystemPredictions:
    """What one system said of N images.

    `ranking` (N, depth) holds rows of the vocabulary; `concept_scores` and `concept_tie_breaks`
    (N, C) are the values of C concepts, by which images are ranked.
    """

    name: str
    role: Role
    ranking: Ranking
    concept_scores: FloatArray
    concept_tie_breaks: FloatArray


def write_predictions(
    out_dir: Path,
    systems: Sequence[SystemPredictions],
    image_ids: npt.NDArray[Any],
    words: Sequence[str],
    concepts: Sequence[str],
) -> None:
    """Write the store of `systems` into `out_dir`, one system at a time.

    `image_ids` has N entries; `words` are the V words that ranking rows refer to, `concepts` the
    C words of the concept columns. Each file appears only when it is whole.
    """
    _write(out_dir / PREDICTIONS, systems, lambda system: _ranking_frame(system, image_ids, words))
    if len(concepts):
        _write(
            out_dir / CONCEPT_SCORES,
            systems,
            lambda system: _concept_frame(system, image_ids, concepts),
        )


def read_predictions(
    out_dir: Path, image_ids: npt.NDArray[Any], words: Sequence[str], concepts: Sequence[str]
) -> dict[str, SystemPredictions]:
    """Read the store back, by system in the order in which they were written.

    Raises `DataError` if a file is missing or broken, or holds other images or words.
    """
    rankings = _read(out_dir / PREDICTIONS, image_ids, words)
    empty = np.zeros((len(image_ids), 0), np.float32)
    scores = _read(out_dir / CONCEPT_SCORES, image_ids, concepts) if len(concepts) else {}
    store = {}
    for name, (role, ranking) in rankings.items():
        concept = scores[name][1] if len(concepts) else Ranking(empty.astype(int), empty, empty)
        store[name] = SystemPredictions(name, role, ranking, concept.scores, concept.tie_breaks)
    return store


def _ranking_frame(
    system: SystemPredictions, image_ids: npt.NDArray[Any], words: Sequence[str]
) -> pd.DataFrame:
    """Return one line an image and rank."""
    n_images, depth = system.ranking.rows.shape
    return pd.DataFrame(
        {
            "system": _encoded(np.zeros(n_images * depth, np.int8), [system.name]),
            "image_id": np.repeat(image_ids, depth),
            "rank": np.tile(np.arange(1, depth + 1, dtype=np.int32), n_images),
            "word": _encoded(system.ranking.rows.ravel(), words),
            "score": system.ranking.scores.ravel(),
            "tie_break": system.ranking.tie_breaks.ravel(),
        }
    )


def _concept_frame(
    system: SystemPredictions, image_ids: npt.NDArray[Any], concepts: Sequence[str]
) -> pd.DataFrame:
    """Return one line an image and concept."""
    n_images, n_concepts = system.concept_scores.shape
    codes = np.tile(np.arange(n_concepts), n_images)
    return pd.DataFrame(
        {
            "system": _encoded(np.zeros_like(codes), [system.name]),
            "image_id": np.repeat(image_ids, n_concepts),
            "word": _encoded(codes, concepts),
            "score": system.concept_scores.ravel(),
            "tie_break": system.concept_tie_breaks.ravel(),
        }
    )


def _encoded(codes: npt.NDArray[Any], texts: Sequence[str]) -> pd.Categorical[Any]:
    """Return `texts[codes]`, each text stored once."""
    return pd.Categorical.from_codes(codes, pd.Index(list(texts), dtype="str"))


def _write(
    path: Path,
    systems: Sequence[SystemPredictions],
    frame_of: Callable[[SystemPredictions], pd.DataFrame],
) -> None:
    """Write one row group a system; memory holds the table of one system."""
    roles = json.dumps({system.name: system.role for system in systems})
    with atomic_path(path) as partial:
        writer: pq.ParquetWriter | None = None
        try:
            for system in systems:
                table = _plain_table(frame_of(system)).replace_schema_metadata({"roles": roles})
                writer = writer or pq.ParquetWriter(partial, table.schema, compression="zstd")
                writer.write_table(table, row_group_size=max(table.num_rows, 1))
        finally:
            if writer:
                writer.close()


def _plain_table(frame: pd.DataFrame) -> pa.Table:
    """Turn a frame into a table whose schema does not depend on the categories of a frame."""
    code_type = pa.dictionary(pa.int32(), pa.string())
    fields = []
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            fields.append(pa.field(name, code_type))
        elif name == "image_id" and not pd.api.types.is_integer_dtype(frame[name].dtype):
            fields.append(pa.field(name, pa.string()))
        else:
            fields.append(pa.field(name, pa.from_numpy_dtype(frame[name].dtype)))
    return pa.Table.from_pandas(frame, pa.schema(fields), preserve_index=False)


def _read(
    path: Path, image_ids: npt.NDArray[Any], words: Sequence[str]
) -> dict[str, tuple[Role, Ranking]]:
    """Read one file of the store; a concept file reads as the ranking of its columns."""
    if not path.is_file():
        raise DataError(f"{path} is missing; evaluate again")
    try:
        with pq.ParquetFile(path) as file:
            roles = json.loads(file.schema_arrow.metadata[b"roles"])
            groups = [_read_group(file, i, image_ids, words) for i in range(file.num_row_groups)]
        return {name: (roles[name], ranking) for name, ranking in groups}
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as reason:
        raise DataError(
            f"{path} is not a whole store of these predictions ({reason}); evaluate again"
        ) from None


def _read_group(
    file: pq.ParquetFile, group: int, image_ids: npt.NDArray[Any], words: Sequence[str]
) -> tuple[str, Ranking]:
    """Return the name and the ranking of the system in one row group."""
    table = file.read_row_group(group).unify_dictionaries()
    n_images = len(image_ids)
    depth, rest = divmod(table.num_rows, n_images)
    if rest or not np.array_equal(table["image_id"].to_numpy(), np.repeat(image_ids, depth)):
        raise ValueError("it holds other images")
    shape = (n_images, depth)
    ranking = Ranking(
        _rows_of(table["word"], words).reshape(shape),
        table["score"].to_numpy().reshape(shape),
        table["tie_break"].to_numpy().reshape(shape),
    )
    return str(table["system"][0].as_py()), ranking


def _rows_of(column: pa.ChunkedArray, words: Sequence[str]) -> npt.NDArray[np.int32]:
    """Return the places of a word column in `words`; KeyError for a word that is not there."""
    row_of = {word: row for row, word in enumerate(words)}
    encoded = column.combine_chunks()
    found = np.array([row_of[word] for word in encoded.dictionary.to_pylist()], np.int32)
    rows: npt.NDArray[np.int32] = found[encoded.indices.to_numpy()]
    return rows
