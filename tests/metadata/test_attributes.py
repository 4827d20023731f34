"""A file that is written anew keeps what it has beside its bytes, or is left as it is."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.keyword_photos import encode
from helpers.packets import LIGHTROOM, marks

from mmcgan.errors import MetadataError
from mmcgan.metadata import Change, attributes, plan_embedded, plan_removal, plan_sidecar
from mmcgan.metadata.attributes import carry_over

PHOTO = encode("JPEG", LIGHTROOM)


@pytest.fixture
def photo(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    path = tmp_path / "photos" / "a.jpg"
    path.write_bytes(PHOTO)
    path.with_name("a.xmp").write_bytes(LIGHTROOM)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def plan(photo: Path, place: str) -> tuple[Path, Change]:
    """A change, and the file that it is of."""
    if place == "embedded":
        return photo, plan_embedded(photo, marks("sea"))
    return photo.with_name("a.xmp"), plan_sidecar(photo, marks("sea"))


def remove(photo: Path) -> list[str]:
    removal = plan_removal(photo)
    for change in removal:
        change.apply()
    return removal.problems


def set_attribute(path: Path, name: str, value: bytes) -> None:
    if not hasattr(os, "setxattr"):
        pytest.skip("extended attributes are set by another package here")
    try:
        os.setxattr(path, name, value)
    except OSError as reason:
        pytest.skip(f"the disk has no such attributes: {reason}")


def attributes_of(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


PLACES = ("embedded", "sidecar")


@pytest.mark.parametrize("place", PLACES)
def test_extended_attributes_stay(photo, place):
    path, change = plan(photo, place)
    set_attribute(path, "user.xdg.tags", "Küste,Hund".encode())
    set_attribute(path, "user.empty", b"")
    before = attributes_of(path)
    change.apply()
    assert attributes_of(path) == before
    assert path.read_bytes() == change.after
    assert remove(photo) == []
    assert attributes_of(path) == before


@pytest.mark.parametrize("place", PLACES)
def test_access_lists_stay_and_a_folder_s_own_are_not_taken_on(photo, place):
    if not shutil.which("setfacl"):
        pytest.skip("setfacl is not installed")
    path, change = plan(photo, place)
    for options in (["-m", "u:65534:r", str(path)], ["-dm", "u:65533:rwx", str(path.parent)]):
        if subprocess.run(["setfacl", *options], capture_output=True).returncode:
            pytest.skip("the disk has no access lists")
    before = attributes_of(path), path.stat().st_mode
    change.apply()
    assert (attributes_of(path), path.stat().st_mode) == before
    subprocess.run(["setfacl", "-b", str(path)], check=True)
    assert remove(photo) == []
    assert attributes_of(path) == {}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o777, 0o444])
def test_rights_stay(photo, place, mode):
    path, change = plan(photo, place)
    path.chmod(mode)
    if not os.access(path, os.W_OK):
        pytest.skip("only root writes what is read-only")
    change.apply()
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("place", PLACES)
def test_owner_and_group_stay(photo, place):
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root gives files away")
    path, change = plan(photo, place)
    os.chown(path, 1234, 5678)
    path.chmod(0o640)
    change.apply()
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 5678, 0o640)


def test_what_the_system_does_not_let_us_keep_is_no_failure(photo, monkeypatch):
    def refuse(*arguments: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    path, change = plan(photo, "embedded")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(path, 1234, 5678)
    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(Path, "chmod", refuse)
    change.apply()
    assert path.read_bytes() == change.after


@pytest.mark.parametrize("place", PLACES)
def test_a_tag_of_a_person_s_that_cannot_be_kept_is_not_lost(photo, monkeypatch, place):
    path, change = plan(photo, place)
    set_attribute(path, "user.xdg.comment", b"mine")
    before, there = path.read_bytes(), names(path.parent)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "setxattr", full)
    with pytest.raises(MetadataError, match=r"its attribute user\.xdg\.comment would be lost"):
        change.apply()
    assert path.read_bytes() == before
    assert attributes_of(path) == {"user.xdg.comment": b"mine"}
    assert names(path.parent) == there


def test_an_attribute_of_the_system_s_may_be_lost(photo, monkeypatch):
    path, change = plan(photo, "embedded")

    class System:
        def listxattr(self, path: Path) -> list[str]:
            return ["security.selinux", "com.apple.provenance"]

        def getxattr(self, path: Path, name: str) -> bytes:
            return b"x"

        def setxattr(self, path: Path, name: str, value: bytes) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(attributes, "_system", System)
    change.apply()
    assert path.read_bytes() == change.after


def test_on_a_mac_the_attributes_are_those_of_its_package(tmp_path, monkeypatch):
    kept: dict[str, dict[str, bytes]] = {"old": {"com.apple.metadata:_kMDItemUserTags": b"x"}}

    def functions() -> dict[str, Callable[..., object]]:
        return {
            "listxattr": lambda path: list(kept.get(Path(path).name, ())),
            "getxattr": lambda path, name: kept[Path(path).name][name],
            "setxattr": lambda path, name, value: kept.setdefault(Path(path).name, {}).update(
                {name: value}
            ),
        }

    for name in ("listxattr", "getxattr", "setxattr"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setitem(sys.modules, "xattr", types.SimpleNamespace(**functions()))
    for name in ("old", "new"):
        (tmp_path / name).touch()
    carry_over(tmp_path / "old", tmp_path / "new")
    assert kept["new"] == kept["old"]


def test_a_disk_without_attributes_is_no_failure(photo, monkeypatch):
    def unsupported(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    path, change = plan(photo, "sidecar")
    monkeypatch.setattr(os, "listxattr", unsupported, raising=False)
    change.apply()
    assert path.read_bytes() == change.after


@pytest.mark.parametrize("linked", [False, True])
def test_a_photo_with_several_names_is_refused_and_stays_one_file(photo, tmp_path, linked):
    other = tmp_path / "other.jpg"
    other.hardlink_to(photo)
    named = photo
    if linked:
        named = tmp_path / "link.jpg"
        named.symlink_to(photo)
    with pytest.raises(MetadataError, match=r"one of 2 names.*; use --write sidecar"):
        plan_embedded(named, marks("sea"))
    assert photo.stat().st_ino == other.stat().st_ino
    assert photo.read_bytes() == PHOTO


@pytest.mark.parametrize("place", PLACES)
def test_a_file_that_got_a_second_name_after_the_plan_is_left_alone(photo, tmp_path, place):
    path, change = plan(photo, place)
    before = path.read_bytes()
    (tmp_path / "other").hardlink_to(path)
    with pytest.raises(MetadataError, match=r"one of 2 names \(hard links\)"):
        change.apply()
    assert path.stat().st_nlink == 2
    assert path.read_bytes() == before


def test_a_sidecar_with_several_names_is_refused_with_what_to_do(photo, tmp_path):
    (tmp_path / "other").hardlink_to(photo.with_name("a.xmp"))
    with pytest.raises(MetadataError, match=r"a\.xmp is one of 2 names.*; make it a file of its"):
        plan_sidecar(photo, marks("sea"))


def test_a_photo_with_several_names_can_have_a_sidecar(photo, tmp_path):
    photo.with_name("a.xmp").unlink()
    (tmp_path / "other.jpg").hardlink_to(photo)
    plan_sidecar(photo, marks("sea")).apply()
    assert photo.with_name("a.jpg.xmp").exists()
    assert remove(photo) == []
    assert [path.name for path in photo.parent.iterdir()] == ["a.jpg"]


def test_a_linked_photo_is_written_where_it_is_and_the_link_stays(photo, tmp_path):
    link = tmp_path / "link.jpg"
    link.symlink_to(photo)
    plan_embedded(link, marks("sea")).apply()
    assert link.is_symlink()
    assert photo.read_bytes() != PHOTO
    assert not photo.is_symlink()
    assert remove(link) == []
    assert photo.read_bytes() == PHOTO
    assert names(tmp_path) == ["data", "link.jpg", "photos"]


def test_what_is_protected_is_not_written(photo, monkeypatch):
    path, change = plan(photo, "embedded")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(MetadataError, match=r"a\.jpg cannot be written: it is protected"):
        change.apply()
    assert path.read_bytes() == PHOTO


def test_the_time_of_change_is_that_of_the_write(photo):
    path, change = plan(photo, "embedded")
    os.utime(path, (1, 1))
    change.apply()
    assert path.stat().st_mtime > 1e9
    os.utime(path, (1, 1))
    assert remove(photo) == []
    assert path.stat().st_mtime > 1e9
