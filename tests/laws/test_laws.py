"""Nothing of a person's is lost, changed or hidden: the laws on odd files, and that they can fail.

Far more cases are tried by `python tests/laws`, which also takes a folder of real files.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from helpers.keyword_photos import encode
from helpers.packets import LIGHTROOM, marks, packet, subject
from laws import trials, views
from laws.batches import Outcome, try_cases
from laws.cases import Case, make_case
from laws.command import table
from laws.places import Folder
from laws.real_files import find_photos, real_case

from mmcgan.errors import MetadataError
from mmcgan.metadata import Change

SEED = 17
N_CASES = 100
BATCH = 25

needs_exiftool = pytest.mark.skipif(
    not shutil.which("exiftool"), reason="exiftool is not installed: what it sees is not looked at"
)


@pytest.fixture(autouse=True)
def own_data_home(monkeypatch):
    """The trials name a folder for safety copies in the environment."""
    monkeypatch.setenv("XDG_DATA_HOME", "")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about broken files
@pytest.mark.parametrize("first", range(0, N_CASES, BATCH))
def test_the_laws_hold_on_odd_files(first):
    outcomes = try_cases(make_case(SEED, number) for number in range(first, first + BATCH))
    broken = {o.name: (o.labels, o.violations) for o in outcomes if o.violations}
    assert broken == {}
    assert sum(outcome.result == "written" for outcome in outcomes) > BATCH / 2


def clean(write: str, **files: bytes) -> Case:
    """A case in which all is as it should be."""
    photo = encode("JPEG", LIGHTROOM)
    return Case(
        name="clean",
        photo="a.jpg",
        folder=Folder({"a.jpg": photo, "b.jpg": photo, "b.xmp": packet(subject("mine")), **files}),
        write=write,
        marks=marks("wood", "b & w"),
        second=None,
        other_program=False,
        neighbour=None,
        late_sidecar=b"",
        labels=(),
        may_refuse=frozenset(),
    )


def violations(case: Case) -> list[str]:
    (outcome,) = try_cases([case])
    return list(outcome.violations)


CLEAN = [
    clean("sidecar"),
    clean("embedded"),
    replace(clean("sidecar"), other_program=True, second=marks("gate", model="0002")),
    replace(clean("embedded"), other_program=True),
    replace(clean("sidecar"), neighbour="b.jpg"),
]


@pytest.mark.parametrize("case", CLEAN)
def test_a_clean_case_breaks_no_law(case):
    (outcome,) = try_cases([case])
    assert (outcome.result, outcome.violations) == ("written", ())


def changed(plan, change_of):
    """A faulty product: `plan` with each change made other by `change_of`."""
    return lambda *arguments: change_of(plan(*arguments))


def drops_a_byte(change):
    return Change(change.path, change.before, change.after[:-1])


def changes_a_rating(change):
    return Change(change.path, change.before, change.after.replace(b'Rating="4"', b'Rating="5"'))


def loses_a_keyword(change):
    return Change(change.path, change.before, change.after.replace(b"<rdf:li>Birds</rdf:li>", b""))


def forgets_a_word(change):
    return Change(change.path, change.before, change.after.replace(b"<rdf:li>wood</rdf:li>", b""))


def changes_pixels(change):
    place = change.after.index(b"\xff\xdb") + 5  # the first number that brightness is divided by
    data = change.after[:place] + b"\x7f" + change.after[place + 1 :]
    return Change(change.path, change.before, data)


def adds_a_packet(change):
    start, end = change.after[:2], change.after[2:]
    own = packet(subject("wood", "b &amp; w"))
    head = b"\xff\xe1" + (len(own) + 31).to_bytes(2, "big") + b"http://ns.adobe.com/xap/1.0/\0"
    return Change(change.path, change.before, start + head + own + end)


def writes_elsewhere(change):
    other = change.path.with_name("b.xmp")
    return Change(other, other.read_bytes(), change.after)


class LeavesAFile(Change):
    def apply(self) -> None:
        super().apply()
        self.path.with_name("a.partial").write_bytes(b"")


def leaves_a_file(change):
    return LeavesAFile(change.path, change.before, change.after)


def removes_nothing(changes):
    return []


def removes_too_much(changes):
    return [Change(change.path, change.before, None) for change in changes]


def refuses(change):
    raise MetadataError("no\nreason")


def breaks(change):
    raise ValueError("an error of its own")


@pytest.mark.parametrize(
    ("write", "planted", "fault", "violation"),
    [
        ("embedded", "plan_embedded", drops_a_byte, "c: bytes are not given back — jpg"),
        ("embedded", "plan_embedded", changes_pixels, "a: pixels are others"),
        ("sidecar", "plan_sidecar", writes_elsewhere, "a: another file of the folder changes"),
        ("sidecar", "plan_sidecar", leaves_a_file, "c: a file is left over — partial"),
        ("sidecar", "plan_removal", removes_nothing, "c: a file is left over — xmp"),
        ("embedded", "plan_removal", removes_nothing, "c: bytes are not given back — jpg"),
        ("embedded", "plan_removal", removes_too_much, "c: a file is gone — jpg"),
        ("embedded", "plan_embedded", refuses, "refusal: embedded is refused without a reason"),
        ("sidecar", "plan_sidecar", refuses, "refusal: sidecar is refused without a reason"),
        ("sidecar", "plan_sidecar", breaks, "traceback: writing raises ValueError"),
        ("sidecar", "plan_removal", breaks, "traceback: removal raises ValueError"),
    ],
)
def test_a_planted_fault_breaks_a_law(monkeypatch, write, planted, fault, violation):
    monkeypatch.setattr(trials, planted, changed(getattr(trials, planted), fault))
    assert any(found.startswith(violation) for found in violations(clean(write)))


@needs_exiftool
@pytest.mark.parametrize(
    ("fault", "violation"),
    [
        (changes_a_rating, "a: exiftool sees a tag changed — XMP-xmp:Rating"),
        (loses_a_keyword, "a: exiftool sees a person's keywords lost or moved — XMP-dc:Subject"),
        (forgets_a_word, "b: exiftool sees not all of ours"),
        (adds_a_packet, "b: exiftool sees ours twice"),
    ],
)
def test_exiftool_sees_a_planted_fault(monkeypatch, fault, violation):
    monkeypatch.setattr(trials, "plan_embedded", changed(trials.plan_embedded, fault))
    assert violation in violations(clean("embedded"))


def test_ours_that_are_read_as_a_persons_break_a_law(monkeypatch):
    def reads_all(photo, sidecars):
        found = reading(photo, sidecars)
        return replace(found, texts=(*found.texts, *(["wood"] if list(sidecars) else [])))

    reading = trials.read_keywords
    monkeypatch.setattr(trials, "read_keywords", reads_all)
    assert "b: ours are read as a person's — written" in violations(clean("sidecar"))


def test_a_neighbours_sidecar_is_no_others():
    case = replace(clean("sidecar", **{"a.jpg.jpg": b""}), neighbour="a.jpg.jpg")
    assert violations(case) == []


def test_the_byte_laws_hold_without_the_programs(monkeypatch):
    monkeypatch.setattr(views, "is_installed", lambda program: False)
    assert violations(clean("embedded")) == []
    monkeypatch.setattr(trials, "plan_removal", lambda photo: [])
    assert violations(clean("embedded")) == ["c: bytes are not given back — jpg"]


def test_cases_depend_on_seed_and_number_alone():
    assert make_case(3, 5) == make_case(3, 5)
    assert make_case(3, 5) != make_case(3, 6) != make_case(4, 6)


def test_cases_are_of_all_kinds():
    labels = {label for number in range(400) for label in make_case(SEED, number).labels}
    expected = {"XMP", "MPF", "two packets", "extended XMP", "stray bytes", "GIF", "WebP", "folder"}
    assert expected <= labels
    assert {"hard link", "link", "raw sibling", "doubled ending", "name: not UTF-8"} <= labels


def test_real_files_are_tried_as_copies(tmp_path):
    (tmp_path / "below").mkdir()
    photo = tmp_path / "below" / "a [1].jpg"
    photo.write_bytes(encode("JPEG", LIGHTROOM))
    photo.with_name("a [1].xmp").write_bytes(LIGHTROOM)
    (tmp_path / "text.txt").write_text("no photo")
    assert find_photos(tmp_path) == [photo]
    case = real_case(photo, 0)
    assert case.folder.files.keys() == {"a [1].jpg", "a [1].xmp"}
    assert violations(case) == []
    assert photo.read_bytes() == encode("JPEG", LIGHTROOM)


def test_cases_that_break_a_law_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "plan_removal", lambda photo: [])
    try_cases([clean("sidecar")], keep=tmp_path)
    assert (tmp_path / "clean" / "written" / "a.jpg.xmp").exists()
    assert "c: a file is left over" in (tmp_path / "clean" / "what.txt").read_text()


def test_the_table_names_kinds_and_cases():
    broken = Outcome("seed 1, number 7", "sidecar", (), "written", ("c: left — xmp", "c: left — b"))
    lines = list(table([broken, Outcome("x", "embedded", (), "refused: format", ())]))
    assert lines == [
        "2 cases",
        "       1  embedded, refused: format",
        "       1  sidecar, written",
        "1 cases break a law",
        "       1  c: left",
        "          seed 1, number 7",
        "          xmp (1); b (1)",
    ]
