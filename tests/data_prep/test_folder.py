"""Any tree of photos with tags beside them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from helpers.failing_files import fail_at
from helpers.hostile_xml import BOMB
from helpers.keyword_photos import XP, encode, exif, iptc, tiff_with_iptc
from helpers.packets import LIGHTROOM, marks, packet, subject

from data_prep import folder
from data_prep.folder import read_folder
from data_prep.photos import Collection, split_of
from mmcgan.errors import DataError, PhotoWarning
from mmcgan.folders.system_folders import LEFT_OUT
from mmcgan.metadata import plan_embedded, plan_sidecar


def put(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def read(root: Path, *stop_words: str) -> Collection:
    return read_folder(root, frozenset(stop_words), seed=0)


def tags(root: Path) -> dict[int | str, tuple[str, ...]]:
    return {photo.image_id: photo.tags for photo in read(root).photos}


def test_read_folder_finds_photos_of_all_kinds_in_the_whole_tree(tmp_path):
    names = ["a.jpg", "b.JPEG", "c.png", "d.WebP", "e.tif", "f.TIFF", "g.gif", "h.bmp"]
    put(tmp_path, {f"one/{name}": b"photo" for name in names})
    put(tmp_path, {"z.jpg": b"photo", "two/three/y.jpg": b"photo", "notes.txt": "", "a.pdf": b""})
    expected = [*(f"one/{name}" for name in names), "two/three/y.jpg", "z.jpg"]
    assert [photo.image_id for photo in read(tmp_path).photos] == expected


def test_read_folder_gives_photos_that_can_be_read(tmp_path):
    put(tmp_path, {"in/a.jpg": b"the photo"})
    photo = read(tmp_path).photos[0]
    assert photo.read() == tmp_path / "in" / "a.jpg"
    assert photo.name == str(tmp_path / "in" / "a.jpg")


def test_read_folder_splits_by_the_path_alone(tmp_path):
    put(tmp_path, {f"album {i % 3}/photo {i}.jpg": b"" for i in range(60)})
    splits = {photo.image_id: photo.split for photo in read(tmp_path).photos}
    assert splits == {name: split_of(name, 0) for name in splits}
    put(tmp_path, {"album 0/one more.jpg": b""})
    assert splits.items() <= {p.image_id: p.split for p in read(tmp_path).photos}.items()
    assert {"train", "val", "test"} <= set(splits.values())


def test_read_folder_is_named_after_the_folder(tmp_path):
    assert read(put(tmp_path / "holidays", {"a.jpg": b""})).name == "holidays"


def test_read_folder_skips_hidden_files_and_folders(tmp_path):
    put(tmp_path, {"a.jpg": b"", "._a.jpg": b"", ".thumbs/b.jpg": b"", "c/.d/e.jpg": b""})
    assert list(tags(tmp_path)) == ["a.jpg"]


def test_read_folder_does_not_follow_links_out_of_the_tree(tmp_path):
    put(tmp_path / "outside", {"secret.jpg": b"", "more/b.jpg": b""})
    root = put(tmp_path / "root", {"a.jpg": b"", "secret.txt": "not read"})
    (root / "secret.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    (root / "more").symlink_to(tmp_path / "outside" / "more")
    (root / "same.jpg").symlink_to(root / "a.jpg")
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    (root / "again").symlink_to(root)
    with pytest.warns(PhotoWarning, match=r"loop\.jpg cannot be read: Too many levels"):
        collection = read(root)
    assert [photo.image_id for photo in collection.photos] == ["a.jpg", "same.jpg"]
    assert collection.dropped == {
        "links that lead outside the folder": 2,
        "files and folders that cannot be read": 1,
    }


def test_read_folder_leaves_out_folders_of_the_system(tmp_path):
    put(tmp_path, {"a.jpg": b"", "a.txt": "sea", "#recycle/b.jpg": b"", "#recycle/b.txt": "gone"})
    collection = read(tmp_path)
    assert [photo.image_id for photo in collection.photos] == ["a.jpg"]
    assert collection.dropped == {LEFT_OUT: 1}


def test_read_folder_reads_all_but_what_cannot_be_looked_at(tmp_path, monkeypatch):
    put(tmp_path, {"a.jpg": b"", "b.jpg": b"", "sub/c.jpg": b"", "sub/d.jpg": b""})
    fail_at(monkeypatch, {tmp_path / "sub": errno.EIO}, {tmp_path / "b.jpg": errno.ESTALE})
    with pytest.warns(PhotoWarning) as warned:
        collection = read(tmp_path)
    assert [photo.image_id for photo in collection.photos] == ["a.jpg", "sub/c.jpg"]
    assert collection.dropped == {"files and folders that cannot be read": 2}
    assert {str(w.message) for w in warned} == {
        f"{tmp_path / 'b.jpg'} cannot be read: {os.strerror(errno.ESTALE)}",
        f"{tmp_path / 'sub'} cannot be read: {os.strerror(errno.EIO)}",
    }


def test_read_folder_reads_text_files_of_both_names(tmp_path):
    put(
        tmp_path,
        {
            "a.jpg": b"",
            "a.txt": "Sea\nblue sky\r\n\n",
            "b.jpg": b"",
            "b.jpg.txt": "snow, ice; winter,,",
            "c.jpg": b"",
            "c.txt": "one",
            "c.jpg.txt": "two, one",
            "d.jpg": b"",
        },
    )
    assert tags(tmp_path) == {
        "a.jpg": ("sea", "blue_sky"),
        "b.jpg": ("snow", "ice", "winter"),
        "c.jpg": ("one", "two"),
        "d.jpg": (),
    }
    assert not read(tmp_path).dropped


def test_read_folder_reads_tables_of_every_folder(tmp_path):
    put(
        tmp_path,
        {
            "a.jpg": b"",
            "in/b.jpg": b"",
            "in/c.jpg": b"",
            "tags.csv": 'file,tags\na.jpg,"sea, ocean;mar"\nin/b.jpg,snow\n',
            "in/tags.csv": "title,Tags ,FILE\nnice,one,b.jpg\n,two,./c.jpg\n,three,../a.jpg\n\n",
        },
    )
    assert tags(tmp_path) == {
        "a.jpg": ("three", "sea", "ocean", "mar"),
        "in/b.jpg": ("one", "snow"),
        "in/c.jpg": ("two",),
    }


def test_read_folder_merges_tables_and_text_files(tmp_path):
    put(tmp_path, {"a.jpg": b"", "a.txt": "sea\nsun", "tags.csv": "file,tags\na.jpg,sun; sand\n"})
    assert tags(tmp_path) == {"a.jpg": ("sea", "sun", "sand")}
    assert not read(tmp_path).dropped


def test_read_folder_reads_every_table_of_a_folder(tmp_path):
    put(
        tmp_path,
        {
            "a.jpg": b"",
            "tags.csv": "file,tags\na.jpg,sea\n",
            "mmcgan.tags.csv": "file,tags,not\na.jpg,sun,\n",
            "mytags.csv": "file,tags\na.jpg,not read\n",
        },
    )
    assert set(tags(tmp_path)["a.jpg"]) == {"sea", "sun"}


def test_read_folder_leaves_out_what_a_table_says_is_wrong_whoever_wrote_it(tmp_path):
    put(
        tmp_path,
        {
            "a.jpg": encode("JPEG", packet(subject("Blue Sky"))),
            "a.jpg.xmp": packet(subject("dog")),
            "a.txt": "sea\ncat",
            "b.jpg": b"",
            "b.txt": "dog",
            "tags.csv": "file,tags\na.jpg,sun;cow\n",
            "x.tags.csv": "file,tags,not\na.jpg,moon,blue_sky;DOG,cow\na.jpg,,cat,\nb.jpg\n",
        },
    )
    collection = read(tmp_path)
    found = {photo.image_id: set(photo.tags) for photo in collection.photos}
    assert found == {"a.jpg": {"sea", "sun", "moon", "cow"}, "b.jpg": {"dog"}}
    assert collection.dropped == {"tags that a table says are wrong": 3}


def test_read_folder_takes_a_comma_behind_a_backslash_as_part_of_a_tag(tmp_path):
    table = 'file,tags,not\na.jpg,"smith\\, john,sea","b\\;c;sun"\n'
    put(tmp_path, {"a.jpg": b"", "a.txt": "b\\;c, sun, b", "tags.csv": table})
    assert set(tags(tmp_path)["a.jpg"]) == {"smith,_john", "sea", "b"}


def test_read_folder_takes_unquoted_tags_as_they_were_meant(tmp_path):
    put(tmp_path, {"a.jpg": b"", "tags.csv": "file,tags\na.jpg,sea,sun,sand\na.jpg\n"})
    assert tags(tmp_path) == {"a.jpg": ("sea", "sun", "sand")}


def test_read_folder_takes_a_table_with_a_byte_order_mark(tmp_path):
    put(tmp_path, {"é.jpg": b"", "tags.csv": "\ufefffile,tags\r\né.jpg,été\r\n"})
    assert tags(tmp_path) == {"é.jpg": ("été",)}


def test_read_folder_counts_rows_that_name_no_photo(tmp_path):
    rows = "gone.jpg,sea\n../a.jpg,sea\n/etc/passwd,sea\na.jpg,sun\n,sea\n"
    put(tmp_path / "root", {"a.jpg": b"", "tags.csv": "file,tags\n" + rows})
    collection = read(tmp_path / "root")
    assert [photo.tags for photo in collection.photos] == [("sun",)]
    assert collection.dropped == {"rows of tags.csv that name no photo": 4}


def test_read_folder_reads_keywords_of_photo_software(tmp_path):
    put(
        tmp_path,
        {
            "a.jpg": encode("JPEG", packet(subject("Blue sky")), exif=exif(XP)),
            "a.xmp": LIGHTROOM,
            "b.png": encode("PNG", packet(subject("sun", kind="Seq"))),
            "b.png.xmp": packet(subject("Orte/Meer", tag="digiKam:TagsList")),
            "b.txt": "snow\nsun",
            "c.webp": encode("WEBP", packet(subject("b/w"))),
            "d.tif": tiff_with_iptc(iptc(b"ice")),
            "e.jpg": encode("JPEG"),
        },
    )
    expected = {
        "a.jpg": ("blue_sky", "birds", "grey_heron", "animals|birds|grey_heron", "sea", "b/w"),
        "b.png": ("snow", "sun", "meer", "orte|meer"),
        "c.webp": ("b/w",),
        "d.tif": ("ice",),
        "e.jpg": (),
    }
    found = tags(tmp_path)
    assert {name: set(words) for name, words in found.items()} == {
        name: set(words) for name, words in expected.items()
    }
    assert found["b.png"][0] == "snow"


def test_read_folder_does_not_learn_what_mmcgan_wrote(tmp_path):
    photo = encode("JPEG", packet(subject("sea")))
    put(tmp_path, {"a.jpg": photo, "b.jpg": photo, "c.jpg": encode("JPEG")})
    found = marks("sea", "sun", "dog", prefix="auto|")
    plan_sidecar(tmp_path / "a.jpg", found).apply()
    plan_embedded(tmp_path / "b.jpg", found).apply()
    plan_sidecar(tmp_path / "c.jpg", found).apply()
    assert (tmp_path / "c.jpg.xmp").exists()
    assert tags(tmp_path) == {"a.jpg": ("sea",), "b.jpg": ("sea",), "c.jpg": ()}


def test_read_folder_counts_metadata_that_is_broken_or_unsafe(tmp_path):
    photo = encode("JPEG", b"<x:xmpmeta")
    put(tmp_path, {"a.jpg": photo, "a.xmp": BOMB, "b.jpg": b"", "b.xmp": packet(subject("sea"))})
    collection = read(tmp_path)
    assert [photo.tags for photo in collection.photos] == [(), ("sea",)]
    assert collection.dropped == {"blocks of metadata that are broken or unsafe": 2}


def test_read_folder_does_not_read_sidecars_outside_the_tree(tmp_path):
    put(tmp_path / "outside", {"a.xmp": packet(subject("secret"))})
    root = put(tmp_path / "root", {"a.jpg": b""})
    (root / "a.xmp").symlink_to(tmp_path / "outside" / "a.xmp")
    assert tags(root) == {"a.jpg": ()}


def test_read_folder_leaves_stop_words_out(tmp_path):
    put(tmp_path, {"a.jpg": b"", "a.txt": "sea\nNikon\nplant life"})
    collection = read(tmp_path, "nikon", "plant_life")
    assert collection.photos[0].tags == ("sea",)
    assert collection.dropped == {"tags on the stop list": 2}


def test_read_folder_without_tags_gives_photos_without_tags(tmp_path):
    put(tmp_path, {"a.jpg": b"", "b.jpg": b""})
    assert tags(tmp_path) == {"a.jpg": (), "b.jpg": ()}


def test_read_folder_reads_latin1_and_drops_binary_text(tmp_path):
    put(
        tmp_path,
        {
            "a.jpg": b"",
            "a.txt": "café".encode("latin-1"),
            "b.jpg": b"",
            "b.txt": b"\xff\xd8\0\x10",
        },
    )
    collection = read(tmp_path)
    assert [photo.tags for photo in collection.photos] == [("café",), ()]
    assert collection.dropped == {
        "tags files not in UTF-8, read as Latin-1": 1,
        "tags files that are binary": 1,
    }


def test_read_folder_drops_huge_text_files(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MAX_TEXT_BYTES", 100)
    put(tmp_path, {"a.jpg": b"", "a.txt": "sea\n" * 26})
    collection = read(tmp_path)
    assert collection.photos[0].tags == ()
    assert collection.dropped == {"tags files that cannot be read or are too large": 1}


def test_read_folder_drops_lines_that_were_never_tags(tmp_path):
    put(tmp_path, {"a.jpg": b"", "a.txt": f"sea\n{'word ' * 100}\n!!!\n"})
    collection = read(tmp_path)
    assert collection.photos[0].tags == ("sea",)
    assert collection.dropped == {"tags without a letter, digit or symbol, or too long": 2}


def test_read_folder_ignores_a_folder_named_like_a_file(tmp_path):
    put(tmp_path, {"a.jpg": b"", "a.txt/x": "", "b.jpg/c.jpg": b"", "tags.csv/y": ""})
    assert tags(tmp_path) == {"a.jpg": (), "b.jpg/c.jpg": ()}


def test_read_folder_skips_paths_that_are_not_utf8(tmp_path):
    put(tmp_path, {"a.jpg": b""})
    try:
        with open(os.fsencode(tmp_path) + b"/\xff.jpg", "wb"):  # noqa: PTH123
            pass
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    collection = read(tmp_path)
    assert [photo.image_id for photo in collection.photos] == ["a.jpg"]
    assert collection.dropped == {"files whose path is not UTF-8": 1}


def test_read_folder_refuses_a_missing_folder(tmp_path):
    with pytest.raises(DataError, match=r"--root .*nowhere is missing; it must be a folder"):
        read(tmp_path / "nowhere")
    put(tmp_path, {"photo.jpg": b""})
    with pytest.raises(DataError, match=r"photo\.jpg is a file; it must be a folder"):
        read(tmp_path / "photo.jpg")


def test_read_folder_refuses_a_folder_without_photos(tmp_path):
    put(tmp_path, {"notes.txt": "sea"})
    with pytest.raises(DataError, match=r"no photo under .*\.jpeg \.jpg") as error:
        read(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,keywords\na.jpg,sea\n", r"tags\.csv has the columns \['name', 'keywords'\]"),
        ("file:tags\na.jpg:sea\n", r"has the columns \['file:tags'\]; it must have file and tags"),
        ("file;words\na.jpg;sea\n", r"has the columns \['file;words'\]"),
        ("", r"has the columns \[\]"),
        (b"file,tags\na.jpg,\0\n", r"tags\.csv is a binary file"),
        (f'file,tags\na.jpg,"{"x" * 200_000}"\n', r"tags\.csv, line 2: field larger"),
    ],
)
def test_read_folder_refuses_a_table_it_cannot_use(tmp_path, table, message):
    put(tmp_path, {"a.jpg": b"", "sub/tags.csv": table})
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)
