"""Read the keywords of a photo from all places where photo software puts them.

These are XMP beside the photo and in it (`mmcgan.metadata.packet.KEYWORD_LISTS`), IPTC keywords,
and EXIF's XPKeywords, which Windows writes. Pillow finds the blocks in JPEG, PNG, WebP and TIFF. A
block that is broken or unsafe is skipped, and reported as a problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.IptcImagePlugin import getiptcinfo
from PIL.PngImagePlugin import PngImageFile

from mmcgan.errors import MetadataError, PhotoError, one_line
from mmcgan.files import read_file
from mmcgan.inference.photos.images import MAX_IMAGE_BYTES, open_header
from mmcgan.inference.words.vocabulary import normalize_tag
from mmcgan.metadata.marking import automatic_words, copied_keywords, person_keywords
from mmcgan.metadata.packet import MAX_PACKET_BYTES, Packet, keyword_path, tag_texts
from mmcgan.metadata.software import without_software

_IPTC_KEYWORDS = (2, 25)
_XP_KEYWORDS = 0x9C9E


@dataclass(frozen=True)
class Keywords:
    """The keywords of a photo as texts of tags, and one line for each thing that cannot be read."""

    texts: tuple[str, ...]
    problems: tuple[str, ...] = ()


def read_keywords(photo: Path, sidecars: Iterable[Path]) -> Keywords:
    """Return the keywords in a photo and its sidecars, each once, without those that mmcgan wrote.

    A keyword that one of the packets records as ours is left out everywhere, as software copies
    keywords from one place to another. Our copies of a person's keywords count where a program
    dropped all others. Of a photo that cannot be opened, only sidecars are read.
    """
    problems: list[str] = []
    packets, paths = _read_photo(photo, problems)
    for sidecar in sidecars:
        with _noted(problems):
            data = read_file(sidecar, MAX_PACKET_BYTES, MetadataError)
            packets.append(Packet.parse(data, str(sidecar)))
    automatic = frozenset(word for packet in packets for word in automatic_words(packet))
    found = [path for packet in packets for path in person_keywords(packet)]
    found += without_software(paths, *packets)
    texts = dict.fromkeys(text for path in found for text in tag_texts(path))
    own = tuple(text for text in texts if normalize_tag(text) not in automatic)
    copies = dict.fromkeys(text for packet in packets for text in copied_keywords(packet))
    return Keywords(own or tuple(copies), tuple(problems))


def _read_photo(photo: Path, problems: list[str]) -> tuple[list[Packet], list[str]]:
    """Return the XMP packets in a photo, and its keywords of other kinds; note what fails."""
    packets: list[Packet] = []
    paths: list[str] = []
    if not photo.is_file() or photo.stat().st_size > MAX_IMAGE_BYTES:
        return packets, paths
    with suppress(PhotoError), open_header(photo) as image:  # whoever wants its pixels is told
        if isinstance(image, PngImageFile):
            with _noted(problems, photo):
                image.load()  # text may come behind the pixels
        with _noted(problems, photo):
            if data := image.info.get("xmp"):
                data = data if isinstance(data, bytes) else str(data).encode()
                packets.append(Packet.parse(data, f"{photo} (XMP)"))
        with _noted(problems, photo):
            paths += _iptc_keywords(image)
        with _noted(problems, photo):
            paths += _xp_keywords(image)
    return packets, paths


@contextmanager
def _noted(problems: list[str], photo: Path | None = None) -> Iterator[None]:
    """Add an error in the block to `problems`; broken data makes decoders raise nearly anything."""
    try:
        yield
    except MetadataError as reason:
        problems.append(str(reason))
    except Exception as reason:
        problems.append(f"{photo} has metadata that cannot be read: {one_line(reason)}")


def _iptc_keywords(image: Image) -> list[str]:
    """Return the IPTC keywords of a JPEG or TIFF, read as UTF-8, or else as Latin-1."""
    records = getiptcinfo(image) if isinstance(image, ImageFile) else None
    found = (records or {}).get(_IPTC_KEYWORDS, [])
    return [keyword_path(_decode(data)) for data in (found if isinstance(found, list) else [found])]


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _xp_keywords(image: Image) -> list[str]:
    """Return EXIF's XPKeywords, which are UTF-16 with semicolons between."""
    data = image.getexif().get(_XP_KEYWORDS, b"")
    text = bytes(data).decode("utf-16-le", "replace").replace("\0", "")
    return [keyword_path(keyword) for keyword in text.split(";") if keyword.strip()]
