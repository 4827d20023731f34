"""PNGs with large profiles and texts are read, and the orientation without a pixel."""

from __future__ import annotations

import struct
import zlib
from io import SEEK_CUR, SEEK_END, BytesIO

import numpy as np
import pytest
from helpers.photos import decoded
from PIL import Image, PngImagePlugin

from mmcgan.errors import PhotoError
from mmcgan.inference.photos.formats import png_streams
from mmcgan.inference.photos.formats.png_streams import readable_png
from mmcgan.inference.photos.formats.segments import png_chunks
from mmcgan.inference.photos.images import open_photo, orientation_of, shorter_side

LARGE = np.random.default_rng(0).bytes(3 * 2**20)
LARGE_TEXT = LARGE.hex().encode()
PIXELS = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def exif(orientation: int) -> bytes:
    found = Image.Exif()
    found[0x0112] = orientation
    return found.tobytes().removeprefix(b"Exif\0\0")


def raw_profile(content: bytes) -> bytes:
    return b"\nexif\n" + f"{len(content):8}\n".encode() + content.hex().encode() + b"\n"


def png(*chunks: bytes, behind: bytes = b"") -> bytes:
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    data = buffer.getvalue()
    start = len(data) - 12  # of IEND
    return data[:33] + b"".join(chunks) + data[33:start] + behind + data[start:]


PROFILE = chunk(b"iCCP", b"wide\0\0" + zlib.compress(LARGE))
COMPRESSED = chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(LARGE_TEXT))
INTERNATIONAL = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(LARGE_TEXT))
UNKNOWN = chunk(b"zTXt", b"Comment\0\7" + zlib.compress(b"by another method"))
MANY = b"".join(
    chunk(b"zTXt", b"Text %d\0\0" % i + zlib.compress(bytes(2**20 - 10))) for i in range(70)
)
PLAIN = chunk(b"tEXt", b"Comment\0" + bytes([65]) * (65 * 2**20))


@pytest.mark.parametrize(
    "large",
    [PROFILE, COMPRESSED, INTERNATIONAL, UNKNOWN, MANY, PLAIN, PROFILE + COMPRESSED],
    ids=["iCCP", "zTXt", "iTXt", "method", "many", "tEXt", "two"],
)
@pytest.mark.parametrize("is_behind", [False, True])
def test_what_no_pixel_depends_on_is_no_reason_to_refuse_a_png(large, is_behind, tmp_path):
    turned = chunk(b"eXIf", exif(6))
    data = png(turned, behind=large) if is_behind else png(large, turned)
    with pytest.raises((ValueError, SyntaxError)):  # what the test is about
        PngImagePlugin.PngImageFile(BytesIO(data)).load()
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for source in (data, path):
        opened = decoded(source)
        np.testing.assert_array_equal(np.asarray(opened), np.rot90(PIXELS, -1))
        assert orientation_of(source) == 6
        assert shorter_side(source) == 20


def test_a_png_that_pillow_reads_is_given_as_it_is():
    small = chunk(b"iCCP", b"small\0\0" + zlib.compress(b"profile"))
    broken = chunk(b"zTXt", b"Comment\0\0no zlib")
    stream = BytesIO(png(small, broken, chunk(b"tEXt", b"a\0b"), chunk(b"iTXt", b"key")))
    assert readable_png(stream) is stream
    assert stream.tell() == 0
    with open_photo(stream.getvalue()) as image:
        assert image.info["icc_profile"] == b"profile"


@pytest.mark.parametrize("cut", [9, 30, 40, -200, -14])
def test_a_png_that_is_cut_short_is_said_to_be(cut):
    for data in (png(), png(PROFILE)):
        if cut == -14:
            assert decoded(data[:cut]).size == (30, 20)  # only its last chunk
            continue
        with pytest.raises(PhotoError, match="is broken or cut short"):
            decoded(data[:cut])


@pytest.mark.parametrize(
    "turned",
    [
        chunk(b"eXIf", exif(8)),
        chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(b"Exif\0\0" + exif(8))),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(exif(8)))),
        chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="8"/>'),
    ],
    ids=["eXIf", "tEXt", "zTXt", "XMP"],
)
@pytest.mark.parametrize("is_behind", [False, True])
def test_the_orientation_is_found_without_decoding_a_pixel(turned, is_behind, monkeypatch):
    data = png(behind=turned) if is_behind else png(turned)
    plain = PngImagePlugin.PngImageFile(BytesIO(data)).getexif()
    assert plain.get(0x0112) == 8

    loaded = []
    load = PngImagePlugin.PngImageFile.load
    monkeypatch.setattr(
        PngImagePlugin.PngImageFile, "load", lambda self: loaded.append(self.size) or load(self)
    )
    assert orientation_of(data) == 8
    assert set(loaded) <= {(1, 1)}


def test_the_orientation_of_an_animation_is_that_of_its_first_frame():
    buffer = BytesIO()
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    start = len(buffer.getvalue()) - 12
    data = buffer.getvalue()[:start] + chunk(b"eXIf", exif(3)) + buffer.getvalue()[start:]
    expected = PngImagePlugin.PngImageFile(BytesIO(data)).getexif().get(0x0112)
    assert orientation_of(data) == expected


def test_parts_are_joined_like_a_file():
    content = bytes(range(100))
    joined = png_streams._Joined(BytesIO(content), [(0, 10), (20, 20), (30, 60), (90, 100)])
    expected = BytesIO(content[:10] + content[30:60] + content[90:])
    for size in (3, 0, 9, 25, 1, 100, 5):
        assert joined.read(size) == expected.read(size)
    for offset, whence in ((5, 0), (-12, SEEK_END), (4, SEEK_CUR), (0, SEEK_END), (38, 0)):
        assert joined.seek(offset, whence) == expected.seek(offset, whence)
        place = joined.tell()
        assert joined.read() == expected.read()
        joined.seek(place)
        expected.seek(place)


def test_no_chunk_of_pixels_is_dropped():
    stream = readable_png(BytesIO(png(PROFILE, behind=COMPRESSED)))
    data = stream.read()
    assert [kind for _, _, kind in png_chunks(data)] == [b"IHDR", b"IDAT", b"IEND"]
