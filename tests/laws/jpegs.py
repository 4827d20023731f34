"""JPEG files with what cameras, phones and programs put into and behind them."""

from __future__ import annotations

import hashlib
import struct
from functools import cache
from io import BytesIO

from laws import tiffs
from laws.drawing import Draw, Odd
from PIL import Image

XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_MPF_AT, _MPF_SIZE = 0x7E5A43C3, 0x7E5A43C4


@cache
def base(kind: str = "baseline", colour: str = "teal") -> bytes:
    """A small JPEG as Pillow writes it."""
    buffer = BytesIO()
    image = Image.linear_gradient("L").resize((16, 12)).convert("RGB")
    image.paste(colour, (2, 2, 9, 7))
    image.save(buffer, "JPEG", progressive=kind == "progressive")
    return buffer.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def resources(*blocks: tuple[int, bytes]) -> bytes:
    """An APP13 segment with image resources of Photoshop."""
    parts = (
        b"8BIM" + struct.pack(">HHI", kind, 0, len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in blocks
    )
    return segment(0xED, b"Photoshop 3.0\0" + b"".join(parts))


def iptc(words: list[bytes], charset: bytes = b"") -> bytes:
    """IPTC records: a city, and the keywords."""
    fields = [(1, 90, charset)] if charset else []
    fields += [(2, 0, b"\0\4"), *((2, 25, word) for word in words), (2, 90, b"Ulm")]
    return b"".join(struct.pack(">BBBH", 28, *kind, len(v)) + v for *kind, v in fields)


def draw_iptc(draw: Draw, keywords: list[tuple[str, ...]]) -> tuple[bytes, str]:
    """IPTC keywords in one of the encodings that programs use, and its label."""
    codec = draw.one("utf-8", "utf-8", "latin-1", "windows-1252")
    words = [path[-1].encode(codec, "ignore") for path in keywords]
    words += [b"caf\xe9 \x96 20 \x80"] if codec == "windows-1252" else []
    declared = codec == "utf-8" and draw.chance(0.7)
    label = f"IPTC in {codec}, {'declared' if declared else 'not declared'}"
    return iptc([word for word in words if word], b"\x1b%G" if declared else b""), label


def _packets(draw: Draw, packet: Odd) -> tuple[list[bytes], Odd]:
    """The segments of a packet: standard, extended or two of them."""
    own = segment(0xE1, XMP + packet.data) if len(packet.data) < 65000 else b""
    if not own or draw.chance(0.06):
        return _extended(packet)
    if draw.chance(0.05):
        again = segment(0xE1, XMP + packet.data.replace(b"Birds", b"Bees!"))
        return [own, again], packet.odder(b"", "two packets", "two packets")
    return [own], packet


def _extended(packet: Odd) -> tuple[list[bytes], Odd]:
    guid = hashlib.md5(packet.data, usedforsecurity=False).hexdigest().upper().encode()
    short = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
        b'22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/'
        b'xmp/note/" xmpNote:HasExtendedXMP="%b"/></rdf:RDF></x:xmpmeta>' % guid
    )
    pieces = [packet.data[i : i + 60000] for i in range(0, len(packet.data), 60000)]
    size = len(packet.data)
    parts = [
        segment(0xE1, EXTENDED + guid + struct.pack(">II", size, 60000 * i) + piece)
        for i, piece in enumerate(pieces)
    ]
    return [segment(0xE1, XMP + short), *parts], packet.odder(b"", "extended XMP", "two packets")


def _mpf(order: str) -> bytes:
    """Multi-picture format: a second picture, whose offset counts from this header."""
    first = struct.pack(f"{order}IIIHH", 0x20030000, _MPF_SIZE, 0, 0, 0)
    second = struct.pack(f"{order}IIIHH", 0, len(_second()), _MPF_AT, 0, 0)
    entries = [(0xB000, tiffs.UNDEFINED, b"0100"), (0xB001, tiffs.LONG, tiffs.long(order, 2))]
    entries += [(0xB002, tiffs.UNDEFINED, first + second)]
    return segment(0xE2, b"MPF\0" + tiffs.header(order) + tiffs.directory(order, entries, 8))


@cache
def _second() -> bytes:
    """The second picture: a gain map, with XMP of its own."""
    picture = base(colour="red")
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
        b'22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/'
        b'hdr-gain-map/1.0/" hdrgm:Version="1.0"/></rdf:RDF></x:xmpmeta>'
    )
    return picture[:20] + segment(0xE1, XMP + packet) + picture[20:]


def draw_jpeg(draw: Draw, packet: Odd | None, keywords: list[tuple[str, ...]]) -> Odd:
    """A JPEG with some of all that, its segments in the usual or in an odd order."""
    kind = draw.one("baseline", "baseline", "progressive")
    jpeg = base(kind)
    jfif, rest = jpeg[2:20], jpeg[20:]
    odd = (packet or Odd(b"")).odder(b"", f"JPEG {kind}")
    parts = [jfif] if draw.chance(0.7) else []
    order, maker = draw.one("<", ">"), ""
    if draw.chance(0.6):
        maker = draw.one("", "", *tiffs.MAKERS)
        windows = "Sea;Blue sky".encode("utf-16-le") + b"\0\0" if draw.chance(0.2) else b""
        block = tiffs.exif(order, maker, windows, base() if draw.chance(0.3) else b"")
        parts.append(segment(0xE1, b"Exif\0\0" + block))
        odd = odd.odder(b"", f"EXIF {order} {maker}", *(["points behind"] if maker else []))
    if packet:
        segments, odd = _packets(draw, odd.odder(packet.data, "XMP"))
        parts += segments
    more, odd = _more_segments(draw, keywords, odd)
    is_mpf = not maker and draw.chance(0.12)
    if is_mpf:
        odd = odd.odder(b"", "MPF", "points behind")
    parts += more
    if draw.chance(0.15):  # EXIF that moves as a whole may still hold places in the file
        parts = draw.shuffled(parts)
        odd = odd.odder(b"", "odd order", "points behind")
    if is_mpf:
        parts.insert(draw.one(0, len(parts), len(parts)), _mpf(order))
    head, odd = _joined(draw, parts, odd)
    first = b"\xff\xd8" + head + rest
    return _with_trailer(draw, first, order, maker, is_mpf, odd)


def _more_segments(
    draw: Draw, keywords: list[tuple[str, ...]], odd: Odd
) -> tuple[list[bytes], Odd]:
    parts = []
    if draw.chance(0.3):
        records, label = draw_iptc(draw, keywords)
        digest = hashlib.md5(records, usedforsecurity=False).digest()
        more = [(0x0425, digest)] if draw.chance(0.5) else []
        parts.append(resources((0x03ED, bytes(16)), (0x0404, records), *more))
        odd = odd.odder(b"", label)
    others = {
        "comment": segment(0xFE, b"a comment \xe9"),
        "colours": segment(0xE2, b"ICC_PROFILE\0\1\1" + struct.pack(">I", 200) + bytes(196)),
        "Adobe": segment(0xEE, b"Adobe\0d\0\0\0\0\1"),
        "unknown": segment(0xE7, b"Some program\0" + draw.noise(30)),
        "JUMBF": segment(0xEB, b"JP\0\1\0\0\0\1" + bytes(30)),
        "empty": segment(0xE5, b""),
    }
    for label, part in others.items():
        if draw.chance(0.08):
            parts.append(part)
            odd = odd.odder(b"", label)
    return parts, odd


def _joined(draw: Draw, parts: list[bytes], odd: Odd) -> tuple[bytes, Odd]:
    """The segments behind one another, perhaps with fill bytes or stray bytes between."""
    gap = draw.by_weight({"": 16, "fill bytes": 2, "stray bytes": 2}) if parts else ""
    between = {"": b"", "fill bytes": b"\xff" * 3, "stray bytes": b"\0\x12\x34"}[gap]
    where = max(1, draw.up_to(len(parts) + 1))  # right at the start it would be no JPEG
    head = b"".join(parts[:where]) + between + b"".join(parts[where:])
    refusals = ["broken photo"] if gap == "stray bytes" else []
    return head, odd.odder(b"", gap, *refusals) if gap else odd


def _with_trailer(draw: Draw, first: bytes, order: str, maker: str, is_mpf: bool, odd: Odd) -> Odd:
    """What lies behind the picture, and the offsets that point at it."""
    if maker:
        return odd.odder(_pointed(first, order, maker), "preview behind")
    if is_mpf:
        start = first.index(b"MPF\0") + 4
        numbers = ((_MPF_AT, len(first) - start), (_MPF_SIZE, len(first)))
        return odd.odder(_filled(first, order, numbers) + _second(), "second picture")
    tails = {
        "zeros behind": bytes(40),
        "text behind": b"\r\nsome text <b> & more",
        "JPEG behind": base(colour="red"),
        "film behind": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(50),
        "Samsung trailer": b"\0\0\1\x0a\x0e\0\0\0Image_UTC_Data1234567SEFH" + bytes(12) + b"SEFT",
    }
    label = draw.by_weight({"ends": 12, **dict.fromkeys(tails, 1)})
    refusals = ["points behind"] if label not in ("ends", "zeros behind") else []
    return odd.odder(first + tails.get(label, b""), label, *refusals)


def _pointed(first: bytes, order: str, maker: str) -> bytes:
    """The photo with a preview behind it that the maker's note points at."""
    preview = base(colour="navy")
    base_at = first.index(b"Exif\0\0") + 6
    if maker == "NIKON":
        base_at = first.index(b"Nikon\0\2") + 10
    numbers = (tiffs.PREVIEW_AT, len(first) - base_at), (tiffs.PREVIEW_LENGTH, len(preview))
    return _filled(first, order, numbers) + preview


def _filled(data: bytes, order: str, numbers: tuple[tuple[int, int], ...]) -> bytes:
    for placeholder, value in numbers:
        data = data.replace(tiffs.long(order, placeholder), tiffs.long(order, value))
    return data
