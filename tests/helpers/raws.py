"""A camera RAW made from scratch: an uncompressed DNG, whose sensor sees red, green and blue."""

from __future__ import annotations

import struct

import numpy as np

SHORT, LONG, BYTE, ASCII, RATIONAL, SIGNED = 3, 4, 1, 2, 5, 10
XYZ_TO_SRGB = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)


def encode_dng(rgb: np.ndarray, orientation: int = 1) -> bytes:
    """Encode pixels (H, W, 3) uint8, H and W even, as seen through a filter of RGGB."""
    height, width, _ = rgb.shape
    sensor = np.zeros((height, width), "<u2")
    for row, column, colour in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        sensor[row::2, column::2] = rgb[row::2, column::2, colour].astype("<u2") * 256
    data = sensor.tobytes()
    matrix = b"".join(struct.pack("<ii", round(v * 10_000), 10_000) for v in XYZ_TO_SRGB)
    tags = [
        (254, LONG, [0]),
        (256, LONG, [width]),
        (257, LONG, [height]),
        (258, SHORT, [16]),
        (259, SHORT, [1]),
        (262, SHORT, [32803]),
        (271, ASCII, b"Test\0"),
        (272, ASCII, b"Test\0"),
        (273, LONG, None),
        (274, SHORT, [orientation]),
        (277, SHORT, [1]),
        (278, LONG, [height]),
        (279, LONG, [len(data)]),
        (33421, SHORT, [2, 2]),
        (33422, BYTE, bytes([0, 1, 1, 2])),
        (50706, BYTE, bytes([1, 4, 0, 0])),
        (50708, ASCII, b"Test\0"),
        (50717, LONG, [65280]),
        (50721, SIGNED, matrix),
        (50728, RATIONAL, struct.pack("<6I", *[1] * 6)),
        (50778, SHORT, [21]),
    ]
    return _tiff(tags, data)


def _tiff(tags: list[tuple[int, int, list[int] | bytes | None]], data: bytes) -> bytes:
    """Return a TIFF of one directory; the tag whose value is None says where `data` are."""
    sizes = {SHORT: 2, LONG: 4, BYTE: 1, ASCII: 1, RATIONAL: 8, SIGNED: 8}
    end = 8 + 2 + 12 * len(tags) + 4
    packed = {tag: _pack(kind, value) for tag, kind, value in tags if value is not None}
    longer = {tag: v + b"\0" * (len(v) % 2) for tag, v in packed.items() if len(v) > 4}
    entries, place = b"", end
    for tag, kind, _ in tags:
        content = packed.get(tag, struct.pack("<I", end + sum(map(len, longer.values()))))
        count = len(content) // sizes[kind]
        if tag in longer:
            entries += struct.pack("<HHII", tag, kind, count, place)
            place += len(longer[tag])
        else:
            entries += struct.pack("<HHI", tag, kind, count) + content.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + b"".join(longer.values()) + data


def _pack(kind: int, value: list[int] | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    return struct.pack(f"<{len(value)}{'H' if kind == SHORT else 'I'}", *value)
