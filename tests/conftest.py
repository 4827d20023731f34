"""What several tests share: the folder of real data, small prepared files, a full disk."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmcgan.dataset import FILE_NAME, SPLITS, Dataset, TagTable, Truth, write_dataset
from mmcgan.words.vocabulary import Vocabulary, unit_rows

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


_numbers = count()


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache and data folders while tests run: some of their own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield folder


@pytest.fixture(autouse=True)
def feature_cache_of_the_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test meets the features that a stand-in made in another one."""
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(str(tmp_path_factory.getbasetemp())) / "feature-caches"
        name = f"{next(_numbers)}.sqlite"
        patch.setattr("mmcgan.photos.feature_cache.cache_path", lambda: folder / name)
        yield


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real photos and texts; tests that need it are skipped where it is absent."""
    beside = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("MMCGAN_SHARED", beside)).resolve()
    if not folder.is_dir():
        pytest.skip(f"the real data are not here ({folder}); MMCGAN_SHARED names their folder")
    return folder


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    """A function that builds a small, valid `Dataset`; see `build_dataset` for its options."""
    return build_dataset


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder with a small prepared file that has annotations, thumbnails and a truth."""
    folder = tmp_path / "data" / "small"
    dataset = build_dataset(annotations=True, truth=True, n_thumbnails=2)
    write_dataset(dataset, folder / FILE_NAME)
    return folder


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """A context in which no file can grow beyond so many bytes: writing fails as on a full disk."""
    resource = pytest.importorskip("resource", reason="needs limits on the size of files")

    @contextmanager
    def limited(n_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


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
    learnt = [tags for tags, place in zip(lists, split, strict=True) if SPLITS[place] in
              ("train", "dev")]  # fmt: skip
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
SMALL_NETWORKS = ["--preset", "paper", "--noise-units", "8", "--image-units", "8",
                  "--d-word-units", "8", "--d-image-units", "8", "--maxout-units", "4",
                  "--batch-size", "10", "--discriminator-init", "0.1"]  # fmt: skip
SMALL_MODERN = ["--preset", "modern", "--noise-size", "8", "--noise-units", "8",
                "--image-units", "16", "--members", "2", "--draws", "4", 
                "--d-word-units", "8", "--d-image-units", "8", "--maxout-units", "4",
                "--untagged", "4", "--dropout", "0.2", "--input-dropout", "0.1",
                "--learning-rate", "0.01"]  # fmt: skip
RUN = ["--epochs", "2", "--evaluate-every", "10"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small prepared folder and a finished run on it: (data, run). Tests do not change them."""
    return _train(tmp_path_factory.mktemp("trained"), [*RUN, *SMALL_NETWORKS])


@pytest.fixture(scope="session")
def trained_modern(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same with the modern preset, long enough to know the topics. Tests do not change it."""
    return _train(tmp_path_factory.mktemp("modern"), [*RUN, *SMALL_MODERN, "--epochs", "20"])


def _train(parent: Path, options: list[str]) -> tuple[Path, Path]:
    from mmcgan.cli import run_command
    from mmcgan.train import main

    data, run = parent / "data", parent / "run"
    dataset = build_dataset(n_images=200, annotations=True, truth=True, n_thumbnails=6)
    write_dataset(dataset, data / FILE_NAME)
    assert run_command(main, ["--data", str(data), "--out", str(run), *options]) == 0
    return data, run
