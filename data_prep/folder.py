"""Any tree of photos, with tags in text files beside them, in tables, and in metadata.

`photo.txt` or `photo.jpg.txt` beside a photo holds its tags, one a line or with commas between;
a `tags.csv` or `NAME.tags.csv` in any folder has the columns `file` (a path from that folder) and
`tags`. Keywords of photo software are read from the photos and their XMP sidecars
(`mmcgan.metadata.keywords`). Tags from several of these sources are merged. A table may have a
column `not`: it lists tags that the photo does not carry, even where another source names them.
`mmcgan.folders.contact_sheet` makes such tables. Hidden files and folders are not looked at, nor
is what lies outside the tree. Photos that are nearly the same are in one split
(`data_prep.groups`).
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Container
from pathlib import Path

from tqdm import tqdm

from data_prep.archives import MAX_TEXT_BYTES
from data_prep.groups import group_photos
from data_prep.photos import Collection, clean_tags, photo_of_file, split_of
from data_prep.tables import MAX_TABLE_BYTES, TABLE_NAME, PhotoNames, is_table, read_table
from data_prep.text import decode_text, split_tags
from mmcgan.errors import DataError, PhotoWarning
from mmcgan.files import read_file
from mmcgan.folders.photo_files import Failures, no_photo_in, photos_in, visible_files
from mmcgan.inference.words.vocabulary import normalize_tag
from mmcgan.metadata.keywords import read_keywords
from mmcgan.metadata.sidecar import sidecar_names

TextsOf = defaultdict[Path, list[str]]  # path of a photo → texts of tags


def read_folder(root: Path, stop_words: Container[str], seed: int) -> Collection:
    """Read all photos under `root`; which of train and dev a photo is in depends on `seed`.

    An image's id is its POSIX path from `root`. Raises `DataError` if `root` is no folder or has
    no photo in it, or a tags.csv cannot be used. Unreadable tags files are counted.
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "missing"
        raise DataError(f"--root {root} is {found}; it must be a folder of photos")
    dropped: Counter[str] = Counter()
    files = _visible_files(root, dropped)
    paths = photos_in(files, dropped)
    if not paths:
        raise DataError(no_photo_in(str(root), dropped))
    known = frozenset(files)
    in_tables, denied = _texts_in_tables(files, frozenset(paths), dropped)
    groups = group_photos(paths, root)
    photos = []
    for path in tqdm(paths, desc="keywords", unit="photo", disable=None):
        texts = [
            *_texts_beside(path, known, dropped),
            *in_tables[path],
            *_texts_in_metadata(path, known, dropped),
        ]
        tags = clean_tags(dict.fromkeys(texts), stop_words, dropped)
        wrong = {normalize_tag(text) for text in denied[path]}
        dropped["tags that a table says are wrong"] += len(wrong & set(tags))
        kept = tuple(tag for tag in tags if tag not in wrong)
        image_id = path.relative_to(root).as_posix()
        photos.append(photo_of_file(path, image_id, split_of(groups[path], seed), kept))
    return Collection(root.resolve().name or "folder", tuple(photos), dropped=+dropped)


def _visible_files(root: Path, dropped: Counter[str]) -> list[Path]:
    """Return the visible files under `root`; warn of what cannot be looked at, and count it."""
    failed: Failures = []
    files = sorted(visible_files(root, dropped, failed))
    for _, error in failed:
        warnings.warn(PhotoWarning(error), stacklevel=2)
    dropped["files and folders that cannot be read"] += len(failed)
    return files


def _texts_beside(path: Path, files: frozenset[Path], dropped: Counter[str]) -> list[str]:
    """Return the tags in `photo.txt` and `photo.jpg.txt`."""
    beside = (path.with_suffix(".txt"), path.with_name(path.name + ".txt"))
    return [tag for file in beside if file in files for tag in _read_tags(file, dropped)]


def _read_tags(path: Path, dropped: Counter[str]) -> list[str]:
    reason = "tags files that cannot be read or are too large"
    data = _read(path, MAX_TEXT_BYTES, reason, dropped)
    return [] if data is None else split_tags(decode_text(data, dropped))


def _read(path: Path, limit: int, reason: str, dropped: Counter[str]) -> bytes | None:
    """Return the bytes of a file; where that fails, count it as dropped for `reason`."""
    try:
        return read_file(path, limit)
    except DataError:
        dropped[reason] += 1
        return None


def _texts_in_tables(
    files: list[Path], photos: frozenset[Path], dropped: Counter[str]
) -> tuple[TextsOf, TextsOf]:
    """Read every table, and return the tags that they say photos carry, and do not carry."""
    texts: TextsOf = defaultdict(list)
    denied: TextsOf = defaultdict(list)
    names = PhotoNames(photos)
    for table in filter(is_table, files):
        data = _read(table, MAX_TABLE_BYTES, "tables of tags that cannot be read", dropped)
        for file, tags, wrong in read_table(data, str(table), dropped) if data is not None else ():
            path = names.find(table.parent, file)
            if path is not None:
                texts[path] += split_tags(tags)
                denied[path] += split_tags(wrong)
            else:
                dropped[f"rows of {TABLE_NAME} that name no photo"] += 1
    return texts, denied


def _texts_in_metadata(path: Path, files: frozenset[Path], dropped: Counter[str]) -> list[str]:
    """Return the keywords in a photo and in its XMP sidecars."""
    sidecars = [sidecar for sidecar in sidecar_names(path) if sidecar in files]
    try:
        found = read_keywords(path, sidecars)
    except OSError:  # of a disk that is gone; whoever wants the pixels is told
        return []
    dropped["blocks of metadata that are broken or unsafe"] += len(found.problems)
    return list(found.texts)
