"""IPTC keywords in the character sets and forms in which programs write them."""

from __future__ import annotations

import struct

import pytest
from helpers.keyword_photos import iptc

from mmcgan.metadata.containers.iptc import iptc_keywords

LONG = b"\x1c\x02\x19" + struct.pack(">HI", 0x8004, 3) + b"sea"


@pytest.mark.parametrize(
    ("charset", "value", "text"),
    [
        (b"\x1b%G", "Küste 日本".encode(), "Küste 日本"),
        (b"\x1b%/I", "Küste".encode(), "Küste"),
        (b"\x1b%G", b"K\xfcste", "Küste"),
        (b"", "Küste".encode(), "Küste"),
        (b"", b"K\xfcste \x80 \x93\x96\x94", "Küste € “–”"),
        (b"", b"a\x81\x8d\x8f\x90\x9db\xfc", "a\x81\x8d\x8f\x90\x9dbü"),
        (b"\x1b.A", "Küste".encode(), "KÃ¼ste"),
        (b"\x1b-A", b"K\xfcste \x93", "Küste “"),
        (b"\x1b-B", b"\xa3\xf3d\xbc", "Łódź"),
        (b"\x1b-L", b"\xbc\xde\xe0\xd5", "Море"),
        (b"\x1b-F", b"\xc8\xdc\xeb\xe1\xf3\xf3\xe1", "Θάλασσα"),
        (b"\x1b(B", b"sea", "sea"),
        (b"\x1b%G\0", "ü".encode(), "ü"),
        (b"", b"sea\0\0", "sea"),
    ],
)
def test_keywords_are_read_in_their_character_set(charset, value, text):
    assert iptc_keywords(iptc(value, charset=charset)) == [text]


@pytest.mark.parametrize(
    "block",
    [
        iptc(b"sea", b"sun"),
        LONG + iptc(b"sun"),
        b"\0\0" + iptc(b"sea") + b"\0\0junk" + iptc(b"sun") + b"\0" * 30,
        iptc(b"sea") + b"\x1c\x02\x19\x7f\xff" + iptc(b"sun"),
        iptc(b"sea") + b"\x1c\xff\x19\0\0\x1c\x02\x19\x80\x09" + iptc(b"sun") + b"\x1c\x02\x19\0",
        iptc(b"sea") + b"\x1c\x02\x05\0\x03sea" + iptc(b"sun"),
    ],
)
def test_keywords_are_read_between_other_and_broken_data_sets(block):
    assert iptc_keywords(block) == ["sea", "sun"]


def test_bytes_in_the_wrong_order_are_put_right():
    block = iptc(b"seagull", charset=b"\x1b%G")
    block += bytes(-len(block) % 4)
    swapped = b"".join(block[place : place + 4][::-1] for place in range(0, len(block), 4))
    assert iptc_keywords(swapped) == ["seagull"]


def test_what_is_no_iptc_has_no_keywords():
    for block in (b"", b"\x1c", b"\x1c\x02\x19\0", b"text of any kind", bytes(40)):
        assert iptc_keywords(block) == []
