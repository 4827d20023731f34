"""The keywords in a block of IPTC data sets.

IPTC-NAA Information Interchange Model 4.2: 1.5 (data sets), 1:90 (character set), 2:25 (keyword).
"""

from __future__ import annotations

from collections.abc import Iterator

_MARK = b"\x1c"
_CHARACTER_SET, _KEYWORD = (1, 90), (2, 25)
_RECORDS = range(1, 10)

_UTF_8 = (b"\x1b%G", b"\x1b%/G", b"\x1b%/H", b"\x1b%/I")
_PARTS = dict(zip(b"ABCDFGHLM", (1, 2, 3, 4, 7, 6, 8, 5, 9), strict=True))  # of ISO 8859


def iptc_keywords(data: bytes) -> list[str]:
    """Return the keywords in a block, in the character set that it names.

    Where it names none they are UTF-8, or else Windows-1252, which most programs wrote. Data sets
    that are broken are passed over.
    """
    keywords, escape = [], b""
    for data_set, value in _data_sets(_in_order(data)):
        if data_set == _CHARACTER_SET:
            escape = value.rstrip(b"\0")
        elif data_set == _KEYWORD:
            keywords.append(_text(value.rstrip(b"\0"), escape))
    return keywords


def _in_order(data: bytes) -> bytes:
    """Return the block with its bytes in order: in some TIFFs each four of them are reversed."""
    if data[:1] == _MARK or data[3:4] != _MARK:
        return data
    words = [data[place : place + 4] for place in range(0, len(data), 4)]
    return b"".join(word.ljust(4, b"\0")[::-1] for word in words)


def _data_sets(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield record and number, and value, of each data set."""
    place = data.find(_MARK)
    while 0 <= place <= len(data) - 5:
        record, number = data[place + 1 : place + 3]
        start, length = place + 5, int.from_bytes(data[place + 3 : place + 5], "big")
        if length & 0x8000:  # the length of the length, as the value is longer than 32 KB
            start += length & 0x7FFF
            length = int.from_bytes(data[place + 5 : min(start, place + 13)], "big")
        end = start + length
        if record in _RECORDS and end <= len(data):
            yield (record, number), data[start:end]
        else:
            end = place + 1
        place = data.find(_MARK, end)


def _text(value: bytes, escape: bytes) -> str:
    """Return the text of `value`, whose character set the sequence `escape` names (ISO 2022)."""
    part = _PARTS.get(escape[-1]) if len(escape) == 3 and escape[1:2] in b",-./" else None
    if part is not None and part > 1:
        return value.decode(f"iso8859-{part}", "replace")
    if part is None:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return "".join(_windows_1252(code) for code in value)


def _windows_1252(code: int) -> str:
    return bytes([code]).decode("cp1252", "ignore") or chr(code)
