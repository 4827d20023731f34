"""What exiftool and exiv2 see in files: one process of each for very many files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PROGRAMS = ("exiftool", "exiv2")
_NOT_OF_THE_PHOTO = ("SourceFile", "System:", "ExifTool:ExifToolVersion", "XMP-x:XMPToolkit")
_OFFSET = re.compile(r"(Offset|Start|Offsets)$")  # they may change with what they point at
_LINE = re.compile(r"(\d{6}\.\w+)\s+(\S+)\s*(.*)")


class File(NamedTuple):
    """The bytes of a file, and its ending without the point."""

    data: bytes
    ending: str


View = dict[str, list[str]]  # the values of each tag


class Views:
    """What the programs see in files, each seen once."""

    def __init__(self) -> None:
        self.of: dict[str, dict[File, View]] = {program: {} for program in PROGRAMS}

    def look(self, files: Iterable[File], folder: Path) -> None:
        """Let all programs that are installed look at the files, which are written to `folder`."""
        names = {file: f"{i:06}.{file.ending}" for i, file in enumerate(dict.fromkeys(files))}
        folder.mkdir()
        for file, name in names.items():
            (folder / name).write_bytes(file.data)
        (folder / "000000.none").write_bytes(b"")  # of a single file exiv2 gives no name
        for program, look in (("exiftool", _exiftool), ("exiv2", _exiv2)):
            found = look(list(names.values()), folder) if is_installed(program) and names else {}
            self.of[program] |= {file: found.get(name, {}) for file, name in names.items()}
        shutil.rmtree(folder)


@cache
def is_installed(program: str) -> bool:
    return shutil.which(program) is not None


def _exiftool(names: list[str], folder: Path) -> dict[str, View]:
    options = ["-j", "-b", "-struct", "-a", "-G1:4", "-q", "-q", *names]
    (folder / "arguments").write_text("\n".join(options))
    command = ["exiftool", "-@", "arguments"]
    found = subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout
    files = json.loads(found.decode("utf-8", "replace") or "[]", parse_float=str, parse_int=str)
    return {file["SourceFile"]: _tags(file) for file in files}


def _tags(file: dict[str, Any]) -> View:
    return {
        tag: [_text(item) for item in (value if isinstance(value, list) else [value])]
        for tag, value in file.items()
        if not tag.startswith(_NOT_OF_THE_PHOTO) and not _OFFSET.search(tag)
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _exiv2(names: list[str], folder: Path) -> dict[str, View]:
    command = ["exiv2", "-q", "-PEIXkv", *names, "000000.none"]
    found = subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout
    views: dict[str, View] = {}
    last: list[str] = []
    for line in found.decode("utf-8", "replace").split("\n"):
        if match := _LINE.fullmatch(line.removesuffix("\r")):
            if match[1].endswith(".xmp") and match[2].startswith("Iptc."):
                continue  # made up from the XMP
            last = views.setdefault(match[1], {}).setdefault(match[2], [])
            last.append(match[3])
        elif last:
            last[-1] += "\n" + line
    return views


def with_keyword(files: list[File], keyword: str, folder: Path) -> list[bytes | None]:
    """The bytes of each file after exiftool has added a keyword; None where it could not.

    A file of no bytes stands for none, which exiftool then makes.
    """
    folder.mkdir()
    names = [f"{i:06}.{file.ending}" for i, file in enumerate(files)]
    for file, name in zip(files, names):
        if file.data:
            (folder / name).write_bytes(file.data)
    task = "-overwrite_original\n-q\n-q\n-XMP-dc:Subject+={}\n{}\n-execute\n"
    (folder / "arguments").write_text("".join(task.format(keyword, name) for name in names))
    command = ["exiftool", "-@", "arguments"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    found = [folder / name for name in names]
    after = [path.read_bytes() if path.exists() else b"" for path in found]
    shutil.rmtree(folder)
    return [data if data != file.data else None for data, file in zip(after, files)]
