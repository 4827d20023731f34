"""From a folder of photos to the prepared file, with a backbone that takes no time."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from helpers.folders import (
    COMMAND,
    RECORD,
    TinyBackbone,
    colour,
    files_of,
    put_photos,
)
from helpers.packets import marks
from PIL import Image

from data_prep import pipeline
from data_prep.config import PrepareConfig
from data_prep.photos import Collection, split_of
from data_prep.pipeline import prepare, read_collection
from data_prep.text import StopList
from mmcgan.errors import DataError, OptionError
from mmcgan.metadata import plan_embedded
from mmcgan.training.prepared.dataset import FILE_NAME, SPLITS, Dataset, Truth, read_dataset


@pytest.fixture
def backbone(monkeypatch: pytest.MonkeyPatch) -> TinyBackbone:
    tiny = TinyBackbone()

    def load(name: str, runtime: str, precision: str) -> TinyBackbone:
        tiny.n_loads += 1
        return tiny

    monkeypatch.setattr(pipeline, "load_backbone", load)
    return tiny


@pytest.fixture
def config(tmp_path: Path) -> PrepareConfig:
    """Settings for a folder of 30 photos."""
    return PrepareConfig(
        dataset="folder",
        root=put_photos(tmp_path / "photos"),
        out=tmp_path / "data",
        min_photos=2,
        word_size=4,
        word_epochs=2,
        batch_size=4,
    )


def test_prepare_writes_one_file_that_holds_everything(config, backbone):
    dataset = prepare(config, COMMAND)
    assert files_of(config) == [FILE_NAME]
    found = read_dataset(config.folder)
    assert found.dataset_id == dataset.dataset_id
    ids = found.image_ids.tolist()
    assert ids == sorted(ids)
    assert len(ids) == 30
    assert [SPLITS[s] for s in found.split] == [split_of(name, 0) for name in ids]
    numbers = [int(name[2:-4]) for name in ids]
    assert np.allclose(found.features, [colour(number) for number in numbers])
    written = [(config.root / name).with_suffix(".txt").read_text() for name in ids]
    assert [", ".join(found.tags["user"].of(row)) for row in range(30)] == written
    assert {"sea", "cat"} <= set(found.vocabularies["user"].words) <= {"sea", "cat", "sky", "rare"}
    assert found.vocabularies["user"].vector_size == 4
    assert found.truth is None


def test_photos_of_a_folder_are_computed_once_wherever_they_go(config, backbone, tmp_path):
    first = prepare(config, COMMAND)
    n_photos = backbone.n_photos
    moved = config.root.rename(tmp_path / "moved")
    put_keyword(next(moved.glob("*.png")))
    again = prepare(replace(config, root=moved, out=tmp_path / "again"), COMMAND)
    assert backbone.n_photos == n_photos
    assert np.array_equal(again.features, first.features)
    assert again.counts["unreadable"] == 0


def put_keyword(photo: Path) -> None:
    plan_embedded(photo, marks("sea")).apply()


def test_prepare_records_how_the_file_came_to_be(config, backbone):
    found = prepare(config, COMMAND)
    assert (found.config, found.command) == (config.to_json(), COMMAND)
    assert found.backbone == RECORD | {"detail": None}
    assert {"mmcgan", "torch", "gensim", "numpy"} <= found.versions.keys()
    assert (found.counts["photos"], found.counts["unreadable"]) == (30, 0)
    n_photos = {split: n["photos"] for split, n in found.counts["splits"].items()}
    assert n_photos == {split: int((found.split == i).sum()) for i, split in enumerate(SPLITS)}
    assert found.counts["vocabulary"]["user"]["words"] == len(found.vocabularies["user"])


def test_prepare_keeps_thumbnails_of_photos_that_are_learnt_from_or_evaluated(config, backbone):
    found = prepare(config, COMMAND)
    shown = [*found.rows("val"), *found.rows("test"), *found.rows("train")]
    assert sorted(found.thumbnails) == sorted(shown)
    for row, jpeg in found.thumbnails.items():
        image = Image.open(BytesIO(jpeg))
        assert (image.format, image.size) == ("JPEG", (160, 96))
        mean = np.asarray(image, np.float64).mean(axis=(0, 1))
        assert np.allclose(mean, found.features[row], atol=4)


def test_prepare_goes_on_without_the_thumbnail_of_a_photo_that_is_gone(
    config, backbone, monkeypatch
):
    real = pipeline.open_photo
    gone = sorted(config.root.glob("*.png"))[0]

    def open_photo(source, *args):
        gone.unlink(missing_ok=True)
        return real(source, *args)

    monkeypatch.setattr(pipeline, "open_photo", open_photo)
    found = prepare(config, COMMAND)
    assert len(found.image_ids) == 30
    named = [found.image_ids[row] for row in found.thumbnails]
    assert gone.name not in named
    assert len(named) >= 25


def test_prepare_leaves_out_what_cannot_be_read_and_says_so(config, backbone, monkeypatch):
    gone, stale = sorted(config.root.glob("*.png"))[3:5]
    real = pipeline.Extractor.extract_shared

    def extract(self, *args):
        gone.unlink()
        return real(self, *args)

    def fail(path, *args, **options):
        if path == stale:
            raise OSError(116, "Stale file handle")
        return opened(path, *args, **options)

    opened = Path.open
    monkeypatch.setattr(pipeline.Extractor, "extract_shared", extract)
    monkeypatch.setattr(Path, "open", fail)
    found = prepare(replace(config, max_failed=0.1), COMMAND)
    assert len(found.image_ids) == 28
    assert {Path(name).name for name, _ in found.counts["unreadable_photos"]} == {
        gone.name,
        stale.name,
    }


def test_prepare_gives_the_same_data_every_time(config, backbone, tmp_path):
    one = prepare(config, COMMAND)
    two = prepare(replace(config, out=tmp_path / "again"), COMMAND)
    other = prepare(replace(config, out=tmp_path / "other", seed=1), COMMAND)
    assert one.dataset_id == two.dataset_id != other.dataset_id


def test_prepare_does_nothing_on_finished_output(config, backbone):
    first = prepare(config, COMMAND)
    before = (config.folder / FILE_NAME).stat().st_mtime_ns
    again = prepare(config, "another command")
    assert again.dataset_id == first.dataset_id
    assert again.command == COMMAND
    assert backbone.n_loads == 1
    assert (config.folder / FILE_NAME).stat().st_mtime_ns == before


def test_prepare_knows_its_finished_output_in_another_place(config, backbone, tmp_path):
    first = prepare(config, COMMAND)
    config.folder.rename(tmp_path / "moved")
    moved = prepare(replace(config, out=tmp_path / "moved"), COMMAND)
    assert moved.dataset_id == first.dataset_id
    assert backbone.n_loads == 1


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"seed": 3}, "--seed"),
        ({"min_photos": 1}, "--min-photos"),
        ({"word_size": 9}, "--word-size"),
    ],
)
@pytest.mark.parametrize("is_finished", [True, False])
def test_prepare_refuses_other_settings_for_the_same_folder(
    config, backbone, options, option, is_finished
):
    interrupt(config, backbone)
    if is_finished:
        prepare(config, COMMAND)
    with pytest.raises(OptionError, match=f"^{option}: .*was prepared with .*--out") as caught:
        prepare(replace(config, **options), COMMAND)
    assert str(config.folder) in str(caught.value)


def interrupt(config: PrepareConfig, backbone: TinyBackbone, after: int = 8) -> None:
    """Stop the preparation by Ctrl-C after some photos."""
    backbone.stop_after = after
    with pytest.raises(KeyboardInterrupt):
        prepare(config, COMMAND)
    backbone.stop_after = None


def test_prepare_goes_on_where_it_was_interrupted(config, backbone, tmp_path):
    interrupt(config, backbone)
    assert files_of(config) == ["partial"]
    found = prepare(config, COMMAND)
    assert backbone.n_photos == 30
    assert files_of(config) == [FILE_NAME]
    whole = prepare(replace(config, out=tmp_path / "whole"), COMMAND)
    assert found.dataset_id == whole.dataset_id


def test_prepare_sees_no_more_detail_than_the_photos_have(config, backbone, tmp_path):
    backbone.record = RECORD | {"image_size": 150}
    interrupt(config, backbone)
    found = prepare(config, COMMAND)
    assert found.backbone == RECORD | {"image_size": 150, "detail": 120}  # photos of 200 × 120
    assert backbone.n_photos == 30


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_prepare_says_that_its_frozen_settings_are_broken(config, backbone, content):
    interrupt(config, backbone)
    (config.folder / "partial" / "config.json").write_text(content)
    with pytest.raises(DataError) as caught:
        prepare(config, COMMAND)
    assert str(config.folder) in str(caught.value)


def test_prepare_on_a_full_disk_leaves_no_file_and_goes_on_later(config, backbone, full_disk):
    with full_disk(3000), pytest.raises(OSError) as caught:
        prepare(config, COMMAND)
    assert caught.value.filename == str(config.folder / FILE_NAME)
    assert files_of(config) == ["partial"]
    prepare(config, COMMAND)
    assert backbone.n_photos == 30
    assert files_of(config) == [FILE_NAME]


def test_prepare_refuses_a_broken_finished_file(config, backbone):
    prepare(config, COMMAND)
    path = config.folder / FILE_NAME
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match="not a whole prepared file"):
        prepare(config, COMMAND)


def test_prepare_leaves_out_photos_that_cannot_be_read_and_names_them(config, backbone):
    broken = sorted(config.root.glob("*.png"))[5]
    broken.write_bytes(broken.read_bytes()[:40])
    found = prepare(config, COMMAND)
    assert len(found.image_ids) == 29
    assert broken.name not in found.image_ids
    numbers = [int(name[2:-4]) for name in found.image_ids]
    assert np.allclose(found.features, [colour(number) for number in numbers])
    assert found.counts["unreadable"] == 1
    [[name, reason]] = found.counts["unreadable_photos"]
    assert name == str(broken)
    assert reason
    assert sum(n["photos"] for n in found.counts["splits"].values()) == 29


def test_prepare_refuses_when_too_many_photos_cannot_be_read(config, backbone):
    for broken in sorted(config.root.glob("*.png"))[:3]:
        broken.write_bytes(b"")
    with pytest.raises(DataError):
        prepare(config, COMMAND)
    assert files_of(config) == ["partial"]


def test_prepare_takes_collections_without_val_and_test(config, backbone, tmp_path):
    root = put_photos(tmp_path / "learnt", 12, ("train", "dev"))
    found = prepare(replace(config, root=root, max_failed=0.5), COMMAND)
    assert sorted(found.thumbnails) == found.rows("train").tolist()
    assert found.counts["splits"]["val"] == {"photos": 0, "tagged": 0}
    assert read_dataset(config.folder).thumbnails == found.thumbnails
    with pytest.raises(DataError, match="the split test of"):
        found.require("train", "test")


def refused_before_the_work(
    config: PrepareConfig, backbone: TinyBackbone, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        prepare(config, COMMAND)
    assert backbone.n_loads == 0
    assert not (config.folder / FILE_NAME).exists()


def test_prepare_refuses_photos_without_any_tag(config, backbone):
    for path in config.root.glob("*.txt"):
        path.unlink()
    refused_before_the_work(config, backbone, DataError, "photos of train and dev has a tag")


def test_prepare_refuses_a_collection_of_one_photo(config, backbone, tmp_path):
    alone = replace(config, root=put_photos(tmp_path / "alone", 1, ("train",)))
    refused_before_the_work(alone, backbone, DataError, "--min-photos: no tag is carried by 2")


def test_prepare_refuses_a_minimum_that_no_tag_reaches(config, backbone):
    high = replace(config, min_photos=1000)
    refused_before_the_work(high, backbone, DataError, "--min-photos: .*1000")


def test_prepare_takes_a_lower_minimum_after_one_that_no_tag_reached(config, backbone):
    with pytest.raises(DataError, match="--min-photos"):
        prepare(replace(config, min_photos=1000), COMMAND)
    assert prepare(config, COMMAND).config["min_photos"] == 2


def test_prepare_refuses_missing_sources_before_the_work(config, backbone, tmp_path):
    missing = tmp_path / "missing"
    for options, error, message in [
        ({"vectors": missing}, OptionError, "--vectors: .*missing"),
        ({"corpus": (missing,)}, OptionError, "--corpus: .*missing"),
        ({"stop_list": missing}, DataError, "missing"),
        ({"root": missing}, DataError, "missing"),
    ]:
        refused_before_the_work(replace(config, **options), backbone, error, message)


@pytest.mark.parametrize("dataset", ["folder", "mirflickr"])
def test_read_collection_needs_a_folder_for_all_but_the_sample(dataset):
    with pytest.raises(OptionError, match=f"--root: --dataset {dataset} needs"):
        read_collection(PrepareConfig(dataset=dataset))


def test_read_collection_leaves_out_the_words_of_the_stop_list(config, tmp_path):
    (tmp_path / "stop.txt").write_text("Sky\nrare\n")
    collection = read_collection(replace(config, stop_list=tmp_path / "stop.txt"))
    assert {tag for photo in collection.photos for tag in photo.tags} == {"sea", "cat"}


def test_our_stop_list_for_libraries_holds_until_it_is_turned_off(config, tmp_path):
    def tags(**options: object) -> set[str]:
        photos = read_collection(replace(config, **options)).photos
        return {tag for photo in photos for tag in photo.tags}

    first = sorted(config.root.rglob("*.txt"))[0]
    first.write_text("Nikon D80, 2007, Holidays")
    assert tags() & {"nikon_d80", "2007", "holidays"} == {"holidays"}
    assert tags(no_stop_list=True) >= {"nikon_d80", "2007", "holidays"}
    (tmp_path / "stop.txt").write_text("holi*")
    own = tmp_path / "stop.txt"
    assert tags(stop_list=own) & {"nikon_d80", "2007", "holidays"} == set()
    assert tags(stop_list=own, no_stop_list=True) >= {"nikon_d80", "2007"}


@pytest.mark.parametrize("is_asked", [True, False])
def test_read_collection_downloads_only_when_it_is_asked_to(tmp_path, monkeypatch, is_asked):
    calls = []
    monkeypatch.setattr(pipeline, "download", lambda root: calls.append(("download", root)))
    monkeypatch.setattr(pipeline, "read_mirflickr", lambda root, _: calls.append(("read", root)))
    read_collection(PrepareConfig(dataset="mirflickr", root=tmp_path, download=is_asked))
    assert calls == [("download", tmp_path)] * is_asked + [("read", tmp_path)]


def test_read_collection_draws_the_sample_beside_the_prepared_file(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "read_sample", lambda *args: args)
    drawn = read_collection(PrepareConfig(out=tmp_path, seed=3))
    assert drawn == (tmp_path / "photos", StopList(), 3)


def test_folder_is_named_after_the_collection():
    assert PrepareConfig().folder == Path("data/sample")
    assert PrepareConfig(dataset="folder", root=Path("x")).folder == Path("data/folder")
    assert PrepareConfig(out=Path("here")).folder == Path("here")


def with_labels_and_truth(collection: Collection) -> Collection:
    """The same photos, annotated, and drawn from a known distribution."""
    photos = tuple(
        replace(photo, annotations=("water",), relevant_annotations=("people",) if i % 2 else ())
        for i, photo in enumerate(collection.photos)
    )
    half = np.full((len(photos), 1), 0.5)
    truth = Truth(np.arange(len(photos)), ("sea",), half, half)
    return replace(
        collection,
        photos=photos,
        annotation_names=("people", "water"),
        relevant_annotation_names=("people",),
        truth=truth,
    )


def test_prepare_keeps_annotations_and_truth_of_the_photos_that_could_be_read(
    config, backbone, monkeypatch
):
    read = pipeline.read_collection
    monkeypatch.setattr(pipeline, "read_collection", lambda c: with_labels_and_truth(read(c)))
    sorted(config.root.glob("*.png"))[2].write_bytes(b"")
    found: Dataset = prepare(config, COMMAND)
    rows = [row for row in range(30) if row != 2]
    assert found.annotation_names == ("people", "water")
    assert [found.tags["annotations"].of(row) for row in range(29)] == [["water"]] * 29
    relevant = [found.tags["relevant_annotations"].of(row) for row in range(29)]
    assert relevant == [["people"] if row % 2 else [] for row in rows]
    assert found.tag_sources == ["user", "user+annotations"]
    assert "water" in found.vocabularies["user+annotations"].words
    assert "water" not in found.vocabularies["user"].words
    assert found.truth.scene.tolist() == rows
