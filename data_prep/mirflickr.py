"""MIRFLICKR-25000: the official archives or what they unpack to, and their download.

The layout, in the archives or unpacked, anywhere in the root or a folder below it:
`mirflickr/im1.jpg`, `mirflickr/meta/tags/tags1.txt` (user tags, one a line), and one file a label
with an image number a line: `sky.txt` for the potential label, `sky_r1.txt` for the relevant one.
M. J. Huiskes and M. S. Lew, "The MIR Flickr Retrieval Evaluation", ACM MIR 2008.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from data_prep.archives import MAX_TEXT_BYTES, Member, ZipSource, find_members
from data_prep.download import fetch_file
from data_prep.photos import Collection, Photo, clean_tags
from data_prep.text import decode_text
from mmcgan.errors import DataError, PhotoError
from mmcgan.inference.photos.images import MAX_IMAGE_BYTES

HOME = "https://press.liacs.nl/mirflickr/mirflickr25k.v3b/"
IMAGES_ZIP, IMAGES_MD5 = "mirflickr25k.zip", "a23d0a8564ee84cda5622a6c2f947785"
ANNOTATIONS_ZIP = "mirflickr25k_annotations_v080.zip"  # its home publishes no checksum

N_IMAGES = 25_000
LAST_OF_SPLIT = {"train": 15_000, "dev": 16_000, "val": 20_000, "test": N_IMAGES}
_LABEL_NAMES = (
    "animals baby bird car clouds dog female flower food indoor lake male night people plant_life "
    "portrait river sea sky structures sunset transport tree water"
)
POTENTIAL_LABELS = frozenset(_LABEL_NAMES.split())

_DEPTH = 4  # ROOT/nested/mirflickr/meta/tags
_UNUSED = frozenset({"tags_raw", "exif", "license"})  # 75,000 files that nothing here reads
_IMAGE = re.compile(r"(?:.*/)?im([0-9]{1,9})\.jpe?g", re.IGNORECASE)
_TAGS = re.compile(r"(?:.*/)?meta/tags/tags([0-9]{1,9})\.txt", re.IGNORECASE)
_LABEL = re.compile(r"(?:.*/)?([a-z_]+?)(_r1)?\.txt")


def read_mirflickr(root: Path, stop_words: Container[str]) -> Collection:
    """Read MIRFLICKR-25000, or the part of it that is there, from the folder `root`.

    Raises `DataError` if `root` is no folder, an archive is broken or unsafe, or there is no
    image. What is dropped, such as labels of images that are not there, is counted.
    """
    dropped: Counter[str] = Counter()
    members = find_members(root, _DEPTH, _UNUSED)
    images = _find_images(members, dropped)
    if not images:
        raise DataError(
            f"no image im1.jpg, im2.jpg, … in {root}; it must hold {IMAGES_ZIP} or the folder "
            "mirflickr that it unpacks to (--download fetches it)"
        )
    tags = _find_tags(members, images, dropped)
    labels = _read_labels(members, "", stop_words, dropped)
    relevant = _read_labels(members, "_r1", stop_words, dropped)
    dropped["annotations of images that are not there"] += sum(
        len(numbers - images.keys()) for numbers in labels.values()
    )
    photos = tuple(
        Photo(
            image_id=number,
            name=member.label,
            read=partial(member.read, MAX_IMAGE_BYTES, PhotoError),
            split=split_of_number(number),
            tags=_read_tags(tags[number], stop_words, dropped) if number in tags else (),
            annotations=tuple(label for label in labels if number in labels[label]),
            relevant_annotations=tuple(label for label in relevant if number in relevant[label]),
        )
        for number, member in images.items()
    )
    return Collection("mirflickr", photos, tuple(labels), tuple(relevant), +dropped)


def split_of_number(number: int) -> str:
    """Return the split of an image: train 1–15000, dev –16000, val –20000, test –25000."""
    return next(split for split, last in LAST_OF_SPLIT.items() if number <= last)


def download(root: Path, base_url: str = HOME) -> None:
    """Fetch both archives into `root`; what is there and whole stays, a partial file goes on.

    Raises `DataError` if the server cannot be reached, breaks off, or sends a wrong file.
    """
    home = base_url.rstrip("/")
    fetch_file(f"{home}/{IMAGES_ZIP}", root / IMAGES_ZIP, IMAGES_MD5)
    fetch_file(f"{home}/{ANNOTATIONS_ZIP}", root / ANNOTATIONS_ZIP, None, check=_check_archive)


def _check_archive(path: Path) -> None:
    """Raise `DataError` unless each member's own checksum holds."""
    with closing(ZipSource(path)) as archive:
        for name in archive.names():
            archive.read(name, MAX_TEXT_BYTES)


def _matching(
    members: list[Member], pattern: re.Pattern[str]
) -> Iterator[tuple[re.Match[str], Member]]:
    """Yield each file whose name is of `pattern`."""
    for member in members:
        if match := pattern.fullmatch(member.name):
            yield match, member


def _find_images(members: list[Member], dropped: Counter[str]) -> dict[int, Member]:
    """Return the images by number, in order; the first of several files of an image counts."""
    found: dict[int, Member] = {}
    for match, member in _matching(members, _IMAGE):
        number = int(match[1])
        if 1 <= number <= N_IMAGES:
            found.setdefault(number, member)
        else:
            dropped[f"images whose number is not in 1–{N_IMAGES}"] += 1
    return dict(sorted(found.items()))


def _find_tags(
    members: list[Member], images: dict[int, Member], dropped: Counter[str]
) -> dict[int, Member]:
    """Return the tags files of `images` by number."""
    found: dict[int, Member] = {}
    for match, member in _matching(members, _TAGS):
        found.setdefault(int(match[1]), member)
    dropped["tags files of images that are not there"] += len(found.keys() - images.keys())
    return found


def _read_tags(
    member: Member, stop_words: Container[str], dropped: Counter[str]
) -> tuple[str, ...]:
    try:
        data = member.read(MAX_TEXT_BYTES)
    except DataError:
        dropped["tags files that cannot be read"] += 1
        return ()
    return clean_tags(decode_text(data, dropped).split("\n"), stop_words, dropped)


def _read_labels(
    members: list[Member], suffix: str, stop_words: Container[str], dropped: Counter[str]
) -> dict[str, set[int]]:
    """Return the numbers of the images that carry each label, of files that end in `suffix`.

    Raises `DataError` if one is unreadable.
    """
    labels: dict[str, set[int]] = {}
    for match, member in _matching(members, _LABEL):
        label = match[1]
        if label not in POTENTIAL_LABELS or (match[2] or "") != suffix or label in labels:
            continue
        if label in stop_words:
            dropped["annotation labels on the stop list"] += 1
        else:
            labels[label] = _read_numbers(member, dropped)
    return dict(sorted(labels.items()))


def _read_numbers(member: Member, dropped: Counter[str]) -> set[int]:
    """Return the image numbers of a label's file, one a line."""
    lines = member.read(MAX_TEXT_BYTES).decode("latin-1").split("\n")
    filled = [line.strip() for line in lines if line.strip()]
    numbers = [int(line) for line in filled if re.fullmatch("[0-9]{1,9}", line)]
    dropped["lines of annotation files that are no image number"] += len(filled) - len(numbers)
    return set(numbers)
