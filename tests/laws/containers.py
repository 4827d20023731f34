"""Photos of all formats, whole and broken, with a person's keywords in the usual places."""

from __future__ import annotations

from functools import cache
from io import BytesIO

from laws import jpegs, pngs, tiffs
from laws.drawing import Draw, Odd
from laws.packets import draw_packet
from PIL import Image

ANYTHING = frozenset({"anything"})

ENDINGS = {
    "jpeg": (".jpg", ".jpg", ".jpg", ".JPG", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "png": (".png", ".png", ".PNG", ".apng"),
    "tiff": (".tif", ".tiff", ".dng", ".nef", ".TIF"),
    "webp": (".webp",),
    "gif": (".gif", ".GIF"),
    "bmp": (".bmp", ".dib"),
}
_WEIGHTS = {"jpeg": 50, "png": 22, "tiff": 8, "webp": 6, "gif": 3, "bmp": 1}
_WHOLE = {"whole": 45, "cut": 1, "changed": 1, "no end": 1, "empty": 1, "text": 1}


def draw_photo(draw: Draw, keywords: list[tuple[str, ...]]) -> tuple[str, Odd]:
    """A photo and the kind of its container."""
    kind = draw.by_weight(_WEIGHTS)
    packet = draw_packet(draw, keywords) if draw.chance(0.65) else None
    packet = packet if packet is None or packet.data else None
    return kind, _broken(draw, _encoded(draw, kind, packet, keywords))


def _encoded(draw: Draw, kind: str, packet: Odd | None, keywords: list[tuple[str, ...]]) -> Odd:
    iptc = jpegs.draw_iptc(draw, keywords)[0] if draw.chance(0.3) else b""
    if kind == "jpeg":
        return jpegs.draw_jpeg(draw, packet, keywords)
    if kind == "png":
        return pngs.draw_png(draw, packet, iptc)
    if kind == "tiff":
        windows = "Sea;Blue sky".encode("utf-16-le") if draw.chance(0.2) else b""
        return tiffs.draw_tiff(draw, packet, iptc, windows)
    label, data = _others(draw, kind, packet.data if packet else b"")
    return (packet or Odd(b"")).odder(data, label, "format", "broken photo")


def _others(draw: Draw, kind: str, packet: bytes) -> tuple[str, bytes]:
    if kind == "gif":
        return "GIF", gif(packet)
    if kind == "bmp":
        return "BMP", pillow("BMP", ())
    lossless = draw.chance(0.5)
    options = (("lossless", lossless), ("xmp", packet), ("exif", b"Exif\0\0" + tiffs.exif("<")))
    return f"WebP{' lossless' if lossless else ''}", pillow("WEBP", options if packet else ())


def pillow(format: str, options: tuple[tuple[str, object], ...]) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").resize((16, 12)).convert("RGB").save(buffer, format, **dict(options))
    return buffer.getvalue()


@cache
def _plain_gif() -> bytes:
    return pillow("GIF", ())


def gif(packet: bytes) -> bytes:
    """A GIF with an application extension that holds a packet, which ends in a "magic trailer"."""
    plain = _plain_gif()
    if not packet:
        return plain
    magic = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    block = b"!\xff\x0bXMP DataXMP" + packet + magic
    return b"GIF89a" + plain[6:-1] + block + plain[-1:]


def _broken(draw: Draw, photo: Odd) -> Odd:
    """The photo as it is, or broken in some way."""
    how, data = draw.by_weight(_WHOLE), photo.data
    if how == "whole":
        return photo
    data = {
        "cut": lambda: data[: draw.up_to(len(data))],
        "changed": lambda: _changed(draw, data),
        "no end": lambda: data[:-2],
        "empty": lambda: b"",
        "text": lambda: b"no photo at all",
    }[how]()
    return photo.odder(data, f"photo {how}", *ANYTHING)


def _changed(draw: Draw, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(3):
        changed[draw.up_to(len(data))] = draw.up_to(256)
    return bytes(changed)
