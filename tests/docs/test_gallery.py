"""The gallery shows what the tables of docs/judging say, and only what may be copied."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from helpers.pages import ROOT, load_script
from PIL import Image

GALLERY = load_script("gallery")
PAGE = ROOT / "docs" / "gallery.md"
PICTURES = ROOT / "docs" / "pictures" / "gallery"
MAX_BYTES = 25 * 1024
_ROW = re.compile(r"^\| !\[.*?\]\(pictures/gallery/(\d+)\.webp\)<br>(.*) \| (.*) \| (.*) \|$", re.M)
ROWS = _ROW.findall(PAGE.read_text("utf-8"))


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "docs" / "judging" / name, dtype=str, keep_default_na=False)


def tags_of(photo: str, system: str) -> list[str]:
    """The five best tags of a photo with their marks, from the tables."""
    tags = table("tags.csv").merge(table("verdicts.csv"), on=["photo", "word"])
    own = tags[(tags["photo"] == photo) & (tags["system"] == system)].astype({"rank": int})
    best = own.sort_values("rank").head(5)
    marks = {"11": "✓", "00": "✗", "10": "◐", "01": "◐"}
    said = best["judge1"] + best["judge2"]
    return [f"{marks[both]} {word}" for both, word in zip(said, best["word"], strict=True)]


def test_page_is_what_the_script_writes():
    again = "run python docs/gallery.py and commit docs/gallery.md"
    assert PAGE.read_text("utf-8") == GALLERY.page(), again


def test_photographs_are_in_the_order_of_their_numbers():
    assert [photo for photo, *_ in ROWS] == sorted({photo for photo, *_ in ROWS})
    assert len(ROWS) == len(GALLERY.SHOWN)


@pytest.mark.parametrize(("photo", "subject", "before", "now"), ROWS, ids=[r[0] for r in ROWS])
def test_tags_and_marks_are_those_of_the_tables(photo, subject, before, now):
    listed = table("photos.csv").set_index("id").loc[photo]
    assert subject == f"{photo}, half {listed['half']}: {listed['subject']}"
    assert before.replace("*", "").split("<br>") == tags_of(photo, "model 1")
    assert now.replace("*", "").split("<br>") == tags_of(photo, "model 3")


@pytest.mark.parametrize("photo", GALLERY.SHOWN)
def test_licence_allows_copies_and_is_stated(photo):
    stated = table("photos.csv").set_index("id").loc[photo, "licence"]
    assert re.match(r"CC0-1\.0$|CC-BY(-SA)?-[234]\.0\b", stated)
    name, address = GALLERY.licence_of(stated)
    assert name.replace(" ", "-") == stated.split()[0]
    row = re.search(rf"^\| {photo} \| .*$", PAGE.read_text("utf-8"), re.M)[0]
    assert f"[{name}]({address})" in row


@pytest.mark.parametrize(
    ("stated", "name", "path"),
    [
        ("CC0-1.0", "CC0 1.0", "publicdomain/zero/1.0/"),
        ("CC-BY-2.0 (its README)", "CC BY 2.0", "licenses/by/2.0/"),
        ("CC-BY-SA-4.0", "CC BY-SA 4.0", "licenses/by-sa/4.0/"),
    ],
)
def test_licence_has_its_usual_name_and_address(stated, name, path):
    assert GALLERY.licence_of(stated) == (name, f"https://creativecommons.org/{path}")


def test_there_is_a_picture_of_each_photograph_and_no_other():
    assert {path.name for path in PICTURES.iterdir()} == {f"{id}.webp" for id in GALLERY.SHOWN}


@pytest.mark.parametrize("photo", GALLERY.SHOWN)
def test_pictures_are_small_and_without_metadata(photo):
    path = PICTURES / f"{photo}.webp"
    assert path.stat().st_size <= MAX_BYTES
    with Image.open(path) as picture:
        assert max(picture.size) == 320
        assert not {"exif", "xmp", "icc_profile"} & picture.info.keys()


def test_page_and_pictures_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(GALLERY, "PAGE", tmp_path / "gallery.md")
    monkeypatch.setattr(GALLERY, "PICTURES", tmp_path / "pictures")
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    exif = Image.Exif()
    exif[0x013B] = "somebody"
    for id in GALLERY.SHOWN:
        Image.new("RGB", (640, 480), "red").save(photographs / f"{id}.jpg", exif=exif)
    GALLERY.main([str(photographs)])
    assert (tmp_path / "gallery.md").read_text("utf-8") == PAGE.read_text("utf-8")
    for id in GALLERY.SHOWN:
        with Image.open(tmp_path / "pictures" / f"{id}.webp") as picture:
            assert picture.size == (320, 240)
            assert not picture.getexif()
