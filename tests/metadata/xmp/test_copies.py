"""A new dc:subject hides no keyword that the person has elsewhere, and this is undone too."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.keyword_photos import encode, iptc, jpeg_with_iptc
from helpers.packets import LIGHTROOM, marks, packet, subject

from mmcgan.metadata import plan_embedded, plan_removal, plan_sidecar, read_keywords
from mmcgan.metadata.containers import find_slot, with_packet
from mmcgan.metadata.xmp.marking import automatic_words, mark, person_keywords, unmark
from mmcgan.metadata.xmp.packet import Packet
from mmcgan.metadata.xmp.record import Record

ELSEWHERE = ["Places|Paris", "Beach", "beach", "Küste & See", "Towns|paris"]
COPIES = ["Paris", "Beach", "Küste & See"]
FORMS = {
    "no packet": None,
    "no bytes": b"",
    "no keywords": packet("<dc:title>x</dc:title>"),
    "empty": packet("<dc:subject><rdf:Bag/></dc:subject>"),
    "one tag": packet("").replace(b"></rdf:Description>", b"/>"),
}


def put(data: bytes | None, *words: str, elsewhere: list[str] = ELSEWHERE, **options: str) -> bytes:
    marked = mark(data, marks(*words, **options), elsewhere, "a.xmp")
    assert marked is not None
    return marked


def keywords(data: bytes | None) -> list[str]:
    return Packet.parse(data, "a.xmp").keywords() if data else []


def copied(data: bytes) -> tuple[str, ...]:
    return Record.of(Packet.parse(data, "a.xmp")).copied


@pytest.mark.parametrize("form", FORMS)
def test_the_persons_keywords_go_ahead_of_ours_into_a_new_subject(form):
    before = FORMS[form]
    marked = put(before, "sea", "sun", prefix="auto|")
    assert keywords(marked) == [*COPIES, "auto|sea", "auto|sun"]
    assert copied(marked) == tuple(COPIES)
    assert person_keywords(Packet.parse(marked, "a")) == ["auto|sea", "auto|sun"]
    assert automatic_words(Packet.parse(marked, "a")) == {
        "auto",
        "auto|sea",
        "auto|sun",
        "sea",
        "sun",
    }
    assert put(marked, "sea", "sun", prefix="auto|") == marked
    assert unmark(marked, "a.xmp") == before
    assert mark(marked, marks(), ELSEWHERE, "a.xmp") == before


def test_keywords_of_other_lists_are_copied_as_the_new_subject_would_hide_them():
    before = packet(subject("Places|Rome", "darktable|changed", tag="lr:hierarchicalSubject"))
    marked = put(before, "sea", elsewhere=["Rome", "Beach"])
    assert copied(marked) == ("Rome", "Beach")
    assert keywords(marked) == ["Places|Rome", "darktable|changed", "sea", "Rome", "Beach", "sea"]
    assert person_keywords(Packet.parse(marked, "a")) == ["Places|Rome", "sea", "sea"]
    assert unmark(marked, "a.xmp") == before


@pytest.mark.parametrize("before", [LIGHTROOM, packet("<dc:subject>a, b</dc:subject>")])
def test_nothing_is_copied_where_the_subject_has_keywords(before):
    marked = put(before, "sea")
    assert copied(marked) == ()
    assert keywords(marked).count("Beach") == 0
    assert unmark(marked, "a.xmp") == before


def test_nothing_is_copied_where_no_tag_is_written():
    assert mark(None, marks("beach", "Paris"), ELSEWHERE, "a.xmp") is None


def test_copies_follow_the_person():
    marked = put(None, "sea", elsewhere=["Beach", "Dog"])
    again = put(marked, "sea", elsewhere=["Strand", "Dog"])
    assert keywords(again) == ["Strand", "Dog", "sea"]
    assert again == put(None, "sea", elsewhere=["Strand", "Dog"])


def test_copies_stay_where_they_are_the_only_ones_left():
    marked = put(None, "sea", elsewhere=["Beach", "Dog"])
    assert keywords(put(marked, "wood", elsewhere=[])) == ["Beach", "Dog", "wood"]


def test_a_copy_that_the_person_took_out_is_not_written_again():
    marked = put(None, "sea", "sun", elsewhere=["Beach", "Dog"])
    edited = marked.replace(b"     <rdf:li>Beach</rdf:li>\n", b"", 1)
    assert keywords(edited) == ["Dog", "sea", "sun"]
    assert put(edited, "sea", "sun", elsewhere=["Beach", "Dog"]) == edited
    assert keywords(put(edited, "wood", elsewhere=["Beach", "Dog"])) == ["Dog", "wood"]
    assert unmark(edited, "a.xmp") is None


def test_a_keyword_that_the_person_adds_beside_its_copy_stays():
    marked = put(None, "sea", elsewhere=["Beach"])
    item = b"     <rdf:li>sea</rdf:li>\n"
    edited = marked.replace(item, item + b"     <rdf:li>Beach</rdf:li>\n", 1)
    assert person_keywords(Packet.parse(edited, "a")) == ["sea", "Beach"]
    assert keywords(unmark(edited, "a.xmp")) == ["Beach"]


def test_copies_stay_in_view_when_the_person_adds_the_first_of_the_subject():
    marked = put(None, "sea", elsewhere=["Beach"])
    item = b"     <rdf:li>sea</rdf:li>\n"
    edited = marked.replace(item, item + b"     <rdf:li>mine</rdf:li>\n", 1)
    again = put(edited, "wood", elsewhere=["Beach", "mine"])
    assert sorted(keywords(again)) == ["Beach", "mine", "wood"]
    assert keywords(unmark(again, "a.xmp")) == ["mine"]


def test_a_copy_that_another_program_put_into_more_lists_stays_there():
    anew = put(None, "sea", elsewhere=["Beach"]).replace(
        b"</rdf:Description>",
        subject("Beach", "sea", tag="lr:hierarchicalSubject").replace("<lr:", "<lr:", 1).encode()
        + b"</rdf:Description>",
    )
    assert keywords(unmark(anew, "a.xmp")) == ["Beach"]


def test_odd_keywords_are_copied_in_a_form_that_can_be_taken_out():
    odd = ["a\r\nb", "\x00\x1b", " x  y ", "!", "é" * 500, "]]>", "<&\"'>"]
    marked = put(None, "sea", elsewhere=odd)
    assert copied(marked) == ("a b", "x y", "!", "é" * 500, "]]>", "<&\"'>")
    assert unmark(marked, "a.xmp") is None


def test_records_without_copies_are_read():
    data = packet('<m:automatic xmlns:m="urn:mmcgan:xmp/1.0/"><m:model>1</m:model></m:automatic>')
    data = data.replace(b"<m:automatic ", b"<m:automatic rdf:parseType='Resource' ")
    assert Record.of(Packet.parse(data, "a")) == Record((), "1", "")


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_with_iptc(iptc("Küste".encode(), b"Dog", b"nef")))
    return path


def test_keywords_in_iptc_stay_visible_in_a_photo(photo):
    before = photo.read_bytes()
    plan_embedded(photo, marks("sea", "dog")).apply()
    assert keywords(find_slot(photo.read_bytes(), "a").packet) == ["Küste", "Dog", "nef", "sea"]
    assert read_keywords(photo, []).texts == ("Küste", "Dog", "nef")
    assert not plan_embedded(photo, marks("sea", "dog")).is_needed
    for change in plan_removal(photo):
        change.apply()
    assert photo.read_bytes() == before


def test_copies_count_where_the_originals_were_dropped(photo, tmp_path):
    plan_embedded(photo, marks("sea")).apply()
    packet = find_slot(photo.read_bytes(), "a").packet
    other = tmp_path / "b.png"
    other.write_bytes(encode("PNG", packet))
    assert read_keywords(other, []).texts == ("Küste", "Dog", "nef")
    plan_embedded(other, marks("wood")).apply()
    again = find_slot(other.read_bytes(), "b").packet
    assert keywords(again) == ["Küste", "Dog", "nef", "wood"]
    assert keywords(unmark(again, "b", keep_copies=True)) == ["Küste", "Dog", "nef"]
    assert unmark(again, "b") is None


def test_words_of_programs_are_copied_from_nowhere(photo):
    tree = packet(subject("darktable|format|nef", "Places|Paris", tag="lr:hierarchicalSubject"))
    photo.with_name("a.jpg.xmp").write_bytes(tree)
    found = read_keywords(photo, [photo.with_name("a.jpg.xmp")])
    assert found.texts == ("Paris", "Places|Paris", "Küste", "Dog")
    plan_sidecar(photo, marks("sea")).apply()
    written = keywords(photo.with_name("a.jpg.xmp").read_bytes())
    assert sorted(written) == [
        "Dog",
        "Küste",
        "Paris",
        "Places|Paris",
        "darktable|format|nef",
        "sea",
        "sea",
    ]
    for change in plan_removal(photo):
        change.apply()
    assert photo.with_name("a.jpg.xmp").read_bytes() == tree


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_an_empty_packet_in_a_photo_is_written_and_comes_back(tmp_path, format):
    path = tmp_path / "a"
    before = with_packet(encode(format), b"", "a")
    path.write_bytes(before)
    assert plan_removal(path) == []
    plan_embedded(path, marks("sea")).apply()
    assert keywords(find_slot(path.read_bytes(), "a").packet) == ["sea"]
    for change in plan_removal(path):
        change.apply()
    assert path.read_bytes() == before
