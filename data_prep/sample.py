"""The sample: 600 drawn scenes with tags from a known distribution, made in seconds.

The tags behave like Flickr's: several a photo, synonyms and foreign doubles, cameras and years
that have nothing to do with what is seen, photos that nobody tagged. Each photo shows one scene;
given the scene, its tags are independent, each with the probability that stands in TAGS (or, for
every scene alike, in ANYWHERE), tables that sample_tags.json holds. Then UNTAGGED of the photos,
whatever their scene, lose all tags. As that leaves the shares of the tags within a scene as they
were, p(tag | scene) of the tables is the true distribution, which the collection carries as its
`truth`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.photos import Collection, clean_tags, photo_of_file, split_of
from data_prep.scenes import DRAWING_VERSION, draw_scene
from mmcgan.arrays import IntArray
from mmcgan.errors import DataError
from mmcgan.files import atomic_path, read_json, write_json
from mmcgan.training.prepared.dataset import Truth

N_PHOTOS = 600
JPEG_QUALITY = 88
UNTAGGED = 0.08
MARK_NAME = "drawn.json"  # beside the photos, written last: what they were drawn from

_TABLES = json.loads(Path(__file__).with_name("sample_tags.json").read_text("utf-8"))
TAGS: dict[str, dict[str, float]] = _TABLES["tags"]  # scene → tag → its probability
ANYWHERE: dict[str, float] = _TABLES["tags anywhere"]
LABELS = {scene: tuple(labels) for scene, labels in _TABLES["labels"].items()}
LABEL_NAMES = sorted({label for labels in LABELS.values() for label in labels})
SCENES = tuple(TAGS)  # a scene's number is its place here


def read_sample(photos_dir: Path, stop_words: Container[str], seed: int) -> Collection:
    """Draw the sample into `photos_dir`, unless it is there already, and read it.

    The same seed gives the same photos, tags and splits. Raises `OSError` if they cannot be
    written; what an interrupted call has drawn is drawn again.
    """
    scene = np.random.default_rng([seed, 0]).permutation(N_PHOTOS) % len(SCENES)
    if not _is_drawn(photos_dir, seed):
        _draw_photos(photos_dir, scene, seed)
    truth = true_distribution(scene)
    dropped: Counter[str] = Counter()
    photos = []
    for i, texts in enumerate(_draw_tags(truth, seed)):
        path = photos_dir / f"im{i + 1}.jpg"
        tags = clean_tags(texts, stop_words, dropped)
        labels = [label for label in LABELS[SCENES[scene[i]]] if texts and label not in stop_words]
        photos.append(photo_of_file(path, i + 1, split_of(path.stem, seed), tags, tuple(labels)))
    names = tuple(label for label in LABEL_NAMES if label not in stop_words)
    truth = _without(truth, stop_words)
    return Collection("sample", tuple(photos), names, dropped=+dropped, truth=truth)


def true_distribution(scene: IntArray) -> Truth:
    """Return p(tag | scene) as the tables have it, for photos that show `scene` (N,)."""
    words = sorted({word for tags in TAGS.values() for word in tags}.union(ANYWHERE, LABEL_NAMES))
    tables = [TAGS[kind] | ANYWHERE for kind in SCENES]
    probability = [[table.get(word, 0.0) for word in words] for table in tables]
    annotated = [[float(word in LABELS[kind]) for word in words] for kind in SCENES]
    return Truth(scene, tuple(words), np.array(probability), np.array(annotated))


def _without(truth: Truth, stop_words: Container[str]) -> Truth:
    """Return the truth about the words that are not on the stop list."""
    kept = [column for column, word in enumerate(truth.words) if word not in stop_words]
    words = tuple(truth.words[column] for column in kept)
    tables = truth.probability[:, kept], truth.annotation_probability[:, kept]
    return Truth(truth.scene, words, *tables)


def _draw_tags(truth: Truth, seed: int) -> list[list[str]]:
    """Return the tags of each photo: independent given its scene, then some lists emptied."""
    rng = np.random.default_rng([seed, 1])
    expected = truth.probability[truth.scene]  # (N, W)
    is_tag = rng.random(expected.shape) < expected
    is_tag[rng.random(len(expected)) < UNTAGGED] = False
    return [[truth.words[column] for column in np.flatnonzero(row)] for row in is_tag]


def _mark(seed: int) -> dict[str, int]:
    return {"drawing_version": DRAWING_VERSION, "seed": seed, "n_photos": N_PHOTOS}


def _is_drawn(photos_dir: Path, seed: int) -> bool:
    """Whether the whole sample of this seed lies in the folder."""
    try:
        mark = read_json(photos_dir / MARK_NAME, DataError)
    except DataError:
        return False
    return mark == _mark(seed) and all(
        (photos_dir / f"im{number}.jpg").is_file() for number in range(1, N_PHOTOS + 1)
    )


def _draw_photos(photos_dir: Path, scene: IntArray, seed: int) -> None:
    """Draw all photos; the mark goes first and comes back last, so that it never lies."""
    (photos_dir / MARK_NAME).unlink(missing_ok=True)
    bar = tqdm(scene, unit="photo", desc="drawing the sample", disable=None)
    for number, kind in enumerate(bar, start=1):
        image = draw_scene(SCENES[kind], np.random.default_rng([seed, 2, number]))
        with atomic_path(photos_dir / f"im{number}.jpg") as partial_path:
            image.save(partial_path, "JPEG", quality=JPEG_QUALITY)
    write_json(photos_dir / MARK_NAME, _mark(seed))
