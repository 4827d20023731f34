"""From a photo to its tags: in a fresh process, and warm beside the backbone's own time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from eval.benchmark.features import write_photos
from eval.benchmark.rows import Row, Task, median_seconds, python
from mmcgan.inference.model_dir import PRETRAINED
from mmcgan.inference.photos.decoding import (
    Network,
    compute_features,
    decode_ahead,
    decode_pixels,
    look_at,
)
from mmcgan.inference.tagger import BATCH_SIZE, Tagger

IMPORT_LIMIT, FIRST_TAG_LIMIT = 0.2, 3.0  # seconds
N_PHOTOS = 1000  # that are tagged by one command
LATENCIES = 1.5  # of the backbone's own, that one photo may take
PARTS = "whole", "backbone", "decoding", "words"  # of the way from a photo to its tags
WITH_OBJECTS = 2  # times as long as without, that one photo may take


def tagging_rows(n_photos: int = N_PHOTOS, repeats: int = 9) -> Iterator[Row]:
    """Yield the rows of one photo and of many, with the model that ships.

    They are `import`, `first_tag`, `tag_one`, `_no_objects`, `_objects` and `tag_1000`.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), n_photos)
        imported, first = _fresh_rows(paths[0], repeats)
        yield from (imported, first)
        yield from _one_photo_rows(paths[0], repeats)
        yield _bulk_row(paths, first.ours, max(repeats // 3, 1))


def _fresh_rows(path: Path, repeats: int) -> Iterator[Row]:
    first = f"import mmcgan; mmcgan.tag({str(path)!r}, run={str(PRETRAINED)!r})"
    seconds = median_seconds({"import": python("import mmcgan"), "first": python(first)}, repeats)
    why = "the interpreter's own start"
    yield Row("import", "the limit", seconds["import"], IMPORT_LIMIT, "s", "less", 1, why)
    why = "starting Python, importing NumPy, Pillow, faiss and OpenVINO, and compiling the backbone"
    yield Row("first_tag", "the limit", seconds["first"], FIRST_TAG_LIMIT, "s", "less", 1, why)


def _one_photo_rows(path: Path, repeats: int) -> Iterator[Row]:
    """Tag one photo in a warm process, with words for what stands in it and without."""
    taggers = {
        "tag_one": Tagger.load(PRETRAINED),
        "tag_one_no_objects": Tagger.load(PRETRAINED, objects=False),
    }
    tasks = {
        f"{row} {part}": task
        for row, tagger in taggers.items()
        for part, task in _parts(path, tagger).items()
    }
    taken = {name: 1000 * value for name, value in median_seconds(tasks, 3 * repeats).items()}
    for row, tagger in taggers.items():
        yield _latency_row(row, tagger, taken)
    ours, plain = (taken[f"{row} whole"] for row in taggers)
    against, limit = f"{WITH_OBJECTS} × `tag_one_no_objects`", WITH_OBJECTS * plain
    why = "the photo is resized twice, and goes through the backbone twice"
    yield Row("tag_one_objects", against, ours, limit, "ms", "less", 1, why)


def _parts(path: Path, tagger: Tagger) -> dict[str, Task]:
    """Return the whole way from a photo to its tags, and each part of it by itself."""
    network = tagger.network
    pixels = decode_pixels(path, network)[None]
    features, classes = tagger.look(path)
    tasks: tuple[Task, ...] = (
        lambda: tagger.tag(path),
        lambda: network.features_of_pixels(pixels),
        lambda: decode_pixels(path, network),
        lambda: tagger.tag_features(features, classes=classes),
    )
    return dict(zip(PARTS, tasks, strict=True))


def _latency_row(name: str, tagger: Tagger, taken: Mapping[str, float]) -> Row:
    """Set a photo beside its passes through the backbone; `taken` are milliseconds of all rows."""
    whole, backbone, decoding, words = (taken[f"{name} {part}"] for part in PARTS)
    together = max(whole - backbone - decoding - words, 0)
    why = (
        f"beside the backbone's {backbone:.1f} ms, decoding and resizing take {decoding:.1f} ms, "
        f"and the generator and the words {words:.1f}; one after the other they take "
        f"{together:.1f} ms more than each by itself, which finds its weights in the caches"
    )
    against = f"{LATENCIES} × the backbone's latency, {_seen_by(tagger)}"
    return Row(name, against, whole, LATENCIES * backbone, "ms", "less", 1, why)


def _seen_by(tagger: Tagger) -> str:
    """Say what of a photo goes through the backbone."""
    return "square and whole photo" if tagger.views else "one square"


def _bulk_row(paths: Sequence[Path], starting: float, repeats: int) -> Row:
    """Tag photos by one command; `starting` are the seconds of the first tag in a process."""
    tagger = Tagger.load(PRETRAINED)
    out = paths[0].parent / "tags.jsonl"
    seconds = median_seconds(
        {
            "ours": partial(tag_by_command, paths, out),
            "features": partial(see_all, paths, tagger.network),
        },
        repeats,
    )
    record = tagger.backbone.record
    against = (
        f"the features alone, {_seen_by(tagger)}, in a process that has started "
        f"({record['runtime']} {record['precision']})"
    )
    most = seconds["features"] / (seconds["features"] + starting)
    why = (
        f"the first tag of a process takes {starting:.1f} s: at most {most:.2f} for "
        f"{len(paths):,} photos"
    )
    ours, rival = (len(paths) / seconds[name] for name in ("ours", "features"))
    return Row("tag_1000", against, ours, rival, "photos/s", "more", 0.8, why)


def see_all(paths: Sequence[Path], network: Network) -> None:
    """Compute all that a network gives of photos, as tagging does, and keep nothing."""
    for batch in decode_ahead(partial(look_at, backbone=network, cache=None), paths, BATCH_SIZE):
        compute_features(batch, network, None)


def tag_by_command(paths: Sequence[Path], out: Path) -> None:
    """Tag photos with `python -m mmcgan` and write the JSON to a file.

    The features that the call before has kept are thrown away, so that no photo was seen before.
    """
    command = [sys.executable, "-m", "mmcgan", *map(str, paths), "--json", "--run", str(PRETRAINED)]
    cache = out.parent / "cache"
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    for kept in cache.rglob("features.sqlite*"):
        kept.unlink()
    with out.open("wb") as file:
        subprocess.run(command, check=True, stdout=file, stderr=subprocess.DEVNULL, env=environment)
