"""The prepared file: what is written is read back, and what is broken is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from mmcgan.errors import DataError
from mmcgan.files import write_text
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training.prepared import dataset as dataset_module
from mmcgan.training.prepared.dataset import (
    FILE_NAME,
    FORMAT_VERSION,
    SPLITS,
    Dataset,
    TagTable,
    Truth,
    newest_data,
    read_dataset,
    write_dataset,
)

ALL = {"annotations": True, "truth": True, "n_thumbnails": 3}


def assert_same(found: Dataset, wanted: Dataset) -> None:
    for name in ("name", "config", "backbone", "counts", "versions", "command", "thumbnails"):
        assert getattr(found, name) == getattr(wanted, name)
    assert found.image_ids.tolist() == wanted.image_ids.tolist()
    assert found.split.tolist() == wanted.split.tolist()
    assert found.features.dtype == wanted.features.dtype
    assert np.array_equal(found.features, wanted.features)
    assert found.tags.keys() == wanted.tags.keys()
    for source, table in wanted.tags.items():
        assert found.tags[source].words == table.words
        n_images = len(wanted.split)
        assert [found.tags[source].of(i) for i in range(n_images)] == [
            table.of(i) for i in range(n_images)
        ]
    assert found.vocabularies.keys() == wanted.vocabularies.keys()
    for source, vocabulary in wanted.vocabularies.items():
        assert found.vocabularies[source].words == vocabulary.words
        assert np.array_equal(found.vocabularies[source].vectors, vocabulary.vectors)
        assert np.array_equal(found.vocabularies[source].n_photos, vocabulary.n_photos)


@pytest.mark.parametrize("options", [{}, {"text_ids": True}, ALL, ALL | {"text_ids": True}])
def test_write_dataset_is_read_back(tmp_path, make_dataset, options):
    dataset = make_dataset(**options)
    write_dataset(dataset, tmp_path / FILE_NAME)
    found = read_dataset(tmp_path)
    assert_same(found, dataset)
    assert found.dataset_id == dataset.dataset_id
    assert found.image_ids.dtype.kind == ("O" if "text_ids" in options else "i")
    assert found.annotation_names == dataset.annotation_names
    if options.get("truth"):
        assert found.truth.words == dataset.truth.words
        assert np.array_equal(found.truth.scene, dataset.truth.scene)
        for source in ("user", "user+annotations"):
            assert np.array_equal(found.truth.of(source), dataset.truth.of(source))
    else:
        assert found.truth is None


def in_half_precision(dataset: Dataset) -> Dataset:
    return replace(dataset, features=dataset.features.astype(np.float16))


def test_features_in_half_precision_stay_so_on_disk_and_are_computed_with_in_single(
    tmp_path, make_dataset
):
    dataset = in_half_precision(make_dataset())
    write_dataset(dataset, tmp_path / FILE_NAME)
    found = read_dataset(tmp_path)
    assert_same(found, dataset)
    assert found.dataset_id == dataset.dataset_id
    for rows in (np.array([7, 0]), [7, 0], slice(2, 4)):
        assert found.features_of(rows).dtype == np.float32
        assert np.array_equal(found.features_of(rows), dataset.features[rows])


def test_file_of_version_1_is_read(data_dir):
    expected = read_dataset(data_dir)
    with h5py.File(data_dir / FILE_NAME, "a") as file:
        file.attrs["format_version"] = 1
    found = read_dataset(data_dir)
    assert_same(found, expected)
    assert found.dataset_id == expected.dataset_id


def test_write_dataset_keeps_words_outside_ascii(data_dir):
    words = read_dataset(data_dir).vocabularies["user"].words
    assert {"café", "日本"} <= set(words)
    assert list(words) == sorted(words)


def test_write_dataset_keeps_long_lists_of_failures(tmp_path, make_dataset):
    # HDF5 keeps small attributes in a header of 64 KB; these are not small.
    failures = [[f"photo {i}.jpg", "the file is cut short" * 4] for i in range(1000)]
    dataset = replace(make_dataset(), counts={"unreadable_photos": failures})
    write_dataset(dataset, tmp_path / FILE_NAME)
    assert read_dataset(tmp_path).counts == dataset.counts


def test_write_dataset_stores_its_id_and_version(data_dir):
    with h5py.File(data_dir / FILE_NAME) as file:
        assert file.attrs["format_version"] == FORMAT_VERSION
        assert file.attrs["dataset_id"] == read_dataset(data_dir).dataset_id


def test_write_dataset_keeps_an_empty_vocabulary_and_tag_table(tmp_path, make_dataset):
    small = make_dataset()
    empty = Vocabulary((), np.zeros((0, 5), np.float32), np.zeros(0, np.int64))
    dataset = replace(
        small,
        tags={"user": TagTable.from_lists([[]] * len(small.split))},
        vocabularies={"user": empty},
    )
    write_dataset(dataset, tmp_path / FILE_NAME)
    found = read_dataset(tmp_path)
    assert_same(found, dataset)
    assert not found.is_tagged.any()


def test_dataset_id_tells_what_a_run_depends_on(make_dataset):
    dataset = make_dataset()
    assert make_dataset().dataset_id == dataset.dataset_id
    lists = [dataset.tags["user"].of(i) for i in range(len(dataset.split))]
    lists[4] = ["rose"]
    features, split = dataset.features.copy(), dataset.split.copy()
    features[3, 2] += 1
    split[0] = 1
    vocabulary, table = dataset.vocabularies["user"], dataset.tags["user"]
    others = [
        replace(dataset, tags={"user": replace(table, words=(*table.words[:-1], "zoo"))}),
        replace(dataset, tags={"user": TagTable.from_lists(lists)}),
        replace(dataset, features=features),
        replace(dataset, split=split),
        replace(dataset, image_ids=dataset.image_ids + 1),
        replace(dataset, vocabularies={"user": replace(vocabulary, vectors=-vocabulary.vectors)}),
    ]
    assert len({dataset.dataset_id, *(other.dataset_id for other in others)}) == 7


def test_dataset_id_leaves_out_how_the_file_came_to_be(make_dataset):
    dataset = make_dataset()
    again = replace(dataset, command="another", versions={}, config={"out": "elsewhere"})
    assert again.dataset_id == dataset.dataset_id


@pytest.mark.parametrize("n_bytes", [0, 100, 3000, 12_000])
def test_write_dataset_leaves_nothing_on_a_full_disk(tmp_path, make_dataset, full_disk, n_bytes):
    dataset = make_dataset(n_images=400)
    with full_disk(n_bytes), pytest.raises(OSError) as caught:
        write_dataset(dataset, tmp_path / FILE_NAME)
    assert caught.value.filename == str(tmp_path / FILE_NAME)
    assert list(tmp_path.iterdir()) == []


def test_write_dataset_keeps_the_old_file_on_a_full_disk(data_dir, make_dataset, full_disk):
    old = read_dataset(data_dir)
    with full_disk(1000), pytest.raises(OSError):
        write_dataset(make_dataset(), data_dir / FILE_NAME)
    assert_same(read_dataset(data_dir), old)


def test_tag_table_keeps_the_order_of_writing_and_each_word_once():
    table = TagTable.from_lists([["sea", "cat", "sea"], [], ["ant"]])
    assert table.words == ("ant", "cat", "sea")
    assert [table.of(i) for i in range(3)] == [["sea", "cat"], [], ["ant"]]
    assert table.matrix.toarray().tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 0]]


def test_tag_table_has_a_column_for_every_word_that_is_named():
    table = TagTable.from_lists([["b"], []], ["b", "a"])
    assert table.words == ("a", "b")
    assert table.matrix.toarray().tolist() == [[0, 1], [0, 0]]


def test_tag_table_in_vocabulary_selects_and_orders_columns():
    table = TagTable.from_lists([["sea", "cat"], ["ant"], ["cat"]])
    chosen = table.in_vocabulary(["cat", "unknown", "ant"])
    assert chosen.toarray().tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0]]
    assert table.in_vocabulary([]).shape == (3, 0)


def photos(
    lists: list[list[str]], labels: list[list[str]] | None, vocabulary: tuple[str, ...]
) -> Dataset:
    """A dataset of these tags, all train, with a vocabulary of user tags."""
    tags = {"user": TagTable.from_lists(lists)}
    if labels is not None:
        tags["annotations"] = TagTable.from_lists(labels)
    n_images, n_words = len(lists), len(vocabulary)
    words = Vocabulary(vocabulary, np.ones((n_words, 1), np.float32), np.ones(n_words, np.int64))
    return Dataset(
        name="few",
        image_ids=np.arange(n_images),
        split=np.zeros(n_images, np.uint8),
        features=np.zeros((n_images, 2), np.float32),
        tags=tags,
        vocabularies={"user": words},
        thumbnails={},
        truth=None,
        config={},
        backbone={},
        counts={},
        versions={},
        command="",
    )


def test_tag_matrix_joins_annotations_to_the_users_tags():
    dataset = photos([["sea"], ["cat"], []], [["sea"], ["sky"], ["cat"]], ("cat", "sea"))
    words = ["cat", "sea", "sky"]
    assert dataset.tag_matrix("user", words).toarray().tolist() == [
        [0, 1, 0],
        [1, 0, 0],
        [0, 0, 0],
    ]
    assert dataset.tag_matrix("user+annotations", words).toarray().tolist() == [
        [0, 1, 0],
        [1, 0, 1],
        [1, 0, 0],
    ]


def test_tag_matrix_says_that_there_are_no_annotations():
    dataset = photos([["sea"]], None, ("sea",))
    with pytest.raises(DataError, match="few has no annotations; use --tags user"):
        dataset.tag_matrix("user+annotations", ["sea"])


def test_rows_are_the_photos_with_a_user_tag_in_the_vocabulary():
    # An annotation alone, or a tag outside the vocabulary, makes no example.
    lists = [["sea"], [], ["rare"], ["cat", "rare"]]
    dataset = photos(lists, [[], ["sea"], [], []], ("cat", "sea"))
    assert dataset.is_tagged.tolist() == [True, False, False, True]
    assert dataset.rows("train").tolist() == [0, 3]
    assert dataset.rows("val").tolist() == []


def test_rows_of_the_splits_share_no_photo(make_dataset):
    dataset = make_dataset()
    rows = {split: set(dataset.rows(split).tolist()) for split in SPLITS}
    assert all(rows.values())
    assert sum(map(len, rows.values())) == len(set().union(*rows.values()))
    assert all(dataset.is_tagged[list(found)].all() for found in rows.values())


def test_measured_rows_are_all_or_a_choice_of_very_many(make_dataset, monkeypatch):
    dataset = make_dataset(n_images=200)
    rows = dataset.rows("val")
    assert dataset.measured_rows("val", n_words=5).tolist() == rows.tolist()
    monkeypatch.setattr(dataset_module, "MAX_MEASURED_SCORES", 35)
    chosen = dataset.measured_rows("val", n_words=5)
    assert len(chosen) == 7 < len(rows)
    assert (np.diff(chosen) > 0).all()
    assert set(chosen) < set(rows)
    assert chosen.tolist() == dataset.measured_rows("val", n_words=5).tolist()
    assert len(dataset.measured_rows("val", n_words=1000)) == 1
    monkeypatch.setattr(dataset_module, "MAX_MEASURED", 4)
    assert len(dataset.measured_rows("val", n_words=5)) == 4


def test_require_names_the_split_that_is_empty(make_dataset):
    make_dataset().require(*SPLITS)
    with pytest.raises(DataError, match="the split dev of few has no photo with a tag"):
        photos([["sea"]], None, ("sea",)).require("train", "dev")


def test_truth_joins_user_tags_and_annotations_as_independent():
    truth = Truth(np.zeros(1, np.int64), ("a", "b"), np.array([[0.5, 0.2]]), np.array([[0.5, 0]]))
    assert truth.of("user").tolist() == [[0.5, 0.2]]
    assert np.allclose(truth.of("user+annotations"), [[0.75, 0.2]])  # 1 - .5 × .5


def test_newest_data_is_the_last_written(tmp_path):
    for age, name in enumerate(["b", "c", "a"]):
        write_text(tmp_path / name / FILE_NAME, "")
        os.utime(tmp_path / name / FILE_NAME, (1000 - age, 1000 - age))
    (tmp_path / "unfinished").mkdir()
    assert newest_data(tmp_path) == tmp_path / "b"


def test_newest_data_says_how_to_make_some(tmp_path):
    with pytest.raises(DataError, match=r"python -m mmcgan\.prepare"):
        newest_data(tmp_path / "data")


def assert_refused(folder: Path, *parts: str) -> None:
    with pytest.raises(DataError) as caught:
        read_dataset(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder / FILE_NAME) in message
    assert "mmcgan.prepare" in message
    assert [part for part in parts if part not in message] == []


def test_read_dataset_says_that_it_is_missing(tmp_path):
    assert_refused(tmp_path, "missing")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_read_dataset_refuses_a_truncated_file(data_dir, share):
    path = data_dir / FILE_NAME
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert_refused(data_dir, "not a whole prepared file")


def test_read_dataset_refuses_what_is_not_hdf5(data_dir):
    (data_dir / FILE_NAME).write_text("image_id,tags\n1,sea\n" * 100)
    assert_refused(data_dir, "not a whole prepared file")


def put(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return change


def set_attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    return lambda file: file.attrs.__setitem__(name, value)


def remove(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(name)


def put_nan(file: h5py.File) -> None:
    file["features"][3, 1] = np.nan
    file["features"][5, 0] = np.inf


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_attribute("format_version", 99), ["version 99", f"reads 1 and {FORMAT_VERSION}"]),
        (set_attribute("format", "another"), ["not one of mmcgan.prepare"]),
        (lambda file: file.attrs.__delitem__("format"), ["not one of mmcgan.prepare"]),
        (lambda file: file.attrs.__delitem__("format_version"), ["format_version"]),
        (lambda file: file.attrs.__delitem__("config"), ["config"]),
        (set_attribute("backbone", '{"name": '), ["not a whole prepared file"]),
        (put_nan, ["features has 2 of 80 rows", "not finite"]),
        (put("features", np.zeros((7, 6), np.float32)), ["7 feature rows", "80"]),
        (put("features", np.zeros(80, np.float32)), ["features", "(80,)"]),
        (put("features", np.zeros((80, 6))), ["features", "float64", "float16 or float32"]),
        (put("features", [b"text"] * 80), ["features"]),
        (put("image_id", np.arange(79)), ["79 image ids"]),
        (put("split", np.zeros(3, np.uint8)), []),
        (put("tags/user/indptr", np.arange(80)), []),
        (put("tags/user/indices", np.full(144, 999, np.int32)), []),
        (put("vocabulary/user/vectors", np.ones((2, 5), np.float32)), ["user", "2 vectors"]),
        (put("vocabulary/user/vectors", np.ones(16, np.float32)), ["vectors", "(16,)"]),
        (put("vocabulary/user/vectors", np.full((16, 5), np.nan, np.float32)), ["not finite"]),
        (put("vocabulary/user/n_photos", np.ones(3, np.int64)), ["user", "3 counts"]),
        (put("thumbnails/row", np.arange(9)), []),
        (remove("features"), ["features"]),
        (remove("tags"), ["tags"]),
        (remove("tags/user"), ["user tags"]),
        (remove("vocabulary/user"), ["vocabulary"]),
        (remove("truth/words"), ["words"]),
    ],
)
def test_read_dataset_refuses_what_does_not_fit(data_dir, change, expected):
    with h5py.File(data_dir / FILE_NAME, "a") as file:
        change(file)
    assert_refused(data_dir, *expected)
