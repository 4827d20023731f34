"""JPEGs that lack their last bytes: nearly whole ones are read with a warning, others refused."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from helpers.photos import decoded
from PIL import Image

from mmcgan.errors import PhotoError, PhotoWarning

SHAPE = (400, 300)


def encode(mode: str = "RGB", **options: object) -> bytes:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (SHAPE[0] // 8, SHAPE[1] // 8, 3), np.uint8)
    image = Image.fromarray(coarse).resize(SHAPE[::-1], Image.Resampling.BICUBIC)
    buffer = BytesIO()
    image.convert(mode).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


FORMS = {
    "colour": encode(),
    "grey": encode("L"),
    "CMYK": encode("CMYK"),
    "progressive": encode(progressive=True),
    "restarts": encode(restart_marker_rows=1),
    "full colour": encode(subsampling="4:4:4"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lacks", [1, 2, 3, 40])
def test_a_jpeg_that_lacks_a_few_bytes_is_read_with_a_warning(form, lacks, tmp_path):
    data = FORMS[form]
    (tmp_path / "a.jpg").write_bytes(data[:-lacks])
    whole = np.asarray(decoded(data), int)
    for source in (data[:-lacks], tmp_path / "a.jpg"):
        with pytest.warns(PhotoWarning, match=r"^mine\.jpg is cut short; ") as said:
            opened = np.asarray(decoded(source, "mine.jpg"), int)
        assert len(said) == 1
        assert opened.shape == whole.shape
        assert (np.abs(opened - whole).max(axis=2) > 8).mean() < 0.1


@pytest.mark.parametrize("form", [form for form in FORMS if form != "progressive"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_jpeg_that_lacks_more_is_refused(form, share):
    data = FORMS[form]
    with pytest.raises(PhotoError, match=r"cut short: the last \d+% of its rows are missing$"):
        decoded(data[: int(share * len(data))])


def test_as_many_rows_must_be_there_whatever_size_it_is_decoded_in():
    data = encode()
    for share, is_read in ((0.95, True), (0.8, False)):
        cut = data[: int(share * len(data))]
        for at_least in (None, 30):
            if is_read:
                with pytest.warns(PhotoWarning):
                    decoded(cut, at_least=at_least)
            else:
                with pytest.raises(PhotoError, match="cut short"):
                    decoded(cut, at_least=at_least)


def test_a_progressive_jpeg_is_blurred_before_rows_are_missing():
    data = FORMS["progressive"]
    with pytest.warns(PhotoWarning):
        assert decoded(data[: int(0.9 * len(data))]).size == (300, 400)
    with pytest.raises(PhotoError, match="cut short"):
        decoded(data[:1500])


@pytest.mark.parametrize("behind", [b"", b"\0" * 100, b"more" * 1000])
def test_a_whole_jpeg_is_read_without_a_word(behind, tmp_path):
    (tmp_path / "a.jpg").write_bytes(FORMS["colour"] + behind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(Path(tmp_path / "a.jpg")).size == (300, 400)


@pytest.mark.parametrize("size", [10, 300, 600])
def test_a_jpeg_without_pixels_is_refused(size):
    with pytest.raises(PhotoError, match="is broken or cut short"):
        decoded(FORMS["colour"][:size])
