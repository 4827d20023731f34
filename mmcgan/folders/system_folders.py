"""Folders that a system or a program keeps for itself among a person's photos.

They hold thumbnails, deleted photos, earlier states of a folder, or a catalog in which its program
does not expect anyone else: not what a person tags or learns from. A name counts as a whole and
without regard to case, so that a person's folder of a similar name is none of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

LEFT_OUT = "folders of the system (thumbnails, recycle bins, catalogs)"

# Whose they are, and their names with | between: `*` stands for any text, `?` for one character,
# and `a/b` is a folder b in a folder a.
_FOLDERS = {
    "Synology": "@eaDir|#recycle|#snapshot|@tmp|@sharebin|@sharesnap|@S2S",
    "QNAP": "@Recycle|@Recently-Snapshot|@Transcode|.@*|.streams",
    "other stores": "_NAS_Recycle_*|trashbox|.recycle|~snapshot|.snapshot|.snapshots|.zfs",
    "Nextcloud": "files_trashbin|files_versions|appdata_oc??????????",
    "Windows": (
        "$RECYCLE.BIN|RECYCLER|System Volume Information|found.[0-9][0-9][0-9]|$Windows.~*|"
        "$SysReset|$WinREAgent|Config.Msi|MSOCache|AppData"
    ),
    "Linux": "lost+found|.Trash|.Trash-*|.thumbnails|.dtrash|cache/thumbnails",
    "Android": "LOST.DIR|Android/data|Android/obb",
    "macOS": (
        ".Trashes|Network Trash Folder|Temporary Items|.TemporaryItems|TheVolumeSettingsFolder|"
        "TheFindByContentFolder|.Spotlight-V100|.AppleDouble|__MACOSX|Backups.backupdb|"
        "iPod Photo Cache"
    ),
    "libraries of Apple": (
        "*.photoslibrary|*.photolibrary|iPhoto Library|*.migratedphotolibrary|*.aplibrary|"
        "*.migratedaplibrary|*.apvault|*.imovielibrary|*.fcpbundle"
    ),
    "Lightroom": "*.lrdata|*.lrcat-data|*.lrlibrary",
    "Capture One": "CaptureOne|*.cocatalog",
    "other programs": (
        "Generated Images.bundle|Corel Auto-Preserve|.picasaoriginals|_data/i|_vti_cnf"
    ),
    "cameras": "M4ROOT/THMBNL",
}
_IN_CAPITALS = frozenset({"RECYCLED"})  # as DOS wrote it; in small letters, a person's word


def is_of_system(folder: str, name: str) -> bool:
    """Whether the folder `name` in one called `folder` is kept by a system or a program."""
    is_known = _NAMES.match(name) or _PLACES.match(f"{folder}/{name}")
    return is_known is not None or name in _IN_CAPITALS


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)), re.IGNORECASE)


_PATTERNS = [pattern for listed in _FOLDERS.values() for pattern in listed.split("|")]
_NAMES = _any_of(pattern for pattern in _PATTERNS if "/" not in pattern)
_PLACES = _any_of(pattern for pattern in _PATTERNS if "/" in pattern)
