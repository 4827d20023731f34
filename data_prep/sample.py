"""The sample: 600 drawn scenes with tags from a known distribution, made in seconds.

The tags behave like Flickr's: several a photo, synonyms and foreign doubles, cameras and years
that have nothing to do with what is seen, photos that nobody tagged. Each photo shows one scene;
given the scene, its tags are independent, each with the probability that stands in TAGS (or, for
every scene alike, in ANYWHERE). Then UNTAGGED of the photos, whatever their scene, lose all tags.
As that leaves the shares of the tags within a scene as they were, p(tag | scene) of the tables is
the true distribution, which the collection carries as its `truth`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from data_prep.photos import Collection, Photo, clean_tags, split_of
from data_prep.scenes import DRAWING_VERSION, draw_scene
from mmcgan.errors import DataError, PhotoError
from mmcgan.files import atomic_path, read_file, read_json, write_json
from mmcgan.inference.photos.images import MAX_IMAGE_BYTES
from mmcgan.training.prepared.dataset import Truth

N_PHOTOS = 600
JPEG_QUALITY = 88
UNTAGGED = 0.08
MARK_NAME = "drawn.json"  # beside the photos, written last: what they were drawn from

# fmt: off
TAGS: dict[str, dict[str, float]] = {
    "sky": {"sky": 0.85, "clouds": 0.75, "blue": 0.55, "cielo": 0.45, "nubes": 0.45,
            "nature": 0.25, "light": 0.2},
    "sea": {"sea": 0.75, "ocean": 0.55, "mar": 0.4, "beach": 0.5, "water": 0.5, "blue": 0.45,
            "playa": 0.45, "waves": 0.45, "sky": 0.3, "summer": 0.3},
    "sunset": {"sunset": 0.85, "sun": 0.5, "sky": 0.45, "orange": 0.4, "tramonto": 0.45,
               "clouds": 0.3, "sea": 0.25, "silhouette": 0.45, "red": 0.25, "light": 0.25},
    "night": {"night": 0.8, "lights": 0.55, "city": 0.5, "noche": 0.45, "nuit": 0.45,
              "longexposure": 0.4, "reflection": 0.35, "urban": 0.3},
    "mountains": {"mountains": 0.7, "mountain": 0.5, "landscape": 0.5, "berge": 0.45,
                  "hiking": 0.45, "nature": 0.4, "sky": 0.3, "montagne": 0.45, "snow": 0.25},
    "city": {"city": 0.75, "architecture": 0.6, "buildings": 0.5, "urban": 0.5, "ciudad": 0.45,
             "street": 0.35, "skyline": 0.45, "travel": 0.25},
    "flower": {"flower": 0.8, "macro": 0.6, "flowers": 0.45, "fleur": 0.45, "flor": 0.45,
               "garden": 0.45, "green": 0.35, "nature": 0.4, "spring": 0.45},
    "boats": {"boat": 0.7, "boats": 0.45, "water": 0.55, "harbour": 0.45, "sailing": 0.45,
              "barco": 0.45, "sea": 0.4, "reflection": 0.3, "mar": 0.25, "summer": 0.2},
    "forest": {"forest": 0.65, "trees": 0.65, "tree": 0.45, "green": 0.55, "nature": 0.45,
               "wald": 0.45, "woods": 0.45, "landscape": 0.2},
    "autumn": {"autumn": 0.7, "fall": 0.6, "trees": 0.5, "leaves": 0.55, "yellow": 0.4,
               "orange": 0.35, "herbst": 0.45, "tree": 0.35, "nature": 0.3},
    "people": {"portrait": 0.75, "people": 0.5, "face": 0.45, "girl": 0.45, "friends": 0.45,
               "retrato": 0.45, "woman": 0.45, "gente": 0.45},
    "snow": {"snow": 0.85, "winter": 0.7, "white": 0.5, "cold": 0.45, "nieve": 0.45, "neige": 0.45,
             "trees": 0.35, "landscape": 0.3},
    "desert": {"desert": 0.8, "sand": 0.65, "dunes": 0.55, "travel": 0.45, "landscape": 0.4,
               "desierto": 0.45, "sky": 0.25, "blue": 0.25, "yellow": 0.2},
    "black and white": {"bw": 0.75, "blackandwhite": 0.65, "monochrome": 0.5, "white": 0.2,
                        "street": 0.3, "black": 0.45, "portrait": 0.3, "biancoenero": 0.45},
    "fireworks": {"fireworks": 0.85, "night": 0.6, "lights": 0.4, "celebration": 0.45,
                  "fuegos_artificiales": 0.45, "newyear": 0.45, "longexposure": 0.3, "red": 0.2},
    "food": {"food": 0.85, "dinner": 0.5, "lunch": 0.45, "comida": 0.45, "cooking": 0.45,
             "restaurant": 0.45, "yummy": 0.45, "macro": 0.2, "red": 0.2},
}
ANYWHERE: dict[str, float] = {
    "canon": 0.14, "nikon": 0.12, "2007": 0.10, "2008": 0.14, "explore": 0.08, "geotagged": 0.06,
}
LABELS: dict[str, tuple[str, ...]] = {
    "sky": ("clouds", "sky"), "sea": ("sea", "sky", "water"), "sunset": ("sky", "sunset"),
    "night": ("night", "structures", "water"), "mountains": ("plant_life", "sky"),
    "city": ("sky", "structures"), "flower": ("flower", "plant_life"),
    "boats": ("sky", "transport", "water"), "forest": ("plant_life", "tree"),
    "autumn": ("plant_life", "tree"), "people": ("indoor", "people", "portrait"),
    "snow": ("sky", "tree"), "desert": ("sky",), "black and white": (),
    "fireworks": ("night", "sky"), "food": ("food", "indoor"),
}
# fmt: on


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
        labels = LABELS[SCENES[scene[i]]] if texts else ()
        photos.append(
            _read_photo(
                photos_dir / f"im{i + 1}.jpg",
                split_of(f"im{i + 1}", seed),
                clean_tags(texts, stop_words, dropped),
                tuple(label for label in labels if label not in stop_words),
            )
        )
    every_label = {label for labels in LABELS.values() for label in labels}
    names = sorted(label for label in every_label if label not in stop_words)
    return Collection(
        "sample", tuple(photos), tuple(names), dropped=+dropped, truth=_without(truth, stop_words)
    )


def true_distribution(scene: npt.NDArray[np.int64]) -> Truth:
    """Return p(tag | scene) as the tables have it, for photos that show `scene` (N,)."""
    labels = {label for names in LABELS.values() for label in names}
    words = sorted({word for tags in TAGS.values() for word in tags} | set(ANYWHERE) | labels)
    probability = [
        [ANYWHERE.get(word, TAGS[kind].get(word, 0.0)) for word in words] for kind in SCENES
    ]
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


def _read_photo(
    path: Path, split: str, tags: tuple[str, ...], annotations: tuple[str, ...]
) -> Photo:
    return Photo(
        image_id=int(path.stem.removeprefix("im")),
        name=str(path),
        read=partial(read_file, path, MAX_IMAGE_BYTES, PhotoError),
        split=split,
        tags=tags,
        annotations=annotations,
    )


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


def _draw_photos(photos_dir: Path, scene: npt.NDArray[np.int64], seed: int) -> None:
    """Draw all photos; the mark goes first and comes back last, so that it never lies."""
    (photos_dir / MARK_NAME).unlink(missing_ok=True)
    bar = tqdm(scene, unit="photo", desc="drawing the sample", disable=None)
    for number, kind in enumerate(bar, start=1):
        image = draw_scene(SCENES[kind], np.random.default_rng([seed, 2, number]))
        with atomic_path(photos_dir / f"im{number}.jpg") as partial_path:
            image.save(partial_path, "JPEG", quality=JPEG_QUALITY)
    write_json(photos_dir / MARK_NAME, _mark(seed))
