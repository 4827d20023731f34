"""Why a photo cannot be read: another kind of file, or a rare variant of a known one.

What is whole, and only unknown to the decoders, is not called broken: who reads the message would
look for damage where there is none.
"""

from __future__ import annotations

import re
import struct
from pathlib import PurePath

from mmcgan.inference.photos.formats import tiff
from mmcgan.inference.photos.formats.extra_formats import brands
from mmcgan.inference.photos.formats.kinds import NOT_READ
from mmcgan.inference.photos.formats.segments import JPEG_START, PNG_START, Encoded, jpeg_segments

_HEAD = 512  # bytes that say what a file is
_STARTS = {  # of files of kinds that are known, and not read
    "JPEG XL files": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "JPEG 2000 files": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "JPEG XR files": rb"II\xbc",
    "Photoshop files": rb"8BPS",
    "layered pictures of painting programs": (
        rb"gimp xcf|PK\x03\x04.{26}mimetype(?:image/openraster|application/x-krita)"
    ),
    "HDR pictures": rb"\x76\x2f\x31\x01|#\?RADIANCE|#\?RGBE|P[Ff]\s",
    "drawings": rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>]*>|\s)*<svg[\s>]",
    "pictures of a rare kind": rb"P[1-7]\s|DDS |\0\0[\x01\x02]\0|\x8aMNG|\x8bJNG",
    "videos": rb"RIFF....AVI |\x1a\x45\xdf\xa3|FLV\x01|OggS|\0\0\x01[\xb3\xba]|\x30\x26\xb2\x75",
}
_KINDS = {what: re.compile(start, re.DOTALL) for what, start in _STARTS.items()}
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_VIDEO_BRANDS = re.compile(rb"iso[m2-9]|mp4[12]|M4V |qt  |3g[p2].|avc1|dash|crx ", re.DOTALL)


def other_kind(data: Encoded, name: str) -> str | None:
    """Return the plural name of a kind of files that is known and not read; None for others.

    The content says it, and the ending of `name` where the content says nothing.
    """
    head = data[:_HEAD]
    if head[4:8] == b"ftyp":
        found = brands(data)
        if _AVIF_BRANDS.intersection(found):
            return "AVIF files"
        if any(map(_VIDEO_BRANDS.fullmatch, found)):
            return "videos"
    named = (what for what, start in _KINDS.items() if start.match(head))
    return next(named, NOT_READ.get(PurePath(name).suffix.lower()))


def rare_variant(data: Encoded, is_open: bool) -> str | None:
    """Return what is rare about an encoded photo that cannot be decoded; None if it is broken.

    `is_open` says that its header was read, and decoding the pixels failed.
    """
    head = data[:32]
    try:
        if head.startswith(JPEG_START):
            return _rare_jpeg(data)
        if head.startswith(PNG_START):
            return "made for iOS alone" if head[12:16] == b"CgBI" else None
        if head.startswith(tiff.STARTS):
            return _rare_tiff(data, is_open)
        return _rare_bmp(data) if head.startswith(b"BM") and not is_open else None
    except (ValueError, IndexError, struct.error):  # what is broken is not told apart
        return None


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_USUAL_FRAMES = {0xC0, 0xC1, 0xC2}
_RARE_FRAMES = {0xC3: "lossless", 0xC9: "arithmetic coding", 0xCA: "arithmetic coding"}


def _rare_jpeg(data: Encoded) -> str | None:
    """Look at the header of the frame (ITU-T T.81, B.2.2)."""
    for start, _, marker in jpeg_segments(data):
        if marker in _FRAMES:
            header = data[start : start + 10]
            bits, n_components = header[4], header[9]
            if bits != 8:
                return f"{bits} bits a sample"
            if n_components not in (1, 3, 4):
                return f"{n_components} colour components"
            rare = _RARE_FRAMES.get(marker, "a hierarchical or lossless process")
            return None if marker in _USUAL_FRAMES else rare
    return None


_COMPRESSIONS = {
    1: "none",
    5: "LZW",
    6: "JPEG of the old style",
    7: "JPEG",
    8: "Deflate",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
# Decoded wherever the header is understood, so that what fails then is broken; JPEG if of 8 bits.
_ALWAYS_DECODED = {1, 2, 3, 4, 5, 8, 32773, 32946}
_JPEG_IN_TIFF = 7


def _rare_tiff(data: Encoded, is_open: bool) -> str | None:
    """Describe the first picture of a TIFF if all of it is there."""
    first = next(tiff.pictures(data), None)
    if first is None or not _is_whole(first, len(data)):
        return None
    compression, bits = first.first(tiff.COMPRESSION, 1), set(first.numbers(tiff.BITS) or (1,))
    usual = _ALWAYS_DECODED | ({_JPEG_IN_TIFF} if bits == {8} else set())
    if is_open and compression in usual:
        return None
    return (
        f"compression {_COMPRESSIONS.get(compression, compression)}, photometric "
        f"{first.first(tiff.PHOTOMETRIC)}, {first.first(tiff.SAMPLES, 1)} × "
        f"{'/'.join(map(str, sorted(bits)))} bits, format {first.first(tiff.SAMPLE_FORMAT, 1)}"
    )


def _is_whole(first: tiff.Picture, n_bytes: int) -> bool:
    """Whether all strips or tiles that a picture of its size has lie in the file."""
    offsets = first.numbers(tiff.STRIP_OFFSETS) or first.numbers(tiff.TILE_OFFSETS)
    sizes = first.numbers(tiff.STRIP_BYTES) or first.numbers(tiff.TILE_BYTES)
    width, height = first.first(tiff.WIDTH), first.first(tiff.HEIGHT)
    across = first.first(tiff.TILE_WIDTH, width)
    down = first.first(tiff.TILE_HEIGHT, first.first(tiff.ROWS_PER_STRIP, height))
    if not (width and height and across and down):
        return False
    n_parts = -(-width // across) * -(-height // down)
    return n_parts <= len(offsets) == len(sizes) and all(
        size and offset + size <= n_bytes for offset, size in zip(offsets, sizes, strict=True)
    )


_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}


def _rare_bmp(data: Encoded) -> str | None:
    """Describe a BMP that is as long as it says (BITMAPFILEHEADER, BITMAPINFOHEADER)."""
    n_bytes, header = struct.unpack("<I8xI", data[2:18])
    if n_bytes > len(data) or header not in _BMP_HEADERS - {12, 16}:
        return None
    bits, compression = struct.unpack("<HI", data[28:34])
    return f"compression {compression}, {bits} bits a pixel"
