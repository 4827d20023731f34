"""Keywords from all places where photo software puts them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from helpers.hostile_xml import BOMB, EXTERNAL
from helpers.keyword_photos import FORMATS, XP, encode, exif, iptc, jpeg_with_iptc, tiff_with_iptc
from helpers.packets import DIGIKAM, LIGHTROOM, marks, packet, subject

from mmcgan.metadata import read_keywords
from mmcgan.metadata.xmp.marking import mark


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def texts(photo: Path, *sidecars: Path) -> list[str]:
    found = read_keywords(photo, sidecars)
    assert found.problems == ()
    return list(found.texts)


@pytest.mark.parametrize("format", FORMATS)
def test_embedded_xmp_is_read(tmp_path, format):
    photo = put(tmp_path / "a", encode(format, LIGHTROOM))
    assert texts(photo) == ["Birds", "Grey Heron", "Animals|Birds|Grey Heron"]


@pytest.mark.parametrize("format", FORMATS)
def test_windows_keywords_are_read(tmp_path, format):
    photo = put(tmp_path / "a", encode(format, exif=exif(XP)))
    assert texts(photo) == ["Sea", "Blue sky", "b/w"]


@pytest.mark.parametrize("photo", [jpeg_with_iptc, tiff_with_iptc])
@pytest.mark.parametrize(
    ("block", "words"),
    [
        (iptc("Küste".encode(), b"sun", charset=b"\x1b%G"), ["Küste", "sun"]),
        (iptc("Küste".encode()), ["Küste"]),
        (iptc("Küste".encode("latin-1")), ["Küste"]),
        (iptc(b"Places|Paris"), ["Paris", "Places|Paris"]),
        (iptc(), []),
    ],
)
def test_iptc_keywords_are_read(tmp_path, photo, block, words):
    assert texts(put(tmp_path / "a", photo(block))) == words


def test_xmp_behind_the_pixels_of_a_png_is_read(tmp_path):
    photo = encode("PNG")
    content = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + packet(subject("sea"))
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    end = photo.index(b"IEND") - 4
    photo = photo[:end] + chunk + photo[end:]
    assert texts(put(tmp_path / "a", photo)) == ["sea"]


def test_all_places_are_merged(tmp_path):
    photo = put(tmp_path / "a.jpg", encode("JPEG", packet(subject("sea")), exif=exif(XP)))
    one = put(tmp_path / "a.xmp", packet(subject("one", "sea")))
    two = put(tmp_path / "a.jpg.xmp", DIGIKAM)
    expected = ["sea", "one", "Küste", "Orte|Küste", "b&w", "Sea", "Blue sky", "b/w"]
    assert texts(photo, one, two) == expected


def test_a_photo_without_keywords_has_none(tmp_path):
    for number, format in enumerate(FORMATS):
        assert texts(put(tmp_path / f"{number}", encode(format))) == []
    assert texts(put(tmp_path / "empty.jpg", b"")) == []
    assert texts(put(tmp_path / "text.jpg", b"no photo at all")) == []
    assert texts(tmp_path / "missing.jpg") == []
    assert texts(tmp_path) == []


@pytest.mark.parametrize("prefix", ["", "auto|"])
def test_what_we_wrote_is_not_read_wherever_it_was_copied_to(tmp_path, prefix):
    ours = mark(packet(subject("mine")), marks("sea", "Blue sky", prefix=prefix), frozenset(), "a")
    photo = put(tmp_path / "a.jpg", encode("JPEG", packet(subject("Sea", "dog")), exif=exif(XP)))
    assert texts(photo, put(tmp_path / "a.xmp", ours)) == ["dog", "mine", "b/w"]
    photo = put(tmp_path / "b.jpg", encode("JPEG", ours))
    assert texts(photo) == ["mine"]


@pytest.mark.parametrize(
    "data", [b"", b"\0\1\2", LIGHTROOM[:300], BOMB, EXTERNAL, b"<a/>", b"\xff\xfe\xff", b"<\xff>"]
)
def test_broken_and_unsafe_sidecars_are_passed_over_and_named(tmp_path, data):
    photo = put(tmp_path / "a.jpg", encode("JPEG", packet(subject("sea"))))
    found = read_keywords(photo, [put(tmp_path / "a.xmp", data), tmp_path / "missing.xmp"])
    assert found.texts == ("sea",)
    assert len(found.problems) == 2
    assert all(str(tmp_path) in line and "\n" not in line for line in found.problems)


def test_a_huge_sidecar_is_passed_over(tmp_path):
    photo = put(tmp_path / "a.jpg", encode("JPEG"))
    with (tmp_path / "a.xmp").open("wb") as file:
        file.truncate(2**30)  # a gigabyte that takes no room
    found = read_keywords(photo, [tmp_path / "a.xmp"])
    assert found.texts == ()
    assert "holds more than 16 MiB" in found.problems[0]


def test_a_photo_of_any_size_is_read(tmp_path):
    words = packet(subject("sea"))
    directory = struct.pack("<QHHQQQ", 1, 700, 1, len(words), 6 * 2**30, 0)
    with (tmp_path / "a.tif").open("wb") as file:
        file.write(b"II+\0\x08\0\0\0" + struct.pack("<Q", 5 * 2**30))
        file.seek(5 * 2**30)  # gigabytes that take no room
        file.write(directory)
        file.seek(6 * 2**30)
        file.write(words)
    assert texts(tmp_path / "a.tif") == ["sea"]


def test_a_photo_that_the_drive_does_not_give_is_named(tmp_path, monkeypatch):
    photo = put(tmp_path / "a.jpg", encode("JPEG", packet(subject("sea"))))

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    assert read_keywords(photo, []).problems == (f"{photo} cannot be read: Input/output error",)


def test_keywords_are_given_as_they_were_written_too(tmp_path):
    photo = put(tmp_path / "a.jpg", encode("JPEG", LIGHTROOM, exif=exif(XP)))
    expected = ("Birds", "Grey Heron", "Animals|Birds|Grey Heron", "Sea", "Blue sky", "b/w")
    assert read_keywords(photo, []).keywords == expected
    ours = mark(None, marks("sea", prefix="auto|"), frozenset(), "a")
    photo = put(
        tmp_path / "b.jpg", encode("JPEG", ours, exif=exif("auto|sea;x".encode("utf-16-le")))
    )
    assert read_keywords(photo, []).keywords == ("x",)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("data", [BOMB, EXTERNAL, b"<x:xmpmeta", b"\0" * 50])
def test_broken_and_unsafe_packets_in_a_photo_are_passed_over_and_named(tmp_path, format, data):
    photo = put(tmp_path / "a", encode(format, data, exif=exif(XP)))
    found = read_keywords(photo, [])
    assert found.texts == ("Sea", "Blue sky", "b/w")
    assert len(found.problems) == 1
    assert found.problems[0].startswith(f"{photo} (XMP) ")


def test_a_bomb_of_compressed_text_in_a_png_is_passed_over(tmp_path):
    content = b"iTXtXML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 2**26)
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    photo = encode("PNG")
    found = read_keywords(put(tmp_path / "a.png", photo[:33] + chunk + photo[33:]), [])
    assert found.texts == ()
    assert "a chunk iTXt that cannot be read: it is larger than 16 MiB" in found.problems[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cut", range(2, 900, 37))
@pytest.mark.parametrize("format", FORMATS)
def test_photos_that_are_cut_short_or_changed_give_no_traceback(tmp_path, format, cut):
    whole = encode(format, LIGHTROOM, exif=exif(XP))
    read_keywords(put(tmp_path / "a", whole[:cut]), [])
    read_keywords(put(tmp_path / "b", whole[:cut] + b"\xff\x7f" + whole[cut + 2 :]), [])


@pytest.mark.parametrize("behind", [b"", b"\0\0", b"\0", b"\0\0m\0o\0r\0e\0"])
def test_windows_keywords_end_at_the_first_zero(tmp_path, behind):
    keywords = "\ufeffsea;sky".encode("utf-16-le")
    assert texts(put(tmp_path / "a.jpg", encode("JPEG", exif=exif(keywords + behind)))) == [
        "sea",
        "sky",
    ]


def test_odd_windows_keywords_give_no_traceback(tmp_path):
    photo = put(tmp_path / "a.jpg", encode("JPEG", exif=exif(b"s\0e\0a\0;\0\0\xd8;\0x")))
    assert read_keywords(photo, []).texts[0] == "sea"
    photo = put(tmp_path / "b.jpg", jpeg_with_iptc(b"\x1c\x02\x19\xff\xff"))
    assert read_keywords(photo, []).texts == ()
