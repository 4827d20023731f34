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
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
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

    def ranking_of(system: SystemPredictions) -> pa.Table:
        return _table(system.name, image_ids, system.ranking, words, ranked=True)

    def concepts_of(system: SystemPredictions) -> pa.Table:
        scores, ties = system.concept_scores, system.concept_tie_breaks
        rows = np.tile(np.arange(len(concepts), dtype=np.int32), (len(image_ids), 1))
        return _table(system.name, image_ids, Ranking(rows, scores, ties), concepts, ranked=False)

    _write(out_dir / PREDICTIONS, systems, ranking_of)
    if len(concepts):
        _write(out_dir / CONCEPT_SCORES, systems, concepts_of)


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


def _table(
    name: str,
    image_ids: npt.NDArray[Any],
    ranking: Ranking,
    words: Sequence[str],
    ranked: bool,
) -> pa.Table:
    """Return one line an image and word of `ranking`, with its rank if the words are `ranked`."""
    n_images, depth = ranking.rows.shape
    ranks = np.tile(np.arange(1, depth + 1, dtype=np.int32), n_images)
    return pa.table(
        {
            "system": _encoded(np.zeros(n_images * depth, np.int32), [name]),
            "image_id": pa.array(np.repeat(image_ids, depth)),
            **({"rank": ranks} if ranked else {}),
            "word": _encoded(ranking.rows.ravel(), words),
            "score": ranking.scores.ravel(),
            "tie_break": ranking.tie_breaks.ravel(),
        }
    )


def _encoded(codes: npt.NDArray[Any], texts: Sequence[str]) -> pa.DictionaryArray:
    """Return `texts[codes]`, each text stored once."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(texts, pa.string()))


def _write(
    path: Path,
    systems: Sequence[SystemPredictions],
    table_of: Callable[[SystemPredictions], pa.Table],
) -> None:
    """Write one row group a system; memory holds the table of one system."""
    roles = json.dumps({system.name: system.role for system in systems})
    with atomic_path(path) as partial, ExitStack() as opened:
        writer: pq.ParquetWriter | None = None
        for system in systems:
            table = table_of(system).replace_schema_metadata({"roles": roles})
            if writer is None:
                writer = pq.ParquetWriter(partial, table.schema, compression="zstd")
                opened.enter_context(writer)
            writer.write_table(table, row_group_size=max(table.num_rows, 1))


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
    return found[encoded.indices.to_numpy()]
