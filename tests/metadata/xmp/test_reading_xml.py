"""XML that parsers refuse and photo software reads: read, written and undone to the byte."""

from __future__ import annotations

from contextlib import suppress

import pytest
from helpers.packets import DARKTABLE, DC, DIGIKAM, LIGHTROOM, RDF, UTF_16, marks, packet, subject

from mmcgan.errors import MetadataError
from mmcgan.metadata.xmp.elements import find, parse
from mmcgan.metadata.xmp.encodings import has_marks
from mmcgan.metadata.xmp.marking import mark, unmark
from mmcgan.metadata.xmp.packet import Packet, decoded
from mmcgan.metadata.xmp.repair import repair

SEA = packet(subject("sea"))
TEXT = SEA.decode()
DECLARED = '<?xml version="1.0" encoding="{}"?>'

READ = {
    "bytes behind": (SEA + b"\0garbage </a> & \xff", ["sea"]),
    "a document behind": (SEA + packet(subject("sun")), ["sea"]),
    "a document type behind": (SEA + b"<!DOCTYPE x><x/>", ["sea"]),
    "padding behind": (SEA + b"\0" * 4000, ["sea"]),
    "a cut wrapper": (SEA[: -len("meta>")], ["sea"]),
    "a blank line before": (b"\n \r\n<?xml version='1.0'?>\n" + SEA, ["sea"]),
    "zero bytes before": (b"\0\0\0<?xml version='1.0'?>" + SEA, ["sea"]),
    "two byte order marks": (b"\xef\xbb\xbf" * 2 + SEA, ["sea"]),
    "a blank line before a byte order mark": (b"\n\xef\xbb\xbf" + SEA, ["sea"]),
    "a declaration twice": (b"<?xml version='1.0'?>\n<?xml version='1.0'?>" + SEA, ["sea"]),
    "a declaration inside": (packet("<?xml version='1.0'?>" + subject("sea")), ["sea"]),
    "control characters": (packet(subject("s\x01e\x0ba\x1f")), ["sea"]),
    "a control character between": (packet("\x02" + subject("sea") + "\x00"), ["sea"]),
    "a delete": (packet(subject("se\x7fa")), ["se\x7fa"]),
    "no character": (packet(subject("se\uffffa")), ["sea"]),
    "a bare &": (packet(subject("sea & sun", "a&b", "x &amp; y")), ["sea & sun", "a&b", "x & y"]),
    "an undefined entity": (packet(subject("sea&nbsp;x")), ["sea&nbsp;x"]),
    "a reference to nothing": (packet(subject("s&#0;e&#x1;a&#55555;&#99999999;")), ["sea"]),
    "references": (packet(subject("s&#101;&#x61;", "&#10;sun")), ["sea", "sun"]),
    "a bare <": (packet(subject("sea < 3")), ["sea < 3"]),
    "CDATA beside a bare &": (
        packet(subject("<![CDATA[a & <b\x01>]]>", "c & d")),
        ["a & <b>", "c & d"],
    ),
    "a comment that is none": (packet("<!-- a -- & b -->" + subject("sea")), ["sea"]),
    "Latin-1 in UTF-8": (packet(subject("caf\u00e9")).decode().encode("latin-1"), ["café"]),
    "Windows-1252 in UTF-8": (packet(subject("1 \u20ac")).decode().encode("cp1252"), ["1 €"]),
    "both in one": (
        packet(subject("Küste", "X")).replace(b"X", "Küste".encode("latin-1")),
        ["Küste", "Küste"],
    ),
    "Latin-1": (DECLARED.format("ISO-8859-1").encode() + TEXT.encode("latin-1"), ["sea"]),
    "Windows-1252, undefined bytes": (
        DECLARED.format("windows-1252").encode() + SEA.replace(b"sea", b"s\x80a\x81"),
        ["s€a"],
    ),
    "Cyrillic": (
        DECLARED.format("windows-1251").encode() + TEXT.replace("sea", "море").encode("cp1251"),
        ["море"],
    ),
    "an unknown encoding": (DECLARED.format("x-none").encode() + SEA, ["sea"]),
    "an encoding of two bytes that is not so": (DECLARED.format("UTF-16").encode() + SEA, ["sea"]),
    "prefixes that nobody declares": (
        b"<rdf:RDF><rdf:Description a:b='c'><dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag>"
        b"</dc:subject></rdf:Description></rdf:RDF>",
        ["sea"],
    ),
    "another wrapper": (b"<a><b>" + SEA + b"</b></a>", ["sea"]),
}
for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
    wide = {
        "": TEXT,
        ", byte order mark": "\ufeff" + UTF_16.replace("Birds<", "sea<"),
        ", a blank line before": "\n" + TEXT,
        ", zero characters before": "\0\0" + TEXT,
        ", zero characters behind": TEXT + "\0\0",
        ", a bare &": "\ufeff" + TEXT.replace("sea", "sea & s\x01un"),
        ", 日本": TEXT.replace("sea", "日本😀"),
    }
    READ |= {
        f"{codec}{name}": (text.encode(codec), Packet.parse(text.encode(), "a").keywords())
        for name, text in wide.items()
    }
    READ[f"{codec}, half a character behind"] = (TEXT.encode(codec) + b"\xff", ["sea"])
    READ[f"{codec}, garbage behind"] = (TEXT.encode(codec) + b"\xff\xdf\xff" * 3, ["sea"])
    READ[f"{codec}, half a pair"] = (
        TEXT.replace("sea", "s\ud800ea").encode(codec, "surrogatepass"),
        ["sea"],
    )


@pytest.mark.parametrize("form", READ)
def test_keywords_are_read_as_photo_software_reads_them(form):
    data, keywords = READ[form]
    assert Packet.parse(data, form).keywords() == keywords


@pytest.mark.parametrize("form", READ)
def test_marks_go_into_the_real_bytes_and_out_of_them_again(form):
    data, _ = READ[form]
    marked = mark(data, marks("plant_life", "日本酒", "a & b"), ["Strand"], form)
    assert marked is not None
    added = Packet.parse(marked, form).keywords()
    assert added[-3:] == ["plant life", "日本酒", "a & b"]
    rest = iter(marked)
    assert all(byte in rest for byte in data)  # still there, in the same order
    assert unmark(marked, form) == data
    assert mark(marked, marks("plant_life", "日本酒", "a & b"), ["Strand"], form) == marked
    assert has_marks(marked)
    assert not has_marks(data)


def test_what_is_added_to_mixed_encodings_is_read_in_either():
    marked = mark(READ["both in one"][0], marks("日本", "é"), [], "a")
    assert b"<rdf:li>&#26085;&#26412;</rdf:li><rdf:li>&#233;</rdf:li>" in marked


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"\0<", b"<", LIGHTROOM[:400], b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b; & c</a>"],
)
def test_what_has_no_end_or_a_document_type_is_refused(data):
    with pytest.raises(MetadataError, match=r"a\.xmp"):
        Packet.parse(data, "a.xmp")


@pytest.mark.parametrize("cut", range(0, len(DIGIKAM), 61))
def test_cut_packets_give_no_traceback_and_stay(cut):
    for data in (DIGIKAM[:cut], DIGIKAM[:cut] + b"\xff&\0<" + DIGIKAM[cut:]):
        with suppress(MetadataError):
            marked = mark(data, marks("wood"), ["Strand"], "a.xmp")
            assert unmark(marked, "a.xmp") == data
        assert unmark(data, "a.xmp") == data


@pytest.mark.parametrize(
    "piece", ["<!--", "<![CDATA[", "<?", "&", "< ", "\x01a", " a:b='", "<b:c "]
)
def test_a_flood_of_what_is_broken_is_refused_in_little_time(piece):
    data = packet("&" + piece * (2**21 // len(piece)))  # quadratic time would be hours
    with suppress(MetadataError):
        Packet.parse(data, "a.xmp")


def test_prefixes_are_declared_for_a_few_only():
    names = "".join(f"<p{number}:a/>" for number in range(101))
    with pytest.raises(MetadataError, match="unbound prefix"):
        Packet.parse(packet(names), "a.xmp")
    assert Packet.parse(packet(names.replace("<p100:a/>", "")), "a.xmp").keywords() == []


def test_repair_knows_the_way_back():
    data = b"<a><b\x01 t='&'/>\x02<!-- --><c>x & y</c>\x03</a>"
    root = parse(data, "a")
    spans = [data[child.start : child.end] for child in root.children]
    assert spans == [b"<b\x01 t='&'/>", b"<c>x & y</c>"]
    assert data[root.children[1].start : root.children[1].open_end] == b"<c>"
    assert repair(b"<a>&lt;</a>", {}).text == b"<a>&lt;</a>"


def test_find_stops_behind_the_first_that_is_whole():
    data = b"<a><b x='1'><b/></b><b x='2'/></oops"
    found = find(data, "a", "b")
    assert data[found.start : found.end] == b"<b x='1'><b/></b>"
    assert find(b"<a/>", "a", "b") is None


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("namespace", ["urn:mmcgan:xmp/1.0/", "urn:mmcgan:xmp/1.0"])
def test_has_marks_sees_our_namespace_in_any_encoding(codec, namespace):
    assert has_marks(b"\xff\0\x80" + namespace.encode(codec) + b"\xff")
    assert not any(map(has_marks, (b"", DARKTABLE, "urn:mmcgan:xmp/2.0/".encode(codec))))


def test_decoded_shows_an_encoding_of_four_bytes():
    assert decoded(b"\xff\xfe\0\0" + "<é/>".encode("utf-32-le")) == "<é/>"
    assert decoded(b"") == ""


def test_namespaces_are_known_in_their_other_spellings():
    old = TEXT.replace("http://purl.org/dc/elements/1.1/", "http://purl.org/dc/1.1/").encode()
    bare = TEXT.replace(
        "http://purl.org/dc/elements/1.1/", "http://purl.org/dc/elements/1.1"
    ).encode()
    for data in (old, bare):
        marked = mark(data, marks("sun"), [], "a")
        assert Packet.parse(marked, "a").keywords() == ["sea", "sun"]
        assert unmark(marked, "a") == data
    assert DC.encode() not in bare
    assert RDF.encode() in bare
