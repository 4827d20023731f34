"""XMP packets as many programs write them, and as they come out of broken tools.

A packet is rendered in the style of one program from a person's keywords, and then made odder by
some twists: other prefixes, encodings, spellings of the RDF, breakage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from laws.drawing import Draw, Odd
from laws.twists import twisted

NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "mediapro": "http://ns.iview-multimedia.com/mediapro/1.0/",
    "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "darktable": "http://darktable.sf.net/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
}
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
XPACKET = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'

# Property → separator of its levels, or None where it lists the leaves alone.
LISTS = {
    "dc:subject": None,
    "lr:hierarchicalSubject": "|",
    "digiKam:TagsList": "/",
    "MicrosoftPhoto:LastKeywordXMP": "/",
    "mediapro:CatalogSets": "|",
    "acdsee:keywords": "|",
}

KEYWORDS = (
    ("Birds",),
    ("Animals", "Birds", "Grey Heron"),
    ("Küste",),
    ("b&w",),
    ("日本", "京都"),
    ("2019",),
    ("Anna, Ben",),
    ("quote \"x\" 'y'",),
    ("Fruit", "Orange"),
    ("sea",),
    ("E\u0301clair",),
    ("🌊",),
)


@dataclass(frozen=True)
class Style:
    """How one program lays out a packet."""

    lists: tuple[str, ...]
    wrapper: str = '<x:xmpmeta xmlns:x="adobe:ns:meta/">|</x:xmpmeta>'
    about: str = 'rdf:about=""'
    head: str = ""
    tail: str = ""
    kinds: tuple[str, ...] = ("Bag",)
    attributes: str = ""
    properties: str = ""
    many_descriptions: bool = False
    indent: str = " "


_TITLE = "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Hügel &amp; See</rdf:li></rdf:Alt>"
_TITLE += "</dc:title>"
_HISTORY = (
    '<xmpMM:History><rdf:Seq><rdf:li stEvt:action="saved" stEvt:when="2020-01-01T10:00:00"/>'
    '<rdf:li rdf:parseType="Resource"><stEvt:action>derived</stEvt:action></rdf:li>'
    "</rdf:Seq></xmpMM:History>"
)
_DARKTABLE = (
    '<darktable:history><rdf:Seq><rdf:li darktable:num="0" darktable:operation="exposure"/>'
    "</rdf:Seq></darktable:history>"
)
_CORE = '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{}">|</x:xmpmeta>'

STYLES = {
    "lightroom": Style(
        ("dc:subject", "lr:hierarchicalSubject"),
        _CORE.format("Adobe XMP Core 7.0-c000 1.000000  "),
        attributes='xmp:Rating="4" crs:Temperature="5350" xmp:CreatorTool="A &gt; &quot;B&quot;"',
        properties=_TITLE,
    ),
    "digikam": Style(
        tuple(LISTS)[:5],
        _CORE.format("XMP Core 4.4.0-Exiv2"),
        head=XPACKET,
        tail='<?xpacket end="w"?>',
        kinds=("Bag", "Seq", "Bag", "Bag", "Seq"),
        attributes='digiKam:ColorLabel="0"',
    ),
    "darktable": Style(
        ("dc:subject", "lr:hierarchicalSubject"),
        _CORE.format("XMP Core 4.4.0-Exiv2"),
        head='<?xml version="1.0" encoding="UTF-8"?>',
        kinds=("Seq", "Seq"),
        attributes='darktable:xmp_version="5" xmp:Rating="1"',
        properties=_DARKTABLE,
    ),
    "exiftool": Style(
        ("dc:subject", "lr:hierarchicalSubject"),
        "<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Image::ExifTool 12.57'>|</x:xmpmeta>",
        about="rdf:about=''",
        head=XPACKET.replace('"', "'"),
        tail="<?xpacket end='w'?>",
        properties=_TITLE,
        many_descriptions=True,
    ),
    "windows": Style(
        ("MicrosoftPhoto:LastKeywordXMP", "dc:subject"),
        about='rdf:about="uuid:faf5bdd5-ba3d-11da-ad31-d33d75182f1b"',
        head=XPACKET,
        tail=" " * 300 + "<?xpacket end='w'?>",
        properties="<MicrosoftPhoto:Rating>75</MicrosoftPhoto:Rating>",
        many_descriptions=True,
        indent="",
    ),
    "capture one": Style(
        ("lr:hierarchicalSubject", "dc:subject"),
        _CORE.format("XMP Core 5.5.0"),
        properties=f"<photoshop:Urgency>2</photoshop:Urgency>{_TITLE}",
        indent="   ",
    ),
    "bridge": Style(
        ("dc:subject",),
        _CORE.format("Adobe XMP Core 6.0-c002 79.164352"),
        head=XPACKET,
        tail=(" " * 99 + "\n") * 20 + '<?xpacket end="w"?>',
        attributes='photoshop:City="Ulm" xmpMM:InstanceID="xmp.iid:1"',
        properties=_HISTORY,
    ),
    "acdsee": Style(
        ("acdsee:keywords", "dc:subject"),
        properties="<acdsee:rating>3</acdsee:rating>",
        many_descriptions=True,
    ),
    "all in step": Style(tuple(LISTS), head=XPACKET, tail="<?xpacket end='w'?>"),
    "no list": Style((), properties=_TITLE, attributes='xmp:Rating="2"'),
    "attributes alone": Style((), attributes='xmp:Rating="2"'),
    "phone": Style(
        (), head=XPACKET, attributes='GCamera:MicroVideo="1"', tail="<?xpacket end='w'?>"
    ),
}


def draw_keywords(draw: Draw) -> list[tuple[str, ...]]:
    """A person's keywords, each as its levels."""
    return draw.shuffled(draw.some(KEYWORDS, at_least=1))[:6]


def draw_packet(draw: Draw, keywords: list[tuple[str, ...]]) -> Odd:
    """A packet of some program, often with some twists."""
    name = draw.by_weight(dict.fromkeys(STYLES, 1))
    if draw.chance(0.02):
        keywords = keywords + [("many", f"word {i}") for i in range(350)]
    return twisted(draw, Odd(render(STYLES[name], keywords).encode(), (f"packet of {name}",)))


def render(style: Style, keywords: Iterable[tuple[str, ...]]) -> str:
    """The packet of a style with these keywords."""
    kinds = style.kinds + style.kinds[-1:] * len(style.lists)
    lists = [_list(name, kind, keywords) for name, kind in zip(style.lists, kinds, strict=False)]
    properties = [*lists, style.properties]
    groups = properties if style.many_descriptions else ["\n".join(properties)]
    rdf = "\n".join(_description(style, group, i == 0) for i, group in enumerate(groups))
    start, end = style.wrapper.split("|")
    lines = [style.head, start, f"<rdf:RDF {RDF}>", rdf, "</rdf:RDF>", end, style.tail]
    return "\n".join(line for line in lines if line) + "\n"


def _list(name: str, kind: str, keywords: Iterable[tuple[str, ...]]) -> str:
    separator = LISTS[name]
    texts = (path[-1] if separator is None else separator.join(path) for path in keywords)
    items = "".join(f"\n  <rdf:li>{escape(text)}</rdf:li>" for text in dict.fromkeys(texts))
    return f"<{name}>\n <rdf:{kind}>{items}\n </rdf:{kind}>\n</{name}>"


def _description(style: Style, properties: str, is_first: bool) -> str:
    attributes = style.attributes if is_first else ""
    used = [name for name in NAMESPACES if f"{name}:" in properties + attributes]
    declared = " ".join(f'xmlns:{name}="{NAMESPACES[name]}"' for name in used)
    start = " ".join(text for text in (style.about, declared, attributes) if text)
    if not properties:
        return f"<rdf:Description {start}/>"
    inner = "\n".join(style.indent + line for line in properties.splitlines())
    return f"<rdf:Description {start}>\n{inner}\n</rdf:Description>"
