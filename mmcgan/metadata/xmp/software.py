"""Keywords that software writes for itself, and how they are told from a person's.

darktable notes its own affairs as keywords with levels: `darktable|changed`,
`darktable|format|nef`, `darktable|style|…`. It, and programs that read them, list the levels one by
one as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from mmcgan.metadata.xmp.names import HIERARCHY
from mmcgan.metadata.xmp.packet import Packet

# The first levels of the trees in which programs keep their own keywords. digiKam's holds colour
# labels, pick labels, versions of a photo, and "Scanned for Faces".
SOFTWARE_TREES = frozenset({"darktable", "_Digikam_Internal_Tags_"})

# digiKam's own name for the top of all trees, which older versions wrote out.
_ROOTS = frozenset({"_Digikam_root_tag_"})


def without_root(path: str) -> str:
    """Return a keyword without a level that stands for the top of all trees."""
    return "|".join(level for level in path.split("|") if level not in _ROOTS)


def is_software(path: str) -> bool:
    """Whether a keyword is of a tree that a program keeps for itself."""
    first, separator, _ = without_root(path).partition("|")
    return bool(separator) and first in SOFTWARE_TREES


def without_software(paths: Iterable[str], *packets: Packet) -> list[str]:
    """Return the keywords of other places than XMP that programs did not write for themselves.

    `packets` tell which they wrote.
    """
    words = frozenset(word for packet in packets for word in software_words(packet))
    return [path for path in paths if path not in words and not is_software(path)]


def software_words(packet: Packet) -> frozenset[str]:
    """Return the levels of a packet's software keywords, as they stand alone in flat lists.

    A level that the person has in a keyword with levels too, or alone in the list of keywords with
    levels, is the person's.
    """
    entries = packet.entries()
    words = {level for _, path in entries if is_software(path) for level in path.split("|")}
    own = {
        level
        for name, path in entries
        if not is_software(path) and ("|" in path or name == HIERARCHY)
        for level in path.split("|")
    }
    return frozenset(words - own)
