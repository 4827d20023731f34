"""The store of raw predictions: what is written is what is read, whole or not at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers.rankings import rank_with_ties

from eval.predictions import (
    CONCEPT_SCORES,
    PREDICTIONS,
    SystemPredictions,
    read_predictions,
    write_predictions,
)
from mmcgan.errors import DataError

WORDS = ("été", "dog", "sea", "sky")
CONCEPTS = ("dog", "sky")
IDS = np.array([16001, 16003, 16010])


def system(name, role, seed):
    scores = np.random.default_rng(seed).random((3, 4)).astype(np.float32)
    ranking = rank_with_ties(scores.round(1), scores, 4)
    return SystemPredictions(name, role, ranking, scores[:, [1, 3]], -scores[:, [1, 3]])


SYSTEMS = [system("cgan", "cgan", 0), system("knn", "rival", 1), system("cgan+x", "variant", 2)]


@pytest.mark.parametrize(
    "image_ids",
    [IDS, np.array(["a/1.jpg", "b/ü.jpg", "c"], dtype=object), np.array(["1", "2", "3"])],
)
def test_store_reads_back_what_was_written(tmp_path, image_ids):
    write_predictions(tmp_path, SYSTEMS, image_ids, WORDS, CONCEPTS)
    store = read_predictions(tmp_path, image_ids, WORDS, CONCEPTS)
    assert list(store) == ["cgan", "knn", "cgan+x"]
    for wanted in SYSTEMS:
        found = store[wanted.name]
        assert found.role == wanted.role
        for name in ("rows", "scores", "tie_breaks"):
            read, written = getattr(found.ranking, name), getattr(wanted.ranking, name)
            assert read.dtype == written.dtype
            assert (read == written).all()
        assert (found.concept_scores == wanted.concept_scores).all()
        assert (found.concept_tie_breaks == wanted.concept_tie_breaks).all()


def test_predictions_file_has_the_documented_columns(tmp_path):
    write_predictions(tmp_path, SYSTEMS, IDS, WORDS, CONCEPTS)
    table = pd.read_parquet(tmp_path / PREDICTIONS)
    assert list(table.columns) == ["system", "image_id", "rank", "word", "score", "tie_break"]
    assert table["image_id"].dtype == np.int64
    assert len(table) == 3 * 3 * 4
    one = table[(table["system"] == "knn") & (table["image_id"] == 16003)]
    assert one["rank"].tolist() == [1, 2, 3, 4]
    ranking = SYSTEMS[1].ranking
    assert one["word"].tolist() == [WORDS[row] for row in ranking.rows[1]]
    assert one["score"].tolist() == ranking.scores[1].tolist()


def test_concept_file_holds_every_image_and_concept(tmp_path):
    write_predictions(tmp_path, SYSTEMS, IDS, WORDS, CONCEPTS)
    table = pd.read_parquet(tmp_path / CONCEPT_SCORES)
    assert list(table.columns) == ["system", "image_id", "word", "score", "tie_break"]
    one = table[(table["system"] == "cgan") & (table["word"] == "sky")]
    assert one["score"].tolist() == SYSTEMS[0].concept_scores[:, 1].tolist()


def test_store_has_one_row_group_a_system(tmp_path):
    write_predictions(tmp_path, SYSTEMS, IDS, WORDS, CONCEPTS)
    assert pq.ParquetFile(tmp_path / PREDICTIONS).num_row_groups == 3


def test_store_without_concepts_has_no_concept_file(tmp_path):
    bare = [SystemPredictions("cgan", "cgan", SYSTEMS[0].ranking, *np.zeros((2, 3, 0)))]
    write_predictions(tmp_path, bare, IDS, WORDS, ())
    assert not (tmp_path / CONCEPT_SCORES).exists()
    store = read_predictions(tmp_path, IDS, WORDS, ())
    assert store["cgan"].concept_scores.shape == (3, 0)


def test_interrupted_writing_leaves_the_old_store(tmp_path, monkeypatch):
    write_predictions(tmp_path, SYSTEMS, IDS, WORDS, CONCEPTS)
    before = (tmp_path / PREDICTIONS).read_bytes()
    write_table = pq.ParquetWriter.write_table

    def full_disk(writer, table, **options):
        write_table(writer, table, **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_predictions(tmp_path, SYSTEMS[:1], IDS, WORDS, CONCEPTS)
    assert (tmp_path / PREDICTIONS).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [CONCEPT_SCORES, PREDICTIONS]


def truncate(out_dir):
    data = (out_dir / PREDICTIONS).read_bytes()
    (out_dir / PREDICTIONS).write_bytes(data[: len(data) // 2])


def remove_concepts(out_dir):
    (out_dir / CONCEPT_SCORES).unlink()


def write_other_table(out_dir):
    pd.DataFrame({"a": [1]}).to_parquet(out_dir / PREDICTIONS)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (truncate, PREDICTIONS),
        (remove_concepts, CONCEPT_SCORES),
        (write_other_table, PREDICTIONS),
    ],
)
def test_broken_store_is_named(tmp_path, spoil, named):
    write_predictions(tmp_path, SYSTEMS, IDS, WORDS, CONCEPTS)
    spoil(tmp_path)
    with pytest.raises(DataError, match=named) as error:
        read_predictions(tmp_path, IDS, WORDS, CONCEPTS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("image_ids", "words"),
    [(IDS + 1, WORDS), (IDS[:2], WORDS), (np.append(IDS, 16011), WORDS), (IDS, WORDS[1:])],
)
def test_store_of_other_images_or_words_is_refused(tmp_path, image_ids, words):
    write_predictions(tmp_path, SYSTEMS, IDS, WORDS, CONCEPTS)
    with pytest.raises(DataError, match="evaluate again"):
        read_predictions(tmp_path, image_ids, words, CONCEPTS)
