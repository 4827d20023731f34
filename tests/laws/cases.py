"""Cases: a folder with a photo, the marks to write, and what else happens to it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from laws.containers import ENDINGS, draw_photo
from laws.drawing import Draw
from laws.packets import STYLES, draw_keywords, render
from laws.places import LONGEST, Folder, draw_folder, draw_name

from mmcgan.metadata import Marks

TIME = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
_PHOTOS = (".jpg", ".jpeg", ".png", ".PNG", ".JPG", ".dng", ".CR2", ".nef", ".tif", ".webp")
WORDS = ("sea", "wood", "plant_life", "日本", "a & <b>", "birds", "café", "b/w", "é'\"", "orange")


LATE = render(STYLES["attributes alone"], []).encode()


@dataclass(frozen=True)
class Case:
    """One case.

    `may_refuse` are the kinds of refusal that are right for what it writes to, `may_skip` those of
    all that it reads, which may be passed over.
    """

    name: str
    photo: str
    folder: Folder
    write: str
    marks: Marks
    second: Marks | None
    other_program: bool
    neighbour: str | None
    late_sidecar: bytes
    labels: tuple[str, ...]
    may_refuse: frozenset[str]
    may_skip: frozenset[str] = frozenset()

    def build(self, place: Path) -> Path:
        """Make the files of the case in the folder `place`; return the photo."""
        place.mkdir(parents=True)
        for name, data in self.folder.files.items():
            (place / name).write_bytes(data)
        for name, target in self.folder.symlinks.items():
            (place / name).symlink_to(target)
        for name, target in self.folder.hard_links.items():
            os.link(place / target, place / name)
        for name in self.folder.attributes:
            _set_attribute(place / name)
        for name in self.folder.folders:
            (place / name).mkdir()
        for name in self.folder.read_only:
            (place / name).chmod(0o444)
        return place / self.photo


def _set_attribute(path: Path) -> None:
    with suppress(AttributeError, OSError):  # not on all systems, nor on all file systems
        os.setxattr(path, "user.xdg.tags", b"mine,yours")


def make_case(seed: int, number: int) -> Case:
    """The case of a number: always the same for the same seed."""
    draw = Draw(seed, number)
    keywords = draw_keywords(draw)
    kind, photo = draw_photo(draw, keywords)
    ending = draw.one(*ENDINGS[kind]) if draw.chance(0.97) else ".jpg"
    name, label = draw_name(draw, ending)
    folder = draw_folder(draw, name, photo, keywords)
    is_writable = kind in ("jpeg", "png")
    write = "embedded" if draw.chance(0.6 if is_writable else 0.1) else "sidecar"
    others = [path for path in folder.files if path != name and path.endswith(_PHOTOS)]
    refusals = _refusals(write, photo.may_refuse, folder.may_refuse, name)
    return Case(
        name=f"seed {seed}, number {number}",
        photo=name,
        folder=folder,
        write=write,
        marks=draw_marks(draw, "0001"),
        second=draw_marks(draw, "0002") if draw.chance(0.3) else None,
        other_program=draw.chance(0.15),
        neighbour=draw.one(*others) if others and write == "sidecar" else None,
        late_sidecar=LATE if write == "sidecar" and draw.chance(0.3) else b"",
        labels=(write, *photo.labels, f"name: {label}", *folder.labels),
        may_refuse=refusals,
        may_skip=photo.may_refuse | folder.may_refuse,
    )


def draw_marks(draw: Draw, model: str) -> Marks:
    """Marks of some words, which may be a person's; rarely of very many."""
    words = draw.shuffled(draw.some(WORDS, at_least=1))
    words += [f"tag {i}" for i in range(200)] if draw.chance(0.03) else []
    scores = tuple((word, round(0.99 - 0.001 * i, 3)) for i, word in enumerate(words))
    return Marks(scores, model, TIME, draw.one("", "", "auto|", "a & b|c|"))


def _refusals(
    write: str, of_photo: frozenset[str], of_folder: set[str], name: str
) -> frozenset[str]:
    """The refusals that are right: the photo's for embedded writes, the sidecar's for others."""
    if write == "embedded":
        beside = {kind for kind in of_folder if not kind.startswith("sidecar: ")}
        return of_photo | beside | {"too large"}
    beside = {kind.removeprefix("sidecar: ") for kind in of_folder if kind.startswith("sidecar: ")}
    beside |= {"name too long"} if len(os.fsencode(name)) > LONGEST - len(".xmp") else set()
    return frozenset(beside | (set() if Path(name).suffix else {"no ending"}))
