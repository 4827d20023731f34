"""MIRFLICKR-25000 in all the shapes in which it lies on people's disks, and its download."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data_prep import mirflickr
from data_prep.mirflickr import download, read_mirflickr, split_of_number
from mmcgan.errors import DataError, PhotoError

NONE: frozenset[str] = frozenset()
PHOTOS = {
    "mirflickr/im1.jpg": b"photo 1",
    "mirflickr/im2.jpg": b"photo 2",
    "mirflickr/im15001.jpg": b"photo 15001",
    "mirflickr/im16001.jpg": b"photo 16001",
    "mirflickr/im20001.jpg": b"photo 20001",
    "mirflickr/meta/tags/tags1.txt": b"sea\r\nblue sky\r\n",
    "mirflickr/meta/tags/tags2.txt": b"",
    "mirflickr/meta/tags/tags15001.txt": b"nikon\nsea\nSea\n",
    "mirflickr/meta/tags/tags16001.txt": b"snow\n",
    "mirflickr/meta/tags_raw/tags1.txt": b"not these\n",
    "mirflickr/doc/common_tags.txt": b"sea 2\nneverused 9\n",
}
ANNOTATIONS = {
    "README.txt": b"1\n2\n",
    "sea.txt": b"1\n15001\n24999\n",
    "sea_r1.txt": b"1\n",
    "plant_life.txt": b"2\n1\n",
}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def put(folder: Path, members: dict[str, bytes]) -> None:
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def both_zipped(root: Path) -> None:
    put(
        root, {mirflickr.IMAGES_ZIP: zipped(PHOTOS), mirflickr.ANNOTATIONS_ZIP: zipped(ANNOTATIONS)}
    )


def both_unpacked(root: Path) -> None:
    put(root, PHOTOS)
    put(root / "mirflickr25k_annotations_v080", ANNOTATIONS)


def mixed(root: Path) -> None:
    put(root, PHOTOS)
    put(root, {mirflickr.ANNOTATIONS_ZIP: zipped(ANNOTATIONS)})


def mixed_the_other_way(root: Path) -> None:
    put(root, {mirflickr.IMAGES_ZIP: zipped(PHOTOS)})
    put(root, ANNOTATIONS)


def nested_zips(root: Path) -> None:
    both_zipped(root / "mirflickr25k")


def nested_folders(root: Path) -> None:
    both_unpacked(root / "mirflickr25k")


def the_image_folder_itself(root: Path) -> None:
    put(root, {name.removeprefix("mirflickr/"): data for name, data in PHOTOS.items()})
    put(root / "annotations", ANNOTATIONS)


def twice(root: Path) -> None:
    both_zipped(root)
    both_unpacked(root)


LAYOUTS = [
    both_zipped,
    both_unpacked,
    mixed,
    mixed_the_other_way,
    nested_zips,
    nested_folders,
    the_image_folder_itself,
    twice,
]


@pytest.mark.parametrize("lay_out", LAYOUTS)
def test_read_mirflickr_finds_everything_in_every_layout(tmp_path, lay_out):
    lay_out(tmp_path)
    collection = read_mirflickr(tmp_path, NONE)
    by_id = {photo.image_id: photo for photo in collection.photos}
    assert list(by_id) == [1, 2, 15001, 16001, 20001]
    assert [photo.split for photo in by_id.values()] == ["train", "train", "dev", "val", "test"]
    assert [p.tags for p in by_id.values()] == [
        ("sea", "blue_sky"),
        (),
        ("nikon", "sea"),
        ("snow",),
        (),
    ]
    assert [p.annotations for p in by_id.values()] == [
        ("plant_life", "sea"),
        ("plant_life",),
        ("sea",),
        (),
        (),
    ]
    assert [p.relevant_annotations for p in by_id.values()] == [("sea",), (), (), (), ()]
    assert collection.annotation_names == ("plant_life", "sea")
    assert collection.relevant_annotation_names == ("sea",)
    assert [photo.read() for photo in by_id.values()] == list(PHOTOS.values())[:5]
    assert collection.dropped == {
        "annotations of images that are not there": 1,
        "tags repeated on the same photo": 1,
    }


def test_read_mirflickr_prefers_an_archive_to_what_was_unpacked_of_it(tmp_path):
    """Unpacking may have been interrupted, and only the archive has checksums."""
    both_zipped(tmp_path)
    put(tmp_path, {"mirflickr/im1.jpg": b"pho", "mirflickr/meta/tags/tags1.txt": b"s"})
    put(tmp_path, {"annotations/sea.txt": b"2\n"})
    photo = read_mirflickr(tmp_path, NONE).photos[0]
    assert photo.read() == b"photo 1"
    assert photo.tags == ("sea", "blue_sky")
    assert photo.annotations == ("plant_life", "sea")


def test_read_mirflickr_names_a_photo_by_its_archive(tmp_path):
    both_zipped(tmp_path)
    photo = read_mirflickr(tmp_path, NONE).photos[0]
    assert photo.name.endswith("mirflickr25k.zip/mirflickr/im1.jpg")


def test_read_mirflickr_without_annotations_knows_no_labels(tmp_path):
    put(tmp_path, {mirflickr.IMAGES_ZIP: zipped(PHOTOS)})
    collection = read_mirflickr(tmp_path, NONE)
    assert collection.annotation_names == collection.relevant_annotation_names == ()
    assert not any(photo.annotations for photo in collection.photos)


def test_read_mirflickr_without_any_tag_gives_photos_without_tags(tmp_path):
    put(tmp_path, {"im1.jpg": b"x", "im2.jpg": b"x"})
    assert [photo.tags for photo in read_mirflickr(tmp_path, NONE).photos] == [(), ()]


def test_read_mirflickr_leaves_stop_words_out_of_tags_and_annotations(tmp_path):
    both_zipped(tmp_path)
    collection = read_mirflickr(tmp_path, frozenset({"sea", "nikon"}))
    assert [photo.tags for photo in collection.photos][:3] == [("blue_sky",), (), ()]
    assert collection.annotation_names == ("plant_life",)
    assert collection.relevant_annotation_names == ()
    assert not any("sea" in photo.annotations for photo in collection.photos)
    assert collection.dropped["annotation labels on the stop list"] == 2
    assert collection.dropped["tags on the stop list"] == 4


@pytest.mark.parametrize(
    ("number", "split"),
    [
        (1, "train"),
        (15_000, "train"),
        (15_001, "dev"),
        (16_000, "dev"),
        (16_001, "val"),
        (20_000, "val"),
        (20_001, "test"),
        (25_000, "test"),
    ],
)
def test_split_of_number_follows_the_protocol(number, split):
    assert split_of_number(number) == split


def test_read_mirflickr_ignores_and_counts_numbers_outside_the_collection(tmp_path):
    put(tmp_path, {"im0.jpg": b"", "im1.jpg": b"", "im25001.jpg": b"", "img3.jpg": b""})
    collection = read_mirflickr(tmp_path, NONE)
    assert [photo.image_id for photo in collection.photos] == [1]
    assert collection.dropped == {"images whose number is not in 1–25000": 2}


def test_read_mirflickr_counts_lines_that_are_no_number(tmp_path):
    put(tmp_path, {"im1.jpg": b"", "im2.jpg": b""})
    put(tmp_path, {"sky.txt": b"1\r\n\r\nsky\n2 3\n-1\n\xff\n2\n2\n1e3\n"})
    collection = read_mirflickr(tmp_path, NONE)
    assert [photo.annotations for photo in collection.photos] == [("sky",), ("sky",)]
    assert collection.dropped == {"lines of annotation files that are no image number": 5}


def test_read_mirflickr_reads_latin1_and_drops_binary_tags_files(tmp_path):
    put(tmp_path, {f"im{n}.jpg": b"" for n in (1, 2, 3)})
    put(
        tmp_path / "meta" / "tags",
        {
            "tags1.txt": "café\n".encode("latin-1"),
            "tags2.txt": b"sea\0\x01\x02",
            "tags3.txt": "café\n".encode(),
            "tags9.txt": b"nobody\n",
        },
    )
    collection = read_mirflickr(tmp_path, NONE)
    assert [photo.tags for photo in collection.photos] == [("café",), (), ("café",)]
    assert collection.dropped == {
        "tags files not in UTF-8, read as Latin-1": 1,
        "tags files that are binary": 1,
        "tags files of images that are not there": 1,
    }


def test_read_mirflickr_drops_a_huge_tags_file(tmp_path, monkeypatch):
    monkeypatch.setattr(mirflickr, "MAX_TEXT_BYTES", 100)
    put(tmp_path, {"im1.jpg": b"", "meta/tags/tags1.txt": b"sea\n" * 26})
    collection = read_mirflickr(tmp_path, NONE)
    assert collection.photos[0].tags == ()
    assert collection.dropped == {"tags files that cannot be read": 1}


def test_read_mirflickr_refuses_a_missing_root(tmp_path):
    with pytest.raises(DataError, match=r"--root .*nowhere is missing"):
        read_mirflickr(tmp_path / "nowhere", NONE)


def test_read_mirflickr_refuses_a_root_without_images(tmp_path):
    put(tmp_path, {"readme.txt": b"", mirflickr.ANNOTATIONS_ZIP: zipped(ANNOTATIONS)})
    with pytest.raises(DataError, match=r"no image im1.jpg.*--download") as error:
        read_mirflickr(tmp_path, NONE)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("name", [mirflickr.IMAGES_ZIP, mirflickr.ANNOTATIONS_ZIP])
def test_read_mirflickr_refuses_a_truncated_archive(tmp_path, name):
    both_zipped(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-40])
    with pytest.raises(DataError, match=f"{name} is not a whole zip archive"):
        read_mirflickr(tmp_path, NONE)


def test_read_mirflickr_refuses_an_archive_with_a_bomb(tmp_path):
    put(tmp_path, {mirflickr.IMAGES_ZIP: zipped({**PHOTOS, "mirflickr/im3.jpg": bytes(2**22)})})
    with pytest.raises(DataError, match="zip bomb"):
        read_mirflickr(tmp_path, NONE)


def stored(members: dict[str, bytes]) -> bytes:
    return zipped(members, zipfile.ZIP_STORED)


def test_read_mirflickr_goes_on_when_one_image_has_a_wrong_checksum(tmp_path):
    damaged = stored(PHOTOS).replace(b"photo 2", b"PHOTO 2")
    put(tmp_path, {mirflickr.IMAGES_ZIP: damaged})
    first, second, *_ = read_mirflickr(tmp_path, NONE).photos
    assert first.read() == b"photo 1"
    with pytest.raises(PhotoError, match=r"im2.jpg cannot be unpacked"):
        second.read()


def test_read_mirflickr_refuses_a_damaged_annotation(tmp_path):
    damaged = stored({"im1.jpg": b"", "sky.txt": b"1\n22\n"}).replace(b"22\n", b"23\n")
    put(tmp_path, {"all.zip": damaged})
    with pytest.raises(DataError, match=r"sky.txt cannot be unpacked"):
        read_mirflickr(tmp_path, NONE)


def test_read_mirflickr_photo_that_vanished_is_a_photo_error(tmp_path):
    put(tmp_path, {"im1.jpg": b"x"})
    photo = read_mirflickr(tmp_path, NONE).photos[0]
    (tmp_path / "im1.jpg").unlink()
    with pytest.raises(PhotoError, match=r"im1.jpg cannot be read"):
        photo.read()


def test_read_mirflickr_on_the_real_collection(shared_dir):
    collection = read_mirflickr(shared_dir / "mirflickr", NONE)
    photos = collection.photos
    assert len(photos) == 20_000
    assert sum(bool(photo.tags) for photo in photos) == 15_677
    assert len({tag for photo in photos for tag in photo.tags}) == 1_384
    assert len(collection.annotation_names) == 24
    assert len(collection.relevant_annotation_names) == 14
    assert Counter(photo.split for photo in photos) == {"train": 15_000, "dev": 1_000, "val": 4_000}
    with ThreadPoolExecutor(4) as pool:
        assert all(data[:2] == b"\xff\xd8" for data in pool.map(lambda p: p.read(), photos[::100]))


# --- download -----------------------------------------------------------------------------------


class Archive(http.server.BaseHTTPRequestHandler):
    """Serves `files` by name, with ranges; `break_after` bytes of one answer it hangs up once."""

    files: dict[str, bytes]
    break_after: int | None
    knows_ranges: bool
    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        name, range_ = self.path.lstrip("/"), self.headers.get("Range")
        type(self).asked.append((name, range_))
        if name not in self.files:
            return self.send_error(404)
        data = self.files[name]
        start = (
            int(range_.removeprefix("bytes=").rstrip("-")) if range_ and self.knows_ranges else 0
        )
        if start and start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        stop, type(self).break_after = self.break_after, None
        self.wfile.write(data[start : None if stop is None else start + stop])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def home(monkeypatch) -> Iterator[tuple[str, type[Archive]]]:
    """The archives' home on this machine: its address, and the handler to play tricks with."""
    photos, annotations = stored({**PHOTOS, "filler": bytes(range(256)) * 800}), zipped(ANNOTATIONS)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(mirflickr, "IMAGES_MD5", hashlib.md5(photos).hexdigest())

    class Handler(Archive):
        files = {mirflickr.IMAGES_ZIP: photos, mirflickr.ANNOTATIONS_ZIP: annotations}  # noqa: RUF012
        break_after = None
        knows_ranges = True
        asked = []  # noqa: RUF012

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", Handler
    server.shutdown()
    server.server_close()
    thread.join()


def listing(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


BOTH = sorted([mirflickr.IMAGES_ZIP, mirflickr.ANNOTATIONS_ZIP])


def test_download_fetches_what_read_mirflickr_reads(tmp_path, home):
    url, _ = home
    download(tmp_path / "new", url)
    assert listing(tmp_path / "new") == BOTH
    assert len(read_mirflickr(tmp_path / "new", NONE).photos) == 5


def test_download_leaves_whole_files_alone(tmp_path, home):
    url, handler = home
    download(tmp_path, url)
    handler.asked.clear()
    download(tmp_path, url)
    assert handler.asked == []


def test_download_goes_on_where_it_was_broken_off(tmp_path, home):
    url, handler = home
    handler.break_after = 100_000
    with pytest.raises(DataError, match=r"mirflickr25k.zip.*100000 bytes are kept") as error:
        download(tmp_path, url)
    assert "\n" not in str(error.value)
    assert listing(tmp_path) == [mirflickr.IMAGES_ZIP + ".part"]
    download(tmp_path, url)
    assert handler.asked[1] == (mirflickr.IMAGES_ZIP, "bytes=100000-")
    assert listing(tmp_path) == BOTH
    assert (tmp_path / mirflickr.IMAGES_ZIP).read_bytes() == handler.files[mirflickr.IMAGES_ZIP]


def test_download_starts_afresh_where_the_server_knows_no_ranges(tmp_path, home):
    url, handler = home
    handler.knows_ranges = False
    put(tmp_path, {mirflickr.IMAGES_ZIP + ".part": handler.files[mirflickr.IMAGES_ZIP][:5000]})
    download(tmp_path, url)
    assert listing(tmp_path) == BOTH


def test_download_takes_a_part_that_is_whole_already(tmp_path, home):
    url, handler = home
    put(tmp_path, {mirflickr.IMAGES_ZIP + ".part": handler.files[mirflickr.IMAGES_ZIP]})
    download(tmp_path, url)
    assert listing(tmp_path) == BOTH


def test_download_replaces_a_part_that_is_too_long(tmp_path, home):
    url, handler = home
    put(tmp_path, {mirflickr.IMAGES_ZIP + ".part": handler.files[mirflickr.IMAGES_ZIP] + b"more"})
    download(tmp_path, url)
    assert (tmp_path / mirflickr.IMAGES_ZIP).read_bytes() == handler.files[mirflickr.IMAGES_ZIP]


def test_download_refuses_a_file_with_the_wrong_checksum(tmp_path, home):
    url, handler = home
    handler.files[mirflickr.IMAGES_ZIP] = b"corrupt" + handler.files[mirflickr.IMAGES_ZIP][7:]
    with pytest.raises(
        DataError, match=r"mirflickr25k.zip does not have the expected md5"
    ) as error:
        download(tmp_path, url)
    assert "\n" not in str(error.value)
    assert listing(tmp_path) == []


def test_download_refuses_annotations_that_are_no_whole_archive(tmp_path, home):
    url, handler = home
    handler.files[mirflickr.ANNOTATIONS_ZIP] = b"<html>moved</html>"
    with pytest.raises(DataError, match="is not a whole zip archive") as error:
        download(tmp_path, url)
    assert mirflickr.ANNOTATIONS_ZIP in str(error.value)
    assert listing(tmp_path) == [mirflickr.IMAGES_ZIP]


def test_download_says_when_the_file_is_gone(tmp_path, home):
    url, handler = home
    handler.files.clear()
    with pytest.raises(DataError, match=r"mirflickr25k.zip cannot be fetched: .*404"):
        download(tmp_path, url)
    assert listing(tmp_path) == []


def test_download_says_when_nobody_answers(tmp_path, home):
    server = http.server.HTTPServer(("127.0.0.1", 0), Archive)
    server.server_close()
    with pytest.raises(DataError, match=r"cannot be fetched: .*refused") as error:
        download(tmp_path, f"http://127.0.0.1:{server.server_port}")
    assert "\n" not in str(error.value)
