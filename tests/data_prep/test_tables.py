"""Tables of tags as spreadsheets, editors and other systems write them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from data_prep.folder import read_folder
from data_prep.tables import PhotoNames, is_table, read_table
from mmcgan.errors import DataError


def rows(text: str | bytes) -> list[tuple[str, str, str]]:
    data = text.encode() if isinstance(text, str) else text
    return list(read_table(data, "tags.csv", Counter()))


PLAIN = 'file,tags,not\na.jpg,"sea, sky",dog\nin/b.jpg,snow,\n'
EXPECTED = [("a.jpg", "sea, sky", "dog"), ("in/b.jpg", "snow", "")]
SAME = {
    "blanks after commas, before quotes too": 'file, tags, not\na.jpg, "sea, sky", dog\n'
    "in/b.jpg,  snow, \n",
    "semicolons": 'file;tags;not\na.jpg;"sea, sky";dog\nin/b.jpg;snow;\n',
    "semicolons without quotes": "file;tags;not\na.jpg;sea, sky;dog\nin/b.jpg;snow\n",
    "semicolons, blanks": 'file; tags; not\na.jpg; "sea, sky"; dog\nin/b.jpg; snow\n',
    "tabs": "file\ttags\tnot\na.jpg\tsea, sky\tdog\nin/b.jpg\tsnow\t\n",
    "tabs, quotes": '"file"\t"tags"\t"not"\n"a.jpg"\t"sea, sky"\t"dog"\nin/b.jpg\tsnow\n',
    "quoted header": PLAIN.replace("file,tags,not", '"File" ,"TAGS","not"'),
    "a separator that is declared": 'sep=;\nfile;tags;not\na.jpg;"sea, sky";dog\nin/b.jpg;snow;\n',
    "a tab that is declared": "sep=\t\nfile\ttags\tnot\na.jpg\tsea, sky\tdog\nin/b.jpg\tsnow\t\n",
    "a separator that is declared in quotes": f'"sep=,"\n{PLAIN}',
    "tabs, rows with numbers": "\tfile\ttags\tnot\n0\ta.jpg\tsea, sky\tdog\n1\tin/b.jpg\tsnow\t\n",
    "commas, rows with numbers": ',file,tags,not\n0,a.jpg,"sea, sky",dog\n1,in/b.jpg,snow,\n',
    "blanks around the header": f"  {PLAIN}",
    "blank lines": f"\n\n{PLAIN}\n,,\n\n",
    "Windows lines": PLAIN.replace("\n", "\r\n"),
    "lines of an old Mac": PLAIN.replace("\n", "\r"),
    "UTF-8 with a mark": PLAIN.encode("utf-8-sig"),
    "UTF-16": PLAIN.encode("utf-16"),
    "UTF-16, big-endian": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-16, tabs, Windows lines": PLAIN.replace('"sea, sky"', "sea+ sky")
    .replace(",", "\t")
    .replace("sea+", "sea,")
    .replace("\n", "\r\n")
    .encode("utf-16"),
}


@pytest.mark.parametrize("form", SAME)
def test_a_table_is_the_same_however_it_is_written(form):
    assert rows(PLAIN) == EXPECTED
    assert rows(SAME[form]) == EXPECTED


def test_blanks_within_quotes_are_kept_for_names_and_mean_nothing_in_tags(tmp_path):
    (tmp_path / " a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    (tmp_path / "tags.csv").write_text('file,tags\n" a.jpg","  sea , sky "\n" b.jpg ", snow\n')
    found = {photo.image_id: photo.tags for photo in read_folder(tmp_path, (), 0).photos}
    assert found == {" a.jpg": ("sea", "sky"), "b.jpg": ("snow",)}


def test_a_line_break_within_quotes_is_between_tags(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "tags.csv").write_text('file;tags\na.jpg;"sea\nsky"\n')
    assert read_folder(tmp_path, (), 0).photos[0].tags == ("sea", "sky")


def test_a_table_of_another_text_is_refused_with_its_columns():
    for text, columns in (("a;b\n", r"\['a;b'\]"), ("file\n", r"\['file'\]"), ("", r"\[\]")):
        with pytest.raises(DataError, match=f"has the columns {columns}; it must have file and"):
            rows(text)
    with pytest.raises(DataError, match="is a binary file"):
        rows(PLAIN.encode("utf-16")[:-1])


def test_rows_of_latin1_are_read_and_counted():
    dropped: Counter[str] = Counter()
    found = list(read_table("file,tags\né.jpg,été\n".encode("latin-1"), "tags.csv", dropped))
    assert found == [("é.jpg", "été", "")]
    assert dropped == {"tags files not in UTF-8, read as Latin-1": 1}


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("tags.csv", True), ("TAGS.CSV", True), ("my.tags.csv", True), ("mytags.csv", False)],
)
def test_tables_are_known_by_their_names(name, is_one):
    assert is_table(Path("in") / name) == is_one


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Küste/Café.jpg") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("on_disk", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize(
    "named",
    [
        COMPOSED,
        DECOMPOSED,
        f"./{COMPOSED}",
        f"x/../{DECOMPOSED}",
        COMPOSED.replace("/", "\\"),
        f".\\{DECOMPOSED}".replace("/", "\\"),
        f" {COMPOSED} ",
        f"/photos/{COMPOSED}",
    ],
)
def test_a_photo_is_found_by_any_spelling_of_its_path(on_disk, named):
    photo = Path("/photos") / on_disk
    assert PhotoNames([photo, Path("/photos/other.jpg")]).find(Path("/photos"), named) == photo


def test_the_very_name_comes_first():
    both = [Path("/photos") / COMPOSED, Path("/photos") / DECOMPOSED]
    strange = [Path("/photos/a\\b.jpg"), Path("/photos/a/b.jpg")]
    names = PhotoNames([*both, *strange])
    for photo in [*both, *strange]:
        assert names.find(Path("/photos"), str(photo.relative_to("/photos"))) == photo
    assert names.find(Path("/photos"), "gone.jpg") is None
    assert names.find(Path("/photos"), "") is None
    assert names.find(Path("/elsewhere"), COMPOSED) is None


def test_a_tags_file_in_utf16_is_read(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a.txt").write_bytes("Küste\r\nblue sky".encode("utf-16"))
    collection = read_folder(tmp_path, (), 0)
    assert collection.photos[0].tags == ("küste", "blue_sky")
    assert not collection.dropped


def test_a_table_that_cannot_be_read_is_counted_and_all_others_are(tmp_path, monkeypatch):
    for name in ("a.jpg", "in/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "tags.csv").write_text("file,tags\na.jpg,sea\n")
    (tmp_path / "in" / "tags.csv").write_text("file,tags\nb.jpg,snow\n")
    real = Path.open

    def fail(self, *args, **options):
        if self == tmp_path / "tags.csv":
            raise OSError(5, "Input/output error")
        return real(self, *args, **options)

    monkeypatch.setattr(Path, "open", fail)
    collection = read_folder(tmp_path, (), 0)
    assert [photo.tags for photo in collection.photos] == [(), ("snow",)]
    assert collection.dropped == {"tables of tags that cannot be read": 1}
