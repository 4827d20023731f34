"""From a photo to its tags: in a fresh process, and warm beside the backbone's own time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import mmcgan
from eval.benchmark.photos import write_photo
from eval.benchmark.rows import Row
from eval.benchmark.timing import median_seconds, python
from mmcgan.images import open_photo
from mmcgan.runs import PRETRAINED

IMPORT_LIMIT, FIRST_TAG_LIMIT = 0.2, 3.0  # seconds
LATENCIES = 1.5  # of the backbone's own, that one photo may take


def tagging_rows(repeats: int = 9) -> Iterator[Row]:
    """Yield the rows `import`, `first_tag` and `tag_one`, with the model that ships."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        write_photo(path)
        yield from _fresh_rows(path, repeats)
        yield _warm_row(path, repeats)


def _fresh_rows(path: Path, repeats: int) -> Iterator[Row]:
    first = f"import mmcgan; mmcgan.tag({str(path)!r}, run={str(PRETRAINED)!r})"
    seconds = median_seconds({"import": python("import mmcgan"), "first": python(first)}, repeats)
    yield Row(
        "import", "the limit", seconds["import"], IMPORT_LIMIT, "s", "less", 1,
        "the interpreter's own start",
    )  # fmt: skip
    yield Row(
        "first_tag", "the limit", seconds["first"], FIRST_TAG_LIMIT, "s", "less", 1,
        "importing torch, the backbone's weights and OpenVINO's compilation",
    )  # fmt: skip


def _warm_row(path: Path, repeats: int) -> Row:
    tagger = mmcgan.load(PRETRAINED)
    backbone = tagger.backbone
    pixels = backbone.preprocess(open_photo(path))[None]
    seconds = median_seconds(
        {
            "ours": lambda: mmcgan.tag(path, run=PRETRAINED),
            "backbone": lambda: backbone.features_of_pixels(pixels),
        },
        3 * repeats,
    )
    return Row(
        "tag_one", f"{LATENCIES} × the backbone's latency", 1000 * seconds["ours"],
        1000 * LATENCIES * seconds["backbone"], "ms", "less", 1,
        "decoding and resizing the photo, and the generator, beside the backbone",
    )  # fmt: skip
