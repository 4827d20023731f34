"""From a photo to its tags: in a fresh process, and warm beside the backbone's own time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import mmcgan
from eval.benchmark.features import extract_anew, write_photos
from eval.benchmark.rows import Row, median_seconds, python
from mmcgan.inference.model import read_model
from mmcgan.inference.model_dir import PRETRAINED
from mmcgan.inference.photos.backbone import restore_backbone
from mmcgan.inference.photos.decoding import decode_pixels
from mmcgan.training.runs import RunDir

IMPORT_LIMIT, FIRST_TAG_LIMIT = 0.2, 3.0  # seconds
N_PHOTOS = 1000  # that are tagged by one command
LATENCIES = 1.5  # of the backbone's own, that one photo may take


def tagging_rows(n_photos: int = N_PHOTOS, repeats: int = 9) -> Iterator[Row]:
    """Yield the rows `import`, `first_tag`, `tag_one` and `tag_1000`, with the model that ships."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), n_photos)
        imported, first = _fresh_rows(paths[0], repeats)
        yield from (imported, first, _warm_row(paths[0], repeats))
        yield _bulk_row(paths, first.ours, max(repeats // 3, 1))


def _fresh_rows(path: Path, repeats: int) -> Iterator[Row]:
    first = f"import mmcgan; mmcgan.tag({str(path)!r}, run={str(PRETRAINED)!r})"
    seconds = median_seconds({"import": python("import mmcgan"), "first": python(first)}, repeats)
    why = "the interpreter's own start"
    yield Row("import", "the limit", seconds["import"], IMPORT_LIMIT, "s", "less", 1, why)
    why = "starting Python, importing NumPy, Pillow, faiss and OpenVINO, and compiling the backbone"
    yield Row("first_tag", "the limit", seconds["first"], FIRST_TAG_LIMIT, "s", "less", 1, why)


def _warm_row(path: Path, repeats: int) -> Row:
    tagger = mmcgan.load(PRETRAINED)
    backbone = tagger.backbone
    pixels = decode_pixels(path, backbone)[None]
    features = backbone.features_of_pixels(pixels)
    seconds = median_seconds(
        {
            "ours": lambda: mmcgan.tag(path, run=PRETRAINED),
            "backbone": lambda: backbone.features_of_pixels(pixels),
            "decoding": lambda: decode_pixels(path, backbone),
            "words": lambda: tagger.tag_features(features),
        },
        3 * repeats,
    )
    taken = {name: 1000 * value for name, value in seconds.items()}  # in milliseconds
    apart = taken["backbone"] + taken["decoding"] + taken["words"]
    together = max(taken["ours"] - apart, 0)
    why = (
        f"beside the backbone's {taken['backbone']:.1f} ms, decoding and resizing take "
        f"{taken['decoding']:.1f} ms, and the generator and the words {taken['words']:.1f}; one "
        f"after the other they take {together:.1f} ms more than each by itself, which finds its "
        "weights in the caches"
    )
    against, limit = f"{LATENCIES} × the backbone's latency", LATENCIES * taken["backbone"]
    return Row("tag_one", against, taken["ours"], limit, "ms", "less", 1, why)


def _bulk_row(paths: Sequence[Path], starting: float, repeats: int) -> Row:
    """Tag photos by one command; `starting` are the seconds of the first tag in a process."""
    backbone = restore_backbone(read_model(RunDir(PRETRAINED)).backbone)
    out = paths[0].parent / "tags.jsonl"
    seconds = median_seconds(
        {
            "ours": partial(tag_by_command, paths, out),
            "features": partial(extract_anew, paths, backbone),
        },
        repeats,
    )
    runs_on = f"{backbone.record['runtime']} {backbone.record['precision']}"
    against = f"the features alone, in a process that has started ({runs_on})"
    most = seconds["features"] / (seconds["features"] + starting)
    why = (
        f"the first tag of a process takes {starting:.1f} s: at most {most:.2f} for "
        f"{len(paths):,} photos"
    )
    ours, rival = (len(paths) / seconds[name] for name in ("ours", "features"))
    return Row("tag_1000", against, ours, rival, "photos/s", "more", 0.8, why)


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
