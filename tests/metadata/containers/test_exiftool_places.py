"""exiftool, another program, finds the same keywords in the same places."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.containers import (
    GUID,
    UNDEFINED,
    WINDOWS,
    exif_segment,
    extension,
    heic,
    jpeg,
    resource,
    segment,
    tiff,
    xmp_segment,
)
from helpers.keyword_photos import iptc
from helpers.packets import packet, subject
from helpers.places import iptc_places, packet_places, windows_places

from mmcgan.metadata import read_keywords

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")

WORDS = "Küste;Grey Heron;日本"
NOT_THEIRS = "webp with a zero"  # after a common mistake, which exiftool does not allow for


def seen(folder: Path) -> dict[str, set[str]]:
    """The keywords that exiftool finds in each file of a folder."""
    tags = ("-XMP:Subject", "-IPTC:Keywords", "-XPKeywords")
    command = ["exiftool", "-j", "-sep", ";", "-charset", "iptc=UTF8", *tags, str(folder)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {
        Path(row.pop("SourceFile")).name: {
            word for text in row.values() for word in text.split(";")
        }
        for row in json.loads(output)
    }


def photos() -> dict[str, bytes]:
    words = WORDS.split(";")
    packed = packet(subject(*words))
    windows = WORDS.encode("utf-16-le")
    found = {f"XMP {name}": data for name, data in packet_places(packed).items()}
    del found[f"XMP {NOT_THEIRS}"]
    block = iptc(*(word.encode() for word in words), charset=b"\x1b%G")
    found |= {f"IPTC {name}": data for name, data in iptc_places(block).items()}
    found |= {f"EXIF {name}": data for name, data in windows_places(windows).items()}
    named = xmp_segment(packet(EXTENDED))
    parts = [extension(packed, place) for place in ((0, 99), (99, 200), (200, len(packed)))]
    found["heic"] = heic(packed, tiff([(WINDOWS, UNDEFINED, windows)]))
    found["jpg with extended XMP"] = jpeg(named, *parts)
    found["jpg with extended XMP before the packet"] = jpeg(parts[2], parts[0], named, parts[1])
    found["jpg with extended XMP that lacks a part"] = jpeg(named, parts[0], parts[2])
    for name, behind in {"zeros": b"\0\0m\0", "half": b"\0\0\0", "": b""}.items():
        block = tiff([(WINDOWS, UNDEFINED, windows + behind)])
        found[f"jpg with {name} behind"] = jpeg(exif_segment(block))
    return found


EXTENDED = (
    '<xmpNote:HasExtendedXMP xmlns:xmpNote="http://ns.adobe.com/xmp/note/">'
    f"{GUID.decode()}</xmpNote:HasExtendedXMP>"
)


def test_the_same_keywords_are_found(tmp_path):
    for name, data in photos().items():
        ending = next(word for word in name.split() if word.islower() and word.isalnum())
        (tmp_path / f"{name}.{ending}").write_bytes(data)
    theirs = seen(tmp_path)
    ours = {path.name: set(read_keywords(path, []).texts) for path in tmp_path.iterdir()}
    assert {name: words for name, words in ours.items() if theirs[name] != words} == {}
    lacking = {"jpg with extended XMP that lacks a part.jpg"}
    assert {name for name, words in ours.items() if words != set(WORDS.split(";"))} == lacking


@pytest.mark.parametrize("charset", [b"", b"\x1b.A"])
def test_text_of_windows_is_read_alike(tmp_path, charset):
    block = iptc(bytes([*range(0x61, 0x7B), *range(0x80, 0x100)]), charset=charset)
    photo = tmp_path / "a.jpg"
    photo.write_bytes(jpeg(segment(0xED, b"Photoshop 3.0\0" + resource(0x0404, block))))
    command = ["exiftool", "-b", "-IPTC:Keywords", str(photo)]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    assert read_keywords(photo, []).keywords == (output.decode().strip(),)
