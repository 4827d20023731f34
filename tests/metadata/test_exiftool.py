"""exiftool, another program, reads what we write, and we read what it writes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from helpers.keyword_photos import FORMATS, encode
from helpers.packets import STYLES, marks

from mmcgan.metadata import plan_embedded, plan_removal, plan_sidecar, read_keywords
from mmcgan.metadata.xmp.packet import Packet

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")


def exiftool(*arguments: str) -> str:
    command = ["exiftool", "-overwrite_original", "-q", "-q", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def seen(path: Path) -> dict[str, Any]:
    """All XMP that exiftool finds in a file."""
    (found,) = json.loads(exiftool("-j", "-XMP:all", "-struct", str(path)))
    return {name: value for name, value in found.items() if name != "SourceFile"}


def subjects(path: Path) -> list[str]:
    (found,) = json.loads(exiftool("-j", "-XMP:Subject", "-sep", "\n", str(path)))
    return [text for text in found.get("Subject", "").split("\n") if text]


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode("JPEG"))
    return path


def remove(photo: Path) -> None:
    for change in plan_removal(photo):
        change.apply()


def test_exiftool_reads_a_new_sidecar(photo):
    plan_sidecar(photo, marks("sea", "plant_life", "日本", "a & <b>")).apply()
    sidecar = photo.with_name("a.jpg.xmp")
    assert subjects(sidecar) == ["sea", "plant life", "日本", "a & <b>"]
    automatic = seen(sidecar)["Automatic"]
    assert automatic["Tags"][0] == {"Keyword": "sea", "Score": 0.9}
    assert "warning" not in exiftool("-warning", "-validate", str(sidecar)).lower()


@pytest.mark.parametrize("style", STYLES)
def test_exiftool_sees_every_other_property_as_before(photo, style):
    sidecar = photo.with_name("a.xmp")
    sidecar.write_bytes(STYLES[style])
    before = seen(sidecar)
    plan_sidecar(photo, marks("wood", "日本", prefix="auto|")).apply()
    after = seen(sidecar)
    assert after.pop("Automatic")["Prefix"] == "auto|"
    ours = ["auto|wood", "auto|日本"]
    assert subjects(sidecar)[-2:] == ours
    for name in ("Subject", "HierarchicalSubject", "TagsList"):
        was, is_now = (found.pop(name, []) for found in (before, after))
        was = was if isinstance(was, list) else [was]
        assert is_now[: len(was)] == was
        assert [text.replace("/", "|") for text in is_now[len(was) :]] in (ours, [])
    assert after == before


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_exiftool_reads_what_is_in_a_photo(photo, format):
    photo.write_bytes(encode(format))
    plan_embedded(photo, marks("sea", "sun")).apply()
    assert subjects(photo) == ["sea", "sun"]


def test_marks_are_taken_out_of_a_sidecar_that_exiftool_wrote_anew(photo):
    plan_sidecar(photo, marks("sea", "sun", prefix="auto|")).apply()
    sidecar = photo.with_name("a.jpg.xmp")
    exiftool("-XMP:Subject+=mine", "-XMP:Rating=3", str(sidecar))
    again = plan_sidecar(photo, marks("sea", "sun", prefix="auto|"))
    assert not again.is_needed
    plan_sidecar(photo, marks("sea", "dog", "mine")).apply()
    assert subjects(sidecar) == ["mine", "sea", "dog"]
    remove(photo)
    assert seen(sidecar) == {
        "XMPToolkit": seen(sidecar)["XMPToolkit"],
        "Subject": ["mine"],
        "Rating": 3,
    }
    assert b"mmcgan" not in sidecar.read_bytes()


def test_a_sidecar_of_ours_that_exiftool_wrote_anew_goes(photo):
    plan_sidecar(photo, marks("sea")).apply()
    sidecar = photo.with_name("a.jpg.xmp")
    exiftool("-XMP:Rating=3", str(sidecar))
    exiftool("-XMP:Rating=", str(sidecar))
    assert b"ExifTool" in sidecar.read_bytes()
    remove(photo)
    assert not sidecar.exists()


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_marks_are_taken_out_of_a_photo_that_exiftool_wrote_anew(photo, format):
    photo = photo.with_suffix(f".{format.lower()}")
    photo.write_bytes(encode(format))
    plan_embedded(photo, marks("sea")).apply()
    exiftool("-XMP:Subject+=mine", str(photo))
    remove(photo)
    assert subjects(photo) == ["mine"]
    assert b"mmcgan" not in photo.read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_keywords_that_exiftool_wrote_are_read(photo, format):
    photo.write_bytes(encode(format))
    arguments = [
        "-XMP:Subject=sea",
        "-XMP:HierarchicalSubject=Places|Paris",
        "-XPKeywords=win;dows",
    ]
    iptc = ["-IPTC:Keywords=Küste"] if format in ("JPEG", "TIFF") else []
    renamed = photo.rename(photo.with_suffix(f".{format.lower()}"))
    exiftool(*arguments, *iptc, str(renamed))
    expected = {"sea", "Paris", "Places|Paris", "win", "dows"} | ({"Küste"} if iptc else set())
    assert set(read_keywords(renamed, []).texts) == expected


def test_a_sidecar_that_exiftool_wrote_is_read(photo):
    sidecar = photo.with_name("a.xmp")
    exiftool("-XMP:Subject=sea", "-XMP-digiKam:TagsList=Orte/Meer", str(sidecar))
    assert Packet.parse(sidecar.read_bytes(), "a").keywords() == ["sea", "Orte|Meer"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("XMP-microsoft:LastKeywordXMP=Orte/Meer", "Orte|Meer"),
        ("XMP-microsoft:LastKeywordIPTC=Orte/Meer", "Orte|Meer"),
        ("XMP-mediapro:CatalogSets=Orte|Meer", "Orte|Meer"),
        ("XMP-expressionmedia:CatalogSets=Orte|Meer", "Orte|Meer"),
        ("XMP-acdsee:Keywords=Meer", "Meer"),
        ("XMP-lr:WeightedFlatSubject=Meer", "Meer"),
        (
            'XMP-acdsee:Categories=<Categories><Category Assigned="0">Orte'
            '<Category Assigned="1">Meer</Category></Category></Categories>',
            "Orte|Meer",
        ),
        (
            "XMP-mwg-kw:HierarchicalKeywords={Keyword=Orte,Children=[{Keyword=Meer,Applied=true}]}",
            "Orte|Meer",
        ),
    ],
)
def test_every_list_that_exiftool_writes_is_read(photo, written, read):
    sidecar = photo.with_name("a.xmp")
    exiftool(f"-{written}", str(sidecar))
    assert Packet.parse(sidecar.read_bytes(), "a").keywords() == [read]
    before = sidecar.read_bytes()
    plan_sidecar(photo, marks("sea")).apply()
    assert subjects(sidecar) == ["Meer", "sea"]
    remove(photo)
    assert sidecar.read_bytes() == before
