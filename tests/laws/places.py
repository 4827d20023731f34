"""Names of photos, and what lies beside them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from laws.drawing import Draw, Odd
from laws.packets import draw_packet

LONGEST = 255  # bytes of a name, on nearly all file systems


@dataclass
class Folder:
    """The files beside and with a photo: bytes by name, links, modes, and other photos."""

    files: dict[str, bytes]
    symlinks: dict[str, str] = field(default_factory=dict)
    hard_links: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    read_only: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)  # files with extended attributes
    labels: list[str] = field(default_factory=list)
    may_refuse: set[str] = field(default_factory=set)


_STEMS = {
    "plain": "IMG_0001",
    "spaces": " my  photo ",
    "composed": "Küste",
    "decomposed": "Ku\u0308ste",
    "emoji": "🌊 日本",
    "double ending": "photo.jpg",
    "sidecar in the name": "photo.xmp",
    "leading dash": "-rf",
    "leading at": "@photo",
    "line break": "two\nlines",
    "hidden": ".photo",
    "points": "a..b.",
    "glob": "[1]*?",
    "quotes": 'it\'s "x"',
    "percent": "100%s {0}",
    "tilde": "~photo",
    "not UTF-8": os.fsdecode(b"K\xfcste"),
}
_STEM_WEIGHTS = dict.fromkeys(_STEMS, 2) | {"plain": 50, "not UTF-8": 1}


def draw_name(draw: Draw, ending: str) -> tuple[str, str]:
    """A name of a photo and its label."""
    label = draw.by_weight(_STEM_WEIGHTS | {"long": 3})
    if draw.chance(0.03) and label != "sidecar in the name":
        ending = ""
    if label == "long":
        n_bytes = LONGEST - draw.one(0, 1, 3, 4, 5, 8, 11, 12, 20) - len(ending)
        stem = draw.one("x", "ü", "日")
        n = n_bytes // len(stem.encode())
        return (stem * n).ljust(n + n_bytes - len(stem.encode()) * n, "y") + ending, label
    return _STEMS[label] + ending, label if ending else f"{label}, no ending"


def draw_folder(draw: Draw, name: str, photo: Odd, keywords: list[tuple[str, ...]]) -> Folder:
    """The photo with what lies beside it: sidecars, other files, links."""
    folder = Folder({name: photo.data})
    _add_sidecars(draw, folder, name, keywords)
    for _ in range(int(draw.by_weight({"0": 5, "1": 3, "2": 1}))):
        _add_companion(draw, folder, name)
    if draw.chance(0.1):
        _add_odd_file(draw, folder, name)
    return folder


def stem_of(name: str) -> str:
    return Path(name).stem


def _add(folder: Folder, name: str, data: bytes, label: str) -> bool:
    if name in folder.files or len(os.fsencode(name)) > LONGEST:
        return False
    folder.files[name] = data
    folder.labels.append(label)
    return True


def _add_sidecars(draw: Draw, folder: Folder, name: str, keywords: list[tuple[str, ...]]) -> None:
    names = {"photo.xmp": stem_of(name) + ".xmp", "photo.jpg.xmp": name + ".xmp"}
    names |= {"photo.XMP": stem_of(name) + ".XMP"}
    which = draw.by_weight({"": 6, "photo.xmp": 3, "photo.jpg.xmp": 3, "both": 1, "photo.XMP": 1})
    for label in ("photo.xmp", "photo.jpg.xmp") if which == "both" else (which,) if which else ():
        packet = _sidecar(draw, keywords)
        if _add(folder, names[label], packet.data, f"{label}: {', '.join(packet.labels)}"):
            folder.may_refuse |= {f"sidecar: {kind}" for kind in packet.may_refuse}


def _sidecar(draw: Draw, keywords: list[tuple[str, ...]]) -> Odd:
    kind = draw.by_weight({"packet": 20, "empty": 1, "blank": 1, "no XMP": 1})
    if kind == "packet":
        return draw_packet(draw, keywords)
    data = {"empty": b"", "blank": b"\n", "no XMP": b"not XMP at all"}[kind]
    return Odd(data, (f"{kind} sidecar",), frozenset({"broken XMP"}))


def _add_companion(draw: Draw, folder: Folder, name: str) -> None:
    stem, ending = stem_of(name), name[len(stem_of(name)) :]
    companions = {
        "raw sibling": stem + draw.one(".CR2", ".nef", ".dng"),
        "photo of the same stem": stem + draw.one(".png", ".webp", ".heic"),
        "film": stem + draw.one(".mov", ".MP4"),
        "phone's edits": stem + ".aae",
        "camera's thumbnail": stem + ".thm",
        "raw developer's": name + ".pp3",
        "backup": draw.one(stem + ".bak", name + ".bak", name + "~"),
        "voice note": stem + ".wav",
        "text": stem + ".txt",
        "doubled ending": name + (ending or ".jpg"),
        "its name as a stem": name + ".png",
        "sidecar of a sidecar": name + ".xmp.xmp",
        "its stem as a name": stem if stem.endswith((".jpg", ".png")) else stem + ".tif",
        "edited": stem + "-edited" + ending,
        "numbered": f"{stem}_01{ending}",
        "numbered sidecar": f"{stem}_01{ending}.xmp",
    }
    label = draw.one(*companions)
    _add(folder, companions[label], b"some bytes of " + label.encode(), label)


def _add_odd_file(draw: Draw, folder: Folder, name: str) -> None:
    sidecars = [other for other in folder.files if other.lower().endswith(".xmp")]
    labels = ("hard link", "link", "read-only", "attributes", "sidecar link", "dangling", "folder")
    label = draw.one(*labels)
    if label == "hard link":
        folder.hard_links["other name"] = draw.one(name, *sidecars)
        folder.may_refuse |= {"hard link", "sidecar: hard link"}
    elif label == "link":
        folder.files["the real one"] = folder.files.pop(name)
        folder.symlinks[name] = "the real one"
    elif label == "read-only":
        folder.read_only += [name, *sidecars]
    elif label == "attributes":
        folder.attributes += [name, *sidecars]
    elif label == "sidecar link" and sidecars:
        folder.files["real sidecar"] = folder.files.pop(sidecars[0])
        folder.symlinks[sidecars[0]] = "real sidecar"
    elif label in ("dangling", "folder") and len(os.fsencode(name)) < 200:
        _block_sidecar(folder, name + ".xmp", label)
    folder.labels.append(label)


def _block_sidecar(folder: Folder, sidecar: str, label: str) -> None:
    folder.files.pop(sidecar, None)
    folder.may_refuse |= {"sidecar: in the way"}
    if label == "folder":
        folder.folders.append(sidecar)
    else:
        folder.symlinks[sidecar] = "nothing here"
