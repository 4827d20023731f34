"""How time and memory grow with the number of images and of words.

Each point is a process of its own (`python -m eval.benchmark.scale STAGE SIZE FOLDER`), which does
one stage with data made on the fly and says how long it took and how much memory it held at most.
Memory is what the process asked for itself: pages of mapped files, which the system takes back
when it needs them, are not in it where the system tells them apart.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from eval.benchmark.rows import Row
from eval.benchmark.search import draws_of_photos, tree_of_words
from eval.metrics import mean_precision
from mmcgan.config import TrainConfig
from mmcgan.dataset import FILE_NAME, SPLITS, Dataset, TagTable, read_dataset, write_dataset
from mmcgan.index import WordIndex
from mmcgan.ranking import rank_draws
from mmcgan.runs import RunDir
from mmcgan.tagger import Tagger
from mmcgan.task import build_task
from mmcgan.vocabulary import Vocabulary

N_IMAGES = (4_000, 16_000, 64_000)
N_WORDS = (16_000, 64_000, 256_000)

FEATURE_SIZE, VECTOR_SIZE = 1280, 200
N_FEW_WORDS, TAGS = 1_000, 4  # of the images' tags; and of an image
N_PHOTOS = 20  # whose draws are ranked among many words
SHARES = (0.8, 0.005, 0.1, 0.095)  # of the images, by split
CHUNK = 4096  # rows that are made at once
TIME, MEMORY = "time", "memory"


@dataclass(frozen=True)
class Cost:
    """What a stage took: seconds, and bytes of memory at most."""

    seconds: float
    peak_bytes: int


def scale_rows(
    n_images: tuple[int, ...] = N_IMAGES, n_words: tuple[int, ...] = N_WORDS
) -> Iterator[Row]:
    """Yield the exponents of time and memory against images, by stage, and against words."""
    with tempfile.TemporaryDirectory() as folder:
        costs: dict[str, dict[int, Cost]] = {}
        for size in n_images:
            for stage in ("write", "train", "tag"):  # each reads what the one before it wrote
                costs.setdefault(stage, {})[size] = run_stage(stage, size, Path(folder) / str(size))
        for size in n_words:
            costs.setdefault("rank", {})[size] = run_stage("rank", size, Path(folder) / "words")
    for stage, measured in costs.items():
        unit = "words" if stage == "rank" else "images"
        for what in (TIME, MEMORY):
            yield _row(stage, what, unit, measured)


def run_stage(stage: str, size: int, folder: Path) -> Cost:
    """Return what a stage of that size costs in a process of its own."""
    call = [sys.executable, "-m", "eval.benchmark.scale", stage, str(size), str(folder)]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def exponent(points: dict[int, float]) -> float:
    """Return b of the curve a · size^b nearest to `points`, in logarithms."""
    return float(np.polyfit(np.log(list(points)), np.log(list(points.values())), 1)[0])


def _row(stage: str, what: str, unit: str, measured: dict[int, Cost]) -> Row:
    points = {
        size: cost.seconds if what == TIME else cost.peak_bytes / 2**20
        for size, cost in measured.items()
    }
    least, most = min(points), max(points)
    return Row(
        f"scale_{stage}_{what}",
        f"in proportion, {least:,} to {most:,} {unit}: {points[least]:.3g} to {points[most]:.3g} "
        + ("s" if what == TIME else "MiB"),
        max(exponent(points), 0.01),
        1.0, "exponent", "less", 1.0,
        "within what the machine's other work changes",
        tuple(points.items()),
    )  # fmt: skip


def write_photos(folder: Path, n_images: int) -> None:
    """Write a prepared file of photos with drawn features and tags of Zipf's frequencies."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    shape = (n_images, FEATURE_SIZE)
    features = np.memmap(folder / "drawn.f32", np.float32, "w+", 0, shape)
    for start in range(0, n_images, CHUNK):
        part = features[start : start + CHUNK]
        part[:] = random.standard_normal(part.shape, np.float32)
    words = tuple(f"word{i:06d}" for i in range(N_FEW_WORDS))
    frequency = 1 / np.arange(1, N_FEW_WORDS + 1)
    chosen = random.choice(N_FEW_WORDS, (n_images, TAGS), p=frequency / frequency.sum())
    rows = np.repeat(np.arange(n_images), TAGS)
    carried = sparse.csr_array((np.ones(chosen.size), (rows, chosen.ravel())))
    carried = sparse.csr_array((carried > 0).astype(np.float32))
    split = random.choice(len(SPLITS), n_images, p=SHARES).astype(np.uint8)
    n_photos = np.maximum(np.asarray(carried.sum(axis=0), np.int64), 1)
    vectors = tree_of_words(N_FEW_WORDS, random)
    write_dataset(
        Dataset(
            name="drawn", image_ids=np.arange(n_images), split=split, features=features,
            tags={"user": TagTable(words, carried)},
            vocabularies={"user": Vocabulary(words, vectors, n_photos)}, thumbnails={},
            truth=None, config={}, backbone={"name": "none"}, counts={}, versions={}, command="",
        ),
        folder / FILE_NAME,
    )  # fmt: skip
    (folder / "drawn.f32").unlink()


def train_epoch(folder: Path, _: int) -> None:
    """Train small networks for an epoch on the prepared file in `folder`."""
    config = TrainConfig.of(
        data=folder, out=folder / "run", epochs=1, members=2, image_units=32, noise_units=16,
        d_word_units=32, d_image_units=32, maxout_units=16, draws=8, vector_size=32,
    )  # fmt: skip
    run = RunDir(folder / "run")
    run.write_config({})
    build_task(read_dataset(folder), config, "user").train(run, mean_precision)


def tag_all(folder: Path, _: int) -> None:
    """Tag every photo of the prepared file in `folder`."""
    tagger = Tagger.load(folder / "run")
    features = read_dataset(folder).features
    for start in range(0, len(features), CHUNK):
        tagger.tag_features(features[start : start + CHUNK])


def rank_words(_: Path, n_words: int) -> None:
    """Rank the words of a large dictionary for the draws of some photos."""
    random = np.random.default_rng(0)
    words = tree_of_words(n_words, random)
    rank_draws(draws_of_photos(words, N_PHOTOS, random), WordIndex(words), "vote").rank(10)


STAGES: dict[str, Callable[[Path, int], None]] = {
    "write": write_photos, "train": train_epoch, "tag": tag_all, "rank": rank_words,
}  # fmt: skip


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
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        import resource  # not on every system

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def main(stage: str, size: str, folder: str) -> None:
    """Do a stage and print its cost as JSON."""
    peak, started_at = _Peak(), time.perf_counter()
    peak.start()
    STAGES[stage](Path(folder), int(size))
    seconds = time.perf_counter() - started_at
    peak.stopped.set()
    peak.join()
    print(json.dumps({"seconds": seconds, "peak_bytes": max(peak.most, own_memory())}))


if __name__ == "__main__":
    main(*sys.argv[1:])
