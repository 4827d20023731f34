"""Judging: photos are found, tags taken over, sheets are blind, verdicts collected and measured."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from eval.studies.judging import (
    PHOTOS,
    SHEET,
    draw_decoys,
    main,
    make_sheet,
    read_table,
    read_tags,
    read_verdicts,
    write_table,
)
from mmcgan.cli import run_command
from mmcgan.errors import DataError

ROOT = Path(__file__).parents[3]
SUBJECTS = ("cat", "dog", "sea", "tree")
IDS = ["001", "002", "003", "004"]


@pytest.fixture
def packages(tmp_path):
    """A folder of unpacked packages with four small pictures."""
    folder = tmp_path / "packages"
    for number, id in enumerate(IDS):
        path = folder / "some" / f"wallpaper-{id}.PNG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    (folder / "other.PNG").write_bytes(b"no photo of the list")
    return folder


@pytest.fixture
def tables(packages, tmp_path):
    """The folder of the tables, with the list of the four photos."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted_photos(packages)]
    photos = pd.DataFrame("", index=range(4), columns=PHOTOS)
    photos = photos.assign(id=IDS, sha256=digests, subject=SUBJECTS, half=list("AABB"))
    photos["file"] = [f"/usr/wallpaper-{id}.PNG" for id in IDS]
    write_table(tmp_path / "tables" / "photos.csv", photos)
    return tmp_path / "tables"


def sorted_photos(packages):
    return sorted((packages / "some").iterdir())


def call(tables, *words):
    return run_command(main, [*map(str, words), "--tables", str(tables)])


def write_answers(path, given):
    """What `mmcgan tag --json` prints, for words by photo."""
    lines = [
        {"path": f"photos/{id}.png", "tags": [{"word": w, "score": 0.5} for w in words]}
        for id, words in given.items()
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def judge(sheet_path, path, accepts):
    """A judge's verdicts, who accepts the photos and words that `accepts` says."""
    sheet = read_table(sheet_path, SHEET)
    right = [int(accepts(*pair)) for pair in sheet[["photo", "word"]].to_numpy()]
    write_table(path, pd.DataFrame({"pair": sheet["pair"], "right": right}))
    return path


def is_subject(photo, word):
    return SUBJECTS[IDS.index(photo)] == word


def nothing(photo, word):
    return False


# --- photos


def test_find_copies_the_photos_under_their_ids(packages, tables, tmp_path):
    assert call(tables, "find", packages, tmp_path / "out") == 0
    found = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in found] == [f"{id}.png" for id in IDS]
    for path, original in zip(found, sorted_photos(packages), strict=True):
        assert path.read_bytes() == original.read_bytes()


def test_find_names_what_is_missing(packages, tables, tmp_path, capsys):
    first, *_ = sorted_photos(packages)
    first.write_bytes(b"another version")
    assert call(tables, "find", packages, tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "missing: 001, /usr/wallpaper-001.PNG" in said.out
    assert "1 of 4 photographs are not under" in said.err
    assert len(list((tmp_path / "out").iterdir())) == 3


# --- tags


def test_tags_are_taken_over_as_people_write_them(tables, tmp_path):
    given = {id: ["plant_life", *"abcdefghijkl"] for id in IDS}
    assert call(tables, "tags", "new", write_answers(tmp_path / "new.jsonl", given)) == 0
    tags = read_tags(tables)
    assert Counter(tags["photo"]) == dict.fromkeys(IDS, 10)
    first = tags[tags["photo"] == "001"]
    assert list(first["word"]) == ["plant life", *"abcdefghi"]
    assert list(first["rank"]) == list(range(1, 11))
    assert set(tags["system"]) == {"new"}


def test_tags_of_a_system_take_the_place_of_its_older_ones(tables, tmp_path):
    for system, word in (("old", "sea"), ("new", "cat"), ("new", "dog")):
        path = write_answers(tmp_path / "a.jsonl", {id: [word] for id in IDS})
        assert call(tables, "tags", system, path) == 0
    tags = read_tags(tables)
    assert Counter(zip(tags["system"], tags["word"], strict=True)) == {
        ("old", "sea"): 4,
        ("new", "dog"): 4,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"path": "001.png", "tags": []}\n', "lacking: ['001', '002', '003', '004']"),
        ('{"path": "001.png", "error": "broken"}\n', "a line without tags"),
        ("no JSON\n", "a line without tags"),
        ("[]\n", "a line without tags"),
    ],
)
def test_wrong_answers_are_one_line(tables, tmp_path, capsys, text, words):
    (tmp_path / "a.jsonl").write_text(text)
    assert call(tables, "tags", "new", tmp_path / "a.jsonl") == 1
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert words in error[0]
    assert not (tables / "tags.csv").exists()


def test_tags_of_other_photos_are_refused(tables, tmp_path):
    path = write_answers(tmp_path / "a.jsonl", {id: ["cat"] for id in [*IDS, "005"]})
    assert call(tables, "tags", "new", path) == 1


# --- sheets


def many(n_photos=20):
    """Photos, and the tags of two systems: a common word, and words that few photos have."""
    ids = [f"{n:03d}" for n in range(n_photos)]
    photos = pd.DataFrame({"id": ids, "subject": [f"own{id}" for id in ids], "accepted": ""})
    photos["half"] = ["A", "B"] * (n_photos // 2)
    rows = [
        (id, system, rank, word)
        for id in ids
        for system, words in {
            "old": ["common", f"{id}a", f"{id}b"],
            "new": ["common", f"{id}b", f"{id}c", f"{id}d"],
        }.items()
        for rank, word in enumerate(words, 1)
    ]
    tags = pd.DataFrame(rows, columns=["photo", "system", "rank", "word"])
    return photos, tags, pd.DataFrame(columns=["photo", "word"])


def test_sheet_asks_about_each_pair_once():
    photos, tags, verdicts = many()
    key = make_sheet(photos, tags, verdicts, 0)
    real = key[key["decoy"] == 0]
    assert Counter(real["photo"]) == dict.fromkeys(photos["id"], 5)
    assert not real.duplicated(["photo", "word"]).any()
    assert list(key["pair"]) == sorted(set(key["pair"]))


def test_one_pair_in_ten_is_a_decoy():
    photos, tags, verdicts = many()
    key = make_sheet(photos, tags, verdicts, 0)
    assert (len(key), key["decoy"].sum()) == (111, 11)


def test_decoys_are_words_of_other_photos_alone_and_rare():
    photos, tags, verdicts = many()
    for seed in range(5):
        key = make_sheet(photos, tags, verdicts, seed)
        decoys = key[key["decoy"] == 1]
        assert set(decoys["word"]) <= set(tags["word"]) - {"common"}
        assert all(photo != word[:3] for photo, word in decoys[["photo", "word"]].to_numpy())
        assert not key.duplicated(["photo", "word"]).any()


def test_a_decoy_names_no_subject_and_no_other_spelling_of_a_tag():
    new = pd.DataFrame({"photo": ["1"] * 9, "word": [*"abcdefgh", "cats"]})
    others = pd.DataFrame({"photo": "2", "word": ["cat", "beetle", "free"]})
    names = {"1": {"beetle"}, "2": set()}
    for seed in range(5):
        drawn = draw_decoys(new, pd.concat([new, others]), names, np.random.default_rng(seed))
        assert drawn.to_numpy().tolist() == [["1", "free"]]


def test_sheet_holds_a_photo_together_and_no_order_of_ranks():
    photos, tags, verdicts = many()
    key = make_sheet(photos, tags, verdicts, 0)
    changes = (key["photo"] != key["photo"].shift()).sum()
    assert changes == len(photos)
    assert list(key["photo"].unique()) != sorted(photos["id"])
    is_common = key[key["decoy"] == 0].groupby("photo")["word"].first() == "common"
    assert 0 < is_common.sum() < len(photos)  # the best tag is first in some alone


def test_sheet_follows_its_seed():
    first, again, other = (make_sheet(*many(), seed) for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.reset_index(drop=True).equals(other.reset_index(drop=True))


def test_sheet_leaves_out_what_is_judged():
    photos, tags, _ = many()
    key = make_sheet(photos, tags, tags[tags["system"] == "old"], 0)
    real = key[key["decoy"] == 0]
    assert {word[3:] for word in real["word"]} == {"c", "d"}
    with pytest.raises(DataError, match="nothing to ask"):
        make_sheet(photos, tags, tags, 0)


def test_sheet_of_a_half_holds_its_photos_alone(tables, tmp_path):
    path = write_answers(tmp_path / "a.jsonl", {id: [f"w{id}"] for id in IDS})
    assert call(tables, "tags", "new", path) == 0
    assert call(tables, "sheet", tmp_path / "out", "--half", "B") == 0
    sheet = read_table(tmp_path / "out" / "sheet.csv", SHEET)
    assert list(sheet.columns) == SHEET  # neither system nor rank, score or decoy
    assert set(sheet["photo"]) == {"003", "004"}


# --- verdicts


@pytest.fixture
def sheet(tables, tmp_path):
    """The folder of a sheet of two systems' tags."""
    right = {id: [subject, f"{id}x"] for id, subject in zip(IDS, SUBJECTS, strict=True)}
    wrong = {id: [f"wrong{id}", f"{id}x"] for id in IDS}
    for system, given in (("new", right), ("old", wrong)):
        answers = write_answers(tmp_path / "a.jsonl", given)
        assert call(tables, "tags", system, answers) == 0
    assert call(tables, "sheet", tmp_path / "sheet") == 0
    return tmp_path / "sheet"


def test_verdicts_are_collected_and_measured(tables, sheet, tmp_path, capsys):
    strict = judge(sheet / "sheet.csv", tmp_path / "1.csv", is_subject)
    kind = judge(
        sheet / "sheet.csv",
        tmp_path / "2.csv",
        lambda photo, word: is_subject(photo, word) or word == f"{photo}x",
    )
    assert call(tables, "collect", sheet / "key.csv", strict, kind) == 0
    verdicts = read_verdicts(tables)
    assert len(verdicts) == 12
    assert verdicts["judge1"].sum() == 4
    assert call(tables, "measure") == 0
    text = capsys.readouterr().out
    results = json.loads((tables / "measures.json").read_text("utf-8"))
    for half in "AB":
        new, old = (results["halves"][half][s]["figures"] for s in ("new", "old"))
        assert new["subject named"]["value"] == 1
        assert old["subject named"]["value"] == old["three right"]["value"] == 0
        # The second judge takes the other word of both systems, the first of neither.
        assert new["right of five"]["value"] == 3 / 4
        assert old["right of five"]["value"] == 1 / 4
    assert "Decoys accepted: 0 of 1 by judge1 of sheet 1, 0 of 1 by judge2 of sheet 1." in text
    assert "| old |" in text
    assert (tables / "measures.md").read_text("utf-8") in text


def test_a_judge_who_accepts_decoys_is_refused(tables, sheet, tmp_path, capsys):
    strict = judge(sheet / "sheet.csv", tmp_path / "1.csv", nothing)
    all_of_them = judge(sheet / "sheet.csv", tmp_path / "2.csv", lambda photo, word: True)
    assert call(tables, "collect", sheet / "key.csv", strict, all_of_them) == 1
    assert "2.csv accepts 1 of 1 decoys, so it is void" in capsys.readouterr().err
    assert not (tables / "verdicts.csv").exists()


def test_the_same_sheet_is_not_collected_twice(tables, sheet, tmp_path, capsys):
    judged = judge(sheet / "sheet.csv", tmp_path / "1.csv", nothing)
    assert call(tables, "collect", sheet / "key.csv", judged, judged) == 0
    assert call(tables, "collect", sheet / "key.csv", judged, judged) == 1
    assert "already" in capsys.readouterr().err


def test_a_later_system_is_asked_about_its_new_tags_alone(tables, sheet, tmp_path):
    judged = judge(sheet / "sheet.csv", tmp_path / "1.csv", nothing)
    assert call(tables, "collect", sheet / "key.csv", judged, judged) == 0
    later = {id: [subject, f"later{id}"] for id, subject in zip(IDS, SUBJECTS, strict=True)}
    assert call(tables, "tags", "later", write_answers(tmp_path / "a.jsonl", later)) == 0
    assert call(tables, "measure") == 0
    assert "later: 2 tags are not judged." in (tables / "measures.md").read_text("utf-8")
    assert call(tables, "sheet", tmp_path / "again") == 0
    key = read_table(tmp_path / "again" / "key.csv", SHEET)
    assert set(key.query("decoy == '0'")["word"]) == {f"later{id}" for id in IDS}
    judged = judge(tmp_path / "again" / "sheet.csv", tmp_path / "2.csv", nothing)
    assert call(tables, "collect", tmp_path / "again" / "key.csv", judged, judged) == 0
    judgings = read_table(tables / "judgings.csv", ["sheet"])
    assert list(judgings["sheet"]) == ["1", "1", "2", "2"]
    assert len(read_verdicts(tables)) == 16


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.iloc[1:], "not exactly one verdict"),
        (lambda table: pd.concat([table, table.iloc[:1]]), "not exactly one verdict"),
        (lambda table: table.assign(right="yes"), "more than 0 and 1"),
        (lambda table: table[["pair"]], "has no column right"),
    ],
)
def test_wrong_verdicts_are_one_line(tables, sheet, tmp_path, capsys, change, words):
    good = judge(sheet / "sheet.csv", tmp_path / "1.csv", nothing)
    write_table(tmp_path / "2.csv", change(read_table(good, ["pair"])))
    assert call(tables, "collect", sheet / "key.csv", good, tmp_path / "2.csv") == 1
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert words in error[0]


def test_the_order_of_the_verdicts_does_not_matter(tables, sheet, tmp_path):
    good = judge(sheet / "sheet.csv", tmp_path / "1.csv", is_subject)
    table = read_table(good, ["pair"])
    write_table(tmp_path / "2.csv", table.iloc[::-1])
    assert call(tables, "collect", sheet / "key.csv", good, tmp_path / "2.csv") == 0
    verdicts = read_verdicts(tables)
    assert verdicts["judge1"].equals(verdicts["judge2"])


def test_tables_that_are_missing_are_named(tmp_path, capsys):
    assert call(tmp_path, "measure") == 1
    assert "photos.csv cannot be read" in capsys.readouterr().err


# --- the list that is kept


@pytest.fixture(scope="module")
def listed():
    return read_table(ROOT / "docs" / "judging" / "photos.csv", [*PHOTOS, "licence", "author"])


def test_the_list_has_100_different_photographs(listed):
    assert len(listed) == len(set(listed["sha256"])) == 100
    assert list(listed["id"]) == [f"{n:03d}" for n in range(1, 101)]
    assert list(listed["sha256"]) == sorted(listed["sha256"])
    for column in ("package", "version", "file", "licence", "subject"):
        assert (listed[column] != "").all()


def test_the_halves_follow_the_seeded_digest(listed):
    seeded = {
        digest: hashlib.sha256(b"mmcgan judging 1" + bytes.fromhex(digest)).digest()
        for digest in listed["sha256"]
    }
    first = sorted(seeded, key=seeded.__getitem__)[:50]
    assert set(listed.loc[listed["half"] == "A", "sha256"]) == set(first)
