"""Photos in which something points at what lies behind the packet are not made larger."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from helpers.containers import (
    BYTE,
    EXIF_IFD,
    GUID,
    LONG,
    MAKER_NOTE,
    UNDEFINED,
    XMP,
    chunk,
    exif_segment,
    extension,
    jpeg,
    mpf,
    png,
    profile,
    resource,
    segment,
    tiff,
    xmp_segment,
)
from helpers.keyword_photos import encode
from helpers.packets import packet, subject
from PIL import Image

from mmcgan.errors import MetadataError
from mmcgan.metadata.containers import require_room, with_packet

PREVIEW = encode("JPEG")
MARKED = packet(subject("sea"))
CAMERA = exif_segment(
    tiff([(271, 2, b"Make\0"), (EXIF_IFD, LONG, [(MAKER_NOTE, UNDEFINED, b"x" * 40)])])
)
FILM = struct.pack(">I", 32) + b"ftypmp42" + bytes(20) + b"film"
SAMSUNG = b"\0\0\x30\x0adata" + b"SEFH" + bytes(12) + struct.pack("<I", 20) + b"SEFT"


def grow(data: bytes) -> None:
    require_room(data, with_packet(data, MARKED, "a.jpg"), "a.jpg")


def refused(data: bytes, why: str) -> None:
    with pytest.raises(MetadataError, match=rf"^a\.jpg .*{why}.*use --write sidecar for it$"):
        grow(data)


def listed(*parts: bytes, behind: bytes = b"", gap: int = 0) -> bytes:
    """A JPEG whose index lists one picture behind it; `parts` come before the index."""

    def build(place: int) -> bytes:
        index = mpf((0, 0), (len(PREVIEW), place))
        return jpeg(*parts, index, behind=bytes(gap) + PREVIEW + behind)

    draft = build(0)
    index = draft.index(b"MPF\0") + 4
    return build(len(draft) - len(PREVIEW) - len(behind) - index)


def noted(number: bytes, before: int = 0) -> bytes:
    """EXIF with a maker note that holds `number` behind a header."""
    note = b"Maker\0" + bytes(before) + number + bytes(8)
    return exif_segment(
        tiff([(271, 2, b"Make\0"), (EXIF_IFD, LONG, [(MAKER_NOTE, UNDEFINED, note)])])
    )


@pytest.mark.parametrize(
    "data",
    [
        jpeg(),
        jpeg(CAMERA),
        jpeg(CAMERA, behind=bytes(5000)),
        jpeg(CAMERA, behind=b"\r\n"),
        jpeg(CAMERA, segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(900))),
        jpeg(CAMERA, behind=FILM),
        jpeg(CAMERA, behind=SAMSUNG),
        jpeg(behind=PREVIEW),
        jpeg(behind=b"of any kind"),
        listed(CAMERA),
        listed(CAMERA, gap=700),
        listed(CAMERA, behind=FILM),
        listed(xmp_segment(MARKED)),
        jpeg(CAMERA)[:-6],
        png(),
        png(chunk(b"eXIf", tiff([(271, 2, b"Make\0")]))),
        png(behind=b"of any kind"),
    ],
)
def test_a_photo_whose_parts_tell_no_places_may_grow(data):
    grow(data)


def test_an_index_before_the_packet_keeps_its_distances():
    refused(listed(CAMERA).replace(b"\xff\xdb", xmp_segment(b"<x/>") + b"\xff\xdb", 1), "pictures")


BASES = {
    "the file": lambda data: 0,
    "the EXIF": lambda data: data.index(b"II*\0"),
    "the maker note": lambda data: data.index(b"Maker\0"),
    "the maker note behind its name": lambda data: data.index(b"Maker\0") + 6,
    "the maker note's own TIFF": lambda data: data.index(b"Maker\0") + 10,
    "one byte off": lambda data: 1,
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("base", BASES.values(), ids=BASES.keys())
@pytest.mark.parametrize("start", [b"", b"\x05"])
def test_a_preview_that_a_maker_note_points_at_is_not_moved(base, before, order, start):
    draft = listed(noted(bytes(4), before))
    data = listed(noted(struct.pack(f"{order}I", draft.rindex(PREVIEW) - base(draft)), before))
    if start:  # as some makers change the first byte
        place = data.rindex(PREVIEW)
        data = data[:place] + start + data[place + 1 :]
    refused(data, "points at a preview")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("base", list(BASES.values())[:-1], ids=list(BASES)[:-1])
def test_a_block_with_a_preview_in_it_is_not_moved(base, order):
    def build(place: int) -> bytes:
        entry = struct.pack(f"{order}HHII", 0x2001, 7, 32 + len(PREVIEW), place)
        return jpeg(noted(b"\1\0" + entry), behind=bytes(132) + PREVIEW + SAMSUNG)

    draft = build(0)
    refused(build(draft.rindex(PREVIEW) - 32 - base(draft)), "preview")
    grow(draft)


def test_values_within_the_exif_move_with_it():
    ahead = segment(0xFE, b"a comment")  # so that the packet comes before the EXIF
    draft = jpeg(ahead, noted(bytes(14) + PREVIEW)).index(PREVIEW)
    entry = struct.pack("<HHII", 0x2001, 7, 99, draft - 50)
    grow(jpeg(ahead, noted(b"\1\0" + entry + PREVIEW)))


def test_a_photo_that_could_not_be_made_smaller_again_is_not_made_larger():
    draft = listed(noted(bytes(4)))
    grown = with_packet(draft, MARKED, "a.jpg").rindex(PREVIEW)
    refused(listed(noted(struct.pack("<I", grown))), "points at a preview")


def test_a_preview_among_the_segments_is_not_moved():
    rest = segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(900)) + segment(0xE4, b"x" + PREVIEW)
    place = jpeg(noted(bytes(4)), rest).index(PREVIEW, 20)
    refused(jpeg(noted(struct.pack("<I", place)), rest), "points at a preview")
    grow(jpeg(noted(struct.pack("<I", place + 40)), rest))


def test_a_preview_in_a_known_trailer_is_not_moved():
    trailer = PREVIEW + SAMSUNG
    place = jpeg(noted(bytes(4)), behind=trailer).rindex(PREVIEW)
    refused(jpeg(noted(struct.pack("<I", place)), behind=trailer), "points at a preview")
    grow(jpeg(noted(struct.pack("<I", place + 40)), behind=trailer))


@pytest.mark.parametrize("behind", [PREVIEW, bytes(600) + PREVIEW, b"LEICA\0data", b"x"])
def test_bytes_of_an_unknown_kind_are_not_moved_where_there_is_exif(behind):
    refused(jpeg(CAMERA, behind=behind), "unknown kind")
    refused(listed(CAMERA, behind=behind), "unknown kind")
    refused(png(chunk(b"eXIf", tiff([])), behind=behind), "unknown kind")


@pytest.mark.parametrize("mark", [b"AXS!", b"AXS*"])
def test_a_trailer_that_tells_places_in_the_file_is_not_moved(mark):
    refused(jpeg(behind=b"data" + mark + bytes(8)), "AFCP")
    refused(jpeg(behind=mark + bytes(8) + SAMSUNG), "AFCP")
    refused(png(behind=b"data" + mark + bytes(8)), "AFCP")


@pytest.mark.parametrize(
    "tags",
    [
        [(270, BYTE, b"x" * 3000)],
        [(EXIF_IFD, LONG, struct.pack("<I", 400))],
        [(513, LONG, struct.pack("<I", 400))],
    ],
)
def test_exif_that_goes_on_behind_its_segment_is_not_parted(tags):
    block = tiff(tags)[:100]
    refused(jpeg(exif_segment(block), segment(0xFE, b"x" * 3000)), "outside")
    grow(jpeg(xmp_segment(b"<x/>"), exif_segment(block)))


def test_pixels_of_several_scans_are_passed_over():
    buffer = BytesIO()
    noise = Image.effect_noise((200, 200), 90)
    noise.save(buffer, "JPEG", progressive=True, restart_marker_blocks=2)
    data = buffer.getvalue()
    data = data[:20] + CAMERA + data[20:]
    grow(data)
    refused(data + b"x", "unknown kind")
    grow(data + FILM)


SECOND = {
    "another segment": xmp_segment(MARKED),
    "with another header": segment(0xE1, b"http://ns.adobe.com/xap/1.0 \0" + MARKED),
    "in EXIF": exif_segment(tiff([(XMP, UNDEFINED, MARKED)])),
    "in Photoshop's block": segment(0xED, b"Photoshop 3.0\0" + resource(0x0424, MARKED)),
}


@pytest.mark.parametrize("second", SECOND.values(), ids=SECOND.keys())
def test_a_second_packet_is_refused(second):
    refused(jpeg(second.replace(b"sea", b"sun"), xmp_segment(b"<x/>")), "more than one place")


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"tEXt", b"Raw profile type xmp\0" + profile(b"xmp", MARKED))],
        [chunk(b"tEXt", b"XML:com.adobe.xmp\0" + MARKED)],
        [chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")] * 2,
    ],
)
def test_a_second_packet_in_a_png_is_refused(chunks):
    refused(png(*chunks), "more than one place")


@pytest.mark.parametrize(
    ("extra", "is_refused"),
    [
        (packet("<dc:title>long</dc:title>"), False),
        (packet(subject("far")), True),
        (b"no XMP", True),
    ],
)
def test_extended_xmp_with_keywords_is_refused(extra, is_refused):
    named = packet(f"<dc:title>{GUID.decode()}</dc:title>")
    data = jpeg(xmp_segment(named), extension(extra, (0, 30), (30, len(extra))[:2]))
    after = data.replace(xmp_segment(named), xmp_segment(named.replace(b"</dc:t", b"more</dc:t")))
    if is_refused:
        with pytest.raises(MetadataError, match="more than one place"):
            require_room(data, after, "a.jpg")
    else:
        require_room(data, after, "a.jpg")


def test_what_does_not_change_needs_no_room():
    data = jpeg(xmp_segment(MARKED), xmp_segment(MARKED), CAMERA, behind=b"x")
    require_room(data, data, "a.jpg")
    one = jpeg(xmp_segment(MARKED), CAMERA, behind=b"x")
    require_room(one, one.replace(b"sea", b"sun"), "a.jpg")
