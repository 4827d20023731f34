"""Opening photos: every kind that works, every kind that is refused."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL
import pytest
from helpers.photos import decoded
from PIL import Image, PngImagePlugin

from mmcgan.errors import PhotoError
from mmcgan.inference.photos.images import MAX_PIXELS, shorter_side

SIZE = (48, 32)


def picture(size: tuple[int, int] = SIZE) -> Image.Image:
    """Smooth, with a red corner top left, so that a turn shows."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    pixels = np.stack([60 + 60 * x, 60 + 120 * y, 160 - 60 * x * y], 2)
    pixels[: size[1] // 3, : size[0] // 3] = (230, 20, 20)
    return Image.fromarray(pixels.astype(np.uint8))


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pixels(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image, np.int64)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width: int, height: int, *chunks: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 12),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"big_tiff": True}, 0),
        ("BMP", {}, 0),
        ("GIF", {}, 40),
        ("MPO", {"quality": 95}, 12),
    ],
)
def test_open_photo_reads_each_format_from_bytes_and_path(tmp_path, format, options, tolerance):
    data = encode(picture(), format, **options)
    path = tmp_path / "photo"
    path.write_bytes(data)
    for opened in (decoded(data), decoded(path)):
        off = np.abs(pixels(opened) - pixels(picture()))
        assert np.quantile(off, 0.9) <= tolerance


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_open_photo_reads_each_mode(mode):
    format = {"CMYK": "JPEG", "YCbCr": "TIFF", "LAB": "TIFF", "PA": "TIFF"}.get(mode, "PNG")
    source = picture()
    if mode == "YCbCr" and PIL.__version__ < "13":
        pytest.skip("Pillow before 13 does not read its own TIFF files of this mode")
    if mode == "LAB":
        flat = Image.new("LAB", SIZE, (200, 128, 128))
        assert np.ptp(pixels(decoded(encode(flat, "TIFF"))).reshape(-1, 3), axis=0).max() == 0
        return
    if mode == "PA":
        source = source.convert("P").convert("PA")
    data = encode(source.convert(mode), format)
    opened = pixels(decoded(data))
    wanted = pixels(picture().convert("L" if mode in ("1", "L", "LA") else "RGB").convert("RGB"))
    assert opened.shape == (32, 48, 3)
    assert abs(opened.mean() - wanted.mean()) < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_open_photo_turns_upright(format, orientation):
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # stored so; shown it is turned back
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = picture().transpose(turns[orientation]) if orientation > 1 else picture()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    opened = decoded(encode(stored, format, exif=exif, **options))
    assert opened.size == SIZE
    assert np.quantile(np.abs(pixels(opened) - pixels(picture())), 0.9) <= 12


@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0rubbish", b"\xff"])
def test_open_photo_ignores_broken_exif(exif):
    assert decoded(encode(picture(), "JPEG", exif=exif)).size == SIZE


def test_open_photo_ignores_an_orientation_that_is_none():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert decoded(encode(picture(), "JPEG", exif=exif)).size == SIZE


def test_open_photo_scales_16_bits_and_does_not_clip():
    values = np.linspace(0, 65535, 48 * 32).reshape(32, 48)
    for format in ("PNG", "TIFF"):
        opened = pixels(decoded(encode(Image.fromarray(values.astype(np.uint16)), format)))
        np.testing.assert_allclose(opened[:, :, 0], values / 257, atol=1)


def test_open_photo_scales_deep_tiffs():
    ramp = np.linspace(0, 1, 48 * 32).reshape(32, 48)
    cases = {  # what is stored → what should be seen
        "floats 0…1": (ramp.astype(np.float32), 255 * ramp),
        "floats 0…255": ((255 * ramp).astype(np.float32), 255 * ramp),
        "floats of any range": ((4000 * ramp - 1000).astype(np.float32), 255 * ramp),
        "32-bit integers": ((10**6 * ramp).astype(np.int32), 255 * ramp),
        "one dark value": (np.zeros((32, 48), np.float32), 0 * ramp),
    }
    for name, (stored, wanted) in cases.items():
        opened = pixels(decoded(encode(Image.fromarray(stored), "TIFF")))
        np.testing.assert_allclose(opened[:, :, 1], wanted, atol=1, err_msg=name)


def test_open_photo_takes_floats_that_are_no_numbers_as_black():
    values = np.full((32, 48), 0.5, np.float32)
    values[0, 0], values[0, 1] = np.nan, np.inf
    opened = pixels(decoded(encode(Image.fromarray(values), "TIFF")))
    assert opened[0, 0, 0] == opened[0, 1, 0] == 0
    assert opened[1, 1, 0] == 128


def test_open_photo_lays_alpha_on_white():
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (255, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 128))
    opened = pixels(decoded(encode(image, "PNG")))
    np.testing.assert_array_equal(opened[0], [[255, 0, 0], [255, 255, 255], [127, 127, 127]])


def test_open_photo_lays_a_transparent_palette_colour_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    opened = pixels(decoded(encode(image, "PNG", transparency=0)))
    np.testing.assert_array_equal(opened[0], [[255, 255, 255], [10, 20, 30]])


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_open_photo_takes_the_first_frame(format):
    frames = [Image.new("RGB", SIZE, color) for color in ("red", "lime", "blue")]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:])
    opened = pixels(decoded(data))
    assert np.abs(opened - [255, 0, 0]).max() <= 3


def test_open_photo_decodes_a_large_jpeg_smaller_and_just_as_well():
    data = encode(picture((1600, 1200)), "JPEG", quality=92)
    whole, fast = decoded(data), decoded(data, at_least=100)
    assert whole.size == (1600, 1200)
    assert fast.size == (400, 300)  # a quarter: an eighth has sides below 2 × 100
    small = [pixels(i.resize((133, 100), Image.Resampling.BICUBIC)) for i in (whole, fast)]
    assert np.abs(small[0] - small[1]).mean() < 1


def test_open_photo_leaves_small_and_other_photos_whole():
    assert decoded(encode(picture((150, 199)), "JPEG"), at_least=100).size == (150, 199)
    assert decoded(encode(picture((400, 400)), "PNG"), at_least=100).size == (400, 400)


def test_open_photo_does_not_depend_on_pillows_limit(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(encode(picture(), "JPEG")).size == SIZE


BOMB = png_of_size(60_000, 60_000, png_chunk(b"IDAT", zlib.compress(bytes(1000))))
BMP_BOMB = b"BM" + struct.pack(
    "<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0
)
REFUSED = {
    "nothing in it": (b"", "is empty (0 bytes)"),
    "text": (b"hello, I am not an image at all", "is not a photo of a known format"),
    "one byte": (b"\xff", "is not a photo of a known format"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "known format"),
    "RIFF that is sound": (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "known format"),
    "PNG of 60,000 × 60,000": (BOMB, "60,000 × 60,000 pixels, more than the limit of 200 mega"),
    "BMP of 60,000 × 60,000": (BMP_BOMB, "60,000 × 60,000 pixels"),
    "PNG without width": (png_of_size(0, 5), "is broken"),
    "PNG without pixels": (png_of_size(5, 5), "is broken"),
    "PNG text bomb": (
        png_of_size(9, 9, png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 26)))),
        "is broken",
    ),
    "JPEG start only": (b"\xff\xd8\xff\xe0", "is broken"),
    "TIFF start only": (b"II*\0", "is broken"),
    "GIF start only": (b"GIF89a", "is broken"),
    "WebP start only": (b"RIFF\x10\0\0\0WEBPVP8 ", "is broken"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_open_photo_refuses_with_one_line_that_names_the_photo(case):
    data, words = REFUSED[case]
    with pytest.raises(PhotoError) as error:
        decoded(data, "album/im7.jpg")
    message = str(error.value)
    assert message.startswith("album/im7.jpg")
    assert words in message
    assert "\n" not in message


def test_open_photo_refuses_too_many_pixels_before_decoding(monkeypatch):
    def load(self):
        raise AssertionError("decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    side = int(MAX_PIXELS**0.5) + 1
    with pytest.raises(PhotoError, match="megapixels"):
        decoded(png_of_size(side, side))
    with pytest.raises(PhotoError, match="decoded"):
        decoded(png_of_size(side - 1, side - 1))


def test_open_photo_refuses_a_webp_beyond_pillows_own_limit():
    header = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xfe\x3f\0" * 2
    with pytest.raises(PhotoError, match=r"big\.webp has .*megapixels|broken"):
        decoded(b"RIFF" + struct.pack("<I", 4 + len(header)) + b"WEBP" + header, "big.webp")


@pytest.mark.parametrize("format", ["WEBP", "TIFF"])
def test_the_lower_limit_of_a_kind_is_stated(monkeypatch, format):
    data = encode(Image.new("RGB", (40, 30)), format)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(PhotoError, match=r"more than 0 megapixels, .* of its kind; save it as"):
        decoded(data)


def test_open_photo_names_what_the_path_is(tmp_path, monkeypatch):
    (tmp_path / "empty.jpg").touch()
    for name, words in (
        ("none.jpg", "there is no such file"),
        (".", "is a folder"),
        ("empty.jpg", "is empty"),
        ("empty.jpg/x", "cannot be read: .*Not a directory"),
        ("a" * 300, "cannot be read: .*too long"),
        ("nul\0", "cannot be read|no such file"),
    ):
        with pytest.raises(PhotoError, match=words):
            decoded(tmp_path / name)
    with pytest.raises(PhotoError, match="not a regular file"):
        decoded(Path("/dev/zero"))


def test_open_photo_says_that_a_file_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "locked.jpg"
    path.write_bytes(encode(picture(), "JPEG"))

    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PhotoError, match=r"locked\.jpg cannot be read: Permission denied"):
        decoded(path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_open_photo_refuses_half_a_file(format):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), format)
    with pytest.raises(PhotoError, match=r"^half\.x is broken or cut short: \S"):
        decoded(data[: len(data) // 2], "half.x")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the broken tags
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "MPO"])
def test_open_photo_raises_nothing_but_photo_errors_on_broken_data(format):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if format in ("GIF", "BMP") else {"exif": exif}
    whole = encode(picture(), format, **options)
    rng = np.random.default_rng(1)
    n_refused = 0
    for attempt in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 400 if attempt % 2 else len(data)), 4):
            data[place] = rng.integers(0, 256)
        if attempt % 3 == 0:
            del data[rng.integers(1, len(data)) :]
        try:
            assert decoded(bytes(data), "x").mode == "RGB"
        except PhotoError:
            n_refused += 1
    assert n_refused > 20


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_shorter_side_reads_the_header_alone(tmp_path, format):
    for size in ((48, 32), (32, 48)):
        data = encode(picture(size), format)
        (tmp_path / "photo").write_bytes(data)
        assert shorter_side(data) == shorter_side(tmp_path / "photo") == 32


def test_shorter_side_of_a_photo_that_is_cut_short():
    assert shorter_side(encode(picture(), "JPEG")[:-20]) == 32


def test_shorter_side_refuses_what_open_photo_does(tmp_path):
    for data, words in [
        (b"", "bad.jpg is empty"),
        (b"no photo at all", "bad.jpg is not a photo"),
        (encode(picture(), "PNG")[:20], "bad.jpg is broken"),
        (png_of_size(MAX_PIXELS, 2), "bad.jpg has .* pixels"),
        (tmp_path, "bad.jpg is a folder"),
    ]:
        with pytest.raises(PhotoError, match=words):
            shorter_side(data, "bad.jpg")
