"""Twists that make a packet odder: each is a function of its text, and may do nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

from laws.drawing import Draw, Odd

_WRAPPER = re.compile(r"</?x:xmpmeta[^>]*>")
_SUBJECT = re.compile(r"<dc:subject>.*?</dc:subject>", re.S)


def other_prefixes(text: str) -> str:
    for old, new in (("rdf", "r"), ("dc", "purl"), ("lr", "lightroom")):
        text = re.sub(rf"(?<=[<\s/:]){old}(?=[:=])", new, text)
    return text


def another_dc_prefix(text: str) -> str:
    return re.sub(r"(?<=[<\s/:])dc(?=[:=])", "d", text)


def about_without_namespace(text: str) -> str:
    return text.replace("rdf:about=", "about=")


def no_about(text: str) -> str:
    return re.sub(r"rdf:about=(\"[^\"]*\"|'[^']*')", "", text)


def numbered_items(text: str) -> str:
    numbers = count(1)
    return re.sub(
        r"<rdf:li>(.*?)</rdf:li>", lambda m: f"<rdf:_{(n := next(numbers))}>{m[1]}</rdf:_{n}>", text
    )


def other_containers(text: str) -> str:
    return text.replace("rdf:Bag>", "rdf:Alt>").replace("rdf:Seq>", "rdf:Bag>")


def plain_subject(text: str) -> str:
    return _SUBJECT.sub("<dc:subject>sea, Birds</dc:subject>", text)


def empty_subject(text: str) -> str:
    return _SUBJECT.sub("<dc:subject><rdf:Bag/></dc:subject>", text)


def closed_subject(text: str) -> str:
    return _SUBJECT.sub("<dc:subject/>", text)


def empty_items(text: str) -> str:
    return text.replace("<rdf:li>Birds</rdf:li>", "<rdf:li/><rdf:li></rdf:li>")


def second_subject(text: str) -> str:
    again = '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">{}'
    found = _SUBJECT.search(text)
    added = again.format(found[0].replace("Birds", "Bees")) + "</rdf:Description>" if found else ""
    return text.replace("</rdf:RDF>", f"{added}</rdf:RDF>")


def empty_rdf(text: str) -> str:
    return re.sub(r"(<rdf:RDF[^>]*)>.*</rdf:RDF>", r"\1/>", text, flags=re.S)


def open_empty_rdf(text: str) -> str:
    return re.sub(r"(<rdf:RDF[^>]*>).*</rdf:RDF>", r"\1</rdf:RDF>", text, flags=re.S)


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def old_mac(text: str) -> str:
    return text.replace("\n", "\r")


def one_line(text: str) -> str:
    return re.sub(r">\s+<", "><", text)


def blank_line_first(text: str) -> str:
    return "\n" + text


def declared_late(text: str) -> str:
    return '\n<?xml version="1.0" encoding="UTF-8"?>\n' + re.sub(r"^<\?.*?\?>\s*", "", text)


def old_wrapper(text: str) -> str:
    return text.replace("x:xmpmeta", "x:xapmeta").replace("x:xmptk", "x:xaptk")


def no_wrapper(text: str) -> str:
    return _WRAPPER.sub("", text)


def comments(text: str) -> str:
    return text.replace("<rdf:li>", "<!-- <rdf:li>no</rdf:li> --><rdf:li>")


def character_data(text: str) -> str:
    return text.replace("<rdf:li>Birds<", "<rdf:li><![CDATA[Birds]]><").replace("ü", "&#xFC;")


def languages(text: str) -> str:
    return text.replace("<rdf:li>", '<rdf:li xml:lang="de">')


def qualified(text: str) -> str:
    inner = '<rdf:li rdf:parseType="Resource"><rdf:value>Birds</rdf:value></rdf:li>'
    return text.replace("<rdf:li>Birds</rdf:li>", inner)


def blanks_in_items(text: str) -> str:
    return text.replace("<rdf:li>", "<rdf:li>\n    ").replace("</rdf:li>", " </rdf:li>")


def doubled_items(text: str) -> str:
    return re.sub(r"(<rdf:li>.*?</rdf:li>)", r"\1\1", text)


def control_characters(text: str) -> str:
    return text.replace("See</", "S\x02ee</").replace(">Birds<", ">Bi\x0brds<")


def bare_ampersand(text: str) -> str:
    return text.replace("&amp;", "&")


def garbage_behind(text: str) -> str:
    return text + "\x00\x00trailing <garbage & bytes"


def padded(text: str) -> str:
    return text + (" " * 99 + "\n") * 20


def zero_bytes_behind(text: str) -> str:
    return text + "\0\0\0"


def latin_1_bytes(text: str) -> str:
    """Bytes that are no UTF-8, as surrogates."""
    return text.replace("ü", "\udcfc")


def surrogate_pairs(text: str) -> str:
    """Characters as two surrogates of three bytes each, as exiftool makes them of UTF-16."""
    return text.replace("See</", "S\udced\udca0\udcbc\udced\udcbc\udc8a</")


def doctype(text: str) -> str:
    return '<!DOCTYPE x [<!ENTITY a "b">]>\n' + text


def cut_short(text: str) -> str:
    return text[: len(text) * 2 // 3]


ODD_RDF = ("traceless", "odd RDF")
BROKEN = ("broken XMP", "traceless")
# Twist → the kinds of refusal that it may lead to.
TWISTS: dict[Callable[[str], str], tuple[str, ...]] = {
    other_prefixes: (),
    another_dc_prefix: (),
    about_without_namespace: (),
    no_about: (),
    numbered_items: (),
    other_containers: (),
    plain_subject: ("plain subject",),
    empty_subject: (),
    closed_subject: (),
    empty_items: (),
    second_subject: ODD_RDF,
    empty_rdf: ("empty RDF",),
    open_empty_rdf: ("empty RDF",),
    crlf: (),
    old_mac: (),
    one_line: (),
    blank_line_first: (),
    declared_late: (),
    old_wrapper: (),
    no_wrapper: (),
    comments: (),
    character_data: (),
    languages: (),
    qualified: ODD_RDF,
    blanks_in_items: (),
    doubled_items: (),
    control_characters: BROKEN,
    bare_ampersand: BROKEN,
    garbage_behind: BROKEN,
    padded: (),
    zero_bytes_behind: (),
    latin_1_bytes: BROKEN,
    surrogate_pairs: BROKEN,
    doctype: ("document type",),
    cut_short: BROKEN,
}
CODECS = {"utf-8": 16, "utf-8-sig": 2, "utf-16-le": 1, "utf-16-be": 1}
_ESCAPE = "surrogateescape"
_BOMS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


def twisted(draw: Draw, packet: Odd) -> Odd:
    """The packet after none, one or two twists, perhaps in another encoding."""
    n = int(draw.by_weight({"0": 4, "1": 5, "2": 2}))
    for twist in draw.shuffled(list(TWISTS))[:n]:
        text = twist(packet.data.decode(errors=_ESCAPE)).encode(errors=_ESCAPE)
        if text != packet.data:
            packet = packet.odder(text, twist.__name__.replace("_", " "), *TWISTS[twist])
    codec = draw.by_weight(CODECS)
    if codec != "utf-8":
        text = packet.data.decode(errors="replace").replace('encoding="UTF-8"', "").encode(codec)
        packet = packet.odder(_BOMS.get(codec, b"") + text, f"in {codec}")
    return packet
