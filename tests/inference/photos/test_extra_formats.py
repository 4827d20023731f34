"""HEIC and camera RAW, with the packages that read them and without."""

from __future__ import annotations

import sys
from io import BytesIO

import numpy as np
import pytest
from helpers.raws import encode_dng
from PIL import Image

from data_prep.folder import read_folder
from mmcgan.errors import DataError, PhotoError
from mmcgan.folders.photo_files import find_photos
from mmcgan.inference.photos import extra_formats
from mmcgan.inference.photos.extra_formats import Extra
from mmcgan.inference.photos.images import open_photo, shorter_side

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
    image = open_photo(heic())
    assert (image.mode, image.size, hues(image)) == ("RGB", (160, 120), ["r", "b"])
    assert shorter_side(heic()) == 120


def test_raw_is_developed_to_half_its_size_upright():
    image = open_photo(raw())
    assert (image.mode, image.size) == ("RGB", (80, 60))
    left, right = (np.asarray(image, int)[40, column] for column in (5, 75))
    assert left[0] > left[2]
    assert right[2] > right[0]
    assert open_photo(raw(6)).size == (60, 80)
    assert open_photo(raw(), at_least=16).size == (80, 60)


def test_a_plain_tiff_is_no_raw():
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, "TIFF")
    assert open_photo(buffer.getvalue()).size == (160, 120)


@pytest.mark.parametrize("cut", [20, 200, 0.5])
def test_what_is_cut_short_is_one_error(cut):
    for data in (heic(), raw()):
        end = int(cut * len(data)) if isinstance(cut, float) else cut
        with pytest.raises(PhotoError, match=r"^the photo is ") as error:
            open_photo(data[:end])
        assert "\n" not in str(error.value)


def test_the_error_names_the_extra_that_is_missing(tmp_path, without_extras):
    path = tmp_path / "a.nef"
    path.write_bytes(encode_dng(PIXELS))
    with pytest.raises(PhotoError, match=r"a\.nef cannot be opened.*pip install 'mmcgan\[raw\]'"):
        open_photo(path)
    head = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic"
    with pytest.raises(PhotoError, match=r"pip install 'mmcgan\[heic\]'"):
        open_photo(head)


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
