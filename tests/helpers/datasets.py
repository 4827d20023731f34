"""Small prepared files, and options that train on them in no time."""

from __future__ import annotations

from collections import Counter
from io import BytesIO

import numpy as np
from PIL import Image

from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows
from mmcgan.training.prepared.dataset import (
    SPLITS,
    Dataset,
    TagTable,
    Truth,
)

# Each photo has one topic: its features lie near the topic's own, its tags are among these.
TOPICS = (
    ("beach", "mar", "sea", "sunset"),
    ("animal", "cat", "katze", "pet"),
    ("café", "city", "night", "日本"),
    ("flower", "garden", "plant_life", "rose"),
)


LABELS = ("animals", "night", "plant_life", "sea")


RECORD = {
    "name": "efficientnet-lite0",
    "weights_sha256": "0" * 64,
    "image_size": 224,
    "resize": "shorter side bicubic, centre crop",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "runtime": "torch",
    "precision": "float32",
}


def build_dataset(
    n_images: int = 80,
    feature_size: int = 6,
    vector_size: int = 5,
    annotations: bool = False,
    truth: bool = False,
    n_thumbnails: int = 0,
    text_ids: bool = False,
    seed: int = 0,
) -> Dataset:
    """Build photos whose features tell their topic, and so their tags; every tenth has no tag.

    Of each ten photos six are train, two dev, one val and one test.
    """
    random = np.random.default_rng(seed)
    topic = np.arange(n_images) % len(TOPICS)
    centres = random.normal(size=(len(TOPICS), feature_size))
    features = centres[topic] + 0.1 * random.normal(size=(n_images, feature_size))
    split = np.array([0, 0, 0, 1, 2, 3, 0, 0, 0, 1], np.uint8)[np.arange(n_images) % 10]
    lists = [
        [] if i % 10 == 9 else list(random.permutation(TOPICS[topic[i]])[: 1 + i % 3])
        for i in range(n_images)
    ]
    labels = [[LABELS[(topic[i] + 3) % 4]] if i % 3 else [] for i in range(n_images)]
    tags = {"user": TagTable.from_lists(lists)}
    vocabularies = {"user": _vocabulary(lists, split, vector_size, seed)}
    if annotations:
        both = [[*user, *label] for user, label in zip(lists, labels, strict=True)]
        tags["annotations"] = TagTable.from_lists(labels, LABELS)
        tags["relevant_annotations"] = TagTable.from_lists(labels[:1] * n_images, LABELS)
        vocabularies["user+annotations"] = _vocabulary(both, split, vector_size, seed + 1)
    ids = np.arange(n_images) + 1
    return Dataset(
        name="small",
        image_ids=np.array([f"über/im{i}.jpg" for i in ids]) if text_ids else ids,
        split=split,
        features=features.astype(np.float32),
        tags=tags,
        vocabularies=vocabularies,
        thumbnails={int(row): _jpeg(row) for row in np.flatnonzero(split > 1)[:n_thumbnails]},
        truth=_truth(topic) if truth else None,
        config={"dataset": "folder", "seed": seed, "root": "photos of 東京"},
        backbone=RECORD | {"feature_size": feature_size},
        counts={"photos": n_images, "splits": dict.fromkeys(SPLITS, 1)},
        versions={"mmcgan": "0"},
        command="python -m mmcgan.prepare",
    )


def _vocabulary(
    lists: list[list[str]], split: np.ndarray, vector_size: int, seed: int
) -> Vocabulary:
    learnt = [
        tags for tags, place in zip(lists, split, strict=True) if SPLITS[place] in ("train", "dev")
    ]
    counts = Counter(word for tags in learnt for word in set(tags))
    words = tuple(str(word) for word in sorted(counts))
    vectors = np.random.default_rng(seed + 10).normal(size=(len(words), vector_size))
    return Vocabulary(words, unit_rows(vectors), np.array([counts[w] for w in words], np.int64))


def _truth(topic: np.ndarray) -> Truth:
    words = tuple(sorted(word for words in TOPICS for word in words))
    probability = np.array([[0.5 * (w in words_) for w in words] for words_ in TOPICS])
    return Truth(topic.astype(np.int64), words, probability, probability[::-1] / 2)


def _jpeg(row: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (16, 12), (int(row) % 256, 80, 120)).save(buffer, "JPEG")
    return buffer.getvalue()


# The paper's preset with few units; the modern one with few units and members.
SMALL_NETWORKS = [
    "--preset",
    "paper",
    "--noise-units",
    "8",
    "--image-units",
    "8",
    "--d-word-units",
    "8",
    "--d-image-units",
    "8",
    "--maxout-units",
    "4",
    "--batch-size",
    "10",
    "--discriminator-init",
    "0.1",
]


SMALL_MODERN = [
    "--preset",
    "modern",
    "--noise-size",
    "8",
    "--noise-units",
    "8",
    "--image-units",
    "16",
    "--members",
    "2",
    "--draws",
    "4",
    "--d-word-units",
    "8",
    "--d-image-units",
    "8",
    "--maxout-units",
    "4",
    "--untagged",
    "4",
    "--dropout",
    "0.2",
    "--input-dropout",
    "0.1",
    "--learning-rate",
    "0.01",
]


RUN = ["--epochs", "2", "--evaluate-every", "10"]
