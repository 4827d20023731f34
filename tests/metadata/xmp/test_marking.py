"""Our tags into a packet and out of it again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from helpers.packets import DC, LIGHTROOM, RDF, STYLES, TIME, marks, packet, subject

from mmcgan.errors import MetadataError
from mmcgan.inference.words.vocabulary import normalize_tag
from mmcgan.metadata.xmp.marking import automatic_words, mark, unmark
from mmcgan.metadata.xmp.packet import Packet
from mmcgan.metadata.xmp.record import Record

NONE: list[str] = []
PREFIXED = packet(subject("sea")).replace(b"rdf:", b"r:").replace(b":rdf=", b":r=")
FORMS = STYLES | {
    "empty bag": packet("<dc:subject><rdf:Bag/></dc:subject>"),
    "empty bag of two tags": packet("<dc:subject><rdf:Bag></rdf:Bag></dc:subject>"),
    "empty subject": packet("<dc:title/>\n<dc:subject />"),
    "empty subject, CRLF": packet("<dc:subject>\r\n\t<rdf:Seq>\r\n</rdf:Seq>\r\n</dc:subject>"),
    "no description": f"<rdf:RDF {RDF}>\n</rdf:RDF>".encode(),
    "no white space": f"<rdf:RDF {RDF}></rdf:RDF>".encode(),
    "one tag, empty": f"<rdf:RDF {RDF} />".encode(),
    "no bytes, empty": b"",
    "white space, empty": b"\r\n \t\n",
    "zero bytes, empty": b"\0" * 100,
    "a byte order mark, empty": b"\xef\xbb\xbf",
    "a subject as text": packet("<dc:subject>sea &amp; sun, </dc:subject>"),
    "about": packet("").replace(b'about=""', b'about="uuid:&quot;&lt;1"'),
    "another prefix": PREFIXED,
    "another prefix, empty": PREFIXED.replace(b"<r:li>sea</r:li>", b""),
    "single quotes": packet(subject("sea")).replace(b'"', b"'"),
    "comments": packet(subject("sea").replace("<rdf:li>", "<!-- a --> <rdf:li>") + "<!-- b -->"),
    "two subjects": packet(subject("sea") + subject("sun")),
    "lists without a subject": packet(subject("a|b", tag="lr:hierarchicalSubject")),
}


def put(data: bytes | None, *words: str, **options: str) -> bytes:
    marked = mark(data, marks(*words, **options), NONE, "a.xmp")
    assert marked is not None
    return marked


def keywords(data: bytes) -> list[str]:
    return Packet.parse(data, "a.xmp").keywords() if data.strip(b"\0\xef\xbb\xbf\r\n\t ") else []


def record(data: bytes) -> Record:
    found = Record.of(Packet.parse(data, "a.xmp"))
    assert found is not None
    return found


def test_mark_makes_a_packet_with_keywords_and_a_record():
    data = put(None, "plant_life", "sea & <sun>", prefix="auto|")
    assert keywords(data) == ["auto|plant life", "auto|sea & <sun>"]
    assert record(data) == Record(
        scores=(("auto|plant life", "0.900"), ("auto|sea & <sun>", "0.800")),
        model="0001",
        time="2026-03-01T12:00:00+00:00",
        prefix="auto|",
        made=True,
    )
    assert b"urn:mmcgan:xmp/1.0/" in data
    assert unmark(data, "a.xmp") is None


@pytest.mark.parametrize("form", FORMS)
def test_marks_are_taken_out_without_a_trace(form):
    before = FORMS[form]
    marked = put(before, "wolken", "日本", prefix="auto|")
    assert marked != before
    assert "auto|wolken" in keywords(marked)
    assert unmark(marked, form) == before


@pytest.mark.parametrize("form", FORMS)
def test_mark_adds_and_changes_nothing_else(form):
    before = FORMS[form]
    marked = put(before, "wolken", "日本")
    copies = ["b"] if form == "lists without a subject" else []
    assert set(keywords(marked)) == {*keywords(before), "wolken", "日本", *copies}
    codec = "utf-16" if "UTF-16" in form else "latin-1"
    old, new = (data.decode(codec) for data in (before, marked))
    if "empty" not in form and "text" not in form:  # then what stood there is replaced
        rest = iter(new)
        assert all(character in rest for character in old)  # still there, in the same order
    assert ("\r\n" in new) == ("\r\n" in old)
    assert old.isspace() or not ("\r\n" in old and "\n" in new.replace("\r\n", ""))


@pytest.mark.parametrize("form", FORMS)
def test_marking_again_changes_nothing_whatever_the_time(form):
    marked = put(FORMS[form], "wolken", "sea", prefix="auto|")
    later = marks("wolken", "sea", prefix="auto|", time=TIME + timedelta(days=9))
    assert mark(marked, later, NONE, form) == marked


@pytest.mark.parametrize("form", FORMS)
def test_renewing_is_as_if_there_had_been_no_marks(form):
    old = put(FORMS[form], "wolken", "berg")
    assert put(old, "berg", "wiese", model="0002") == put(
        FORMS[form], "berg", "wiese", model="0002"
    )
    assert mark(old, marks(), NONE, form) == FORMS[form]


def test_mark_puts_keywords_into_every_list_with_its_separator():
    marked = put(STYLES["digikam"], "meer", prefix="auto|")
    text = marked.decode()
    assert text.count("<rdf:li>auto|meer</rdf:li>") == 2  # dc:subject, lr:hierarchicalSubject
    assert text.count("     <rdf:li>auto/meer</rdf:li>\n") == 1  # digiKam:TagsList
    assert "b&amp;w</rdf:li>\n     <rdf:li>auto/meer</rdf:li>\n    </rdf:Seq>" in text


@pytest.mark.parametrize("word", ["birds", "grey_heron", "animals|birds|grey_heron", "GREY  heron"])
def test_a_tag_that_the_user_has_does_not_become_ours(word):
    marked = put(LIGHTROOM, word, "water")
    assert record(marked).keywords == ["water"]
    assert keywords(marked).count("water") == 2
    assert mark(LIGHTROOM, marks(word), NONE, "a.xmp") == LIGHTROOM


def test_a_tag_that_is_taken_elsewhere_does_not_become_ours():
    elsewhere = ["Life|Plant_life"]
    assert mark(None, marks("Plant life"), elsewhere, "a.xmp") is None
    assert record(mark(None, marks("Plant life", "sea"), elsewhere, "a.xmp")).keywords == ["sea"]


def test_a_tag_that_the_user_adds_later_is_no_longer_ours():
    marked = put(LIGHTROOM, "water", "mist", prefix="auto|")
    edited = marked.replace(b"<rdf:li>Birds</rdf:li>", b"<rdf:li>Water</rdf:li>")
    renewed = put(edited, "water", "mist", prefix="auto|")
    assert record(renewed).keywords == ["auto|mist"]
    assert "Water" in keywords(renewed)
    assert "auto|water" not in keywords(renewed)


def test_a_tag_that_the_user_took_out_is_not_written_again():
    marked = put(None, "sea", "sun", "dog")
    edited = marked.replace(b"     <rdf:li>sun</rdf:li>\n", b"")
    assert keywords(edited) == ["sea", "dog"]
    assert put(edited, "sea", "sun", "dog") == edited
    renewed = put(edited, "sun", "cat", prefix="auto|")
    assert keywords(renewed) == ["auto|cat"]
    assert keywords(put(renewed, "dog", "sun", prefix="auto|")) == ["auto|dog"]
    assert put(renewed, "sun", "cat", prefix="auto|") == renewed
    assert unmark(renewed, "a.xmp") is None


def test_a_user_may_take_out_all_of_ours():
    marked = put(None, "sea")
    start, end = marked.index(b"   <dc:subject>"), marked.index(b"   <mmcgan:automatic")
    edited = marked[:start] + marked[end:]
    assert put(edited, "sea") == edited
    assert unmark(edited, "a.xmp") is None


def test_a_user_s_copy_of_our_keyword_stays():
    marked = put(packet(subject("sea")), "sun")
    edited = marked.replace(b"<rdf:li>sea</rdf:li>", b"<rdf:li>sea</rdf:li><rdf:li>sun</rdf:li>")
    assert keywords(unmark(edited, "a.xmp")) == ["sea", "sun"]


def test_what_a_user_adds_to_a_packet_of_ours_stays_without_a_trace_of_us():
    marked = put(None, "sea", "sun")
    edited = marked.replace(b"<rdf:li>sun</rdf:li>", b"<rdf:li>sun</rdf:li><rdf:li>mine</rdf:li>")
    left = unmark(edited, "a.xmp")
    assert keywords(left) == ["mine"]
    assert b"mmcgan" not in left


def merged(data: bytes) -> bytes:
    """Rewrite `data` as some programs do: all of it anew, one description, attributes."""
    found = record(data)
    items = "".join(
        f'<rdf:li m:score="{score}" m:keyword="{keyword}"/>' for keyword, score in found.scores
    )
    return packet(
        subject(*keywords(data))
        + '<m:automatic xmlns:m="urn:mmcgan:xmp/1.0/"><rdf:Description '
        + f'm:time="{found.time}" m:made="True" m:model="{found.model}" m:prefix="{found.prefix}">'
        + f"<m:tags><rdf:Seq>{items}</rdf:Seq></m:tags></rdf:Description></m:automatic>"
    )


def test_marks_are_known_in_a_packet_that_another_program_wrote_anew():
    data = put(None, "sea", "sun", prefix="auto|")
    anew = merged(data)
    assert record(anew) == record(data)
    assert put(anew, "sea", "sun", prefix="auto|") == anew
    assert unmark(anew, "a.xmp") is None
    mine = anew.replace(b"<rdf:Bag>", b"<rdf:Bag><rdf:li>mine</rdf:li>", 1)
    assert put(mine, "sea", "sun", prefix="auto|") == mine
    assert keywords(unmark(mine, "a.xmp")) == ["mine"]
    rated = anew.replace(
        b"</rdf:RDF>", b"<rdf:Description xmp:Rating='3' xmlns:xmp='u'/></rdf:RDF>"
    )
    left = unmark(rated, "a.xmp")
    assert b"xmp:Rating='3'" in left
    assert keywords(left) == []
    assert b"mmcgan" not in left


def test_unmark_leaves_a_packet_alone_that_has_no_marks():
    assert unmark(LIGHTROOM, "a.xmp") == LIGHTROOM


def test_unmark_keeps_what_a_later_version_may_have_written():
    later = packet('<m:other xmlns:m="urn:mmcgan:xmp/1.0/">x</m:other>')
    assert unmark(put(later, "sea"), "a.xmp") == later


def test_mark_makes_a_list_of_a_subject_that_is_a_text():
    before = packet("<dc:subject>sea, sun</dc:subject>")
    marked = put(before, "sky")
    assert b"<dc:subject><rdf:Bag><rdf:li>sea, sun</rdf:li><rdf:li>sky</rdf:li></rdf:Bag>" in marked
    mine = marked.replace(b"<rdf:li>sky</rdf:li>", b"<rdf:li>sky</rdf:li><rdf:li>mine</rdf:li>")
    assert keywords(unmark(mine, "a.xmp")) == ["sea, sun", "mine"]
    anew = marked.replace(b"dc:", b"d:").replace(b":dc=", b":d=")  # as a program may rename it
    assert keywords(unmark(anew, "a.xmp")) == ["sea, sun"]


def test_mark_refuses_a_subject_that_is_an_attribute():
    data = packet("", ' dc:subject="sea"')
    with pytest.raises(MetadataError, match=r"a\.xmp has its keywords .* attribute") as error:
        put(data, "sun")
    assert "\n" not in str(error.value)
    assert mark(data, marks("sea"), NONE, "a.xmp") == data


def test_mark_refuses_what_it_could_not_take_out_again():
    ours = b'<rdf:Description xmlns:m="urn:mmcgan:xmp/1.0/"/></rdf:RDF>'
    with pytest.raises(MetadataError, match="without a trace; it is left as it is"):
        put(packet("").replace(b"</rdf:RDF>", ours), "sun")


@pytest.mark.parametrize("data", [b"photo", LIGHTROOM[:500], b"<a/>", b"\x89PNG"])
def test_broken_packets_are_refused_unless_nothing_is_ours(data):
    with pytest.raises(MetadataError, match=r"a\.xmp"):
        put(data, "sea")
    assert unmark(data, "a.xmp") == data
    with pytest.raises(MetadataError, match=r"a\.xmp"):
        unmark(data + b"urn:mmcgan:xmp/1.0/", "a.xmp")


def test_a_blank_file_is_undone_although_another_program_wrote_it_anew():
    anew = merged(put(b"\n\n", "sea")).replace(b"m:made", b"m:blank='True' m:made")
    assert unmark(anew, "a.xmp") == b""


def test_words_that_no_xml_can_hold_are_made_fit_or_left_out():
    data = mark(None, marks("\x1b\0", "s\x00ea", "  ", "_", "sea"), NONE, "a.xmp")
    assert record(data).scores == (("sea", "0.800"),)
    model = "<m> & \x1b]]>"
    data = mark(None, replace(marks("sea", prefix="a\0<&\n|"), model=model), NONE, "a.xmp")
    assert record(data).model == "<m> & ]]>"
    assert keywords(data) == ["a<&|sea"]
    assert unmark(data, "a.xmp") is None


def test_automatic_words_hold_every_level():
    data = Packet.parse(put(packet(subject("mine")), "Grey heron", prefix="auto|x|"), "a.xmp")
    assert automatic_words(data) == {"auto|x|grey_heron", "auto", "x", "grey_heron"}
    assert automatic_words(Packet.parse(LIGHTROOM, "a.xmp")) == frozenset()


def test_a_record_with_nothing_in_it_is_harmless():
    data = packet(subject("sea") + '<m:automatic xmlns:m="urn:mmcgan:xmp/1.0/"/>')
    assert record(data) == Record((), "", "")
    assert unmark(data, "a.xmp") == packet(subject("sea"))
    assert DC.encode() in put(data, "sun")


def test_a_slash_in_a_word_of_ours_makes_no_keyword_of_the_persons():
    data = mark(
        packet(subject("mine", tag="digiKam:TagsList")), marks("b/w", prefix="auto|"), (), "a"
    )
    found = Packet.parse(data, "a.xmp")
    assert {normalize_tag(path) for path in found.keywords()} - automatic_words(found) == {"mine"}
    assert {"auto|b|w", "w"} <= automatic_words(found)
