"""Photos with a block of metadata in each place where a container may have it.

Each is named by the ending of its file, and the place.
"""

from __future__ import annotations

import zlib

from helpers.containers import (
    BYTE,
    EXIF_IFD,
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
    gif,
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


def text(keyword: bytes, content: bytes, kind: bytes = b"tEXt") -> bytes:
    """A chunk of text of a PNG."""
    heads = {b"tEXt": b"\0", b"zTXt": b"\0\0", b"iTXt": b"\0\0\0\0\0"}
    packed = zlib.compress(content) if kind == b"zTXt" else content
    return chunk(kind, keyword + heads[kind] + packed)


def raw(kind: bytes, content: bytes) -> bytes:
    """A chunk with a profile as ImageMagick writes it."""
    return text(b"Raw profile type " + kind, profile(kind, content), b"zTXt")


def packet_places(packet: bytes) -> dict[str, bytes]:
    """Photos of which each has `packet` once."""
    header, main = b"Photoshop 3.0\0", xmp_segment(packet)
    tag, plain = (XMP, UNDEFINED, packet), text(b"XML:com.adobe.xmp", packet, b"iTXt")
    compressed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    return {
        "jpg behind other segments": jpeg(segment(0xE2, b"x"), segment(0xFE, b"x" * 300), main),
        "jpg behind stray bytes": jpeg(b"stray\0\xff\0", main, bytes(5000)),
        "jpg behind many fill bytes": jpeg(b"\xff" * 5000, main),
        "jpg behind markers alone": jpeg(b"\xff\xd0\xff\x01", main),
        "jpg with another header": jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0 \0" + packet)),
        "jpg in EXIF": jpeg(exif_segment(tiff([tag]))),
        "jpg in Photoshop's block": jpeg(segment(0xED, header + resource(0x0424, packet))),
        "png plain": png(plain),
        "png behind the pixels": png(last=(plain,)),
        "png compressed": png(chunk(b"iTXt", compressed)),
        "png as text": png(text(b"XML:com.adobe.xmp", packet)),
        "png as compressed text": png(text(b"XML:com.adobe.xmp", packet, b"zTXt")),
        "png profile": png(raw(b"xmp", packet)),
        "png profile as text": png(text(b"Raw profile type xmp", profile(b"xmp", packet))),
        "png profile APP1": png(raw(b"APP1", XAP + packet)),
        "tif": tiff([tag]),
        "tif big-endian": tiff([tag], order=">"),
        "btf": tiff([tag], big=True),
        "btf big-endian": tiff([tag], order=">", big=True),
        "tif second page": tiff([], [tag]),
        "dng": tiff([(50706, BYTE, b"\1\4\0\0"), (SUB_IFDS, LONG, [tag])]),
        "orf": tiff([tag], magic=b"IIRO"),
        "orf big-endian": tiff([tag], magic=b"MMOR", order=">"),
        "rw2": tiff([tag], magic=b"IIU\0"),
        "rw2 in its JPEG": tiff([(0x2E, UNDEFINED, jpeg(main))], magic=b"IIU\0"),
        "raf": raf(jpeg(main)),
        "mrw": mrw(tiff([tag], order=">")),
        "webp": webp((b"ICCP", b"odd"), (b"XMP ", packet)),
        "webp with a zero": webp((b"XMP\0", packet)),
        "gif": gif(packet),
        "gif behind the picture": gif(packet, last=True),
        "cr3": cr3(packet),
    }


def iptc_places(block: bytes) -> dict[str, bytes]:
    """Photos of which each has the IPTC `block` once."""
    header, whole = b"Photoshop 3.0\0", resource(0x0404, block, b"name")
    old = b"Adobe_Photoshop2.5:" + bytes(8)
    return {
        "jpg in Photoshop's block": jpeg(segment(0xED, header + whole)),
        "jpg in an older block": jpeg(segment(0xED, old + whole)),
        "jpg over two segments": jpeg(
            segment(0xED, header + whole[:30]), segment(0xED, header + whole[30:])
        ),
        "tif as numbers": tiff([(IPTC, LONG, block + bytes(-len(block) % 4))]),
        "tif as bytes": tiff([(IPTC, UNDEFINED, block)], order=">"),
        "tif in Photoshop's": tiff([(PHOTOSHOP, UNDEFINED, whole)]),
        "png profile": png(raw(b"iptc", block)),
        "png profile as Photoshop's": png(raw(b"iptc", whole)),
        "png profile 8bim": png(raw(b"8bim", whole)),
    }


def windows_places(keywords: bytes) -> dict[str, bytes]:
    """Photos of which each has XPKeywords once."""
    tag = (WINDOWS, UNDEFINED, keywords)
    block = tiff([tag])
    headed = b"Exif\0\0" + block
    return {
        "jpg": jpeg(exif_segment(block)),
        "jpg behind stray bytes": jpeg(b"stray", exif_segment(block)),
        "jpg with bytes before the header": jpeg(segment(0xE1, b"\0\0" + headed)),
        "jpg in EXIF's own directory": jpeg(exif_segment(tiff([(EXIF_IFD, LONG, [tag])]))),
        "png": png(chunk(b"eXIf", block)),
        "png behind the pixels": png(last=(chunk(b"eXIf", headed),)),
        "png profile": png(raw(b"exif", headed)),
        "png profile APP1": png(raw(b"APP1", headed)),
        "tif": block,
        "webp": webp((b"EXIF", block)),
        "webp with a header": webp((b"EXIF", headed)),
    }
