"""Taking our tags out: whatever photo and sidecars are like, what we made goes, the rest stays."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path

import pytest
from helpers.keyword_photos import XP, contents, encode, exif, iptc, jpeg_with_iptc
from helpers.packets import LIGHTROOM, marks, packet, subject

from mmcgan import files
from mmcgan.metadata import plan_embedded, plan_removal, plan_sidecar, read_keywords
from mmcgan.metadata.containers import find_slot, with_packet
from mmcgan.metadata.removal import Removal

PLAIN = encode("JPEG")
ODD_PHOTOS = {
    "empty": b"",
    "zeros": bytes(100),
    "text": b"no photo at all",
    "start": PLAIN[:2],
    "cut in a segment": PLAIN[:10],
    "cut in the pixels": PLAIN[:-20],
    "stray bytes": PLAIN[:20] + bytes(30) + PLAIN[20:],
    "empty XMP": with_packet(PLAIN, b" ", "a"),
    "broken XMP": encode("JPEG", LIGHTROOM[:300]),
    "DTD": encode("JPEG", b"<!DOCTYPE a><a/>"),
    "no XMP": encode("JPEG", b"<a/>"),
    "compressed XMP": encode("PNG", LIGHTROOM).replace(b"com.adobe.xmp\0\0", b"com.adobe.xmp\0\1"),
    "TIFF": encode("TIFF", LIGHTROOM),
    "WebP": encode("WEBP", LIGHTROOM),
    "PNG without an end": encode("PNG")[:-12],
}


@pytest.fixture
def photo(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    path = tmp_path / "photos" / "a.jpg"
    path.write_bytes(PLAIN)
    return path


def remove(photo: Path) -> Removal:
    removal = plan_removal(photo)
    for change in removal:
        change.apply()
    return removal


def marked(data: bytes | None, photo: Path, *words: str) -> bytes:
    photo.write_bytes(data or PLAIN)
    plan_embedded(photo, marks(*words or ("sea",))).apply()
    return photo.read_bytes()


@pytest.mark.parametrize("odd", ODD_PHOTOS)
def test_a_sidecar_is_undone_whatever_its_photo_is_like(photo, odd):
    photo.write_bytes(ODD_PHOTOS[odd])
    before = contents(photo)
    plan_sidecar(photo, marks("sea")).apply()
    assert contents(photo).keys() == {"a.jpg", "a.jpg.xmp"}
    assert remove(photo).problems == []
    assert contents(photo) == before


@pytest.mark.parametrize("kind", ["missing", "folder", "link to nothing", "pipe"])
def test_a_sidecar_is_undone_where_its_photo_is_no_file(photo, kind):
    plan_sidecar(photo, marks("sea")).apply()
    photo.unlink()
    if kind == "folder":
        photo.mkdir()
    elif kind == "link to nothing":
        photo.symlink_to("nowhere")
    elif kind == "pipe":
        os.mkfifo(photo)
    assert remove(photo).problems == []
    assert not photo.with_name("a.jpg.xmp").exists()


@pytest.mark.parametrize("failing", ["stat", "open"])
def test_a_sidecar_is_undone_where_its_photo_cannot_be_read(photo, monkeypatch, failing):
    plan_sidecar(photo, marks("sea")).apply()
    call = getattr(Path, failing)

    def refuse(path: Path, *arguments: object, **options: object) -> object:
        if path == photo:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return call(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, failing, refuse)
        removal = remove(photo)
    assert removal.problems == [f"{photo} cannot be read: Input/output error"]
    assert contents(photo) == {"a.jpg": PLAIN}


@pytest.mark.parametrize("data", [b"", b"\0" * 9, b"\n\n"])
def test_a_sidecar_that_was_empty_is_empty_again(photo, data):
    photo.with_name("a.xmp").write_bytes(data)
    plan_sidecar(photo, marks("sea")).apply()
    assert contents(photo)["a.xmp"] != data
    assert remove(photo).problems == []
    assert contents(photo) == {"a.jpg": PLAIN, "a.xmp": data}


@pytest.mark.parametrize("data", [b"", b"\0" * 9, LIGHTROOM[:400], b"<!DOCTYPE a><a/>", b"<a/>"])
def test_a_broken_sidecar_without_marks_is_no_problem(photo, data):
    photo.with_name("a.xmp").write_bytes(data)
    plan_sidecar(photo.with_name("b.jpg"), marks("sea"))
    assert remove(photo).problems == []
    assert contents(photo) == {"a.jpg": PLAIN, "a.xmp": data}


@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_a_broken_sidecar_that_may_hold_marks_is_named_and_the_others_are_cleaned(photo, codec):
    plan_sidecar(photo, marks("sea")).apply()
    own = photo.with_name("a.jpg.xmp")
    broken = own.read_bytes().decode().encode(codec)[:-300]
    photo.with_name("a.xmp").write_bytes(broken)
    removal = remove(photo)
    assert len(removal.problems) == 1
    assert "a.xmp" in removal.problems[0]
    assert "\n" not in removal.problems[0]
    assert contents(photo) == {"a.jpg": PLAIN, "a.xmp": broken}


def test_an_unreadable_sidecar_is_named_and_the_photo_is_cleaned(photo, monkeypatch):
    marked(PLAIN, photo)
    photo.with_name("a.xmp").write_bytes(LIGHTROOM)
    read = Path.open

    def refuse(path: Path, *arguments: object, **options: object) -> object:
        if path.suffix == ".xmp":
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return read(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        removal = remove(photo)
    assert removal.problems == [f"{photo.with_name('a.xmp')} cannot be read: Stale file handle"]
    assert photo.read_bytes() == PLAIN


def test_a_huge_sidecar_without_marks_is_no_problem(photo):
    photo.with_name("a.xmp").write_bytes(LIGHTROOM + b" " * (16 * 2**20))
    assert remove(photo).problems == []


def test_a_photo_that_was_cut_after_the_write_is_still_undone(photo):
    written = marked(PLAIN, photo)
    photo.write_bytes(written[:-9])
    assert remove(photo).problems == []
    assert photo.read_bytes() == PLAIN[:-9]


def test_marks_in_a_second_packet_are_taken_out(photo):
    slot = find_slot(marked(PLAIN, photo), "a")
    segment = photo.read_bytes()[slot.start : slot.end]
    whole = encode("JPEG", packet(subject("mine")))
    end = find_slot(whole, "a").end
    photo.write_bytes(whole[:end] + segment + whole[end:])
    assert remove(photo).problems == []
    assert photo.read_bytes() == whole


def compressed(written: bytes) -> bytes:
    """A PNG with its packet as another program may keep it: compressed."""
    slot = find_slot(written, "a")
    content = b"iTXtXML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(slot.packet or b"")
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return written[: slot.start] + chunk + written[slot.end :]


def test_marks_that_cannot_be_taken_out_are_named(photo):
    png = compressed(marked(encode("PNG"), photo))
    xmp = find_slot(marked(PLAIN, photo), "a").packet
    for data in (png, encode("WEBP", xmp), encode("TIFF", xmp)):
        photo.write_bytes(data)
        removal = remove(photo)
        assert removal == []
        assert len(removal.problems) == 1
        assert str(photo) in removal.problems[0]
        assert photo.read_bytes() == data


def test_marks_in_a_broken_packet_are_named(photo):
    written = marked(PLAIN, photo)
    xmp = find_slot(written, "a").packet or b""
    broken = with_packet(written, xmp.replace(b"</rdf:RDF>", b""), "a")
    photo.write_bytes(broken)
    plan_sidecar(photo, marks("wood")).apply()
    removal = remove(photo)
    assert [str(photo) in problem for problem in removal.problems] == [True]
    assert contents(photo) == {"a.jpg": broken}


def test_words_that_another_program_copied_into_iptc_and_exif_are_named(photo):
    photo.write_bytes(encode("JPEG", exif=exif("Blue sky;wood".encode("utf-16-le") + b"\0\0")))
    plan_embedded(photo, marks("sea")).apply()
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc(b"sea")) + 1) + iptc(b"sea") + b"\0"
    segment = b"Photoshop 3.0\0" + block
    data = photo.read_bytes()
    slot = find_slot(data, "a")
    app13 = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    photo.write_bytes(data[: slot.end] + app13 + data[slot.end :])
    removal = remove(photo)
    assert len(removal.problems) == 1
    assert all(part in removal.problems[0] for part in (str(photo), "sea", "IPTC"))
    assert remove(photo).problems == []


@pytest.mark.parametrize("write", [plan_sidecar, plan_embedded])
def test_words_that_another_program_copied_into_another_packet_are_named(photo, write):
    write(photo, marks("sea", "sun", prefix="auto|")).apply()
    tree = subject("auto|sea", "auto|sun", tag="lr:hierarchicalSubject")
    copy = packet(subject("sea", "sun") + tree)
    if write is plan_sidecar:
        photo.write_bytes(with_packet(PLAIN, copy, "a.jpg"))
    else:
        photo.with_name("a.xmp").write_bytes(copy)
    before = contents(photo)
    assert not write(photo, marks("sea", "sun", prefix="auto|")).is_needed
    removal = remove(photo)
    place = "its XMP" if write is plan_sidecar else "a.xmp"
    assert [f"sea, sun, auto|sea, auto|sun in {place}" in line for line in removal.problems] == [
        True
    ]
    assert contents(photo).keys() == before.keys() - {"a.jpg.xmp"}


def test_a_tag_that_a_person_wrote_beside_ours_is_no_problem(photo):
    written = packet(subject("dog"))
    photo.with_name("a.xmp").write_bytes(written)
    plan_sidecar(photo, marks("sea", prefix="auto|")).apply()
    text = photo.with_name("a.xmp").read_bytes()
    photo.with_name("a.xmp").write_bytes(
        text.replace(b"<rdf:li>dog", b"<rdf:li>sea</rdf:li><rdf:li>dog")
    )
    assert remove(photo).problems == []


def test_words_that_a_person_had_in_exif_are_no_problem(photo):
    photo.write_bytes(encode("JPEG", exif=exif(XP)))
    marked(photo.read_bytes(), photo, "wood")
    assert remove(photo).problems == []


def test_a_hard_linked_photo_or_sidecar_is_named_and_the_other_file_is_cleaned(photo, tmp_path):
    written = marked(PLAIN, photo)
    (tmp_path / "other.jpg").hardlink_to(photo)
    plan_sidecar(photo, marks("wood")).apply()
    removal = remove(photo)
    assert len(removal.problems) == 1
    assert "one of 2 names (hard links)" in removal.problems[0]
    assert contents(photo) == {"a.jpg": written}


def dead_partial(path: Path) -> Path:
    """What a killed write of `path` on this machine leaves."""
    child = os.fork()
    if child == 0:
        with files.atomic_path(path) as partial:
            partial.write_bytes(b"half")
            os._exit(0)
    os.waitpid(child, 0)
    (left,) = path.parent.glob(".mmcgan-*.partial")
    return left


@pytest.mark.parametrize("name", ["a.jpg", "a.jpg.xmp", "a.xmp"])
def test_what_a_killed_write_left_is_removed(photo, name):
    left = dead_partial(photo.with_name(name))
    removal = plan_removal(photo)
    assert [change.path for change in removal] == [left]
    assert str(left) in removal[0].diff()
    assert plan_removal(photo.with_name("b.jpg")) == []
    remove(photo)
    assert contents(photo) == {"a.jpg": PLAIN}


def test_what_is_being_written_is_left_alone(photo):
    with files.atomic_path(photo.with_name("a.jpg.xmp")) as partial:
        assert plan_removal(photo) == []
        partial.write_bytes(b"whole")
    assert photo.with_name("a.jpg.xmp").read_bytes() == b"whole"


def test_a_safety_copy_of_a_photo_that_was_never_written_is_removed(photo, copies):
    marked(PLAIN, photo)
    photo.write_bytes(PLAIN)  # as if the program had died between the copy and the photo
    assert len(list(copies.iterdir())) == 1
    assert remove(photo).problems == []
    assert list(copies.iterdir()) == []
    assert contents(photo) == {"a.jpg": PLAIN}


def test_copies_of_a_person_s_keywords_go_unless_the_originals_were_dropped(photo):
    whole = jpeg_with_iptc(iptc(b"dog", b"cat"))
    written = marked(whole, photo)
    assert remove(photo).problems == []
    assert photo.read_bytes() == whole
    packet = find_slot(written, "a").packet
    photo.write_bytes(encode("JPEG", packet))  # as by a program that drops IPTC
    assert remove(photo).problems == []
    assert read_keywords(photo, []).texts == ("dog", "cat")
    assert b"mmcgan" not in photo.read_bytes()


def test_copies_in_a_sidecar_go_with_its_photo(photo):
    whole = jpeg_with_iptc(iptc(b"dog"))
    photo.write_bytes(whole)
    plan_sidecar(photo, marks("sea")).apply()
    sidecar = photo.with_name("a.jpg.xmp")
    written = sidecar.read_bytes()
    photo.write_bytes(PLAIN)  # its keywords were dropped
    assert remove(photo).problems == []
    assert read_keywords(photo, [sidecar]).texts == ("dog",)
    sidecar.write_bytes(written)
    photo.unlink()
    assert remove(photo).problems == []
    assert contents(photo) == {}
