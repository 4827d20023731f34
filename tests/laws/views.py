"""What exiftool and exiv2 see in files: one process of each for very many files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PROGRAMS = ("exiftool", "exiv2")
_NOT_OF_THE_PHOTO = ("SourceFile", "System:", "ExifTool:ExifToolVersion", "XMP-x:XMPToolkit")
_PLACE = re.compile(r"after JPEG \w+ segment")
_LINE = re.compile(r"(\d{6}\.\w+)\s+(\S+)\s*(.*)")


class File(NamedTuple):
    """The bytes of a file, and its ending without the point."""

    data: bytes
    ending: str


View = dict[str, list[str]]  # the values of each tag


class Views:
    """What the programs see in files, each seen once; a file that one cannot read is not there."""

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
            self.of[program] |= {file: found[name] for file, name in names.items() if name in found}
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
    return {file["SourceFile"]: _tags(file) for file in files if "ExifTool:Error" not in file}


def _tags(file: dict[str, Any]) -> View:
    return {
        tag: [_text(item) for item in (value if isinstance(value, list) else [value])]
        for tag, value in file.items()
        if not tag.startswith(_NOT_OF_THE_PHOTO)
    }


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text.startswith("base64:") and len(text) < 1000:
        return _with_pairs(text)
    return _PLACE.sub("after a segment", text)  # it names another one where ours came between


def _with_pairs(text: str) -> str:
    """A text that exiftool shows in base64 because it made surrogate pairs of UTF-16."""
    try:
        units = b64decode(text.removeprefix("base64:")).decode("utf-8", "surrogatepass")
        return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeError:
        return text


def _exiv2(names: list[str], folder: Path) -> dict[str, View]:
    command = ["exiv2", "-q", "-PEIXkv", *names, "000000.none"]
    result = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    unreadable = re.findall(rb"exception in print action for file (\S+?):?\n", result.stderr)
    views: dict[str, View] = {name: {} for name in names if name.encode() not in unreadable}
    last: list[str] = []
    for line in result.stdout.decode("utf-8", "replace").split("\n"):
        if match := _LINE.fullmatch(line.removesuffix("\r")):
            is_kept = not _is_made_up(match[1], match[2])
            last = views.setdefault(match[1], {}).setdefault(match[2], []) if is_kept else []
            last.append(match[3])
        elif last:
            last[-1] += "\n" + line
    return {
        name: {tag: [text.strip() for text in values] for tag, values in view.items()}
        for name, view in views.items()
    }


def _is_made_up(name: str, tag: str) -> bool:
    """Whether exiv2 has a tag from elsewhere: the XMP, or the photo that it read before."""
    return (name.endswith(".xmp") and tag.startswith("Iptc.")) or tag == "Exif.MakerNote.ByteOrder"


def with_keyword(files: list[File], keyword: str, folder: Path) -> list[bytes | None]:
    """The bytes of each file after exiftool has added a keyword; None where it could not.

    A file of no bytes stands for none, which exiftool then makes.
    """
    folder.mkdir()
    names = [f"{i:06}.{file.ending}" for i, file in enumerate(files)]
    for file, name in zip(files, names, strict=True):
        if file.data:
            (folder / name).write_bytes(file.data)
    task = "-overwrite_original\n-q\n-q\n-XMP-dc:Subject+={}\n{}\n-execute\n"
    (folder / "arguments").write_text("".join(task.format(keyword, name) for name in names))
    command = ["exiftool", "-@", "arguments"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    found = [folder / name for name in names]
    after = [path.read_bytes() if path.exists() else b"" for path in found]
    shutil.rmtree(folder)
    return [data if data != file.data else None for data, file in zip(after, files, strict=True)]
