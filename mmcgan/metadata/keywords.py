"""Read the keywords of a photo from all places where photo software puts them.

These are XMP beside the photo and in it (`mmcgan.metadata.xmp.names.KEYWORD_LISTS`), IPTC, and
EXIF's XPKeywords, which Windows writes. `mmcgan.metadata.containers` finds the blocks. A block that
is broken or unsafe is skipped, and reported as a problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mmcgan.errors import MetadataError
from mmcgan.files import read_file
from mmcgan.inference.words.vocabulary import normalize_tag
from mmcgan.metadata.containers.iptc import iptc_keywords
from mmcgan.metadata.containers.reading import read_blocks
from mmcgan.metadata.xmp.marking import automatic_words, copied_keywords, person_keywords
from mmcgan.metadata.xmp.packet import MAX_PACKET_BYTES, Packet, keyword_path, tag_texts
from mmcgan.metadata.xmp.software import without_software


@dataclass(frozen=True)
class Keywords:
    """The keywords of a photo, and one line for each thing that cannot be read.

    `texts` are the texts of tags: of a keyword with levels its last level, and its path.
    `keywords` are the same as a person sees them, one each, with | between the levels.
    """

    texts: tuple[str, ...]
    problems: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


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
    copies = tuple(dict.fromkeys(text for packet in packets for text in copied_keywords(packet)))

    def personal(keywords: Iterable[str]) -> tuple[str, ...]:
        own = tuple(text for text in keywords if normalize_tag(text) not in automatic)
        return own or copies

    return Keywords(personal(texts), tuple(problems), personal(dict.fromkeys(found)))


def _read_photo(photo: Path, problems: list[str]) -> tuple[list[Packet], list[str]]:
    """Return the XMP packets in a photo, and its keywords of other kinds; note what fails."""
    packets: list[Packet] = []
    try:
        if not photo.is_file():  # a pipe might never end
            return packets, []
        with photo.open("rb") as file:
            blocks = read_blocks(file)
    except OSError as reason:
        problems.append(f"{photo} cannot be read: {reason.strerror}")
        return packets, []
    problems += [f"{photo} has {problem}" for problem in blocks.problems]
    for data in blocks.packets + blocks.extended:
        with _noted(problems):
            packets.append(Packet.parse(data, f"{photo} (XMP)"))
    paths = [keyword_path(text) for block in blocks.iptc for text in iptc_keywords(block)]
    paths += [keyword_path(text) for block in blocks.windows for text in windows_keywords(block)]
    return packets, [path for path in paths if path]


@contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    """Add an error in the block to `problems`."""
    try:
        yield
    except MetadataError as reason:
        problems.append(str(reason))


def windows_keywords(data: bytes) -> list[str]:
    """Return the keywords of an XPKeywords: UTF-16 to the first zero, with semicolons between."""
    whole = data[: len(data) // 2 * 2]
    text = whole.decode("utf-16-le", "replace").partition("\0")[0]
    return text.removeprefix("\ufeff").split(";")
