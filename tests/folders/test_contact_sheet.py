"""The contact sheet as a file; tests/test_browser.py looks at it in a browser."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from helpers.photos import make_photo
from PIL import Image

from mmcgan.cli import run_command
from mmcgan.errors import PhotoError
from mmcgan.folders.contact_sheet import common_folder, thumbnail, write_contact_sheet
from mmcgan.inference.tagger import Tag
from mmcgan.tagging import main

HOSTILE = '"><img src=x onerror="document.title=1"></script><script>alert(1)</script>'


class Page(HTMLParser):
    """The elements of a page, each as its name and attributes, and its text."""

    def __init__(self, path: Path):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_data(self, data):
        self.text += data

    def all(self, key: str) -> list[str]:
        return [found[key] for _, found in self.elements if key in found]


@pytest.fixture
def photos(tmp_path):
    """Two photos in folders of their own and a broken one."""
    paths = [tmp_path / "trip" / name for name in ("a/größe 1.png", "b/two.png", "b/broken.jpg")]
    for path, data in zip(
        paths, [make_photo("red", (600, 400)), make_photo("blue"), b"x"], strict=True
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return paths


def write(out_dir: Path, paths, *tags: Tag) -> Page:
    tags = tags or (Tag("plant_life", 0.75), Tag("sea", 0.5))
    return Page(write_contact_sheet(out_dir, [(path, tags) for path in paths], "run: 0001"))


def test_sheet_has_each_photo_with_its_tags_and_scores(tmp_path, photos):
    page = write(tmp_path / "out", photos)
    assert page.all("data-file") == ["a/größe 1.png", "b/two.png", "b/broken.jpg"]
    assert page.all("data-word") == ["plant_life", "sea"] * 3
    assert page.all("data-score") == ["0.7500", "0.5000"] * 3
    assert "plant life" in page.text
    assert "run: 0001" in page.text
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["contact_sheet.html"]


def test_sheet_holds_small_pictures_and_says_where_there_is_none(tmp_path, photos):
    page = write(tmp_path, photos)
    found = [attributes["src"] for tag, attributes in page.elements if tag == "img"]
    pictures = [Image.open(BytesIO(base64.b64decode(src.partition(",")[2]))) for src in found]
    assert [picture.size for picture in pictures] == [(240, 160), (8, 8)]
    assert page.text.count("no picture") == 1


def test_sheet_asks_nothing_of_any_server_and_runs_its_own_script_alone(tmp_path, photos):
    page = write(tmp_path, photos)
    html = (tmp_path / "contact_sheet.html").read_text(encoding="utf-8")
    assert {src[:16] for src in page.all("src")} == {"data:image/webp;"}
    assert page.all("href") == []
    policy = next(a["content"] for _, a in page.elements if "http-equiv" in a)
    script = re.search("<script>(.*?)</script>", html, re.DOTALL).group(1)
    style = re.search("<style>(.*?)</style>", html, re.DOTALL).group(1)
    for kind, source in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not [name for _, a in page.elements for name in a if name.startswith("on")]
    assert "style" not in [name for _, a in page.elements for name in a]


def test_sheet_shows_html_in_words_and_names_as_text(tmp_path):
    path = tmp_path / "<b>&.png"
    path.write_bytes(make_photo("red"))
    page = write(tmp_path / "out", [path], Tag(HOSTILE, 0.5))
    assert page.all("data-file") == ["<b>&.png"]
    assert page.all("data-word") == [HOSTILE]
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert page.all("onerror") == []


def test_sheet_of_no_photo_is_a_page(tmp_path):
    assert "Contact sheet" in write(tmp_path, []).text


def test_sheet_takes_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"\xff.png")
    try:
        (tmp_path / name).write_bytes(make_photo("red"))
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    assert write(tmp_path, [tmp_path / name]).all("data-file") == ["\ufffd.png"]


def test_sheet_that_cannot_be_written_whole_leaves_the_old_one(tmp_path, photos, full_disk):
    write(tmp_path, photos[:1])
    before = (tmp_path / "contact_sheet.html").read_bytes()
    with full_disk(5000), pytest.raises(OSError, match="File too large"):
        write(tmp_path, photos)
    assert (tmp_path / "contact_sheet.html").read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["/x/a/1.jpg", "/x/a/2.jpg"], "/x/a"),
        (["/x/a/1.jpg", "/x/ab/2.jpg"], "/x"),
        (["/x/a/../b/1.jpg"], "/x/b"),
    ],
)
def test_common_folder_holds_all_photos(paths, folder):
    assert common_folder(paths) == Path(folder)


def test_common_folder_of_none_is_the_working_folder():
    assert common_folder([]) == Path.cwd()


def test_thumbnail_of_a_broken_photo_is_a_photo_error(photos):
    with pytest.raises(PhotoError, match=r"broken\.jpg"):
        thumbnail(photos[2])


@pytest.mark.usefixtures("stand_in")
def test_report_option_writes_the_sheet_of_what_was_tagged(trained, photos, tmp_path, capsys):
    args = [*map(str, photos), "--run", str(trained[1]), "--k", "2", "--report", str(tmp_path)]
    assert run_command(main, args) == 1
    path = tmp_path / "contact_sheet.html"
    assert capsys.readouterr().out.splitlines()[-1] == f"contact sheet: {path}"
    page = Page(path)
    assert page.all("data-file") == ["a/größe 1.png", "b/two.png"]
    assert len(page.all("data-word")) == 4
