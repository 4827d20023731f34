"""HEIC and camera RAW, with the packages that read them and without."""

from __future__ import annotations

import struct
import sys
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.photos import decoded
from helpers.raws import encode_dng
from PIL import Image, ImageFile

from data_prep.folder import read_folder
from mmcgan.errors import DataError, PhotoError
from mmcgan.folders.photo_files import find_photos
from mmcgan.inference.photos.formats import extra_formats
from mmcgan.inference.photos.formats.extra_formats import Extra, RawImageFile, find_extra_decoder
from mmcgan.inference.photos.images import orientation_of, shorter_side

# Left red, right blue, a bright band on top.
PIXELS = np.zeros((120, 160, 3), np.uint8)
PIXELS[:, :80], PIXELS[:, 80:], PIXELS[:30] = (200, 40, 40), (40, 60, 200), (240, 240, 240)


def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = BytesIO()
    pillow_heif.from_pillow(Image.fromarray(PIXELS)).save(buffer, quality=90)
    return buffer.getvalue()


def raw(orientation: int = 1) -> bytes:
    pytest.importorskip("rawpy")
    return encode_dng(PIXELS, orientation)


@pytest.fixture
def without_extras(monkeypatch):
    for package in ("rawpy", "pillow_heif"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(extra_formats.Extra, "is_installed", property(lambda extra: False))


def hues(image: Image.Image) -> list[str]:
    """The strongest colour in the middle of the left and of the right, below the band."""
    small = np.asarray(image.resize((4, 4), Image.Resampling.BOX), int)
    return ["rgb"[int(np.argmax(small[2, column]))] for column in (0, 3)]


def test_heic_is_opened():
    image = decoded(heic())
    assert (image.mode, image.size, hues(image)) == ("RGB", (160, 120), ["r", "b"])
    assert shorter_side(heic()) == 120


def test_raw_is_developed_to_half_its_size_upright():
    image = decoded(raw())
    assert (image.mode, image.size) == ("RGB", (80, 60))
    left, right = (np.asarray(image, int)[40, column] for column in (5, 75))
    assert left[0] > left[2]
    assert right[2] > right[0]
    assert decoded(raw(6)).size == (60, 80)
    assert decoded(raw(), at_least=16).size == (80, 60)


def test_a_plain_tiff_is_no_raw():
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, "TIFF")
    assert decoded(buffer.getvalue()).size == (160, 120)


@pytest.mark.parametrize("cut", [20, 200, 0.5])
def test_what_is_cut_short_is_one_error(cut):
    for data in (heic(), raw()):
        end = int(cut * len(data)) if isinstance(cut, float) else cut
        with pytest.raises(PhotoError, match=r"^the photo is ") as error:
            decoded(data[:end])
        assert "\n" not in str(error.value)


def test_the_error_names_the_extra_that_is_missing(tmp_path, without_extras):
    path = tmp_path / "a.nef"
    path.write_bytes(encode_dng(PIXELS))
    with pytest.raises(PhotoError, match=r"a\.nef cannot be opened.*pip install 'mmcgan\[raw\]'"):
        decoded(path)
    head = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic"
    with pytest.raises(PhotoError, match=r"pip install 'mmcgan\[heic\]'"):
        decoded(head)


RAW_STARTS = {
    "CRW": b"II\x1a\0\0\0HEAPCCDR\2\0\1\0" + bytes(16),
    "CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(20),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "ORF": b"IIRO\x08\0\0\0" + bytes(24),
    "ORF of Olympus' C cameras": b"IIRS\x08\0\0\0" + bytes(24),
    "ORF, big-endian": b"MMOR\0\0\0\x08" + bytes(24),
    "RW2, RWL and RAW": b"IIU\0\x18\0\0\0" + bytes(24),
    "RAF": b"FUJIFILMCCD-RAW 0201FF383501",
    "MRW": b"\0MRM\0\1\0\0" + bytes(24),
    "X3F": b"FOVb\0\0\3\0" + bytes(24),
    "IIQ": b"II*\0\x08\0\0\0IIIITwaR" + bytes(16),
    "IIQ, big-endian": b"MM\0*\0\0\0\x08MMMMRawT" + bytes(16),
    "CAP": b"IIIITwaR" + bytes(24),
    "Contax": bytes(25) + b"ARECOYK" + bytes(9),
    "QuickTake": b"qktk" + bytes(28),
}


@pytest.mark.parametrize("kind", RAW_STARTS)
def test_a_raw_is_known_by_its_content(kind):
    stream = BytesIO(RAW_STARTS[kind] + bytes(999))
    assert find_extra_decoder(stream) is RawImageFile
    assert stream.tell() == 0


def tiff(*directories: list[tuple[int, int]], is_big_endian: bool = False) -> bytes:
    """A TIFF of directories, one after the other; a tag 330 points at the one of its value."""
    order = ">" if is_big_endian else "<"
    size = max(2 + 12 * len(entries) + 4 for entries in directories)
    data = struct.pack(f"{order}2sHI", b"MM" if is_big_endian else b"II", 42, 8)
    for i, entries in enumerate(directories):
        directory = struct.pack(f"{order}H", len(entries))
        for tag, value in entries:
            value = 8 + value * size if tag == 330 else value
            directory += struct.pack(f"{order}HHII", tag, 4, 1, value)
        has_next = not any(tag == 330 for tag, _ in directories[0]) and i + 1 < len(directories)
        directory += struct.pack(f"{order}I", 8 + (i + 1) * size if has_next else 0)
        data += directory.ljust(size, b"\0")
    return data


@pytest.mark.parametrize("is_big_endian", [False, True])
@pytest.mark.parametrize(
    ("directories", "is_raw"),
    [
        ([[(254, 1), (262, 2)]], True),  # NEF, MEF, 3FR, FFF: a preview comes first
        ([[(262, 32803)]], True),  # PEF: the sensor comes first
        ([[(262, 34892), (50706, 1)]], True),  # a DNG of linear samples
        ([[(262, 2), (330, 1)], [(262, 32803)]], True),  # ERF, DCR, KDC: below the first
        ([[(262, 2)], [(262, 2)], [(262, 32803)]], True),  # behind the first
        ([[(254, 0), (262, 2), (330, 1)], [(254, 1), (262, 2)]], False),  # a picture, and a small
        ([[(262, 2)], [(254, 1), (262, 6)]], False),
        ([[(262, 1), (330, 0)]], False),  # in circles
        ([[]], False),
    ],
)
def test_a_raw_that_begins_like_a_tiff_is_told_apart(directories, is_raw, is_big_endian):
    stream = BytesIO(tiff(*directories, is_big_endian=is_big_endian))
    assert (find_extra_decoder(stream) is RawImageFile) == is_raw


@pytest.mark.parametrize("end", range(4, 40, 3))
def test_a_tiff_that_is_cut_short_is_none_of_them(end):
    assert find_extra_decoder(BytesIO(tiff([(262, 2), (330, 1)], [(262, 2)])[:end])) is None


def test_grey_pixels_at_the_beginning_of_a_tiff_are_no_maker():
    buffer = BytesIO()
    Image.new("L", (64, 64), 0x49).save(buffer, "TIFF")
    assert find_extra_decoder(BytesIO(b"II*\0\x08\0\0\0" + b"I" * 99)) is None
    assert find_extra_decoder(buffer) is None


def boxes(*brands: bytes) -> bytes:
    content = brands[0] + bytes(4) + b"".join(brands[1:])
    return struct.pack(">I4s", 8 + len(content), b"ftyp") + content + bytes(50)


@pytest.mark.parametrize(
    ("brands", "is_heic"),
    [
        ((b"heic", b"mif1", b"heic"), True),
        ((b"heix", b"mif1", b"heix"), True),  # 10 bits, of cameras' HIF files
        ((b"MiHB", b"mif1", b"heix"), True),  # behind a brand of its own
        ((b"mif1", b"heic"), True),
        ((b"msf1", b"hevc"), True),  # a sequence, HEIFS
        ((b"hevx",), True),
        ((b"mif1", b"avif"), False),
        ((b"avif", b"mif1", b"miaf"), False),
        ((b"isom", b"mp41"), False),
        ((b"qt  ",), False),
    ],
)
def test_a_heic_is_known_by_its_brands(brands, is_heic):
    assert (find_extra_decoder(BytesIO(boxes(*brands))) is not None) == is_heic


class StandInHeif(ImageFile.ImageFile):
    """Stands for pillow_heif's: upright by the container's own turn, EXIF's orientation reset."""

    format = "HEIF"

    def _open(self) -> None:
        self._size, self._mode = (2, 3), "RGB"
        exif = Image.Exif()
        exif[0x0112] = 1
        self.info["exif"] = exif.tobytes()

    def load(self):
        self.im = Image.new("RGB", (2, 3), "red").im
        return Image.Image.load(self)


def test_the_turn_of_a_heic_is_its_own_and_that_of_exif_does_not_count(monkeypatch):
    package = SimpleNamespace(HeifImageFile=StandInHeif)
    monkeypatch.setitem(sys.modules, "pillow_heif", package)
    data = boxes(b"heic", b"mif1")
    assert decoded(data).size == (2, 3)
    assert shorter_side(data) == 2
    assert orientation_of(data) == 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_heic_with_an_exif_orientation_is_turned_once(orientation):
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = orientation
    turns = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    turns[8] = Image.Transpose.ROTATE_270
    image = Image.fromarray(PIXELS)
    stored = image.transpose(turns[orientation]) if orientation > 1 else image
    buffer = BytesIO()
    pillow_heif.from_pillow(stored).save(buffer, quality=90, exif=exif.tobytes())
    opened = decoded(buffer.getvalue())
    assert (opened.size, hues(opened)) == ((160, 120), ["r", "b"])
    assert orientation_of(buffer.getvalue()) in (1, None)


def test_the_header_of_a_raw_is_read_without_developing_it(monkeypatch):
    data = raw(6)
    monkeypatch.setattr(RawImageFile, "load", None)
    assert shorter_side(data) == 60
    assert orientation_of(data) is None


def test_folders_leave_out_what_cannot_be_read_and_count_it(tmp_path, without_extras):
    for name in ("a.jpg", "b.HEIC", "c.nef", "d.CR3"):
        (tmp_path / name).write_bytes(b"photo")
    found = find_photos([str(tmp_path)])
    assert found.photos == (str(tmp_path / "a.jpg"),)
    assert sorted(found.left_out.values()) == [1, 2]
    assert any("mmcgan[raw]" in reason for reason in found.left_out)
    assert read_folder(tmp_path, frozenset(), 0).dropped.total() == 3
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(
        DataError, match=r"no photo under .*left out: 1 HEIC files, .*mmcgan\[heic\]"
    ):
        find_photos([str(tmp_path)])


def test_folders_have_what_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Extra, "is_installed", property(lambda extra: True))
    for name in ("a.jpg", "b.HEIC", "c.nef"):
        (tmp_path / name).write_bytes(b"photo")
    assert len(find_photos([str(tmp_path)]).photos) == 3
