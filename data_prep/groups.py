"""Photos that are nearly the same: copies, and what a camera took within one second.

If one were in train and its copy in val, the measures would be too good. They get one group, and a
split takes whole groups (`data_prep.photos.split_of`).

Copies are found by the difference hash of a thumbnail: whether each of 8 × 8 places is brighter
than the one to its right, and than the one below. Resizing, recompressing and small corrections
turn few of these 128 bits: of copies of MIRFLICKR's photos, saved again smaller, brighter or with
more contrast, 97 in 100 are found, and among a million pairs of others none was taken for one.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ExifTags import IFD, Base
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from mmcgan.errors import PhotoError
from mmcgan.inference.photos.images import open_exif, open_photo

SIDE = 9  # of the thumbnail, in places
DECODED = 64  # pixels that are enough to make it from
MAX_TURNED = 7  # bits of 128 in which copies may differ
N_PARTS = MAX_TURNED + 1  # of the hash; that of a copy is the same in one of them at least
MIN_CONTRAST = 4.0  # deviation of brightness, of 255, below which a hash says nothing
MAX_THREADS = 8


def group_photos(paths: Sequence[Path], root: Path) -> dict[Path, str]:
    """Return the name of each photo's group, which is the same for photos that are nearly the same.

    A group is named by the path of one of its photos from `root`, or by folder and second.
    """
    names = {path: path.relative_to(root).as_posix() for path in paths}
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        bar = tqdm(pool.map(_trace, paths), "near copies", len(paths), unit="photo", disable=None)
        traces = dict(zip(paths, bar, strict=True))
    for path, (_, taken) in traces.items():
        if taken is not None:
            names[path] = f"{Path(names[path]).parent.as_posix()} at {taken}"
    pictures = {path: picture for path, (picture, _) in traces.items() if picture is not None}
    return _joined(names, find_copies(pictures))


def _trace(path: Path) -> tuple[int | None, str | None]:
    """Return the difference hash of a photo and the second in which it was taken.

    Either is None where it says nothing, both are of a photo that cannot be opened.
    """
    try:
        with open_exif(path) as exif:
            try:
                taken = exif.get_ifd(IFD.Exif).get(Base.DateTimeOriginal)
            except Exception:  # broken EXIF makes decoders raise nearly anything
                taken = None
        with open_photo(path, at_least=DECODED) as image:
            picture = difference_hash(image)
    except PhotoError:
        return None, None
    return picture, _second(taken)


def _second(taken: object) -> str | None:
    """Return a time that EXIF gives; None where the clock was not set."""
    has_digits = isinstance(taken, str) and any(c in "123456789" for c in taken)
    return str(taken).strip("\0 ") if has_digits else None


def difference_hash(image: Image.Image) -> int | None:
    """Return 128 bits that near copies have in common; None of a picture of one tone."""
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    grey = np.asarray(small, np.float32)
    if grey.std() < MIN_CONTRAST:
        return None
    right = grey[:-1, 1:] > grey[:-1, :-1]
    below = grey[1:, :-1] > grey[:-1, :-1]
    bits = np.packbits(np.stack([right, below]))
    return int.from_bytes(bits.tobytes(), "big")


def find_copies(pictures: dict[Path, int]) -> Iterator[tuple[Path, Path]]:
    """Yield pairs of photos whose hashes differ in at most MAX_TURNED bits.

    Of photos with the very same hash, each is paired with one other only.
    """
    same: defaultdict[int, list[Path]] = defaultdict(list)
    for path, picture in pictures.items():
        same[picture].append(path)
    for paths in same.values():
        yield from pairwise(paths)
    width = 128 // N_PARTS
    for part in range(N_PARTS):
        near: defaultdict[int, list[int]] = defaultdict(list)
        for picture in same:
            near[picture >> (part * width) & (1 << width) - 1].append(picture)
        for a, b in (pair for found in near.values() for pair in combinations(found, 2)):
            if (a ^ b).bit_count() <= MAX_TURNED:
                yield same[a][0], same[b][0]


def _joined(names: dict[Path, str], pairs: Iterable[tuple[Path, Path]]) -> dict[Path, str]:
    """Give photos that pairs connect one name, the first of their names in alphabetical order."""
    known = sorted(set(names.values()))
    place = {name: i for i, name in enumerate(known)}
    ends = np.array([(place[names[a]], place[names[b]]) for a, b in pairs]).reshape(-1, 2).T
    links = sparse.coo_array((np.ones(ends.shape[1]), ends), shape=(len(known), len(known)))
    group = connected_components(links, directed=False)[1]
    first = {group[i]: known[i] for i in reversed(range(len(known)))}
    return {path: first[group[place[name]]] for path, name in names.items()}
