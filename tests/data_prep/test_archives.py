"""Files out of folders and archives that are not to be trusted, and small text files."""

from __future__ import annotations

import struct
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import data_prep
from data_prep import archives
from data_prep.archives import ZipSource, find_members
from data_prep.mirflickr import POTENTIAL_LABELS
from data_prep.pipeline import LIBRARY_STOP_LIST
from data_prep.text import StopList, decode_text, read_stop_list, split_tags
from mmcgan.errors import DataError, PhotoError
from mmcgan.inference.words.vocabulary import normalize_tag

PLENTY = 2**30


def write_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return path


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_zip_source_lists_and_reads_files_and_not_folders(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"f/": b"", "f/b.txt": b"two", "a.txt": b"one"})
    source = ZipSource(path)
    assert source.names() == ["a.txt", "f/b.txt"]
    assert source.read("f/b.txt", 3) == b"two"


def test_zip_source_reads_from_several_threads(tmp_path):
    members = {f"{i}.bin": bytes([i]) * 50_000 for i in range(60)}
    source = ZipSource(write_zip(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED))
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda name: source.read(name, PLENTY), list(members) * 3))
    assert read == list(members.values()) * 3


def test_zip_source_refuses_a_truncated_archive(tmp_path):
    whole = write_zip(tmp_path / "a.zip", {"a.txt": b"x" * 1000}).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[:-200])
    with pytest.raises(DataError, match="not a whole zip archive") as error:
        ZipSource(tmp_path / "a.zip")
    assert "a.zip" in one_line(error)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x05\x06"])
def test_zip_source_refuses_what_is_no_archive(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="not a whole zip archive"):
        ZipSource(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["../evil.jpg", "/etc/evil", "..\\evil", "C:\\evil"])
def test_zip_source_writes_nothing_whatever_its_members_are_called(tmp_path, name):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    source = ZipSource(write_zip(folder / "a.zip", {"im1.jpg": b"fine", name: b"evil"}))
    assert {source.read(member, 4) for member in source.names()} == {b"fine", b"evil"}
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.zip"]


def test_zip_source_refuses_a_bomb_by_its_ratio(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"im1.jpg": bytes(8 * 2**20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="zip bomb") as error:
        ZipSource(path)
    assert "im1.jpg" in one_line(error)


def test_zip_source_refuses_a_bomb_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_IMAGE_BYTES", 1000)
    path = write_zip(tmp_path / "a.zip", {"im1.jpg": bytes(1001)})
    with pytest.raises(DataError, match="zip bomb"):
        ZipSource(path)


def test_zip_source_accepts_small_files_that_shrink_much(tmp_path):
    members = {"tags1.txt": b" " * 500_000}
    source = ZipSource(write_zip(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED))
    assert source.read("tags1.txt", PLENTY) == members["tags1.txt"]


def test_zip_source_is_not_hurt_by_a_header_that_lies(tmp_path):
    """A bomb that declares ten bytes is cut off there, and its checksum betrays it."""
    path = write_zip(tmp_path / "a.zip", {"im1.jpg": bytes(8 * 2**20)}, zipfile.ZIP_DEFLATED)
    data, true = path.read_bytes(), struct.pack("<L", 8 * 2**20)
    assert data.count(true) == 2  # in the local header and in the directory
    path.write_bytes(data.replace(true, struct.pack("<L", 10)))
    with pytest.raises(PhotoError, match="cannot be unpacked"):
        ZipSource(path).read("im1.jpg", PLENTY, PhotoError)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_source_refuses_methods_that_cannot_be_stopped(tmp_path, method):
    path = write_zip(tmp_path / "a.zip", {"im1.jpg": bytes(1000)}, method)
    with pytest.raises(DataError, match="only stored and deflated") as error:
        ZipSource(path)
    assert "im1.jpg" in one_line(error)


def test_zip_source_reports_a_wrong_checksum_as_the_error_asked_for(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"im1.jpg": b"original", "im2.jpg": b"whole"})
    path.write_bytes(path.read_bytes().replace(b"original", b"modified"))
    source = ZipSource(path)
    with pytest.raises(PhotoError, match=r"im1.jpg cannot be unpacked.*CRC"):
        source.read("im1.jpg", PLENTY, PhotoError)
    assert source.read("im2.jpg", PLENTY) == b"whole"


def test_zip_source_reports_an_encrypted_member(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"im1.jpg": b"secret"})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"im1.jpg cannot be unpacked.*encrypted"):
        ZipSource(path).read("im1.jpg", PLENTY)


def test_zip_source_read_stops_at_the_limit(tmp_path):
    source = ZipSource(write_zip(tmp_path / "a.zip", {"im1.jpg": bytes(1001)}))
    with pytest.raises(PhotoError, match=r"im1.jpg holds more than"):
        source.read("im1.jpg", 1000, PhotoError)
    assert len(source.read("im1.jpg", 1001)) == 1001


def test_zip_source_never_unpacks_more_than_a_byte_beyond_the_limit(tmp_path, monkeypatch):
    source = ZipSource(write_zip(tmp_path / "a.zip", {"a": b" " * 500_000}, zipfile.ZIP_DEFLATED))
    read, sizes = zipfile.ZipExtFile.read, []

    def spying_read(member: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        data = read(member, n)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", spying_read)
    with pytest.raises(DataError, match="holds more than"):
        source.read("a", 1000)
    assert sum(sizes) == 1001


def test_find_members_lists_visible_files_to_its_depth(tmp_path):
    for name in ("a.txt", "b/c.txt", "b/c/d.txt", ".hidden", ".git/x", "exif/y.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    members = find_members(tmp_path, depth=1, skip=frozenset({"exif"}))
    assert [member.name for member in members] == ["a.txt", "b/c.txt"]
    assert [member.read(1) for member in members] == [b"x", b"x"]


def test_find_members_puts_archives_before_the_folder(tmp_path):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    for name in ("b.zip", "deep/A.ZIP", "deep/deeper/no.zip"):
        write_zip(tmp_path / name, {"x": b""})
    labels = [member.label for member in find_members(tmp_path, 3, frozenset())]
    files = ["b.zip", "deep/A.ZIP", "deep/deeper/no.zip"]
    assert labels == [f"{tmp_path}/{name}" for name in ("b.zip/x", "deep/A.ZIP/x", *files)]


def test_find_members_refuses_a_root_that_is_no_folder(tmp_path):
    with pytest.raises(DataError, match=r"--root .*gone is missing"):
        find_members(tmp_path / "gone", 1, frozenset())
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file is a file; it must be a folder"):
        find_members(tmp_path / "file", 1, frozenset())


@pytest.mark.parametrize(
    ("data", "text", "reason"),
    [
        ("café".encode(), "café", None),
        ("\ufeffcafé".encode(), "café", None),
        ("café".encode("latin-1"), "café", "tags files not in UTF-8, read as Latin-1"),
        (b"\xff\xd8\x00\x01", "", "tags files that are binary"),
        ("café".encode("utf-16"), "café", None),
        (b"\xfe\xff" + "café".encode("utf-16-be"), "café", None),
        ("café".encode("utf-16")[:-1], "", "tags files that are binary"),
        ("ca\0fé".encode("utf-16"), "", "tags files that are binary"),
        ("café".encode("utf-16-le"), "", "tags files that are binary"),
        (
            b"\x8eelezo \x96 \x80",
            "\u017delezo \u2013 \u20ac",
            "tags files not in UTF-8, read as Latin-1",
        ),
        (b"a\x81b", "ab", "tags files not in UTF-8, read as Latin-1"),
        (b"", "", None),
    ],
)
def test_decode_text_takes_utf8_then_latin1_and_drops_binary(data, text, reason):
    dropped: Counter[str] = Counter()
    assert decode_text(data, dropped) == text
    assert dropped == ({reason: 1} if reason else {})


def test_split_tags_takes_parentheses_behind_a_backslash_as_parentheses():
    text = r"jaguar \(animal\), jaguar (animal); a\,b\;c, \\d, 5\" wide"
    assert split_tags(text) == [
        "jaguar (animal)",
        "jaguar (animal)",
        "a,b;c",
        r"\\d",
        r"5\" wide",
    ]


def test_split_tags_takes_lines_commas_and_semicolons():
    assert split_tags("sea\r\nblue sky, sun;;summer\n\n ") == ["sea", "blue sky", "sun", "summer"]
    assert split_tags("") == []


def test_read_stop_list_normalises_its_words(tmp_path):
    (tmp_path / "stop.txt").write_text("Nikon\nplant life\n\nplant_life\nΦΩΤΟ\n", "utf-8")
    assert read_stop_list(tmp_path / "stop.txt").words == {"nikon", "plant_life", "φωτο"}


def test_read_stop_list_skips_comments(tmp_path):
    (tmp_path / "stop.txt").write_text("# Cameras\nnikon\n#canon\n\nc#\n", "utf-8-sig")
    assert read_stop_list(tmp_path / "stop.txt").words == {"nikon", "c#"}


def test_stop_list_takes_wildcards_and_underscores_for_spaces(tmp_path):
    (tmp_path / "stop.txt").write_text("20[0-9][0-9]\nCanon *\nimg_????\nplant life\n[odd\n")
    stop_list = read_stop_list(tmp_path / "stop.txt")
    stopped = ["2007", "canon_eos_5d", "img_1234", "plant_life", "[odd"]
    kept = ["20", "20078", "canon", "canonbury", "img_12345", "plant", "life", "plantlife", "odd"]
    assert [word for word in stopped if word not in stop_list] == []
    assert [word for word in kept if word in stop_list] == []


def test_a_keyword_with_levels_is_on_the_stop_list_where_one_of_them_is(tmp_path):
    (tmp_path / "stop.txt").write_text("dates\nnikon*\n")
    stop_list = read_stop_list(tmp_path / "stop.txt")
    assert "dates|summer" in stop_list
    assert "cameras|nikond80" in stop_list
    assert "summer" not in stop_list
    assert "seasons|summer" not in stop_list


def test_stop_lists_are_joined():
    joined = StopList(frozenset({"a"})) | StopList(frozenset({"b"}), frozenset({"c*"}))
    assert [word for word in ("a", "b", "cd", "d") if word in joined] == ["a", "b", "cd"]
    assert "" not in StopList()


def test_stop_list_for_libraries_leaves_what_a_photo_shows():
    stop_list = read_stop_list(LIBRARY_STOP_LIST)
    kept = (
        "hdr, bw, macro, portrait, people, girl, daughter, spring, summer, christmas, "
        "easter, morning, wedding, church, red, camera, mount_fuji, canonbury, march, may, "
        "london, animals|birds|heron, 1st_birthday, 40th, sunday, imprint, printer, disco, "
        "best_friends, rawhide, dscotheque"
    )
    stopped = (
        "canon, canon_eos_5d, canon5d, canoneos400d, nikon, nikon_d80, nikond80, sony_a7, "
        "iphone_12, 50mm, f2.8, iso_400, 1998, 2007, 12, 2007-05-01, 20070501, "
        "december, img_1234, dsc01234, p1010001, lightroom, digikam_internal_tags|pick, "
        "geotagged, geo:lat=1, untagged, import_2008, 5_star, holidays|2007"
    )
    assert [word for word in split_tags(kept) if word in stop_list] == []
    assert [word for word in split_tags(stopped) if word not in stop_list] == []


def stop_list_lines() -> list[str]:
    lines = Path(data_prep.__file__).with_name("stop_list.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_stop_list_that_ships_holds_each_normalised_tag_once():
    lines = stop_list_lines()
    assert [line for line in lines if normalize_tag(line) != line] == []
    assert [line for line, n in Counter(lines).items() if n > 1] == []


def test_stop_list_that_ships_leaves_what_a_photo_shows():
    kept = (
        "hdr, bw, macro, portrait, bokeh, people, baby, child, children, kids, family, "
        "friends, couple, spring, summer, autumn, winter, christmas, morning, wedding, church, "
        "mosque, red, black, white, mar, film, polaroid, longexposure"
    )
    labels = {normalize_tag(label) for label in POTENTIAL_LABELS} - {"female", "male"}
    assert labels.union(split_tags(kept)) & set(stop_list_lines()) == set()


def test_stop_list_that_ships_has_members_of_each_group():
    stopped = (
        "canon, nikon, d80, 50mm, velvia, photoshop, 2000, 2007, 2008, 2030, march, "
        "explore, abigfave, anawesomeshot, interestingness, 1on1, flickr, geotagged, "
        "specanimal, bravo, supershot, 365, impressedbeauty, platinumphoto, top20, "
        "project365, diamondclassphotographer, girl, woman, male, female, "
        "sexy, nude, legs, boobs, man, boy, asian, muslim, fille, femme, chica, mujer, "
        "mädchen, donna, ragazza, gay, pregnant, beautiful, idiot, geek, me"
    )
    assert set(split_tags(stopped)) - set(stop_list_lines()) == set()


def test_read_stop_list_refuses_a_missing_or_binary_file(tmp_path):
    with pytest.raises(DataError, match=r"stop.txt cannot be read"):
        read_stop_list(tmp_path / "stop.txt")
    (tmp_path / "stop.txt").write_bytes(b"a\0b")
    with pytest.raises(DataError, match=r"stop.txt is a binary file"):
        read_stop_list(tmp_path / "stop.txt")
