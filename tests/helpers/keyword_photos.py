"""Small photos with keywords in every place where photo software puts them."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

from PIL import Image, PngImagePlugin, TiffImagePlugin

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")


XP = "Sea;Blue sky; b/w".encode("utf-16-le") + b"\0\0"


def exif(keywords: bytes) -> bytes:
    found = Image.Exif()
    found[0x9C9E] = keywords
    return found.tobytes()


def iptc(*words: bytes, charset: bytes = b"") -> bytes:
    """An IPTC block: record 2, data set 25 for each word."""
    fields = [b"\x1c\x01\x5a" + struct.pack(">H", len(charset)) + charset] if charset else []
    return b"".join(fields + [b"\x1c\x02\x19" + struct.pack(">H", len(w)) + w for w in words])


def jpeg_with_iptc(data: bytes) -> bytes:
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
    segment = b"Photoshop 3.0\0" + block
    photo = encode("JPEG")
    return photo[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + photo[2:]


def tiff_with_iptc(data: bytes) -> bytes:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[33723] = data
    info.tagtype[33723] = 7
    return encode("TIFF", tiffinfo=info)


def encode(format: str, xmp: bytes | None = None, **options: object) -> bytes:
    """A small photo with the given metadata."""
    if xmp is not None and format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options["pnginfo"] = text
    elif xmp is not None and format == "TIFF":
        windows = {0x9C9E: XP} if options.pop("exif", None) else {}  # a TIFF is its own EXIF
        options["tiffinfo"] = {700: xmp} | windows
    elif xmp is not None:
        options["xmp"] = xmp
    buffer = BytesIO()
    Image.new("RGB", (16, 12), (90, 80, 120)).save(buffer, format, **options)
    return buffer.getvalue()


def contents(photo: Path) -> dict[str, bytes]:
    """The bytes of all files in the folder of a photo, by name."""
    return {path.name: path.read_bytes() for path in photo.parent.iterdir()}
