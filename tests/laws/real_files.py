"""Cases from files that a person names: each photo with what lies beside it, as a copy."""

from __future__ import annotations

from pathlib import Path

from laws.cases import TIME, Case
from laws.drawing import Draw
from laws.places import Folder
from laws.refusals import REFUSALS

from mmcgan.inference.photos.formats.kinds import BUILT_IN, HEIC, RAW
from mmcgan.metadata import Marks

MAX_BYTES = 64 * 2**20


def find_photos(folder: Path) -> list[Path]:
    """All photos in a folder and those below it."""
    endings = BUILT_IN | HEIC | RAW
    return sorted(path for path in folder.rglob("*") if _is_tried(path, endings))


def _is_tried(path: Path, endings: frozenset[str]) -> bool:
    is_photo = path.suffix.lower() in endings and path.is_file()
    return is_photo and path.stat().st_size <= MAX_BYTES


def real_case(photo: Path, number: int) -> Case:
    """The case of a real photo. Any of the known refusals is right for it."""
    draw = Draw(0, number)
    beside = photo.parent.glob(f"{_escaped(photo.stem)}*")
    files = {path.name: path.read_bytes() for path in beside if path.is_file()}
    words = ("sea", "plant_life", "日本", "a & <b>", "b/w")
    marks = [Marks(tuple((w, 0.9) for w in words[i:]), f"000{i}", TIME, "auto|") for i in (0, 1)]
    return Case(
        name=str(photo),
        photo=photo.name,
        folder=Folder(files),
        write=draw.one("sidecar", "embedded", "embedded"),
        marks=marks[0],
        second=marks[1] if draw.chance(0.3) else None,
        other_program=draw.chance(0.2),
        neighbour=None,
        late_sidecar=b"",
        labels=(photo.suffix,),
        may_refuse=frozenset(REFUSALS),
    )


def _escaped(stem: str) -> str:
    return "".join(f"[{c}]" if c in "[]*?" else c for c in stem)
