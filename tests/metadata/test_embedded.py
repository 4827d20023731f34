"""Tags in the photo itself: the packet changes, no other byte does, and a copy is kept outside."""

from __future__ import annotations

import os
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from helpers.keyword_photos import XP, encode, exif
from helpers.packets import DARKTABLE, DIGIKAM, LIGHTROOM, marks, packet, subject
from PIL import Image

from mmcgan.errors import MetadataError
from mmcgan.metadata import (
    embedded,
    plan_embedded,
    plan_removal,
    plan_sidecar,
    read_keywords,
    removal,
)
from mmcgan.metadata.containers import find_slot, with_packet

WRITABLE = ("JPEG", "PNG")


@pytest.fixture
def photo(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos" / "a.JPG"


def write(photo: Path, *words: str, **options: str) -> None:
    plan_embedded(photo, marks(*words, **options)).apply()


def remove(photo: Path) -> None:
    for change in plan_removal(photo):
        change.apply()


def keywords(photo: Path) -> list[str]:
    return list(read_keywords(photo, []).texts)


def xmp(data: bytes) -> bytes:
    found = find_slot(data, "a").packet
    assert found is not None
    return found


def kept(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []


@pytest.mark.parametrize("format", WRITABLE)
@pytest.mark.parametrize("before", [None, LIGHTROOM, DIGIKAM, DARKTABLE, packet("")])
def test_a_photo_is_written_into_and_comes_back_as_it_was(photo, copies, format, before):
    whole = encode(format, before, exif=exif(XP), dpi=(300, 300))
    photo.write_bytes(whole)
    write(photo, "wood", "sun", prefix="auto|")
    once = photo.read_bytes()
    assert b"<rdf:li>auto|wood</rdf:li>" in xmp(once)
    assert kept(copies) == [whole]
    write(photo, "wood", "sun", prefix="auto|")
    assert photo.read_bytes() == once
    write(photo, "gate", model="0002")
    assert kept(copies) == [whole]
    assert b"auto|wood" not in xmp(photo.read_bytes())
    assert [path.name for path in photo.parent.iterdir()] == ["a.JPG"]
    remove(photo)
    assert photo.read_bytes() == whole
    assert kept(copies) == []


@pytest.mark.parametrize("format", WRITABLE)
@pytest.mark.parametrize("before", [None, LIGHTROOM])
def test_only_the_packet_changes(photo, format, before):
    whole = encode(format, before, exif=exif(XP))
    photo.write_bytes(whole)
    write(photo, "wood")
    new = photo.read_bytes()
    old_slot, new_slot = find_slot(whole, "a"), find_slot(new, "a")
    assert new[: new_slot.start] == whole[: old_slot.start]
    assert new[new_slot.end :] == whole[old_slot.end :]
    old_image, new_image = (Image.open(BytesIO(data)) for data in (whole, new))
    assert np.array_equal(np.asarray(old_image), np.asarray(new_image))
    assert new_image.getexif()[0x9C9E] == XP
    assert new_image.info["xmp"] == new_slot.packet


def test_tags_that_the_user_has_anywhere_are_not_added(photo):
    whole = encode("JPEG", packet(subject("house")), exif=exif(XP))
    photo.write_bytes(whole)
    photo.with_name("a.xmp").write_bytes(packet(subject("dog")))
    write(photo, "house", "dog", "SEA", "blue_sky")
    assert photo.read_bytes() == whole
    write(photo, "house", "cat")
    assert b"<rdf:li>cat</rdf:li>" in xmp(photo.read_bytes())
    assert keywords(photo) == ["house", "Sea", "Blue sky", "b/w"]


def test_edits_since_our_write_stay(photo, copies):
    whole = encode("JPEG", LIGHTROOM)
    photo.write_bytes(whole)
    write(photo, "wood")
    edit = b"<rdf:li>Birds<", b"<rdf:li>Gulls and terns<"
    photo.write_bytes(with_packet(photo.read_bytes(), xmp(photo.read_bytes()).replace(*edit), "a"))
    remove(photo)
    assert photo.read_bytes() == with_packet(whole, LIGHTROOM.replace(*edit), "a")
    assert kept(copies) == [whole]


def test_the_packet_goes_that_we_made_and_stays_where_it_was_edited(photo):
    photo.write_bytes(encode("PNG"))
    write(photo, "wood")
    mine = b"<rdf:li>wood</rdf:li><rdf:li>mine</rdf:li>"
    edited = xmp(photo.read_bytes()).replace(b"<rdf:li>wood</rdf:li>", mine)
    photo.write_bytes(with_packet(photo.read_bytes(), edited, "a"))
    remove(photo)
    assert keywords(photo) == ["mine"]
    assert b"mmcgan" not in photo.read_bytes()


def test_sidecar_and_photo_are_both_undone(photo):
    whole = encode("JPEG", LIGHTROOM)
    photo.write_bytes(whole)
    write(photo, "wood")
    plan_sidecar(photo, marks("wood", "sun")).apply()
    assert len(plan_removal(photo)) == 2
    remove(photo)
    assert photo.read_bytes() == whole
    assert [path.name for path in photo.parent.iterdir()] == ["a.JPG"]
    assert plan_removal(photo) == []


def test_diff_shows_the_packet(photo, copies):
    whole = encode("JPEG", LIGHTROOM)
    photo.write_bytes(whole)
    lines = plan_embedded(photo, marks("sea")).diff().splitlines()
    assert lines[:2] == [f"--- {photo}", f"+++ {photo}"]
    assert "+     <rdf:li>sea</rdf:li>" in lines
    assert photo.read_bytes() == whole
    assert kept(copies) == []


@pytest.mark.parametrize("format", ["WEBP", "TIFF", "GIF", "BMP"])
def test_other_formats_are_refused_by_name(photo, format):
    whole = encode(format)
    photo.write_bytes(whole)
    with pytest.raises(MetadataError, match=r"into JPEG and PNG only, and .*a\.JPG is neither"):
        plan_embedded(photo, marks("sea"))
    assert plan_removal(photo) == []
    assert photo.read_bytes() == whole


@pytest.mark.parametrize("failing", ["a.JPG", None])
def test_a_crash_while_writing_leaves_the_photo_as_it_was(photo, monkeypatch, failing):
    replace = Path.replace

    def crash(partial: Path, path: Path) -> Path:
        if failing in (path.name, None):
            raise OSError(28, "No space left on device")
        return replace(partial, path)

    whole = encode("JPEG", LIGHTROOM)
    photo.write_bytes(whole)
    change = plan_embedded(photo, marks("sea"))
    message = r"a\.JPG cannot be written" if failing else "no safety copy can be kept in"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(MetadataError, match=f"{message}.*: No space left on device"):
            change.apply()
    assert photo.read_bytes() == whole
    assert [path.name for path in photo.parent.iterdir()] == ["a.JPG"]
    change.apply()
    assert photo.read_bytes() != whole


def test_a_photo_is_not_touched_without_a_copy(photo, copies):
    whole = encode("JPEG")
    photo.write_bytes(whole)
    copies.parent.mkdir(parents=True)
    copies.write_bytes(b"a file where the folder should be")
    with pytest.raises(MetadataError, match="no safety copy can be kept"):
        write(photo, "sea")
    assert photo.read_bytes() == whole


def test_a_read_only_library_leaves_no_copies(photo, copies, monkeypatch):
    whole = encode("JPEG")
    photo.write_bytes(whole)
    change = plan_embedded(photo, marks("sea"))
    touch = Path.touch

    def refuse(path: Path, **options: object) -> None:
        if path.parent == photo.parent:
            raise OSError(30, "Read-only file system", str(path))
        touch(path, **options)

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(MetadataError, match=r"a\.JPG cannot be written: Read-only file system"):
        change.apply()
    assert photo.read_bytes() == whole
    assert kept(copies) == []


def test_the_copy_of_a_photo_that_was_written_before_stays_when_a_write_fails(photo, copies):
    whole = encode("JPEG")
    photo.write_bytes(whole)
    write(photo, "sea")
    change = plan_embedded(photo, marks("wood"))
    photo.write_bytes(whole[:-2])
    with pytest.raises(MetadataError, match="changed by another program"):
        change.apply()
    assert kept(copies) == [whole]


@pytest.mark.parametrize("name", ["a", "a." + "x" * 250, "x" * 251 + ".jpg"])
def test_a_photo_of_any_name_is_written_into_and_comes_back(photo, copies, name):
    photo = photo.with_name(name)
    whole = encode("JPEG")
    photo.write_bytes(whole)
    write(photo, "sea")
    assert kept(copies) == [whole]
    remove(photo)
    assert photo.read_bytes() == whole
    assert kept(copies) == []


def test_a_photo_too_large_to_be_held_is_refused_and_undone_as_far_as_may_be(photo, monkeypatch):
    whole = encode("JPEG")
    photo.write_bytes(whole)
    write(photo, "sea")
    written = photo.read_bytes()
    monkeypatch.setattr(embedded, "MAX_PHOTO_BYTES", len(written) - 1)
    monkeypatch.setattr(removal, "MAX_PHOTO_BYTES", len(written) - 1)
    with pytest.raises(MetadataError, match=r"a\.JPG is larger than .* use --write sidecar for it"):
        plan_embedded(photo, marks("wood"))
    (problem,) = plan_removal(photo).problems
    assert f"tags of ours stay in {photo}: it is larger than" in problem
    photo.write_bytes(whole + bytes(len(written)))
    assert plan_removal(photo).problems == []


def test_a_drive_that_was_unplugged_is_not_made_anew(photo, copies):
    photo.write_bytes(encode("JPEG"))
    change, sidecar = plan_embedded(photo, marks("sea")), plan_sidecar(photo, marks("sea"))
    photo.unlink()
    photo.parent.rmdir()
    for gone in (change, sidecar):
        with pytest.raises(MetadataError, match=r"changed by another|No such file or directory"):
            gone.apply()
    assert not photo.parent.exists()
    assert kept(copies) == []


def test_a_photo_that_changed_after_the_plan_is_left_alone(photo):
    photo.write_bytes(encode("JPEG"))
    change = plan_embedded(photo, marks("sea"))
    other = encode("JPEG", LIGHTROOM)
    photo.write_bytes(other)
    with pytest.raises(MetadataError, match="changed by another program just now"):
        change.apply()
    assert photo.read_bytes() == other


def test_a_packet_larger_than_a_jpeg_can_hold_is_refused(photo):
    large = packet(f"<dc:title>{'x' * 64000}</dc:title>")
    photo.write_bytes(encode("JPEG", large))
    with pytest.raises(MetadataError, match="larger than a JPEG can hold"):
        write(photo, *(f"word {i}" for i in range(50)))


def test_pictures_behind_the_first_stay_where_the_first_says(photo):
    buffer = BytesIO()
    first = Image.new("RGB", (16, 12), "red")
    first.save(buffer, "MPO", save_all=True, append_images=[Image.new("RGB", (16, 12), "blue")])
    photo.write_bytes(buffer.getvalue())
    write(photo, "wood")
    with Image.open(photo) as image:
        assert image.n_frames == 2
        image.seek(1)
        assert image.convert("RGB").getpixel((5, 5))[2] > 200
    remove(photo)
    assert photo.read_bytes() == buffer.getvalue()


def test_a_broken_packet_is_named_and_left_alone(photo):
    whole = encode("JPEG", LIGHTROOM[:300])
    photo.write_bytes(whole)
    with pytest.raises(MetadataError, match=r"a\.JPG \(XMP\) is not well-formed"):
        plan_embedded(photo, marks("sea"))
    assert plan_removal(photo).problems == []
    assert photo.read_bytes() == whole


def test_a_compressed_packet_is_left_alone(photo):
    whole = encode("PNG", LIGHTROOM)
    photo.write_bytes(whole.replace(b"XML:com.adobe.xmp\0\0", b"XML:com.adobe.xmp\0\1"))
    with pytest.raises(MetadataError, match="compressed or broken"):
        plan_embedded(photo, marks("sea"))


@pytest.mark.parametrize("format", WRITABLE)
@pytest.mark.parametrize("cut", [3, 8, 12, 20, 30, 37])
def test_a_photo_that_is_cut_short_is_refused(photo, format, cut):
    whole = encode(format)[:cut]
    photo.write_bytes(whole)
    with pytest.raises(MetadataError, match=r"a\.JPG"):
        plan_embedded(photo, marks("sea"))
    assert photo.read_bytes() == whole


def test_a_missing_or_odd_photo_is_named(photo, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (photo, photo.parent, tmp_path / "pipe.jpg"):
        with pytest.raises(MetadataError, match="cannot be read"):
            plan_embedded(path, marks("sea"))
        assert plan_removal(path) == []


def test_find_slot_puts_a_new_packet_behind_jfif_and_exif():
    start = b"\xff\xd8"
    jfif = b"\xff\xe0" + struct.pack(">H", 7) + b"JFIF\0"
    filled = b"\xff\xff\xff\xe1" + struct.pack(">H", 8) + b"Exif\0\0"
    rest = b"\xff\xdb\0\x02\xff\xda\0\0"
    assert find_slot(start + jfif + rest, "a").start == len(start + jfif)
    assert find_slot(start + jfif + filled[2:] + rest, "a").start == len(start + jfif + filled) - 2
    assert find_slot(start + rest, "a").start == 2
    with pytest.raises(MetadataError, match="a is broken"):
        find_slot(start + jfif + b"\0" * 9, "a")


def test_with_packet_takes_a_packet_in_and_out():
    for format in WRITABLE:
        whole = encode(format)
        there = with_packet(whole, b"packet", "a")
        assert xmp(there) == b"packet"
        assert with_packet(there, None, "a") == whole
