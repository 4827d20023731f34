"""The contact sheet: tagged photos on one HTML page, to look through and to tick right and wrong.

The page works from the file system and needs no server. Its ticks are saved as mmcgan.tags.csv,
which `data_prep.folder` reads from the folder of the photos: `file` is the path from there, `tags`
are those ticked right, `not` those ticked wrong.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from mmcgan.errors import PhotoError
from mmcgan.files import atomic_path
from mmcgan.inference.photos.images import open_photo
from mmcgan.inference.words.vocabulary import printed

if TYPE_CHECKING:
    from mmcgan.inference.tagger import Tag

PAGES = Path(__file__).parent / "pages"
SHEET_NAME = "contact_sheet.html"
THUMBNAIL_SIZE = 240  # pixels, the longer side
_QUALITY = 70


def write_contact_sheet(
    out_dir: Path, tagged: Sequence[tuple[str | Path, Sequence[Tag]]], model: str
) -> Path:
    """Write the page of `tagged` photos, pairs of path and tags, and return its path.

    It appears only when it is whole. One photo is in memory at a time; one that can no longer be
    opened has no picture. The page names the `model` that the tags are from.
    """
    root = common_folder([path for path, _ in tagged])
    files = [Path(os.path.relpath(path, root)).as_posix() for path, _ in tagged]
    words = sorted({tag.word for _, tags in tagged for tag in tags})
    page = _environment().get_template("contact_sheet.html.j2")
    stream = page.stream(
        photos=_photos(tagged, files),
        words=words,
        folder=_text(root.name or "photos"),
        model=model,
        id=hashlib.sha256("\n".join(map(_text, [str(root), *files])).encode()).hexdigest()[:16],
        style=read_asset("base.css") + read_asset("contact_sheet.css"),
        script=read_asset("contact_sheet.js"),
    )
    path = out_dir / SHEET_NAME
    with atomic_path(path) as partial:
        stream.dump(str(partial), encoding="utf-8")
    return path


def common_folder(paths: Sequence[str | Path]) -> Path:
    """Return the deepest folder that holds all of `paths`, or the working folder for no paths."""
    parents = {os.path.dirname(os.path.abspath(path)) for path in paths}  # noqa: PTH100, PTH120
    return Path(os.path.commonpath(parents)) if parents else Path.cwd()


def thumbnail(photo: Path, size: int = THUMBNAIL_SIZE) -> bytes:
    """Return a photo as a small WebP, `size` pixels on the longer side.

    Raises `PhotoError` if the photo cannot be opened.
    """
    buffer = BytesIO()
    with open_photo(photo, at_least=size) as image:
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        image.save(buffer, "WEBP", quality=_QUALITY)
    return buffer.getvalue()


def read_asset(name: str) -> str:
    """Return a file of mmcgan/folders/pages."""
    return (PAGES / name).read_text(encoding="utf-8")


def _photos(
    tagged: Sequence[tuple[str | Path, Sequence[Tag]]], files: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield photos as the page shows them; `files` are their paths from the common folder."""
    for (path, tags), file in zip(tagged, files, strict=True):
        picture = None
        with suppress(PhotoError):
            picture = thumbnail(Path(path))
        yield {"file": _text(file), "tags": tags, "thumbnail": picture}


def _text(name: str) -> str:
    """Return a file's name as text that can be written, even if its bytes are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def _environment() -> Environment:
    """Return the templates, which escape every text and refuse a name that is not given."""
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printed": printed, "data_uri": _data_uri, "csp_hash": _csp_hash}
    return environment


def _data_uri(picture: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(picture).decode("ascii")


def _csp_hash(source: str) -> str:
    """Return the hash by which a Content-Security-Policy allows this script or style alone."""
    digest = hashlib.sha256(source.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
