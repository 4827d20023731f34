"""The blocks in a TIFF: in EXIF, TIFF and BigTIFF photos, and camera RAWs that are built like them.

XMP part 3, 3.2 (tag 700); Exif 2.32, 4.6.
"""

from __future__ import annotations

from mmcgan.inference.photos.formats.segments import Encoded
from mmcgan.inference.photos.formats.tiff import EXIF_DIRECTORY, SUB_DIRECTORIES, Entry, Tiff
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.photoshop import read_resources

_XMP, _IPTC, _PHOTOSHOP, _XP_KEYWORDS = 700, 33723, 34377, 0x9C9E


def read_tiff(data: Encoded, found: Found, what: str = "EXIF") -> None:
    """Add the blocks in all directories of a TIFF; notes call it `what`."""
    with found.noted(what):
        for entry in Tiff(data).entries(SUB_DIRECTORIES, EXIF_DIRECTORY):
            with found.noted(what):
                _read_entry(data, entry, found)


def _read_entry(data: Encoded, entry: Entry, found: Found) -> None:
    if entry.tag == _XMP:
        found.packets.append(found.take(data, entry.start, entry.end))
    elif entry.tag == _IPTC:
        found.iptc.append(found.take(data, entry.start, entry.end))
    elif entry.tag == _XP_KEYWORDS:
        found.windows.append(found.take(data, entry.start, entry.end))
    elif entry.tag == _PHOTOSHOP:
        read_resources(found.take(data, entry.start, entry.end), found)
