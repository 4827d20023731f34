"""Containers of photos made from scratch, with a block of metadata in any place of them."""

from __future__ import annotations

import struct
import zlib

from helpers.keyword_photos import encode

XAP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
GUID = b"0123456789ABCDEF0123456789ABCDEF"
XMP, IPTC, PHOTOSHOP, WINDOWS = 700, 33723, 34377, 0x9C9E
EXIF_IFD, MAKER_NOTE, SUB_IFDS = 34665, 0x927C, 330
BYTE, SHORT, LONG, UNDEFINED, LONG8 = 1, 3, 4, 7, 16
SIZES = {BYTE: 1, 2: 1, SHORT: 2, LONG: 4, UNDEFINED: 1, LONG8: 8}

Tag = tuple[int, int, "bytes | list[Tag]"]  # number, kind, value


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def xmp_segment(packet: bytes) -> bytes:
    return segment(0xE1, XAP + packet)


def exif_segment(tiff: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + tiff)


def extension(data: bytes, *places: tuple[int, int], guid: bytes = GUID) -> bytes:
    """Segments with the parts of extended XMP between the given places."""
    heads = ((start, end, struct.pack(">II", len(data), start)) for start, end in places)
    return b"".join(
        segment(0xE1, EXTENSION + guid + head + data[start:end]) for start, end, head in heads
    )


def resource(number: int, data: bytes, name: bytes = b"") -> bytes:
    """One of Photoshop's image resources."""
    title = bytes([len(name)]) + name
    title += b"\0" * (len(title) % 2)
    size = struct.pack(">I", len(data))
    return b"8BIM" + struct.pack(">H", number) + title + size + data + b"\0" * (len(data) % 2)


def jpeg(*parts: bytes, behind: bytes = b"") -> bytes:
    """A JPEG with `parts` behind its JFIF segment, and bytes behind its end."""
    plain = encode("JPEG")
    return plain[:20] + b"".join(parts) + plain[20:] + behind


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def png(*chunks: bytes, last: tuple[bytes, ...] = (), behind: bytes = b"") -> bytes:
    """A PNG with `chunks` before its pixels and `last` behind them."""
    plain = encode("PNG")
    pixels, end = plain.index(b"IDAT") - 4, plain.index(b"IEND") - 4
    return (
        plain[:pixels]
        + b"".join(chunks)
        + plain[pixels:end]
        + b"".join(last)
        + plain[end:]
        + behind
    )


def profile(kind: bytes, data: bytes) -> bytes:
    """The text of a profile as ImageMagick writes it."""
    digits = data.hex().encode()
    lines = b"\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    return b"\n%b\n%8d\n%b\n" % (kind, len(data), lines)


def tiff(*directories: list[Tag], order: str = "<", magic: bytes = b"", big: bool = False) -> bytes:
    """A TIFF whose directories follow one another; a value that is a list is one below."""
    mark, number = (b"II" if order == "<" else b"MM"), struct.pack(f"{order}H", 43 if big else 42)
    wide = f"{order}{'Q' if big else 'I'}"
    data = bytearray((magic or mark + number) + (struct.pack(f"{order}HH", 8, 0) if big else b""))
    link = len(data)
    data += struct.pack(wide, 0)
    for tags in directories:
        link = _add_directory(data, link, tags, wide)
    return bytes(data)


def _add_directory(data: bytearray, link: int, tags: list[Tag], wide: str) -> int:
    """Append a directory, write its place at `link`, and return where the next one's place goes."""
    order, size = wide[0], struct.calcsize(wide)
    data += b"\0" * (len(data) % 2)
    struct.pack_into(wide, data, link, len(data))
    data += struct.pack(wide if size == 8 else f"{order}H", len(tags))
    row, entry = len(data), 4 + 2 * size
    link = row + entry * len(tags)
    data += bytes(entry * len(tags) + size)
    for tag, kind, value in sorted(tags, key=lambda found: found[0]):
        content = value if isinstance(value, bytes) else bytes(4)
        count = -(-len(content) // SIZES[kind])
        struct.pack_into(f"{order}HH{wide[1]}", data, row, tag, kind, count)
        place = row + 4 + size
        if not isinstance(value, bytes):
            _add_directory(data, place, value, wide)
        elif len(value) <= size:
            data[place : place + len(value)] = value
        else:
            struct.pack_into(wide, data, place, len(data))
            data += value + b"\0" * (len(value) % 2)
        row += entry
    return link


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP with chunks behind its pixels."""
    content = encode("WEBP")[8:]
    for kind, data in chunks:
        content += kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def gif(packet: bytes, last: bool = False) -> bytes:
    """A GIF with XMP before or behind its picture."""
    plain = encode("GIF")
    place = len(plain) - 1 if last else 13 + 3 * 2 ** (plain[10] % 8 + 1) * (plain[10] >> 7)
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    return plain[:place] + b"!\xff\x0bXMP DataXMP" + packet + trailer + plain[place:]


def box(kind: bytes, *contents: bytes) -> bytes:
    """A box as HEIC and CR3 are built of."""
    content = b"".join(contents)
    return struct.pack(">I", len(content) + 8) + kind + content


def heic(packet: bytes, exif: bytes = b"", in_meta: bool = False) -> bytes:
    """What a HEIC has of metadata: the items Exif and XMP, in the file or in its meta box."""
    item = box(b"infe", bytes([2, 0, 0, 0]), b"\0\1\0\0mime", b"\0application/rdf+xml\0\0")
    other = box(b"infe", bytes([2, 0, 0, 0]), b"\0\2\0\0Exif\0")
    iinf = box(b"iinf", bytes(4), struct.pack(">H", 2), item, other)
    block = struct.pack(">I", 6) + b"Exif\0\0" + exif
    contents = packet + block

    def meta(base: int) -> bytes:
        rows = b"".join(
            struct.pack(">HHHHII", number, in_meta, 0, 1, base + start, len(data))
            for number, start, data in ((1, 0, packet), (2, len(packet), block))
        )
        iloc = box(b"iloc", bytes([1, 0, 0, 0]), b"\x44\0", struct.pack(">H", 2), rows)
        return box(b"meta", bytes(4), iinf, iloc, *([box(b"idat", contents)] if in_meta else []))

    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    base = 0 if in_meta else len(head) + len(meta(0)) + 8
    return head + meta(base) + (b"" if in_meta else box(b"mdat", contents))


def cr3(packet: bytes) -> bytes:
    """What a CR3 has of XMP."""
    uuid = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    return box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"moov") + box(b"uuid", uuid, packet)


def raf(photo: bytes) -> bytes:
    """A RAW of Fujifilm around a JPEG."""
    head = b"FUJIFILMCCD-RAW 0201FF383501Test".ljust(84, b"\0")
    return head + struct.pack(">II", 148, len(photo)) + bytes(56) + photo


def mrw(block: bytes) -> bytes:
    """A RAW of Minolta around a TIFF."""
    content = b"\0PRD" + struct.pack(">I", 24) + bytes(24)
    content += b"\0TTW" + struct.pack(">I", len(block)) + block
    return b"\0MRM" + struct.pack(">I", len(content)) + content


def mpf(*pictures: tuple[int, int], order: str = ">") -> bytes:
    """An index of pictures: of each its size and its place from the index."""
    rows = b"".join(struct.pack(f"{order}IIIHH", 0, *row, 0, 0) for row in pictures)
    return segment(0xE2, b"MPF\0" + tiff([(0xB002, UNDEFINED, rows)], order=order))
