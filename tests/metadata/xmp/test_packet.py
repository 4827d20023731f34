"""XMP packets: what is found in them, edits that leave the rest be, and hostile ones."""

from __future__ import annotations

import pytest
from helpers.hostile_xml import BOMB, EXTERNAL
from helpers.packets import DC, LIGHTROOM, RDF, STYLES, UTF_16, subject
from helpers.packets import packet as small

from mmcgan.errors import MetadataError
from mmcgan.metadata.xmp import elements, packet
from mmcgan.metadata.xmp.elements import parse, tag_name
from mmcgan.metadata.xmp.packet import (
    MAX_PACKET_BYTES,
    Packet,
    decoded,
    keyword_path,
    tag_texts,
)
from mmcgan.metadata.xmp.repair import xml_safe

PARAMETER = b"""<!DOCTYPE x [<!ENTITY % all SYSTEM "http://127.0.0.1/x.dtd"> %all;]><x/>"""


def keywords(data: bytes) -> list[str]:
    return Packet.parse(data, "a.xmp").keywords()


def test_parse_knows_which_bytes_an_element_takes():
    inner = '<é:c xmlns:é="u" >ü<![CDATA[<x>]]></é:c >'
    data = f'<?xml version="1.0"?><!-- <a> --><a t="1>2"><b/>{inner}</a>'.encode()
    root = parse(data, "a.xml")
    empty, full = root.children
    assert data[root.start : root.open_end] == b'<a t="1>2">'
    assert data[empty.start : empty.end] == b"<b/>"
    assert data[full.start : full.end].decode() == inner
    assert (full.name, full.text, tag_name(full, data)) == ("u c", "ü<x>", "é:c")
    assert root.end == len(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no element found"),
        (b"photo", "syntax error"),
        (b"<a><b></a>", "mismatched tag"),
        (b"<a>" * 3, "no element found"),
        (b"<a b></a>", "not well-formed"),
        (BOMB, "document type declaration"),
        (EXTERNAL, "document type declaration"),
        (PARAMETER, "document type declaration"),
        (b"<a>" * 200 + b"</a>" * 200, "within one another"),
    ],
)
def test_parse_refuses_what_is_broken_or_unsafe(data, message):
    with pytest.raises(MetadataError, match=message) as error:
        parse(data, "a.xmp")
    assert str(error.value).startswith("a.xmp ")
    assert "\n" not in str(error.value)


def test_parse_refuses_too_many_elements(monkeypatch):
    monkeypatch.setattr(elements, "MAX_ELEMENTS", 10)
    parse(b"<a>" + b"<b/>" * 9 + b"</a>", "a.xmp")
    with pytest.raises(MetadataError, match="more than 10 elements"):
        parse(b"<a>" + b"<b/>" * 10 + b"</a>", "a.xmp")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", "no rdf:RDF"),
        (b"<html><body/></html>", "no rdf:RDF"),
        (b"\xff\xfe<\0x", "not well-formed"),
        (LIGHTROOM[:-30], "not well-formed"),
        (BOMB, "document type"),
    ],
)
def test_packet_refuses_what_is_no_xmp(data, message):
    with pytest.raises(MetadataError, match=message) as error:
        Packet.parse(data, "a.xmp")
    assert "a.xmp" in str(error.value)
    assert "\n" not in str(error.value)


def test_packet_refuses_huge_ones_before_it_reads_them(monkeypatch):
    monkeypatch.setattr(packet, "parse", None)
    with pytest.raises(MetadataError, match="XMP is read up to 16 MiB"):
        Packet.parse(b" " * (MAX_PACKET_BYTES + 1), "a.xmp")


@pytest.mark.parametrize("style", STYLES)
def test_packet_is_encoded_as_it_was(style):
    assert Packet.parse(STYLES[style], style).encode() == STYLES[style]


def test_keywords_of_lightroom_and_digikam():
    birds = ["Birds", "Grey Heron", "Animals|Birds|Grey Heron"]
    assert keywords(LIGHTROOM) == birds
    assert keywords(STYLES["lightroom, UTF-16"]) == birds
    assert keywords(STYLES["lightroom, CRLF"]) == birds
    coast = ["Orte|Küste", "b&w", "Orte|Küste", "Küste", "b&w", "Orte|Küste", "b&w"]
    assert keywords(STYLES["digikam"]) == coast
    assert keywords(STYLES["darktable"]) == []


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (small(subject("sea", "sun", kind="Seq")), ["sea", "sun"]),
        (small(subject("sea", kind="Alt")), ["sea"]),
        (small("<dc:subject>sea</dc:subject>"), ["sea"]),
        (small("", ' dc:subject="sea"'), ["sea"]),
        (small("<dc:subject/>"), []),
        (small(subject()), []),
        (small(subject("", "  ", "|")), []),
        (small(subject(" blue  sky\n")), ["blue  sky"]),
        (small(subject("b/w", "a | b|", tag="dc:subject")), ["b/w", "a|b"]),
        (small(subject("a/ b", tag="digiKam:TagsList")), ["a|b"]),
        (small(subject("a|b", tag="lr:hierarchicalSubject")), ["a|b"]),
        (small(subject("<![CDATA[<sea>]]>")), ["<sea>"]),
        (
            small(
                "<dc:subject><rdf:Bag><rdf:li rdf:parseType='Resource'><rdf:value>sea</rdf:value>"
                "</rdf:li></rdf:Bag></dc:subject>"
            ),
            ["sea"],
        ),
        (
            small(
                "<dc:subject><rdf:Bag><rdf:li><rdf:Description><rdf:value>sea</rdf:value>"
                "</rdf:Description></rdf:li></rdf:Bag></dc:subject>"
            ),
            ["sea"],
        ),
        (small(subject("sea") + subject("sun")), ["sea", "sun"]),
        (
            f"<r:RDF {RDF.replace(':rdf', ':r')}><r:Description xmlns:d='http://purl.org/dc/elements/1.1/'>"
            "<d:subject><r:Seq><r:li>sea</r:li></r:Seq></d:subject></r:Description></r:RDF>".encode(),
            ["sea"],
        ),
        (small("<dc:title><rdf:Alt><rdf:li>sea</rdf:li></rdf:Alt></dc:title>"), []),
        (small(f'<a xmlns="u"><rdf:Description {DC}>{subject("sea")}</rdf:Description></a>'), []),
    ],
)
def test_keywords_of_all_forms(data, found):
    assert keywords(data) == found


def test_edited_replaces_ranges_and_reads_the_result():
    before = Packet.parse(small(subject("sea", "sun")), "a.xmp")
    first, second = before.lists()[0].items
    after = before.edited([(second.start, second.end, b""), (first.end, first.end, b"<!-- -->")])
    assert after.keywords() == ["sea"]
    assert after.encode() == small(subject("sea")).replace(b"</rdf:li>", b"</rdf:li><!-- -->")
    with pytest.raises(MetadataError, match="not well-formed"):
        before.edited([(first.start, first.open_end, b"")])


def test_a_packet_without_properties_is_empty():
    assert Packet.parse(small(""), "a").is_empty()
    assert not Packet.parse(small("<dc:title>sea</dc:title>"), "a").is_empty()
    assert not Packet.parse(small("", ' dc:format="image/jpeg"'), "a").is_empty()


def test_decoded_shows_whatever_it_is_given():
    assert decoded(STYLES["lightroom, UTF-16"]) == UTF_16
    assert decoded(b"\xef\xbb\xbf<a>\xff</a>") == "<a>\ufffd</a>"


def test_keyword_path_has_one_separator():
    assert keyword_path(" Places / Paris/", "/") == "Places|Paris"
    assert keyword_path("b/w") == "b/w"
    assert keyword_path("//", "/") == ""


def test_tag_texts_are_the_leaf_and_the_path():
    assert tag_texts("Places|Europe|Paris") == ["Paris", "Places|Europe|Paris"]
    assert tag_texts("Paris") == ["Paris"]


def test_xml_safe_drops_what_xml_cannot_hold():
    assert xml_safe("a\0b\x1b[1m\ufffe\ud800c\n😀é") == "ab[1mc😀é"
