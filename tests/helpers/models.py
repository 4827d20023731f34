"""Small models with random weights, of each kind of network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmcgan.inference.model import Model, write_model
from mmcgan.inference.model_dir import ModelDir
from mmcgan.inference.network import NetworkRecord, Standardizer, build_network, weight_shapes
from mmcgan.inference.photos.backbone import Backbone
from mmcgan.inference.words.objects import ObjectWords
from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows

WORDS = ("beach", "café", "cat", "city", "flower", "night", "rose", "sea", "sunset", "日本")
D, E = 6, 5
SIZES: dict[str, Any] = {"feature_size": D, "vector_size": E, "noise_size": 8, "image_units": 7}
LINEAR = NetworkRecord("linear", 1, noise_units=4, **SIZES)
MIXTURE = NetworkRecord("mixture", 2, noise_units=4, noise_scale=1.5, **SIZES)
BACKBONE = {"name": "small", "feature_size": D, "image_size": 4}
FACTS = {"dataset_id": "abc", "tags": "user", "best_dev_P@10": 0.1}


def random_weights(record: NetworkRecord, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights that half precision can hold."""
    random = np.random.default_rng(seed)
    shapes = weight_shapes(record)
    return {name: random.normal(size=s).astype(np.float16) for name, s in shapes.items()}


def make_model(record: NetworkRecord = LINEAR, **changes: Any) -> Model:
    """A model of `record`; a mixture has learnt its words, with a bias each."""
    random = np.random.default_rng(1)
    vectors = random.normal(size=(len(WORDS), record.vector_size)).astype(np.float32)
    is_mixture = record.kind == "mixture"
    parts: dict[str, Any] = {
        "network": build_network(record, random_weights(record)),
        "vocabulary": Vocabulary(
            WORDS, vectors if is_mixture else unit_rows(vectors), np.arange(len(WORDS)) + 5
        ),
        "bias": random.normal(size=len(WORDS)).astype(np.float32) if is_mixture else None,
        "ranking": "mean" if is_mixture else "vote",
        "standardizer": Standardizer(
            random.normal(size=record.feature_size).astype(np.float32),
            np.linspace(0.5, 2, record.feature_size, dtype=np.float32),
        ),
        "backbone": BACKBONE | {"feature_size": record.feature_size},
        "facts": FACTS,
    }
    return Model(**parts | changes)


def make_features(n_images: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_images, D)).astype(np.float32)


def save(model: Model, path: Path) -> ModelDir:
    folder = ModelDir(path)
    write_model(folder, model)
    return folder


SEEING: dict[str, Any] = {
    "name": "seeing",
    "feature_size": D,
    "image_size": 4,
    "mean": [0.5, 0.5, 0.5],
    "pooling": {"classes": 3, "parts": [D]},
}


def seeing_backbone() -> Backbone:
    """A backbone of three classes, red, green and blue, by the mean colour of what it sees.

    Its features are the mean colour, and the square roots of each colour's share.
    """

    def run(pixels: np.ndarray) -> np.ndarray:
        mean = pixels.reshape(len(pixels), -1, 3).mean(axis=1) / 255
        shares = mean / np.maximum(mean.sum(axis=1, keepdims=True), 1e-6)
        features = np.hstack([mean, np.sqrt(shares)])
        return features.astype(np.float16).astype(np.float32)

    return Backbone(SEEING, run)


def three_colours() -> ObjectWords:
    """The words for what the seeing backbone sees."""
    words = ("beach", "café", "colour", "tomato")
    covered = np.array([[0, 0, 1], [0, 1, 0], [1, 1, 1], [1, 0, 0]], np.float32)
    return ObjectWords(words, covered)
