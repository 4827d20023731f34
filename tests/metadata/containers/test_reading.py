"""The blocks of metadata in each container, wherever a container may hold them."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO

import pytest
from helpers.containers import (
    EXIF_IFD,
    GUID,
    IPTC,
    LONG,
    PHOTOSHOP,
    SUB_IFDS,
    UNDEFINED,
    WINDOWS,
    XAP,
    XMP,
    chunk,
    cr3,
    exif_segment,
    extension,
    gif,
    heic,
    jpeg,
    mrw,
    png,
    profile,
    raf,
    resource,
    segment,
    tiff,
    webp,
    xmp_segment,
)
from helpers.keyword_photos import iptc

from mmcgan.metadata.containers import packets_in
from mmcgan.metadata.containers.found import Found
from mmcgan.metadata.containers.reading import read_blocks

ONE, TWO = b"<one/>", b"<two/>"
BLOCK = iptc(b"sea")
EXIF = tiff([(WINDOWS, UNDEFINED, b"s\0e\0a\0")])
RESOURCE = b"Photoshop 3.0\0" + resource(0x0404, BLOCK, b"name")
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


def text(keyword: bytes, content: bytes, kind: bytes = b"tEXt") -> bytes:
    heads = {b"tEXt": b"\0", b"zTXt": b"\0\0", b"iTXt": b"\0\0\0en\0\0"}
    return chunk(
        kind, keyword + heads[kind] + (zlib.compress(content) if kind == b"zTXt" else content)
    )


def raw(kind: bytes, content: bytes) -> bytes:
    return text(b"Raw profile type " + kind, profile(kind, content), b"zTXt")


COMPRESSED = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(ONE))
PACKETS = {
    "behind other segments": jpeg(segment(0xE2, b"x"), segment(0xFE, b"x" * 300), xmp_segment(ONE)),
    "behind stray bytes": jpeg(b"stray\0\xff\0", xmp_segment(ONE), b"\0" * 5000),
    "behind many fill bytes": jpeg(b"\xff" * 5000, xmp_segment(ONE)),
    "behind a marker alone": jpeg(b"\xff\xd0\xff\x01", xmp_segment(ONE)),
    "another header": jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0 \0<x:xmpmeta/>")),
    "no header": jpeg(segment(0xE1, b"junk <?xpacket begin=''?><x:xmpmeta/>")),
    "in EXIF of a JPEG": jpeg(exif_segment(tiff([(XMP, UNDEFINED, ONE)]))),
    "in Photoshop's block": jpeg(segment(0xED, b"Photoshop 3.0\0" + resource(0x0424, ONE))),
    "PNG, plain": png(text(b"XML:com.adobe.xmp", ONE, b"iTXt")),
    "PNG, behind the pixels": png(last=(text(b"XML:com.adobe.xmp", ONE, b"iTXt"),)),
    "PNG, compressed": png(COMPRESSED),
    "PNG, text": png(text(b"XML:com.adobe.xmp", ONE)),
    "PNG, compressed text": png(text(b"XML:com.adobe.xmp", ONE, b"zTXt")),
    "PNG, profile": png(raw(b"xmp", ONE)),
    "PNG, profile as text": png(text(b"raw profile type XMP", profile(b"xmp", ONE))),
    "PNG, profile APP1": png(raw(b"APP1", XAP + ONE)),
    "TIFF": tiff([(XMP, UNDEFINED, ONE)]),
    "TIFF, big-endian": tiff([(XMP, UNDEFINED, ONE)], order=">"),
    "BigTIFF": tiff([(XMP, UNDEFINED, ONE)], big=True),
    "BigTIFF, big-endian": tiff([(XMP, UNDEFINED, ONE)], order=">", big=True),
    "TIFF, second page": tiff([], [(XMP, UNDEFINED, ONE)]),
    "DNG": tiff([(50706, LONG, b"\1\4\0\0"), (SUB_IFDS, LONG, [(XMP, UNDEFINED, ONE)])]),
    "ORF": tiff([(XMP, UNDEFINED, ONE)], magic=b"IIRO"),
    "ORF, big-endian": tiff([(XMP, UNDEFINED, ONE)], magic=b"MMOR", order=">"),
    "RW2": tiff([(XMP, UNDEFINED, ONE)], magic=b"IIU\0"),
    "RW2, in its JPEG": tiff([(0x2E, UNDEFINED, jpeg(xmp_segment(ONE)))], magic=b"IIU\0"),
    "RAF": raf(jpeg(xmp_segment(ONE))),
    "MRW": mrw(tiff([(XMP, UNDEFINED, ONE)], order=">")),
    "WebP": webp((b"ICCP", b"odd"), (b"XMP ", ONE)),
    "WebP, with a zero": webp((b"XMP\0", ONE)),
    "GIF": gif(ONE),
    "GIF, behind the picture": gif(ONE, last=True),
    "CR3": cr3(ONE),
}


@pytest.mark.parametrize("data", PACKETS.values(), ids=PACKETS.keys())
def test_a_packet_is_found(data):
    packets, *others = sound(data)
    assert packets[0].removeprefix(b"<?xpacket begin=''?>") in (ONE, b"<x:xmpmeta/>")
    assert len(packets) == 1
    assert others == [[], [], []]
    assert packets_in(data, "a") == packets


OTHERS = {
    "Photoshop's block": jpeg(segment(0xED, RESOURCE)),
    "an older block": jpeg(
        segment(0xED, RESOURCE.replace(b"Photoshop 3.0\0", b"Adobe_Photoshop2.5:"))
    ),
    "a block over two segments": jpeg(
        segment(0xED, RESOURCE[:40]), segment(0xED, RESOURCE[:14] + RESOURCE[40:])
    ),
    "behind bytes of another kind": jpeg(segment(0xED, RESOURCE[:14] + b"junk" + RESOURCE[14:])),
    "TIFF, as numbers": tiff([(IPTC, LONG, BLOCK)]),
    "TIFF, as bytes": tiff([(IPTC, UNDEFINED, BLOCK)], order=">"),
    "TIFF, in Photoshop's": tiff([(PHOTOSHOP, UNDEFINED, resource(0x0404, BLOCK))]),
    "PNG, profile": png(raw(b"iptc", BLOCK)),
    "PNG, profile as Photoshop's": png(raw(b"iptc", resource(0x0404, BLOCK))),
    "PNG, profile 8bim": png(raw(b"8bim", resource(0x0404, BLOCK))),
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS.keys())
def test_iptc_is_found(data):
    packets, extended, found, windows = sound(data)
    assert [block.rstrip(b"\0") for block in found] == [BLOCK]
    assert (packets, extended, windows) == ([], [], [])


WINDOWS_KEYWORDS = {
    "JPEG": jpeg(exif_segment(EXIF)),
    "JPEG, header with bytes before": jpeg(segment(0xE1, b"\0\0Exif\0\0" + EXIF)),
    "in EXIF's own directory": jpeg(
        exif_segment(tiff([(EXIF_IFD, LONG, [(WINDOWS, 1, b"s\0e\0a\0")])]))
    ),
    "PNG": png(chunk(b"eXIf", EXIF)),
    "PNG, behind the pixels": png(last=(chunk(b"eXIf", b"Exif\0\0" + EXIF),)),
    "PNG, profile": png(raw(b"exif", b"Exif\0\0" + EXIF)),
    "PNG, profile APP1": png(raw(b"APP1", b"Exif\0\0" + EXIF)),
    "TIFF": EXIF,
    "WebP": webp((b"EXIF", EXIF)),
    "WebP, with a header": webp((b"EXIF", b"Exif\0\0" + EXIF)),
}


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
