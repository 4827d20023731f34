"""Folders of systems and programs are told from a person's."""

from __future__ import annotations

import pytest

from mmcgan.folders.system_folders import is_of_system

KEPT = [
    *("@eaDir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@Recycle", "@Recently-Snapshot"),
    *(".@__thumb", "$RECYCLE.BIN", "RECYCLER", "RECYCLED", "System Volume Information"),
    *("lost+found", ".Trash", ".Trash-1000", ".Trashes", ".thumbnails", "Network Trash Folder"),
    *("Temporary Items", "TheVolumeSettingsFolder", "__MACOSX", "~snapshot", "trashbox"),
    *("Catalog Previews.lrdata", "Catalog Smart Previews.lrdata", "Catalog.lrcat-data"),
    *("Photos Library.photoslibrary", "iPhoto Library.photolibrary", "Aperture Library.aplibrary"),
    *("iPhoto Library.migratedphotolibrary", "CaptureOne", "My Catalog.cocatalog"),
    *("FOUND.000", "LOST.DIR", "iPod Photo Cache", "appdata_oc0123456789", "files_trashbin"),
]
A_PERSONS = [
    *("eaDir", "@eaDir photos", "recycle", "Recycled", "Recycling 2019", "snapshot", "Snapshots"),
    *("tmp", "thumbnails", "Thumbs", "Trash", "lost and found", "found", "System Volume"),
    *("Temporary", "MACOSX", "Capture One", "CaptureOne exports", "lrdata", "photoslibrary"),
    *("Photos Library", "My iPhoto Library", "data", "THMBNL", "found.abc", "Android", "Recyclers"),
    *("Lightroom", "Previews", "cache", "#holiday", "@home", "$100", "~old"),
]


@pytest.mark.parametrize("name", KEPT)
def test_a_folder_of_the_system_is_known_without_regard_to_case(name):
    assert is_of_system("photos", name)
    if name != "RECYCLED":
        assert is_of_system("photos", name.swapcase())


@pytest.mark.parametrize("name", A_PERSONS)
def test_a_persons_folder_of_a_similar_name_is_none(name):
    assert not is_of_system("photos", name)


def test_some_names_are_of_the_system_in_one_place_alone():
    assert is_of_system("Android", "data")
    assert is_of_system("M4ROOT", "THMBNL")
    assert is_of_system("cache", "thumbnails")
    assert not is_of_system("statistics", "data")
