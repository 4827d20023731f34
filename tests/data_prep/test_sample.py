"""The drawn sample: its pictures, its tags, and what is known about both."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep import sample
from data_prep.photos import Collection
from data_prep.sample import ANYWHERE, LABELS, N_PHOTOS, SCENES, TAGS, read_sample
from data_prep.scenes import KINDS, draw_scene
from mmcgan.inference.words.vocabulary import normalize_tag

NONE: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Collection]:
    """The whole sample; drawing it takes seconds, so it is drawn once."""
    photos_dir = tmp_path_factory.mktemp("sample") / "photos"
    return photos_dir, read_sample(photos_dir, NONE, seed=0)


@pytest.fixture
def small(monkeypatch) -> None:
    """A sample of a few photos, for tests that draw."""
    monkeypatch.setattr(sample, "N_PHOTOS", 6)


def contents(photos_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in photos_dir.iterdir()}


def test_read_sample_gives_photos_that_can_be_read(drawn):
    photos_dir, collection = drawn
    assert [photo.image_id for photo in collection.photos] == list(range(1, N_PHOTOS + 1))
    for photo in collection.photos[::50]:
        data = photo.read()
        assert data == photos_dir / f"im{photo.image_id}.jpg"
        image = Image.open(data)
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert sorted(image.size) == [144, 192]


def test_read_sample_fills_all_splits(drawn):
    counts = Counter(photo.split for photo in drawn[1].photos)
    assert 0.66 < (counts["train"] + counts["dev"]) / N_PHOTOS < 0.74
    assert min(counts["val"], counts["test"]) >= 80
    assert counts["dev"] >= 20


def test_read_sample_tags_behave_like_flickrs(drawn):
    photos = drawn[1].photos
    tagged = [photo for photo in photos if photo.tags]
    assert 0.04 < 1 - len(tagged) / len(photos) < 0.12
    assert 4 < np.mean([len(photo.tags) for photo in tagged]) < 7


def test_read_sample_tags_are_frequent_enough_to_be_learnt(drawn):
    counts = Counter(t for p in drawn[1].photos if p.split in ("train", "dev") for t in p.tags)
    truth = drawn[1].truth
    words = [truth.words[column] for column in np.flatnonzero(truth.probability.any(axis=0))]
    assert sum(counts[word] >= 5 for word in words) > 0.97 * len(words)


def test_read_sample_truth_is_what_the_tags_were_drawn_from(drawn):
    """The share of a scene's tagged photos that carry a tag is within chance of its p."""
    photos, truth = drawn[1].photos, drawn[1].truth
    carries = np.array([[word in photo.tags for word in truth.words] for photo in photos])
    tagged = carries.any(axis=1)
    assert truth.probability.shape == (len(SCENES), len(truth.words))
    for scene in range(len(SCENES)):
        found = carries[tagged & (truth.scene == scene)]
        p = truth.probability[scene]
        deviation = (found.mean(axis=0) - p) / np.sqrt(np.maximum(p * (1 - p), 1e-9) / len(found))
        assert not found[:, p == 0].any()
        assert np.abs(deviation[p > 0]).max() < 4.5
        assert abs(deviation[p > 0].mean()) < 1


def test_read_sample_noise_is_the_same_in_every_scene(drawn):
    truth = drawn[1].truth
    for word, p in ANYWHERE.items():
        assert (truth.probability[:, truth.words.index(word)] == p).all()


def test_read_sample_labels_follow_from_the_scene_of_tagged_photos(drawn):
    _, collection = drawn
    for photo, scene in zip(collection.photos, collection.truth.scene, strict=True):
        assert photo.annotations == (LABELS[SCENES[scene]] if photo.tags else ())
        assert photo.relevant_annotations == ()
    assert set(collection.annotation_names) == {a for p in collection.photos for a in p.annotations}
    assert collection.relevant_annotation_names == ()


def test_read_sample_scenes_are_equally_frequent(drawn):
    counts = np.bincount(drawn[1].truth.scene, minlength=len(SCENES))
    assert counts.max() - counts.min() <= 1


def test_tables_know_the_same_scenes_and_hold_normalised_words():
    assert set(TAGS) == set(KINDS) == set(LABELS)
    assert len(SCENES) >= 12
    words = {word for tags in TAGS.values() for word in tags} | set(ANYWHERE)
    assert all(normalize_tag(word) == word for word in words)
    assert all(0 < p < 1 for tags in [*TAGS.values(), ANYWHERE] for p in tags.values())
    assert not any(word in ANYWHERE for tags in TAGS.values() for word in tags)


def test_read_sample_leaves_stop_words_out_of_tags_labels_and_truth(drawn):
    photos_dir, whole = drawn
    collection = read_sample(photos_dir, frozenset({"sea", "canon", "sky"}), seed=0)
    for photo, before in zip(collection.photos, whole.photos, strict=True):
        assert photo.tags == tuple(t for t in before.tags if t not in ("sea", "canon", "sky"))
        assert not {"sea", "sky"} & set(photo.annotations)
    assert set(whole.truth.words) - set(collection.truth.words) == {"sea", "canon", "sky"}
    assert collection.truth.probability.shape[1] == len(collection.truth.words)
    assert not {"sea", "sky"} & set(collection.annotation_names)
    assert collection.dropped["tags on the stop list"] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_draw_scene_gives_the_same_picture_for_the_same_seed(kind):
    first, again, other = (
        np.asarray(draw_scene(kind, np.random.default_rng(seed)), np.int16) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert first.shape != other.shape or np.abs(first - other).mean() > 2
    assert first.std() > 10  # a picture, not a plain area


def test_draw_scene_of_a_kind_looks_more_like_its_kind_than_like_others():
    """Even 6 × 6 fields of colour tell most pictures' kinds by the nearest mean of the others."""
    n = 5
    looks = np.array(
        [
            [
                np.asarray(draw_scene(kind, np.random.default_rng(seed)).resize((6, 6)), float)
                for seed in range(n)
            ]
            for kind in KINDS
        ]
    ).reshape(len(KINDS), n, -1)
    right = 0
    for seed in range(n):
        known = np.delete(looks, seed, axis=1).mean(axis=1)
        distance = np.linalg.norm(looks[:, seed, None] - known, axis=2)  # (kinds, kinds)
        right += int((distance.argmin(axis=1) == np.arange(len(KINDS))).sum())
    assert right > 0.6 * n * len(KINDS)


def test_draw_scene_of_black_and_white_has_no_colour():
    for seed in range(3):
        pixels = np.asarray(draw_scene("black and white", np.random.default_rng(seed)), np.int16)
        assert np.ptp(pixels, axis=2).mean() < 25  # the cheap camera's white balance remains


@pytest.mark.usefixtures("small")
def test_read_sample_is_the_same_for_the_same_seed(tmp_path):
    first, again, other = (
        read_sample(tmp_path / name, NONE, seed)
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
    assert [(p.tags, p.split) for p in first.photos] == [(p.tags, p.split) for p in again.photos]
    assert contents(tmp_path / "first") != contents(tmp_path / "other")
    assert [p.tags for p in first.photos] != [p.tags for p in other.photos]


@pytest.mark.usefixtures("small")
def test_read_sample_does_not_draw_twice(tmp_path, monkeypatch):
    read_sample(tmp_path, NONE, seed=0)
    before = contents(tmp_path)
    monkeypatch.setattr(sample, "draw_scene", None)  # drawing would fail
    assert len(read_sample(tmp_path, NONE, seed=0).photos) == 6
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("change", ["seed", "version", "lost photo", "broken mark"])
def test_read_sample_draws_again_what_is_not_whole_or_of_another_drawing(tmp_path, change):
    read_sample(tmp_path, NONE, seed=0)
    before = contents(tmp_path)
    mark = tmp_path / sample.MARK_NAME
    if change == "lost photo":
        (tmp_path / "im3.jpg").unlink()
    elif change == "broken mark":
        mark.write_text("{")
    elif change == "version":
        mark.write_text(json.dumps({**json.loads(mark.read_text()), "drawing_version": 0}))
        (tmp_path / "im1.jpg").write_bytes(b"of another version")
    seed = 1 if change == "seed" else 0
    read_sample(tmp_path, NONE, seed)
    assert (contents(tmp_path) == before) == (seed == 0)
    assert json.loads(mark.read_text())["seed"] == seed


@pytest.mark.usefixtures("small")
def test_read_sample_leaves_no_half_photo_when_interrupted(tmp_path, monkeypatch):
    read_sample(tmp_path / "whole", NONE, seed=0)
    save, n_saved = Image.Image.save, 0

    def interrupted_save(image: Image.Image, path: Path, *args: str, **kwargs: int) -> None:
        nonlocal n_saved
        n_saved += 1
        if n_saved == 3:
            Path(path).write_bytes(b"half")
            raise KeyboardInterrupt
        save(image, path, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "save", interrupted_save)
    with pytest.raises(KeyboardInterrupt):
        read_sample(tmp_path / "broken", NONE, seed=0)
    assert sorted(contents(tmp_path / "broken")) == ["im1.jpg", "im2.jpg"]
    read_sample(tmp_path / "broken", NONE, seed=0)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")
