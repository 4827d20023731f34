"""Packets in all dialects: what is added is spelled alike, so that toolkits go on reading them."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.dialects import Dialect
from helpers.packets import DC, RDF, marks, packet, subject

from mmcgan.metadata.xmp.marking import mark, unmark
from mmcgan.metadata.xmp.packet import Packet

N_PACKETS = 300
OURS = ["plant life", "日本酒", "a & b"]
TAGS = marks("plant_life", "日本酒", "a & b")
PACKETS = [
    dialect.packet(chance)
    for chance in map(random.Random, range(N_PACKETS))
    for dialect in [Dialect.draw(chance)]
]


def put(data: bytes) -> bytes:
    marked = mark(data, TAGS, ["Places|Paris"], "a.xmp")
    assert marked is not None
    return marked


def keywords(data: bytes) -> list[str]:
    return Packet.parse(data, "a.xmp").keywords()


@pytest.mark.parametrize("part", range(6))
def test_every_dialect_is_read_written_and_undone_to_the_byte(part):
    for data in PACKETS[part::6]:
        marked = put(data)
        assert put(marked) == marked
        assert unmark(marked, "a.xmp") == data
        assert set(OURS) <= set(keywords(marked)), data
        assert set(keywords(data)) <= set(keywords(marked)), data
        for namespace in (DC, RDF):
            uri = namespace.split('"')[1].encode()
            prefixes = rb"""xmlns:?([^\s=]*)\s*=\s*["']""" + re.escape(uri)
            assert set(re.findall(prefixes, marked)) <= {*re.findall(prefixes, data), b"dc"}
            assert len(set(re.findall(prefixes, marked))) == 1


def test_all_properties_of_the_dialects_are_read():
    for data in PACKETS:
        words = [
            word for word in ("Küste", "sea lion", "日本", "x/y") if f">{word}<" in data.decode()
        ]
        assert set(words) <= {*keywords(data), "Küste"}


def test_a_list_with_numbered_items_goes_on_counting():
    before = packet(
        "<dc:subject><rdf:Bag><rdf:_1>sea</rdf:_1><rdf:_2>sun</rdf:_2></rdf:Bag></dc:subject>"
    )
    marked = put(before)
    assert b"<rdf:_2>sun</rdf:_2><rdf:_3>plant life</rdf:_3><rdf:_4>" in marked
    assert keywords(marked) == ["sea", "sun", *OURS]
    assert unmark(marked, "a.xmp") == before


@pytest.mark.parametrize(
    ("about", "spelled"),
    [
        ("about=''", "about=''"),
        ("", ""),
        ('rdf:about=""', 'rdf:about=""'),
        ('rdf:about="uuid:&lt;1"', 'rdf:about="uuid:&lt;1"'),
        ('rdf:ID="x"', 'rdf:ID="x"'),
        ('rdf:nodeID="x"', 'rdf:nodeID="x"'),
    ],
)
def test_our_description_is_about_what_the_first_is_about(about, spelled):
    before = packet("<dc:title>x</dc:title>").replace(b'rdf:about=""', about.encode())
    second = b'<rdf:Description rdf:about="other"/></rdf:RDF>'
    for data in (before, before.replace(b"</rdf:RDF>", second)):
        marked = put(data).decode().replace("''", '""')
        ours = marked[marked.rindex("<rdf:Description") :].partition(">")[0].split(" xmlns")[0]
        assert ours == f"<rdf:Description {spelled}".replace("''", '""').rstrip()
        assert unmark(put(data), "a.xmp") == data


@pytest.mark.parametrize("prefix", ["dc", "rdf2", "mmcgan"])
def test_a_prefix_that_is_taken_is_not_used_for_ours(prefix):
    before = (
        f'<r:RDF {RDF.replace(":rdf", ":r")}><r:Description r:about="" xmlns:{prefix}="u:other/" '
        f'{prefix}:format="x"/></r:RDF>'
    ).encode()
    marked = put(before)
    assert keywords(marked) == ["Paris", *OURS]
    assert marked.count(f'xmlns:{prefix}="u:other/"'.encode()) == 1
    assert len(re.findall(rb"xmlns:%b\d*=" % prefix.encode(), marked)) == (
        1 if prefix == "rdf2" else 2
    )
    assert unmark(marked, "a.xmp") == before


def test_nodes_of_another_type_and_properties_of_rdf_values_are_read():
    typed = packet(subject("sea")).decode().replace("rdf:Description", "dc:Image").encode()
    assert keywords(typed) == ["sea"]
    assert unmark(put(typed), "a.xmp") == typed
    made = mark(None, marks("sea"), [], "a.xmp")
    kept = made.replace(b"</rdf:RDF>", b"<dc:Image xmlns:dc='u'/></rdf:RDF>")
    assert b"dc:Image" in unmark(kept, "a.xmp")


def test_our_namespace_goes_from_wherever_a_program_declared_it():
    made = mark(packet(subject("sea")), marks("sun"), [], "a.xmp")
    own = b' xmlns:mmcgan="urn:mmcgan:xmp/1.0/"'
    moved = made.replace(own, b"").replace(b"<rdf:RDF", b"<rdf:RDF" + own)
    assert b"mmcgan" not in unmark(moved, "a.xmp")
    assert keywords(unmark(moved, "a.xmp")) == ["sea"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("dialects")
    for name in ("before", "after"):
        (folder / name).mkdir()
    for number, data in enumerate(PACKETS):
        (folder / "before" / f"{number}.xmp").write_bytes(data)
        (folder / "after" / f"{number}.xmp").write_bytes(put(data))
    return folder / "before", folder / "after"


def is_foreign(name: str) -> bool:
    """Whether a property is one that we neither add nor add to."""
    plain = re.sub(r"[\d_]+$|\[\d+\].*", "", name).lower()
    return not plain.endswith(("subject", "tagslist", "sourcefile")) and "automatic" not in plain


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
def test_exiftool_reads_the_same_properties_and_ours(files):
    found = []
    for folder in files:
        command = ["exiftool", "-j", "-G1", "-XMP:all", "-struct", "-q", "-r", str(folder)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found.append({Path(entry["SourceFile"]).stem: entry for entry in json.loads(text)})
    before, after = found
    assert before.keys() == after.keys()
    for number, entry in before.items():
        known = {name: value for name, value in entry.items() if is_foreign(name)}
        now = {name: value for name, value in after[number].items() if is_foreign(name)}
        assert now == known, number
        subjects = [str(text) for name, text in after[number].items() if "ubject" in name]
        assert any("日本酒" in text for text in subjects) or not known, number


@pytest.mark.skipif(not shutil.which("exiv2"), reason="exiv2 is not installed")
def test_exiv2_reads_the_same_properties_and_ours(files):
    def seen(path: Path) -> list[tuple[str, str]]:
        command = ["exiv2", "-q", "-PXkt", str(path)]
        lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
        return [(name, text.strip()) for name, _, text in (line.partition(" ") for line in lines)]

    n_read = 0
    for number in range(0, N_PACKETS, 3):
        before, after = (seen(folder / f"{number}.xmp") for folder in files)
        n_read += bool(before)
        assert [p for p in after if is_foreign(p[0])] == [p for p in before if is_foreign(p[0])], (
            number
        )
        assert not before or any("日本酒" in text for name, text in after if "ubject" in name), (
            number
        )
    assert n_read > 10
