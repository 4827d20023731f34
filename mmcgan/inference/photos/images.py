"""Open a photo safely: whatever the file holds, give an upright RGB image or raise `PhotoError`.

Only formats of photos are tried, each with its own decoder. The size is read from the header, and
checked before any pixel is decoded; then memory is held for it (`mmcgan.inference.photos.memory`).
A file on disk is decoded from the disk, however large it is. Pillow's own limit on pixels is lower
than the photos of today's phones and is a setting of the whole process, so it is neither used nor
changed.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import IO, TypeAlias, cast

from PIL import ExifTags, Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from mmcgan.errors import DependencyError, PhotoError, PhotoWarning, one_line
from mmcgan.inference.photos import memory
from mmcgan.inference.photos.formats import tiff
from mmcgan.inference.photos.formats.cut_short import MAX_MISSING, EndedStream, missing_share
from mmcgan.inference.photos.formats.extra_formats import Decoder, find_extra_decoder
from mmcgan.inference.photos.formats.png_streams import metadata_of_png, readable_png
from mmcgan.inference.photos.formats.segments import JPEG_START, PNG_START
from mmcgan.inference.photos.formats.unreadable import other_kind, rare_variant
from mmcgan.inference.photos.formats.view import View
from mmcgan.inference.photos.rgb import to_rgb

MAX_IMAGE_BYTES = 256 * 2**20  # of an upload or a member of an archive, which are read whole
MAX_PIXELS = 200_000_000  # the largest phone cameras take 16,320 × 12,240

# What Pillow says of broken data, without a name, is said in the error that names the photo.
logging.getLogger("PIL").addHandler(logging.NullHandler())

Source: TypeAlias = bytes | Path | IO[bytes]  # an encoded photo, its path, or an open file of it


def _open_png(stream: IO[bytes]) -> PngImageFile:
    return PngImageFile(readable_png(stream))


_DECODERS: tuple[tuple[bytes | tuple[bytes, ...], Decoder], ...] = (
    (JPEG_START, JpegImageFile),  # of an MPO, the first picture
    (PNG_START, _open_png),
    (b"RIFF", WebPImageFile),
    (b"GIF8", GifImageFile),
    (b"BM", BmpImageFile),
    (tiff.STARTS, TiffImageFile),
)
_CUT_SHORT = "mmcgan: cut short"  # a key of the information that goes with pixels
_KNOWN_FORMATS = "JPEG, PNG, WebP, TIFF, GIF or BMP, with extras HEIC or camera RAW"


@contextmanager
def open_photo(
    data: Source, name: str | None = None, at_least: int | None = None
) -> Iterator[Image.Image]:
    """Give the encoded photo `data`, or the file at that path, as RGB, upright by its EXIF.

    Memory is held for its pixels until the block ends; in it, no other photo may be opened. Alpha
    is laid on white, of an animation the first frame is taken, and deeper samples are scaled to 8
    bits. With `at_least`, a large JPEG may be decoded to a half, a quarter or an eighth, whose
    sides are at least twice `at_least`: shrunk to `at_least` or less it looks the same, and it
    decodes several times as fast. Of a JPEG that lacks its last bytes a `PhotoWarning` is given.

    Raises `PhotoError`, one line that calls the photo `name`, if there is no such file, it is no
    photo of a known format, it is broken, it has more than `MAX_PIXELS` pixels, or it would take
    more than `memory.ALONE` bytes of memory.
    """
    name = _name_of(data, name)
    with open_stream(data, name) as stream, ExitStack() as held:
        n_file_bytes = len(View(stream))
        with _open_image(stream, name, held) as image:
            n_bytes = _draft(image, n_file_bytes, at_least)
            _check_memory(n_bytes, name)
            held.enter_context(memory.PIXELS.hold(n_bytes))
            rgb = to_rgb(_load(image, name))
        yield rgb


@contextmanager
def open_header(data: Source, name: str | None = None) -> Iterator[Image.Image]:
    """Give a photo with its pixels not yet decoded; an error in the block becomes a `PhotoError`.

    Errors call the photo `name`. Whoever wants its pixels takes `open_photo`, which holds memory
    for them.
    """
    name = _name_of(data, name)
    with (
        open_stream(data, name) as stream,
        ExitStack() as held,
        _open_image(stream, name, held) as image,
    ):
        yield image


def is_cut_short(image: Image.Image) -> bool:
    """Whether a photo that `open_photo` gives lacks its last bytes."""
    return _CUT_SHORT in image.info


def shorter_side(data: Source, name: str | None = None) -> int:
    """Return the shorter side of the encoded photo in pixels; only its header is decoded.

    Raises `PhotoError` as `open_photo` does, except for broken pixels, which it does not see.
    """
    with open_header(data, name) as image:
        return min(image.size)


@contextmanager
def open_exif(data: Source, name: str | None = None) -> Iterator[Image.Exif]:
    """Give the EXIF of a photo, empty if it is broken; no pixel is decoded.

    Raises as `open_header` does.
    """
    name = _name_of(data, name)
    with open_stream(data, name) as stream:
        try:
            is_png = stream.read(len(PNG_START)) == PNG_START
            source = metadata_of_png(stream) if is_png else stream
        except OSError as reason:
            raise _cannot_be_read(name, reason) from None
        with open_header(source, name) as image:
            try:
                exif = image.getexif()
            except Exception:  # broken EXIF makes decoders raise nearly anything
                exif = Image.Exif()
            yield exif


def orientation_of(data: Source, name: str | None = None) -> int | None:
    """Return the EXIF orientation of the encoded photo; raises as `shorter_side` does."""
    with open_exif(data, name) as exif:
        orientation = exif.get(ExifTags.Base.Orientation)
        return orientation if isinstance(orientation, int) else None


def _name_of(data: Source, name: str | None) -> str:
    return name or (str(data) if isinstance(data, Path) else "the photo")


@contextmanager
def open_stream(data: Source, name: str | None = None) -> Iterator[IO[bytes]]:
    """Give a stream of the encoded photo, at its beginning; it has at least one byte.

    An open file is given as it is, and stays open. Raises `PhotoError`, and calls the photo `name`.
    """
    name = _name_of(data, name)
    if isinstance(data, Path):
        _check_file(data, name)
    with ExitStack() as opened:
        try:
            if isinstance(data, bytes):
                stream: IO[bytes] = BytesIO(data)
            else:
                stream = opened.enter_context(data.open("rb")) if isinstance(data, Path) else data
            size = stream.seek(0, SEEK_END)
            stream.seek(0)
        except OSError as reason:
            raise _cannot_be_read(name, reason) from None
        if not size:
            raise PhotoError(f"{name} is empty (0 bytes)")
        yield stream


def _check_file(path: Path, name: str) -> None:
    try:
        if path.is_dir():
            raise PhotoError(f"{name} is a folder, not a photo")
        path.stat()
        if not path.is_file():  # reading a pipe or a device might never end
            raise PhotoError(f"{name} is not a regular file")
    except FileNotFoundError:
        raise PhotoError(f"{name}: there is no such file") from None
    except (OSError, ValueError) as reason:  # ValueError: a zero byte in the path
        raise _cannot_be_read(name, reason) from None


def _cannot_be_read(name: str, reason: Exception) -> PhotoError:
    return PhotoError(f"{name} cannot be read: {getattr(reason, 'strerror', None) or reason}")


@contextmanager
def _open_image(stream: IO[bytes], name: str, held: ExitStack) -> Iterator[Image.Image]:
    """Give a photo with its pixels not yet decoded; an error in the block becomes a `PhotoError`.

    Memory for its file is held until `held` is closed.
    """
    is_open = False
    try:
        data = View(stream)
        decoder = find_extra_decoder(stream) or _find_decoder(stream, name)
        held.enter_context(memory.FILES.hold(len(data)))
        stream.seek(0)
        image = decoder(stream)
        check_size(image, name, MAX_PIXELS)
        is_open = True
        yield image
    except PhotoError:
        raise
    except DependencyError as reason:
        raise PhotoError(f"{name} cannot be opened: {reason}") from None
    except MemoryError:
        raise PhotoError(f"{name} takes more memory than there is") from None
    except Image.DecompressionBombError:  # Pillow's own check, in WebP and TIFF
        limit = 2 * (Image.MAX_IMAGE_PIXELS or MAX_PIXELS)
        raise PhotoError(
            f"{name} has more than {limit // 10**6} megapixels, the most that are decoded of its "
            "kind; save it as a JPEG or a PNG"
        ) from None
    except Exception as reason:  # broken data makes decoders raise nearly anything
        raise _why(stream, name, reason, is_open) from None


def _why(stream: IO[bytes], name: str, reason: Exception, is_open: bool) -> PhotoError:
    """Return the error of a photo that could not be opened, or not be decoded where `is_open`."""
    if isinstance(reason, OSError) and reason.errno is not None:  # of the disk, not of the decoder
        return _cannot_be_read(name, reason)
    try:
        rare = rare_variant(View(stream), is_open)
        is_bmp = View(stream)[:2] == b"BM"
    except OSError as error:
        return _cannot_be_read(name, error)
    if rare:
        return PhotoError(
            f"{name} is of a kind that cannot be read here ({rare}); save it as a JPEG, a PNG or "
            "another TIFF"
        )
    if "nsupported" in str(reason) and not is_bmp:  # so say libheif and LibRaw
        return PhotoError(
            f"{name} is of a kind that cannot be read here, or cut short: {one_line(reason)}"
        )
    return PhotoError(f"{name} is broken or cut short: {one_line(reason)}")


def _find_decoder(stream: IO[bytes], name: str) -> Decoder:
    data = View(stream)
    head = data[:16]
    for start, decoder in _DECODERS:
        if head.startswith(start) and (start != b"RIFF" or head[8:12] == b"WEBP"):
            return decoder
    if kind := other_kind(data, name):
        raise PhotoError(f"{name} is not read: it is one of the {kind}, not {_KNOWN_FORMATS}")
    raise PhotoError(f"{name} is not a photo of a known format ({_KNOWN_FORMATS})")


def check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    """Raise `PhotoError` if a photo has more than `max_pixels`; its header is enough to tell."""
    width, height = image.size
    if width * height > max_pixels:
        raise PhotoError(
            f"{name} has {width:,} × {height:,} pixels, more than the limit of "
            f"{max_pixels // 10**6} megapixels"
        )


def _draft(image: Image.Image, n_file_bytes: int, at_least: int | None) -> int:
    """Choose the size in which a photo is decoded, and return the memory that it takes then."""
    whole = memory.buffer_bytes(image, n_file_bytes)
    if at_least is not None:
        image.draft(None, (2 * at_least, 2 * at_least))
    return whole + memory.pixel_bytes(image)


def _check_memory(n_bytes: int, name: str) -> None:
    if n_bytes > memory.ALONE:
        raise PhotoError(
            f"{name} would take {n_bytes / 2**20:,.0f} MiB of memory to decode, more than half of "
            f"what this machine has ({memory.ALONE / 2**20:,.0f} MiB)"
        )


def _load(image: Image.Image, name: str) -> Image.Image:
    """Decode the pixels, and turn them upright."""
    ended = None
    if isinstance(image, JpegImageFile) and image.fp is not None:
        ended = EndedStream(image.fp)
        image.fp = cast("IO[bytes]", ended)
    image.load()
    if ended and ended.is_cut:
        _warn_of_cut(image, name)
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception:  # a broken EXIF block is no reason to refuse whole pixels
        pass
    return image


def _warn_of_cut(image: Image.Image, name: str) -> None:
    missing = missing_share(image)
    if missing > MAX_MISSING:
        raise PhotoError(
            f"{name} is broken or cut short: the last {missing:.0%} of its rows are missing"
        )
    warnings.warn(
        PhotoWarning(f"{name} is cut short; only the part that is there is looked at"), stacklevel=2
    )
    image.info[_CUT_SHORT] = True
