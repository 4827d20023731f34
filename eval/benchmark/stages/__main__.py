"""python -m eval.benchmark.stages STAGE N_IMAGES N_WORDS FOLDER: one stage, and what it costs.

`draw` makes features and word vectors on the fly; `prepare` joins them with tags into the prepared
file; `train`, `evaluate` and `tag` go on from there; `rank` needs no file. Memory is what the
process asked for itself: pages of mapped files, which the system takes back when it needs them, are
not in it where the system tells them apart.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
from gensim.models import KeyedVectors
from PIL import Image

import mmcgan.evaluate
import mmcgan.train
from data_prep.config import PrepareConfig
from data_prep.features import Extracted
from data_prep.photos import Collection, Photo
from data_prep.pipeline import build_dataset
from eval.benchmark.scale import Cost
from eval.benchmark.search import draws_of_photos, tree_of_words
from mmcgan.arrays import IntArray
from mmcgan.cli import PATH, run_command
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.ranking import Draws, count_votes
from mmcgan.training.prepared.dataset import FILE_NAME, read_dataset, write_dataset

FEATURE_SIZE = 1280
TAGS = 4  # of an image
N_PHOTOS = 20  # whose draws are ranked among many words
HELD_OUT = {"dev": 200, "val": 1000, "test": 1000}  # images at most, and a tenth of all at most
MANY_WORDS = 10_000  # more than a small generator should learn a vector of its own for
CHUNK = 4096  # rows that are made at once
FEATURES, VECTORS = "drawn.f16", "words.bin"

# Options of `train`: sizes of small networks; a dictionary of few words, and of many.
SMALL = {"epochs": 1, "image-units": 32, "noise-units": 16}
SMALL |= {"d-word-units": 32, "d-image-units": 32, "maxout-units": 16}
FEW = {"members": 2, "draws": 8}
MANY = {"preset": "paper", "batch-size": 1000}


def draw(n_images: int, n_words: int, folder: Path) -> None:
    """Draw features, and word vectors into a word2vec file."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    features = np.memmap(folder / FEATURES, np.float16, "w+", 0, (n_images, FEATURE_SIZE))
    for start in range(0, n_images, CHUNK):
        part = features[start : start + CHUNK]
        part[:] = random.standard_normal(part.shape, np.float32)
    vectors = tree_of_words(n_words, random)
    table = KeyedVectors(vectors.shape[1])
    table.add_vectors(_words(n_words), vectors)
    table.save_word2vec_format(str(folder / VECTORS), binary=True)


def prepare(n_images: int, n_words: int, folder: Path) -> None:
    """Write the prepared file of drawn photos with these features."""
    rows = np.arange(n_images)
    features = np.memmap(folder / FEATURES, np.float16, "r", 0, (n_images, FEATURE_SIZE))
    config = PrepareConfig(min_photos=1, vectors=folder / VECTORS, out=folder)
    extracted = Extracted(features, rows, [])
    collection = _collection(n_images, n_words)
    dataset = build_dataset(collection, extracted, {"name": "none"}, config, "")
    write_dataset(dataset, folder / FILE_NAME)


def train(_: int, n_words: int, folder: Path) -> None:
    """Train small networks for an epoch on the prepared file in `folder`.

    Where there are many words, the preset is `paper`, which learns no vectors of words.
    """
    of_preset = MANY if n_words > MANY_WORDS else FEW
    _call(mmcgan.train.main, {"data": folder, "out": folder / "run"} | SMALL | of_preset)


def evaluate(_: int, __: int, folder: Path) -> None:
    """Measure the run and its baselines, and write the report."""
    options = {"run": folder / "run", "data": folder, "out": folder / "report"}
    _call(mmcgan.evaluate.main, options)


def tag(_: int, __: int, folder: Path) -> None:
    """Tag every photo of the prepared file in `folder`."""
    tagger = Tagger.load(folder / "run")
    dataset = read_dataset(folder)
    for start in range(0, len(dataset.features), CHUNK):
        tagger.tag_features(dataset.features_of(slice(start, start + CHUNK)))


def rank(_: int, n_words: int, __: Path) -> None:
    """Rank the words of a large dictionary for the draws of some photos."""
    random = np.random.default_rng(0)
    words = tree_of_words(n_words, random)
    draws = Draws.of(draws_of_photos(words, N_PHOTOS, random), WordIndex(words))
    count_votes(draws).rank(10)


STAGES: dict[str, Callable[[int, int, Path], None]] = {
    stage.__name__: stage for stage in (draw, prepare, train, evaluate, tag, rank)
}


def _call(command: click.Command, options: dict[str, Any]) -> None:
    """Call a command as a user does; whatever goes wrong is raised."""
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    command.main(args=arguments, standalone_mode=False)


def _n_learnt(n_images: int) -> int:
    """Return how many of the images are those of train."""
    return n_images - sum(min(n, n_images // 10) for n in HELD_OUT.values())


def _words(n_words: int) -> list[str]:
    return [f"word{i:07d}" for i in range(n_words)]


def _collection(n_images: int, n_words: int) -> Collection:
    """Return photos with drawn tags; those of train come first."""
    words, tags = _words(n_words), _tags(n_images, n_words)
    held_out = [split for split, n in HELD_OUT.items() for _ in range(min(n, n_images // 10))]
    splits = ["train"] * _n_learnt(n_images) + held_out
    picture = BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "JPEG")
    photos = (
        Photo(i, str(i), picture.getvalue, split, tuple(dict.fromkeys(words[j] for j in own)))
        for i, (split, own) in enumerate(zip(splits, tags, strict=True))
    )
    return Collection("drawn", tuple(photos))


def _tags(n_images: int, n_words: int) -> IntArray:
    """Draw tags (N, TAGS) with Zipf's frequencies; the first V of them are each word once."""
    random = np.random.default_rng(0)
    frequency = 1 / np.arange(1, n_words + 1)
    tags = random.choice(n_words, n_images * TAGS, p=frequency / frequency.sum())
    tags[:n_words] = random.permutation(n_words)
    return tags.reshape(n_images, TAGS)


class _Peak(threading.Thread):
    """Looks at the memory of this process until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.stopped = 0, threading.Event()

    def run(self) -> None:
        """Look every 20 ms."""
        while not self.stopped.wait(0.02):
            self.most = max(self.most, own_memory())


def own_memory() -> int:
    """Return the bytes that this process holds, without those of mapped files where known."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))
    import resource  # not on every system

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


@click.command("eval.benchmark.stages")
@click.argument("stage", type=click.Choice(list(STAGES)))
@click.argument("n_images", type=click.IntRange(min=10))
@click.argument("n_words", type=click.IntRange(min=2))
@click.argument("folder", type=PATH)
def main(stage: str, n_images: int, n_words: int, folder: Path) -> None:
    """Do a STAGE with N_IMAGES and N_WORDS in FOLDER and print its cost as JSON."""
    if n_words > TAGS * _n_learnt(n_images):
        raise click.UsageError(f"{n_words} words are too many for {TAGS} tags of {n_images} images")
    peak, started_at = _Peak(), time.perf_counter()
    peak.start()
    STAGES[stage](n_images, n_words, folder)
    seconds = time.perf_counter() - started_at
    peak.stopped.set()
    peak.join()
    click.echo(json.dumps(asdict(Cost(seconds, max(peak.most, own_memory())))))


if __name__ == "__main__":
    sys.exit(run_command(main))
