"""Why a photo is refused: other kinds, rare variants, what is broken, and what the disk says."""

from __future__ import annotations

import errno
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from helpers.photos import decoded
from helpers.raws import LONG, SHORT, _tiff
from PIL import Image

from mmcgan.errors import PhotoError
from mmcgan.inference.photos.feature_cache import FeatureCache
from mmcgan.inference.photos.formats import unreadable
from mmcgan.inference.photos.formats.kinds import NOT_READ
from mmcgan.inference.photos.images import shorter_side


def encode(format: str, **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = BytesIO()
    Image.fromarray(noise).save(buffer, format, **options)
    return buffer.getvalue()


def box(major: bytes, *others: bytes) -> bytes:
    content = major + bytes(4) + b"".join(others)
    return struct.pack(">I4s", 8 + len(content), b"ftyp") + content + bytes(100)


def krita() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/x-krita")
    return buffer.getvalue()


# --- other kinds ------------------------------------------------------------------------------

OTHERS = {
    "AVIF": (encode("AVIF"), "AVIF files"),
    "AVIF under HEIF's brand": (box(b"mif1", b"avif", b"miaf"), "AVIF files"),
    "JPEG XL": (b"\xff\x0a" + bytes(99), "JPEG XL files"),
    "JPEG XL in boxes": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(99), "JPEG XL files"),
    "JPEG 2000": (encode("JPEG2000"), "JPEG 2000 files"),
    "JPEG XR": (b"II\xbc\1" + bytes(99), "JPEG XR files"),
    "Photoshop": (b"8BPS\0\1" + bytes(99), "Photoshop files"),
    "GIMP": (b"gimp xcf v011" + bytes(99), "layered pictures of painting programs"),
    "Krita": (krita(), "layered pictures of painting programs"),
    "EXR": (b"\x76\x2f\x31\1" + bytes(99), "HDR pictures"),
    "SVG": (b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="x"/>', "drawings"),
    "PPM": (b"P6 2 1 255\n" + bytes(6), "pictures of a rare kind"),
    "icon": (encode("ICO"), "pictures of a rare kind"),
    "MP4": (box(b"isom", b"mp41"), "videos"),
    "QuickTime": (box(b"qt  "), "videos"),
    "Canon's RAW film": (box(b"crx ")[:4] + b"ftypXAVC" + bytes(99), None),
    "Matroska": (b"\x1a\x45\xdf\xa3" + bytes(99), "videos"),
    "AVI": (b"RIFF\x99\0\0\0AVI LIST" + bytes(99), "videos"),
    "text": (b"words and words", None),
    "XML": (b'<?xml version="1.0"?><x:xmpmeta/>', None),
    "zip": (b"PK\3\4" + bytes(99), None),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_known_kind_that_is_not_read_is_named_by_its_content(case):
    data, kind = OTHERS[case]
    words = f"it is one of the {kind}, not JPEG" if kind else "is not a photo of a known format"
    with pytest.raises(PhotoError, match=f"^mine.x.*{words}"):
        decoded(data, "mine.x")
    with pytest.raises(PhotoError, match=words):
        shorter_side(data)


def test_or_by_the_ending_of_its_name_where_the_content_says_nothing(tmp_path):
    for name, kind in (
        ("a.TGA", "pictures of a rare kind"),
        ("b.mts", "videos"),
        ("c.MOD", "videos"),
    ):
        (tmp_path / name).write_bytes(b"\0\1\2\3" * 50)
        with pytest.raises(PhotoError, match=f"one of the {kind}"):
            decoded(tmp_path / name)
    (tmp_path / "c.psd").write_bytes(encode("JPEG"))
    assert decoded(tmp_path / "c.psd").size == (64, 64)


def test_kinds_have_one_name():
    assert set(unreadable._KINDS) <= set(NOT_READ.values())


# --- rare variants ----------------------------------------------------------------------------


def tiff(compression: int, bits: list[int], photometric: int = 2, size: int = 8 * 8 * 6) -> bytes:
    """A TIFF of 8 × 8 pixels in one strip of `size` bytes."""
    tags = [
        (256, LONG, [8]),
        (257, LONG, [8]),
        (258, SHORT, bits),
        (259, SHORT, [compression]),
        (262, SHORT, [photometric]),
        (273, LONG, None),
        (277, SHORT, [len(bits)]),
        (278, LONG, [8]),
        (279, LONG, [size]),
    ]
    return _tiff(tags, bytes(range(256)) * (size // 256 + 1))[: 8 + 2 + 9 * 12 + 4 + 6 + size]


def test_the_tiff_of_these_tests_is_one():
    assert decoded(tiff(1, [8, 8, 8])).size == (8, 8)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(34712, [8, 8, 8]), "compression JPEG 2000, photometric 2, 3 × 8 bits"),
        (tiff(50002, [8, 8, 8]), "compression JPEG XL"),
        (tiff(60001, [8, 8, 8]), "compression 60001"),
        (tiff(1, [10, 10, 10]), "compression none, photometric 2, 3 × 10 bits"),
        (tiff(5, [24, 24, 24]), "compression LZW, photometric 2, 3 × 24 bits"),
        (tiff(1, [5, 6, 5]), "3 × 5/6 bits"),
        (tiff(1, [8, 8, 8], 32844), "photometric 32844"),
        (tiff(34925, [8, 8, 8]), "compression LZMA"),
    ],
)
def test_a_whole_tiff_that_no_decoder_knows_is_not_called_broken(data, words):
    with pytest.raises(PhotoError) as error:
        decoded(data, "mine.tif")
    message = str(error.value)
    assert message.startswith("mine.tif is of a kind that cannot be read here (")
    assert words in message
    assert "broken" not in message


@pytest.mark.parametrize(
    "data",
    [
        tiff(34712, [8, 8, 8])[:-1],  # cut short
        tiff(1, [10, 10, 10])[:100],
        tiff(5, [8, 8, 8]),  # its pixels are no LZW
        tiff(8, [8, 8, 8]),
        tiff(7, [8, 8, 8]),
        tiff(34712, [8, 8, 8], size=0),
    ],
)
def test_a_broken_tiff_is_called_broken(data):
    with pytest.raises(PhotoError, match=r"^mine\.tif is broken or cut short: "):
        decoded(data, "mine.tif")


def jpeg_with(place: int, value: int, marker: int = 0xC0) -> bytes:
    data = bytearray(encode("JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 1], data[frame + place] = marker, value
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg_with(4, 12), "12 bits a sample"),
        (jpeg_with(4, 12, 0xC1), "12 bits a sample"),
        (jpeg_with(9, 2), "2 colour components"),
        (jpeg_with(4, 8, 0xC5), "hierarchical"),
        (jpeg_with(4, 8, 0xCB), "hierarchical or lossless"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\4CgBI\x50\0\x20\2\0\0\0\0" + encode("PNG")[8:], "iOS"),
        (encode("BMP")[:28] + struct.pack("<HI", 24, 4) + encode("BMP")[34:], "compression 4"),
        (encode("BMP")[:28] + struct.pack("<HI", 2, 0) + encode("BMP")[34:], "2 bits a pixel"),
    ],
)
def test_rare_variants_of_other_formats_are_not_called_broken(data, words):
    with pytest.raises(PhotoError, match=f"of a kind that cannot be read here .*{words}"):
        decoded(data)


def test_a_bmp_that_is_cut_short_is_called_broken():
    with pytest.raises(PhotoError, match="is broken or cut short"):
        decoded(encode("BMP")[:28] + struct.pack("<HI", 24, 4) + encode("BMP")[34:200])


# --- the disk ---------------------------------------------------------------------------------


class FailingFile(BytesIO):
    """A file on a disk that fails behind byte `good`."""

    def __init__(self, data: bytes, good: int, code: int):
        super().__init__(data)
        self.good, self.code = good, code

    def read(self, size: int | None = -1) -> bytes:
        place = self.tell()
        data = super().read(size)
        if place + len(data) > self.good:
            raise OSError(self.code, "Stale file handle" if self.code != errno.EIO else "I/O error")
        return data


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("good", [0, 20, 0.5])
def test_an_error_of_the_disk_is_not_taken_for_a_broken_photo(format, code, good, tmp_path):
    data = encode(format)
    good = int(good * len(data)) if isinstance(good, float) else good
    words = "I/O error" if code == errno.EIO else "Stale file handle"
    with pytest.raises(PhotoError, match=f"^mine cannot be read: {words}$"):
        decoded(FailingFile(data, good, code), "mine")
    cache = FeatureCache({"feature_size": 3}, tmp_path / "cache")
    with pytest.raises(PhotoError, match=f"^mine cannot be read: {words}$"):
        cache.key(FailingFile(data, good, code), "mine")


def test_a_photo_that_vanishes_or_is_stale_when_it_is_looked_at_is_one_error(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(encode("JPEG"))

    def stale(self, **_):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "stat", stale)
    with pytest.raises(PhotoError, match=r"a\.jpg cannot be read: Stale file handle$"):
        decoded(path)
