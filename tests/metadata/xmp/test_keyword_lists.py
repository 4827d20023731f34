"""All lists of keywords that programs keep: read, not written to, and ours taken out of them."""

from __future__ import annotations

import pytest
from helpers.packets import marks, packet, subject

from mmcgan.metadata.xmp.marking import left_behind, left_in, mark, person_keywords, unmark
from mmcgan.metadata.xmp.names import KEYWORD_LISTS, WRITTEN_LISTS
from mmcgan.metadata.xmp.packet import Packet
from mmcgan.metadata.xmp.record import Record

NAMESPACES = "".join(
    f' xmlns:{prefix}="{namespace}"'
    for prefix, namespace in {
        "ms": "http://ns.microsoft.com/photo/1.0/",
        "ms0": "http://ns.microsoft.com/photo/1.0",
        "mediapro": "http://ns.iview-multimedia.com/mediapro/1.0/",
        "em": "http://ns.microsoft.com/expressionmedia/1.0/",
        "acdsee": "http://ns.acdsee.com/iptc/1.0/",
        "kw": "http://www.metadataworkinggroup.com/schemas/keywords/",
    }.items()
)
LISTS = {
    "dc:subject": "|",
    "lr:hierarchicalSubject": "|",
    "lr:weightedFlatSubject": "|",
    "digiKam:TagsList": "/",
    "ms:LastKeywordXMP": "/",
    "ms0:LastKeywordXMP": "/",
    "ms:LastKeywordIPTC": "/",
    "mediapro:CatalogSets": "|",
    "em:CatalogSets": "|",
    "acdsee:keywords": "|",
}


def put(data: bytes | None, *words: str, prefix: str = "") -> bytes:
    return mark(data, marks(*words, prefix=prefix), [], "a.xmp") or b""


def keywords(data: bytes) -> list[str]:
    return Packet.parse(data, "a.xmp").keywords()


def synchronised(data: bytes, path: str, leaf: str, *persons: str) -> bytes:
    """Our packet as a program writes it that keeps all lists in step, dc:subject by last levels."""
    found = data[data.index(b"<mmcgan:automatic") : data.index(b"</mmcgan:automatic>")]
    record = found.decode() + "</mmcgan:automatic>"
    lists = "".join(
        subject(*(word.replace("|", separator) for word in [*persons, path]), tag=tag)
        for tag, separator in LISTS.items()
        if tag
        not in ("dc:subject", "ms0:LastKeywordXMP", "acdsee:keywords", "lr:weightedFlatSubject")
    )
    flat = subject(*(word.rpartition("|")[2] for word in persons), leaf)
    own = ' xmlns:mmcgan="urn:mmcgan:xmp/1.0/"'
    return packet(flat + lists + record, NAMESPACES + own)


def test_the_lists_are_those_of_the_programs():
    assert len(KEYWORD_LISTS) == len(LISTS) - 1  # Windows has two spellings
    assert set(WRITTEN_LISTS) < set(KEYWORD_LISTS)


@pytest.mark.parametrize("tag", LISTS)
def test_every_list_is_read_with_its_separator(tag):
    separator = LISTS[tag]
    data = packet(subject(f"Places{separator}Paris", "b&amp;w", tag=tag), NAMESPACES)
    assert keywords(data) == ["Places|Paris", "b&w"]


@pytest.mark.parametrize("tag", LISTS)
def test_only_three_lists_are_written_to(tag):
    before = packet(subject("Dog") + subject("Dog", tag=tag), NAMESPACES)
    marked = put(before, "sea", prefix="auto|")
    is_written = tag in ("lr:hierarchicalSubject", "digiKam:TagsList")
    assert keywords(marked).count("auto|sea") == 1 + is_written
    assert unmark(marked, "a.xmp") == before


def test_ours_are_taken_out_of_every_list_where_another_program_copied_them():
    anew = synchronised(
        put(packet(subject("Dog")), "sea", prefix="auto|"), "auto|sea", "auto|sea", "Dog"
    )
    left = unmark(anew, "a.xmp")
    assert set(keywords(left)) == {"Dog"}
    assert b"sea" not in left
    assert b"mmcgan" not in left
    alone = synchronised(put(packet(""), "sea"), "sea", "sea")
    assert keywords(unmark(alone, "a.xmp")) == []


def test_the_last_level_of_ours_goes_where_it_can_only_be_ours():
    marked = put(packet(subject("Dog")), "sea", prefix="auto|")
    anew = synchronised(marked, "auto|sea", "sea", "Places|Dog")
    assert set(keywords(unmark(anew, "a.xmp"))) == {"Dog", "Places|Dog"}


@pytest.mark.parametrize("person", ["sea", "Places|Sea"])
def test_the_last_level_stays_where_it_may_be_a_persons(person):
    marked = put(packet(subject("Dog")), "sea", prefix="auto|")
    anew = synchronised(marked, "auto|sea", "sea", person)
    assert person in keywords(unmark(anew, "a.xmp"))
    assert b"<rdf:li>sea</rdf:li></rdf:Bag></dc:subject>" in unmark(anew, "a.xmp")
    flat = marked.replace(b"<rdf:li>auto|sea</rdf:li>", b"<rdf:li>sea</rdf:li>", 1)
    assert keywords(unmark(flat, "a.xmp")) == ["Dog", "sea"]  # no list says that it is ours


def in_step(marked: bytes, *paths: str) -> bytes:
    """A packet with a list of its own, as Lightroom saves it: each level alone, and all paths."""
    levels = dict.fromkeys(level for path in paths for level in path.split("|"))
    lists = subject(*levels) + subject(*paths, tag="lr:hierarchicalSubject")
    record = marked[marked.index(b"<mmcgan:automatic") : marked.index(b"</mmcgan:automatic>")]
    text = f"{lists}{record.decode()}</mmcgan:automatic>"
    return packet(text, ' xmlns:mmcgan="urn:mmcgan:xmp/1.0/"')


@pytest.mark.parametrize("base", [None, packet(subject("Dog"))], ids=["new", "had keywords"])
def test_levels_of_ours_go_where_a_program_lists_each_alone(base):
    marked = put(base, "sea", "sun", prefix="auto|")
    saved = in_step(marked, "Places|Dog", "auto|sea", "auto|sun")
    assert keywords(unmark(saved, "a.xmp")) == ["Places", "Dog", "Places|Dog"]
    again = Packet.parse(put(saved, "sea", "sun", prefix="auto|"), "a.xmp")
    assert Record.of(again).keywords == ["auto|sea", "auto|sun"]


@pytest.mark.parametrize("person", ["sea", "auto", "Places|Sea", "Sea|Baltic"])
def test_a_level_stays_that_a_person_has_too(person):
    saved = in_step(put(None, "sea", "sun", prefix="auto|"), "auto|sea", "auto|sun", person)
    left = keywords(unmark(saved, "a.xmp"))
    assert {person, *person.split("|")} <= {*left, "Sea"}
    assert "sun" not in left


def test_a_tag_that_a_person_made_their_own_in_one_list_stays():
    both = packet(subject("Dog") + subject("Dog", tag="lr:hierarchicalSubject"))
    marked = put(both, "sea", "sun", prefix="auto|")
    edited = marked.replace(b"<rdf:li>auto|sea</rdf:li>", b"<rdf:li>sea</rdf:li>", 1)
    assert keywords(unmark(edited, "a.xmp")) == ["Dog", "sea", "Dog"]


def test_paths_that_were_copied_as_they_are_spelled_in_dc_subject_go():
    marked = put(packet(subject("dog"), NAMESPACES), "sea", prefix="auto|")
    copied = subject("dog", "auto|sea", tag="ms:LastKeywordXMP").encode()
    end = marked.index(b"</rdf:Description>")
    assert keywords(unmark(marked[:end] + copied + marked[end:], "a.xmp")) == ["dog", "dog"]


def test_what_is_left_behind_is_named():
    record = Record((("auto|sea", "0.9"), ("plant life", "0.8")), "1", "")
    found = ["Sea", "auto|sea", "Places|sea", "Plant_Life", "dog", "auto", "Sea"]
    assert left_behind(found, record) == ["Sea", "auto|sea", "Plant_Life"]
    assert left_behind([], record) == []


def tree(*words: str) -> str:
    """Keywords in ACDSee's tree, below "auto"."""
    leaves = "".join(f"&lt;Category Assigned='1'>{word}&lt;/Category>" for word in words)
    inner = f"&lt;Category Assigned='0'>auto{leaves}&lt;/Category>"
    return f"<acdsee:categories>&lt;Categories>{inner}&lt;/Categories></acdsee:categories>"


def test_copies_of_ours_in_a_tree_of_keywords_are_not_taken_for_a_person_s():
    marked = put(packet("", NAMESPACES), "sea", "sun", prefix="auto|")
    end = marked.index(b"</rdf:Description>")
    copied = marked[:end] + tree("sea", "sun").encode() + marked[end:]
    assert put(copied, "sea", "sun", prefix="auto|") == copied
    person = copied.replace(tree("sea", "sun").encode(), tree("sea", "sun", "wood").encode())
    again = Packet.parse(put(person, "sun", "wood", "sky", prefix="auto|"), "a.xmp")
    assert Record.of(again).keywords == ["auto|sun", "auto|sky"]
    assert Record.of(again).copied == ("wood",)


def test_ours_are_named_that_stay_in_a_packet():
    record = Record((("auto|sea", "0.9"), ("auto|sun", "0.8")), "1", "")
    lists = subject("auto|sun", "dog", tag="lr:hierarchicalSubject")
    before = Packet.parse(packet(subject("sea", "sun") + lists + tree("sea")), "a.xmp")
    after = Packet.parse(packet(subject("sea", "sun") + tree("sea")), "a.xmp")
    assert left_in(before, after, record) == ["sea", "sun", "auto|sea"]
    assert left_in(after, after, record) == ["sea", "auto|sea"]
    flat = Packet.parse(packet(subject("sea", "dog")), "a.xmp")  # it may be a person's
    assert left_in(flat, flat, record) == []


@pytest.mark.parametrize("form", ["<{0}>{1}</{0}>", "attribute"])
def test_the_categories_of_acdsee_are_read(form):
    text = (
        '&lt;Categories>&lt;Category Assigned="0">Places&lt;Category Assigned="1">Paris'
        '&lt;/Category>&lt;Category Assigned="1">R &amp;amp; B&lt;/Category>&lt;/Category>'
        '&lt;Category Assigned="1">Dog&lt;/Category>&lt;/Categories>'
    )
    if form == "attribute":
        data = packet("", f"{NAMESPACES} acdsee:categories='{text}'")
    else:
        data = packet(form.format("acdsee:categories", text), NAMESPACES)
    assert keywords(data) == ["Places|Paris", "Places|R & B", "Dog"]
    assert keywords(packet("<acdsee:categories>&lt;x</acdsee:categories>", NAMESPACES)) == []


def test_the_tree_of_the_metadata_working_group_is_read():
    tree = """<kw:Keywords rdf:parseType="Resource"><kw:Hierarchy><rdf:Bag>
      <rdf:li rdf:parseType="Resource"><kw:Keyword>Places</kw:Keyword><kw:Children><rdf:Bag>
       <rdf:li kw:Keyword="Paris"/>
       <rdf:li rdf:parseType="Resource"><kw:Keyword>Rome</kw:Keyword>
        <kw:Applied>False</kw:Applied></rdf:li>
      </rdf:Bag></kw:Children></rdf:li>
      <rdf:li><rdf:Description kw:Keyword="Dog" kw:Applied="True"><kw:Children><rdf:Bag>
       <rdf:li kw:Keyword="Pug"/></rdf:Bag></kw:Children></rdf:Description></rdf:li>
    </rdf:Bag></kw:Hierarchy></kw:Keywords>"""
    assert keywords(packet(tree, NAMESPACES)) == ["Places|Paris", "Dog", "Dog|Pug"]


DARKTABLE_TREE = ("darktable|changed", "darktable|format|nef", "darktable|style|Warm & soft")


@pytest.mark.parametrize(
    "flat",
    [
        ("changed", "nef", "Warm & soft"),
        ("darktable", "changed", "format", "nef", "style", "Warm & soft"),
    ],
)
@pytest.mark.parametrize("more", ["digiKam:TagsList", "ms:LastKeywordXMP", "acdsee:keywords"])
def test_what_darktable_writes_for_itself_is_nobodys_keyword(flat, more):
    tree = subject(
        *(path.replace("&", "&amp;") for path in [*DARKTABLE_TREE, "Places|Paris", "dog"]),
        tag="lr:hierarchicalSubject",
    )
    words = [word.replace("&", "&amp;") for word in ("dog", "Paris", *flat)]
    before = packet(subject(*words) + tree + subject(*words[2:], tag=more), NAMESPACES)
    assert set(person_keywords(Packet.parse(before, "a"))) == {"dog", "Paris", "Places|Paris"}
    marked = put(before, "sea", "nef")
    assert keywords(marked).count("nef") == keywords(before).count("nef")
    assert unmark(marked, "a.xmp") == before


def test_a_word_that_the_person_has_too_stays_the_persons():
    paths = [*DARKTABLE_TREE[:2], "Photo|format", "changed"]
    data = packet(
        subject("changed", "format", "nef") + subject(*paths, tag="lr:hierarchicalSubject")
    )
    assert set(person_keywords(Packet.parse(data, "a"))) == {"changed", "format", "Photo|format"}


def test_a_persons_words_stay_where_no_tree_says_otherwise():
    data = packet(subject("darktable", "changed", "nef"))
    assert person_keywords(Packet.parse(data, "a")) == ["darktable", "changed", "nef"]


def test_what_digikam_writes_for_itself_is_nobodys_keyword():
    paths = [
        "_Digikam_Internal_Tags_/Pick Label Accepted",
        "_Digikam_root_tag_/Orte/Küste",
        "_Digikam_root_tag_",
    ]
    data = packet(subject("Pick Label Accepted", "Küste") + subject(*paths, tag="digiKam:TagsList"))
    assert person_keywords(Packet.parse(data, "a")) == ["Küste", "Orte|Küste"]
