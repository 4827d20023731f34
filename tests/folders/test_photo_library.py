"""A library of photos from the command line: tagged, written to, gone on with, and cleared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers.libraries import files, summary
from helpers.photos import make_photo

from mmcgan.cli import INTERRUPTED
from mmcgan.folders.config import TagConfig
from mmcgan.folders.photo_library import tagging_name
from mmcgan.metadata import (
    Change,
    find_sidecars,
    model_of_sidecar,
    read_keywords,
)


def own_words(photo: Path) -> list[str]:
    text = find_sidecars(photo)[0].read_text()
    return [part.split("<")[0] for part in text.split("<mmcgan:keyword>")[1:]]


def test_a_folder_is_walked_and_a_summary_ends_the_call(call, photos, capsys):
    assert call(photos, "--json", "--k", 2) == 0
    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert [o["path"] for o in found] == [str(photos / n) for n in ("a.png", "b.jpg", "sub/c.png")]
    assert all(len(o["tags"]) == 2 for o in found)
    assert err.splitlines()[-1].startswith("3 photos: 3 tagged, 0 files changed; ")


def test_the_summary_is_written_as_json(call, photos, tmp_path):
    (photos / "bad.jpg").write_bytes(b"no photo")
    assert call(photos, "--k", 1, "--summary", tmp_path / "s.json") == 1
    found = summary(tmp_path / "s.json")
    assert (found["photos"], found["tagged"], found["done_before"]) == (4, 3, 0)
    assert [f["path"] for f in found["failed"]] == [str(photos / "bad.jpg")]
    assert sum(found["words"].values()) == 3
    assert found["seconds"] >= 0
    assert found["interrupted"] is False


@pytest.mark.parametrize("place", ["sidecar", "embedded"])
def test_written_keywords_are_found_again_and_taken_out_without_a_trace(call, photos, place):
    before = files(photos)
    assert call(photos, "--write", place) == 0
    after = files(photos)
    if place == "sidecar":
        assert after.items() > before.items()
        assert set(after) - set(before) == {f"{name}.xmp" for name in before}
    else:
        assert set(after) == set(before)
        assert all(after[name] != before[name] for name in before)
    assert call(photos, "--remove") == 0
    assert files(photos) == before


@pytest.mark.parametrize("place", ["sidecar", "embedded"])
def test_the_same_call_does_nothing_again_and_the_rest_where_there_is_more(
    call, photos, place, tmp_path, capsys
):
    args = (photos, "--write", place, "--summary", tmp_path / "s.json")
    assert call(*args) == 0
    written = files(photos)
    assert call(*args) == 0
    assert files(photos) == written
    assert summary(tmp_path / "s.json") | {"seconds": 0} == {
        "photos": 3,
        "tagged": 0,
        "done_before": 3,
        "files_changed": 0,
        "dry_run": False,
        "failed": [],
        "left_out": {},
        "words": {},
        "seconds": 0,
        "interrupted": False,
    }
    (photos / "new.png").write_bytes(make_photo("green"))
    capsys.readouterr()
    assert call(*args) == 0
    assert "new.png" in capsys.readouterr().out
    assert summary(tmp_path / "s.json")["tagged"] == 1


def test_other_options_renew_what_is_written(call, photos):
    assert call(photos, "--write", "sidecar", "--k", 4) == 0
    assert len(own_words(photos / "a.png")) == 4
    assert call(photos, "--write", "sidecar", "--k", 2, "--prefix", "auto|") == 0
    words = own_words(photos / "a.png")
    assert len(words) == 2
    assert all(word.startswith("auto|") for word in words)


def test_tags_of_a_person_stay_and_are_not_written_a_second_time(call, photos):
    assert call(photos, "--write", "sidecar", "--k", 3) == 0
    mine = own_words(photos / "a.png")
    assert call(photos, "--remove") == 0
    sidecar = photos / "a.png.xmp"
    body = f"<rdf:li>{mine[0].title()}</rdf:li><rdf:li>Grandma</rdf:li>"
    sidecar.write_text(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag>'
        f"{body}</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    before = files(photos)
    assert call(photos, "--write", "sidecar", "--k", 3) == 0
    assert own_words(photos / "a.png") == mine[1:]
    found = read_keywords(photos / "a.png", [sidecar]).texts
    assert found == (mine[0].title(), "Grandma")
    assert call(photos, "--remove") == 0
    assert files(photos) == before


def test_a_dry_run_shows_the_changes_and_makes_none(call, photos, tmp_path, capsys):
    before = files(photos)
    args = (photos, "--dry-run", "--summary", tmp_path / "s.json")
    assert call(*args, "--write", "sidecar", "--k", 2) == 0
    out = capsys.readouterr().out
    assert out.count("--- /dev/null") == 3
    assert f"+++ {photos / 'sub' / 'c.png'}.xmp" in out
    assert files(photos) == before
    assert summary(tmp_path / "s.json")["files_changed"] == 3
    assert summary(tmp_path / "s.json")["dry_run"] is True
    assert call(photos, "--write", "embedded") == 0
    written = files(photos)
    capsys.readouterr()
    assert call(*args, "--remove") == 0
    out, err = capsys.readouterr()
    assert out.count("-   <mmcgan:automatic") == 3
    assert "3 files to change" in err
    assert files(photos) == written


def test_sidecars_whose_photo_has_gone_are_removed_too_if_they_are_ours(call, photos):
    assert call(photos, "--write", "sidecar") == 0
    (photos / "a.png").unlink()
    (photos / "other.jpg.xmp").write_bytes((photos / "b.jpg.xmp").read_bytes())
    (photos / "not ours.xmp").write_text("<x/>")
    assert call(photos, "--remove") == 0  # "not ours" holds nothing of ours
    assert set(files(photos)) == {"b.jpg", "sub/c.png", "not ours.xmp"}


def test_removing_from_a_photo_that_is_not_there_is_an_error(call, photos, capsys):
    assert call(photos / "none.jpg", "--remove") == 1
    assert "none.jpg: there is no such file" in capsys.readouterr().err


def test_a_photo_whose_metadata_is_broken_is_named_and_the_others_are_written(
    call, photos, tmp_path, capsys
):
    (photos / "a.xmp").write_text("<broken")
    assert call(photos, "--write", "sidecar", "--summary", tmp_path / "s.json") == 1
    assert "a.xmp" in capsys.readouterr().err
    assert (photos / "a.xmp").read_text() == "<broken"
    assert summary(tmp_path / "s.json")["tagged"] == 2


def test_a_table_grows_by_what_is_not_in_it(call, photos, tmp_path, capsys):
    table = tmp_path / "tags.csv"
    assert call(photos / "a.png", "--csv", table) == 0
    capsys.readouterr()
    assert call(photos, "--csv", table, "--json") == 0
    shown = [json.loads(line)["path"] for line in capsys.readouterr().out.splitlines()]
    assert shown == [str(photos / "b.jpg"), str(photos / "sub" / "c.png")]
    assert len(table.read_text().splitlines()) == 4
    assert call(photos, "--csv", table, "--k", 3) == 2
    assert "other options" in capsys.readouterr().err


def test_a_photo_is_done_only_where_all_outputs_have_it(call, photos, tmp_path):
    table = tmp_path / "tags.csv"
    assert call(photos, "--csv", table) == 0
    content = table.read_bytes()
    assert call(photos, "--csv", table, "--write", "sidecar") == 0
    assert table.read_bytes() == content
    assert len(find_sidecars(photos / "b.jpg")) == 1


def test_an_interrupted_call_keeps_what_is_done_and_goes_on(
    call, photos, tmp_path, monkeypatch, capsys
):
    applied = []

    def interrupted(change: Change) -> None:
        if applied:
            raise KeyboardInterrupt
        applied.append(change)
        apply(change)

    apply = Change.apply
    args = (photos, "--write", "sidecar", "--summary", tmp_path / "s.json")
    with monkeypatch.context() as patch:
        patch.setattr(Change, "apply", interrupted)
        assert call(*args) == INTERRUPTED
    found = summary(tmp_path / "s.json")
    assert (found["interrupted"], found["files_changed"], found["tagged"]) == (True, 1, 1)
    assert "interrupted" in capsys.readouterr().err
    assert call(*args) == 0
    assert (summary(tmp_path / "s.json")["done_before"], len(files(photos))) == (1, 6)


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["--remove", "--write", "sidecar"], "--write"),
        (["--remove", "--k", "3"], "--k"),
        (["--remove", "--threshold", "0"], "--threshold"),
        (["--remove", "--csv", "x.csv"], "--csv"),
        (["--remove", "--json"], "--json"),
        (["--remove", "--cache-size", "0"], "--cache-size"),
        (["--prefix", "auto|"], "--prefix"),
        (["--dry-run"], "--dry-run"),
        (["--dry-run", "--write", "sidecar", "--json"], "--json"),
        (["--dry-run", "--write", "sidecar", "--csv", "x.csv"], "--csv"),
        (["--write", "photo"], "--write"),
        (["--threshold", "1.5"], "--threshold"),
    ],
)
def test_options_that_do_not_go_together_are_status_2(call, photos, args, named, capsys):
    before = files(photos)
    assert call(photos, *args) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"mmcgan: error: {named}: ")
    assert err.count("\n") == 1
    assert files(photos) == before


@pytest.mark.parametrize(
    ("option", "place", "reason"),
    [
        ("--summary", ".", ". is a folder; name a file"),
        ("--summary", "/", "/ is a folder; name a file"),
        ("--csv", "..", ".. is a folder; name a file"),
        ("--report", "a.png", "a.png is a file; name a folder"),
    ],
)
def test_a_place_of_the_wrong_kind_is_status_2(
    call, photos, monkeypatch, capsys, option, place, reason
):
    monkeypatch.chdir(photos)
    before = files(photos)
    assert call("a.png", option, place, "--write", "sidecar") == 2
    assert capsys.readouterr().err == f"mmcgan: error: {option}: {reason}\n"
    assert files(photos) == before


def test_the_name_of_a_tagging_is_that_of_its_model_and_options(trained, tmp_path):
    run = trained[1]
    name = tagging_name(run, TagConfig())
    assert name.startswith(f"{run.name} ")
    moved = shutil.copytree(run, tmp_path / run.name)
    assert tagging_name(moved, TagConfig(json=True, csv=Path("x"))) == name
    others = [
        TagConfig(k=3),
        TagConfig(threshold=0.5),
        TagConfig(seed=1),
        TagConfig(write="sidecar", prefix="a|"),
    ]
    names = [tagging_name(run, config) for config in others]
    (moved / "model.safetensors").write_bytes(b"another")
    assert len({name, tagging_name(moved, TagConfig()), *names}) == 6


def test_marks_of_a_photo_say_what_they_are_from(call, photos, trained):
    assert call(photos, "--write", "sidecar") == 0
    expected = tagging_name(trained[1], TagConfig())
    assert model_of_sidecar(photos / "a.png") == expected
