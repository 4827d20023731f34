"""The laws: what is not ours stays, what is ours is read, and removal gives everything back.

Each violation is one line, its kind, often with a detail behind a dash. Its first word is the law:

    a  what is not ours is as it was, for exiftool and exiv2, in pixels, and in the folder
    b  what we wrote is read by both, a person's keywords stay visible, ours are never theirs
    c  removal gives back every byte, and leaves no file of ours
    r  a keyword that exiftool shows is read by us
    refusal    a write that is refused has a reason that fits the case, and changes nothing
    traceback  something else than a `MetadataError` came out
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from laws.refusals import kind_of
from laws.seen import READ, Sight, meant, persons_keywords, plain, seen
from laws.trials import State, Trial
from laws.views import PROGRAMS, File, View, Views, is_installed
from PIL import Image, ImageSequence

from mmcgan.inference.photos.formats.kinds import PHOTOS_AND_VIDEOS
from mmcgan.inference.words.vocabulary import normalize_tag, printed
from mmcgan.metadata import Marks


def files_of(trial: Trial, name: str) -> dict[str, File]:
    """The photo and its sidecars in a state, as the programs are to see them."""
    state = trial.states.get(name, {})
    found = {trial.case.photo, *trial.paths.values(), *_sidecars(trial)} & state.keys()
    return {path: File(_data(state, path), _ending(trial, path)) for path in sorted(found)}


def _sidecars(trial: Trial) -> list[str]:
    photo = trial.photo
    is_anothers = Path(photo.stem).suffix.lower() in PHOTOS_AND_VIDEOS  # photo.jpg of photo.jpg.png
    names = [photo.name] if is_anothers else [photo.name, photo.stem]
    return [name + suffix for suffix in (".xmp", ".XMP") for name in names]


def _data(state: State, name: str) -> bytes:
    entry = state[name]
    return _data(state, entry.link) if entry.link in state else entry.data


def _ending(trial: Trial, name: str) -> str:
    ending = name.rpartition(".")[2].lower()
    return ending if name != trial.case.photo and ending == "xmp" else "jpg"


def judge(trial: Trial, views: Views) -> list[str]:
    """All violations of the laws in a trial; those of (a) and (b) as far as there are views."""
    found = [*trial.wrong, *_refusal(trial), *_folder(trial), *_removal(trial), *_reading(trial)]
    if trial.path and not trial.refusal:
        found += _pixels(trial)
    last = trial.case.second or trial.case.marks
    for name, marks in (("written", trial.case.marks), ("again", last)):
        is_whole = "anything" not in trial.case.may_skip
        if name in trial.states and trial.path and not trial.refusal and is_whole:
            for program in PROGRAMS:
                found += _seen(trial, name, marks, program, views.of[program])
    found += _read_as_exiftool(trial, views.of["exiftool"])
    return list(dict.fromkeys(found))


def _refusal(trial: Trial) -> Iterator[str]:
    if not trial.refusal:
        return
    kind = kind_of(trial.refusal)
    if not {kind, "anything"} & trial.case.may_refuse:
        yield f"refusal: {trial.case.write} is refused without a reason — {kind}"
    if "again" not in trial.states and trial.states["written"] != trial.states["before"]:
        yield "refusal: something changed all the same"


def _folder(trial: Trial) -> Iterator[str]:
    """Only the photo, or one sidecar that can be no other's, may change."""
    before, after = trial.states["before"], trial.states["written"]
    changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    real = {before[n].link or n for n in changed if n in before} | changed
    allowed = {trial.case.photo} if trial.case.write == "embedded" else set(_sidecars(trial))
    allowed |= {before[n].link for n in allowed if n in before}
    for name in sorted(real - allowed):
        yield f"a: another file of the folder changes — {name.rpartition('.')[2]}"
    if trial.case.write == "sidecar" and _is_of_another(trial):
        yield "a: a sidecar is written that may be another photo's"
    for name in changed & before.keys() & after.keys():
        old, new = before[name], after[name]
        if old._replace(data=b"") != new._replace(data=b""):
            yield "a: mode, attributes or links of the written file are others"


def _is_of_another(trial: Trial) -> bool:
    """Whether the file written is the sidecar of another photo in the folder, by its full name."""
    others = trial.states["before"].keys() - {trial.case.photo}
    photos = [name for name in others if Path(name).suffix.lower() in PHOTOS_AND_VIDEOS]
    own = trial.path[: -len(".xmp")]
    if own == trial.case.photo:
        return False
    return any(name == own or name.rpartition(".")[0] == own for name in photos)


def _removal(trial: Trial) -> Iterator[str]:
    if trial.is_edited:
        return
    before, removed = trial.states["before"], trial.states["removed"]
    for name in sorted(removed.keys() - before.keys()):
        yield f"c: a file is left over — {name.rpartition('.')[2]}"
    for name in sorted(before.keys() - removed.keys()):
        yield f"c: a file is gone — {name.rpartition('.')[2]}"
    for name in before.keys() & removed.keys():
        if before[name].data != removed[name].data:
            yield f"c: bytes are not given back — {name.rpartition('.')[2]}"
        elif before[name] != removed[name]:
            yield "c: mode, attributes or links are not given back"
    if trial.copies and before == removed:
        yield "c: a safety copy is left"


def _reading(trial: Trial) -> Iterator[str]:
    for name, texts in trial.texts.items():
        lost = set(trial.texts["before"]) - set(texts)
        if lost:
            yield f"b: a person's keyword is not read any more — {name}"
        gained = set(texts) - set(trial.texts["before"])
        if gained and not trial.is_edited:
            yield f"b: ours are read as a person's — {name}"


def _pixels(trial: Trial) -> Iterator[str]:
    before, after = (_data(trial.states[name], trial.case.photo) for name in ("before", "written"))
    if before != after and _decoded(before) != _decoded(after):
        yield "a: pixels are others"


def _decoded(data: bytes) -> list[bytes] | str:
    try:
        with Image.open(BytesIO(data)) as image:
            return [frame.convert("RGBA").tobytes() for frame in ImageSequence.Iterator(image)]
    except Exception as reason:
        return type(reason).__name__


def _seen(
    trial: Trial, name: str, marks: Marks, program: str, views: dict[File, View]
) -> Iterator[str]:
    """What a program sees in the file that was written."""
    before, after = files_of(trial, "before"), files_of(trial, name)
    old, new = before.get(trial.paths[name]), after.get(trial.paths[name])
    if not is_installed(program) or new is None or (old is not None and old not in views):
        return
    if new not in views:
        yield f"a: {program} cannot read the file any more"
        return
    ours = [marks.prefix + printed(word) for word in wanted(trial, marks)]
    theirs = persons_keywords(views.get(file, {}) for file in before.values())
    sight = Sight(program, old, new, views[old] if old else {}, views[new])
    yield from seen(sight, ours, [*theirs, *trial.texts["before"]])


def wanted(trial: Trial, marks: Marks) -> list[str]:
    """The words of the marks that the person does not have."""
    taken = {normalize_tag(text) for text in trial.texts["before"]}
    return [word for word, _ in marks.tags if normalize_tag(word) not in taken]


def _read_as_exiftool(trial: Trial, views: dict[File, View]) -> Iterator[str]:
    if {"anything", "document type", "sidecar: document type"} & trial.case.may_skip:
        return  # broken or unsafe, so that we need not read as much
    words = {normalize_tag(text) for text in trial.texts["before"]} | {None}
    for file in files_of(trial, "before").values():
        for tag, values in views.get(file, {}).items():
            if not READ.fullmatch(plain(tag)):
                continue
            separator = r"\s*;\s*" if "XPKeywords" in tag else r"(?!)"
            levels = r"[|/]" if "TagsList" in tag or "Last" in tag else r"\|"
            for text in (part for value in values for part in re.split(separator, value)):
                leaf = re.split(levels, meant(text))[-1].strip()
                spellings = {normalize_tag(leaf), normalize_tag(re.sub(r"[\0-\x1f]", "", leaf))}
                if not spellings & words and "\ufffd" not in leaf:
                    yield f"r: not read, and exiftool shows it — {plain(tag)}"
