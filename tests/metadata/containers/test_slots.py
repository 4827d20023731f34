"""The place of a packet that is changed, wherever it is, and the places of several."""

from __future__ import annotations

import zlib

import pytest
from helpers.containers import (
    chunk,
    exif_segment,
    jpeg,
    mpf,
    png,
    segment,
    tiff,
    webp,
    xmp_segment,
)
from helpers.keyword_photos import encode

from mmcgan.errors import MetadataError
from mmcgan.metadata.containers import find_slot, slots_of, with_packet, with_slot

ONE, TWO = b"<one/>", b"<two/>"
EXIF = exif_segment(tiff([(271, 2, b"Make\0")]))
GAIN_MAP = segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))
PLAIN = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + ONE)
EMPTY = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0")
COMPRESSED = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(ONE))

AHEAD = {
    "nothing": b"",
    "EXIF": EXIF,
    "a colour profile": segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(900)),
    "an index of pictures": mpf((100, 0), (100, 9000)),
    "a gain map": EXIF + GAIN_MAP + mpf((100, 0), (100, 9000)),
    "a comment": segment(0xFE, b"hello"),
    "stray bytes": b"stray\0\xff\0",
    "fill bytes": b"\xff\xff",
    "tables": segment(0xDB, bytes(65)),
}


@pytest.mark.parametrize("ahead", AHEAD.values(), ids=AHEAD.keys())
def test_a_packet_is_found_behind_other_segments(ahead):
    data = jpeg(ahead, xmp_segment(ONE), GAIN_MAP)
    assert find_slot(data, "a").packet == ONE
    assert with_packet(data, TWO, "a") == jpeg(ahead, xmp_segment(TWO), GAIN_MAP)
    assert with_packet(data, None, "a") == jpeg(ahead, GAIN_MAP)


def test_a_new_packet_comes_behind_exif_and_before_the_rest():
    rest = GAIN_MAP + mpf((100, 0), (100, 9000))
    assert with_packet(jpeg(EXIF, rest), ONE, "a") == jpeg(EXIF, xmp_segment(ONE), rest)
    stray = b"stray"
    assert with_packet(jpeg(stray, EXIF), ONE, "a") == jpeg(stray, EXIF, xmp_segment(ONE))
    assert with_packet(jpeg(stray), ONE, "a") == jpeg(xmp_segment(ONE), stray)


def test_each_packet_can_be_changed_alone():
    data = jpeg(xmp_segment(ONE), GAIN_MAP, xmp_segment(TWO))
    first, second = slots_of(data)
    assert (first.packet, second.packet) == (ONE, TWO)
    assert with_slot(data, second, None, "a") == jpeg(xmp_segment(ONE), GAIN_MAP)
    assert with_slot(data, first, TWO, "a") == jpeg(xmp_segment(TWO), GAIN_MAP, xmp_segment(TWO))
    assert find_slot(data, "a") == first


def test_packets_before_and_behind_the_pixels_of_a_png_are_places():
    data = png(PLAIN, last=(PLAIN,))
    first, second = slots_of(data)
    assert with_slot(data, first, None, "a") == png(last=(PLAIN,))
    assert with_slot(data, second, None, "a") == png(PLAIN)


def test_an_empty_packet_is_a_packet():
    for data in (jpeg(xmp_segment(b"")), png(EMPTY)):
        assert find_slot(data, "a").packet == b""
        assert with_packet(with_packet(data, ONE, "a"), b"", "a") == data


def test_a_compressed_packet_is_no_place():
    assert slots_of(png(COMPRESSED)) == []
    assert [slot.packet for slot in slots_of(png(COMPRESSED, PLAIN))] == [ONE]
    with pytest.raises(MetadataError, match="compressed or broken"):
        find_slot(png(COMPRESSED), "a")


def test_of_a_broken_photo_the_places_before_the_break_are_found():
    assert [slot.packet for slot in slots_of(jpeg(xmp_segment(ONE))[:80])] == [ONE]
    assert [slot.packet for slot in slots_of(png(PLAIN)[:-20])] == [ONE]
    for data in (b"", b"\xff\xd8\xff", encode("PNG")[:9], webp((b"XMP ", ONE))):
        assert slots_of(data) == []
