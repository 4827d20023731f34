"""PNG files with their metadata in the usual and in odd chunks."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from io import BytesIO

from laws import tiffs
from laws.drawing import Draw, Odd
from PIL import Image

START = b"\x89PNG\r\n\x1a\n"
_XMP = b"XML:com.adobe.xmp"


@cache
def base(animated: bool = False) -> tuple[bytes, ...]:
    """The chunks of a small PNG as Pillow writes it."""
    image = Image.linear_gradient("L").resize((16, 12)).convert("RGB")
    buffer = BytesIO()
    more = [Image.new("RGB", (16, 12), "teal")] if animated else []
    image.save(buffer, "PNG", save_all=animated, append_images=more)
    data, place, chunks = buffer.getvalue(), len(START), []
    while place < len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        chunks.append(data[place:end])
        place = end
    return tuple(chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_profile(name: bytes, data: bytes) -> bytes:
    """A profile in hexadecimal digits, as ImageMagick writes it."""
    digits = data.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    text = f"\n{name.decode()}\n{len(data):8}\n{lines}\n".encode()
    return chunk(b"zTXt", b"Raw profile type " + name + b"\0\0" + zlib.compress(text))


def _compressed(packet: bytes) -> bytes:
    return chunk(b"iTXt", _XMP + b"\0\1\0\0\0" + zlib.compress(packet))


def _in_a_language(packet: bytes) -> bytes:
    return chunk(b"iTXt", _XMP + b"\0\0\0x-default\0\0" + packet)


def _wrong_sum(packet: bytes) -> bytes:
    return chunk(b"iTXt", _XMP + b"\0\0\0\0\0" + packet)[:-4] + b"oops"


_FORMS = {
    "plain iTXt": lambda packet: chunk(b"iTXt", _XMP + b"\0\0\0\0\0" + packet),
    "compressed iTXt": _compressed,
    "iTXt in a language": _in_a_language,
    "iTXt with a wrong sum": _wrong_sum,
    "raw profile xmp": lambda packet: raw_profile(b"xmp", packet),
    "raw profile APP1": lambda packet: raw_profile(
        b"APP1", b"http://ns.adobe.com/xap/1.0/\0" + packet
    ),
}
_REFUSED = {
    "compressed iTXt": ("compressed", "two packets"),
    "iTXt in a language": ("compressed", "two packets"),
    "iTXt with a wrong sum": ("compressed", "broken photo", "two packets"),
    "raw profile xmp": ("two packets",),
    "raw profile APP1": ("two packets",),
}
_WEIGHTS = dict.fromkeys(_FORMS, 1) | {"plain iTXt": 12}


def draw_png(draw: Draw, packet: Odd | None, iptc: bytes) -> Odd:
    """A PNG with some of all that, before or after its pixels, and perhaps something behind it."""
    chunks = list(base(draw.chance(0.1)))
    odd = (packet or Odd(b"")).odder(b"", f"PNG of {len(chunks)} chunks")
    if packet:
        form = draw.by_weight(_WEIGHTS)
        place = draw.one(1, 1, len(chunks) - 1)
        chunks.insert(place, _FORMS[form](packet.data))
        odd = odd.odder(b"", f"{form} at {place}", *_REFUSED.get(form, ()))
        if draw.chance(0.03):
            chunks.insert(-1, _FORMS["plain iTXt"](packet.data.replace(b"Birds", b"Bees!")))
            odd = odd.odder(b"", "two packets", "two packets")
    others = {
        "eXIf": chunk(b"eXIf", tiffs.exif(draw.one("<", ">"))),
        "raw profile exif": raw_profile(b"exif", b"Exif\0\0" + tiffs.exif("<")),
        "raw profile iptc": raw_profile(b"iptc", iptc),
        "text": chunk(b"tEXt", b"Comment\0a comment \xe9"),
        "private": chunk(b"prVt", draw.noise(20)),
        "time": chunk(b"tIME", b"\x07\xe4\1\1\1\1\1"),
    }
    for label, part in others.items():
        if draw.chance(0.12):
            chunks.insert(draw.one(1, len(chunks) - 1), part)
            odd = odd.odder(b"", label)
    tail = draw.one(b"", b"", b"", b"", b"text behind", bytes(30))
    may_point = tail.strip(b"\0") and {"eXIf", "raw profile exif"} & set(odd.labels)
    refusals = ["points behind"] if may_point else []
    return odd.odder(START + b"".join(chunks) + tail, "bytes behind" if tail else "ends", *refusals)
