"""The blocks of metadata in each container, wherever a container may hold them."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO

import pytest
from helpers.containers import (
    GUID,
    IPTC,
    LONG,
    SUB_IFDS,
    UNDEFINED,
    WINDOWS,
    XMP,
    chunk,
    cr3,
    extension,
    gif,
    heic,
    jpeg,
    png,
    raf,
    segment,
    tiff,
    webp,
    xmp_segment,
)
from helpers.keyword_photos import iptc
from helpers.places import iptc_places, packet_places, raw, text, windows_places

from mmcgan.metadata.containers import packets_in
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.reading import read_blocks

ONE, TWO = b"<x:xmpmeta/>", b"<two/>"
PACKETS = packet_places(ONE)
OTHERS = iptc_places(iptc(b"sea"))
WINDOWS_KEYWORDS = windows_places(b"s\0e\0a\0")

BLOCK = iptc(b"sea")
EXIF = tiff([(WINDOWS, UNDEFINED, b"s\0e\0a\0")])
NAMED = b"<main>" + GUID + b"</main>"


def blocks(data: bytes) -> Found:
    """What is found, the same in bytes as in a file."""
    found = read_blocks(data)
    assert read_blocks(BytesIO(data)) == found
    return found


def sound(data: bytes) -> tuple[list[bytes], list[bytes], list[bytes], list[bytes]]:
    found = blocks(data)
    assert found.problems == []
    return found.packets, found.extended, found.iptc, found.windows


COMPRESSED = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(ONE))


@pytest.mark.parametrize("data", PACKETS.values(), ids=PACKETS.keys())
def test_a_packet_is_found(data):
    packets, *others = sound(data)
    assert packets == [ONE]
    assert others == [[], [], []]
    assert packets_in(data, "a") == packets


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS.keys())
def test_iptc_is_found(data):
    packets, extended, found, windows = sound(data)
    assert [block.rstrip(b"\0") for block in found] == [BLOCK]
    assert (packets, extended, windows) == ([], [], [])


@pytest.mark.parametrize("data", WINDOWS_KEYWORDS.values(), ids=WINDOWS_KEYWORDS.keys())
def test_windows_keywords_are_found(data):
    assert sound(data) == ([], [], [], [b"s\0e\0a\0"])


@pytest.mark.parametrize("in_meta", [False, True])
def test_items_of_a_heic_are_found(in_meta):
    assert sound(heic(ONE, EXIF, in_meta)) == ([ONE], [], [], [b"s\0e\0a\0"])


def test_both_of_two_packets_are_found():
    assert sound(jpeg(xmp_segment(ONE), segment(0xE2, b"x"), xmp_segment(TWO)))[0] == [ONE, TWO]
    chunks = [text(b"XML:com.adobe.xmp", ONE, b"iTXt"), raw(b"xmp", TWO)]
    assert sound(png(*chunks))[0] == [ONE, TWO]


def test_of_several_pictures_the_first_counts():
    assert sound(jpeg(xmp_segment(ONE), behind=jpeg(xmp_segment(TWO))))[0] == [ONE]


def test_extended_xmp_is_joined_whatever_its_order():
    parts = [extension(b"far out", place) for place in ((0, 3), (3, 5), (5, 7))]
    for order in ((0, 1, 2), (2, 0, 1)):
        data = jpeg(*(parts[i] for i in order[:2]), xmp_segment(NAMED), parts[order[2]])
        assert sound(data)[:2] == ([NAMED], [b"far out"])
        assert packets_in(data, "a") == [NAMED, b"far out"]


def test_extended_xmp_that_lacks_a_piece_is_a_problem():
    found = blocks(jpeg(xmp_segment(NAMED), extension(b"far out", (0, 3), (5, 7))))
    assert (found.packets, found.extended) == ([NAMED], [])
    assert found.problems == ["extended XMP that cannot be read: a piece of it is missing"]


def test_extended_xmp_that_no_packet_names_is_left_over():
    assert sound(jpeg(xmp_segment(ONE), extension(b"far out", (0, 7))))[:2] == ([ONE], [])


BROKEN = {
    "JPEG, cut short": (jpeg(xmp_segment(ONE), segment(0xE2, b"x" * 900))[:200], [ONE]),
    "EXIF": (jpeg(segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"), xmp_segment(ONE)), [ONE]),
    "one directory": (tiff([(XMP, UNDEFINED, ONE), (SUB_IFDS, LONG, b"\xff\xff\xff\0")]), [ONE]),
    "a value": (tiff([(IPTC, LONG, BLOCK), (XMP, UNDEFINED, ONE)])[:-4], [ONE]),
    "a profile": (png(text(b"Raw profile type xmp", b"no profile"), COMPRESSED), [ONE]),
    "a profile's digits": (
        png(text(b"Raw profile type xmp", b"\nxmp\n 3\nxyz"), COMPRESSED),
        [ONE],
    ),
    "compressed text": (png(chunk(b"zTXt", b"XML:com.adobe.xmp\0\0abc"), COMPRESSED), [ONE]),
    "PNG, cut short": (png(COMPRESSED)[:-20], [ONE]),
    "PNG, no chunk": (png(COMPRESSED, bytes(12)), [ONE]),
    "WebP": (webp((b"XMP ", ONE), (b"EXIF", bytes(60)))[:-20], [ONE]),
    "GIF, cut short": (gif(ONE)[:-4], [ONE]),
    "HEIC": (cr3(ONE) + b"\0\0\1\0free", [ONE]),
    "RAF": (raf(jpeg(xmp_segment(ONE)))[:230], [ONE]),
}


@pytest.mark.parametrize(("data", "packets"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_is_noted_in_one_line_and_the_rest_read(data, packets):
    found = blocks(data)
    assert found.packets == packets
    assert len(found.problems) == 1
    assert "\n" not in found.problems[0]


def test_what_is_no_photo_has_nothing():
    for data in (b"", b"\xff", b"no photo", bytes(100)):
        assert blocks(data) == Found()


def test_blocks_without_end_are_not_read():
    bomb = png(chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(bytes(2**25))))
    many = tiff([(XMP, UNDEFINED, bytes(15 * 2**20))] * 9)
    for data, size in ((bomb, 0), (many, 60 * 2**20)):
        found = blocks(data)
        assert sum(map(len, found.packets)) == size
        assert len(found.problems) == 1


def test_directories_in_a_circle_are_read_once():
    data = bytearray(tiff([(XMP, UNDEFINED, ONE)]))
    struct.pack_into("<I", data, 8 + 2 + 12, 8)
    assert sound(bytes(data))[0] == [ONE]


def test_many_entries_over_one_another_are_not_read_for_ever():
    row = struct.pack("<HHII", SUB_IFDS, LONG, 1000, 8)
    data = b"II*\0\x08\0\0\0" + b"\xff\xff" + row * 70_000
    assert len(blocks(data).problems) == 1


def test_odd_bytes_give_no_traceback_and_no_long_wait():
    seeds = [*PACKETS.values(), *OTHERS.values(), *WINDOWS_KEYWORDS.values(), heic(ONE, EXIF)]
    chance = random.Random(0)
    for _ in range(3000):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 5)):
            place = chance.randrange(len(data) + 1)
            odd = chance.choice(
                [b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", chance.randbytes(2), b""]
            )
            data[place : place + chance.choice([len(odd), 20])] = odd
        found = blocks(bytes(data))
        assert all("\n" not in problem for problem in found.problems)
