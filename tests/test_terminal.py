"""What commands write: in any encoding, with any name, and without what libraries say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from helpers.photos import make_photo
from PIL import Image

from mmcgan.errors import escaped
from mmcgan.files import json_text, read_json, write_json
from mmcgan.terminal import quiet_libraries

posix_alone = pytest.mark.skipif(os.name != "posix", reason="names are any bytes in POSIX alone")
LATIN = os.fsdecode(b"caf\xe9.png")  # written under Latin-1, and no UTF-8


def broken_tiff(compression: str) -> bytes:
    """A TIFF of which libtiff says on stderr that its strips are broken."""
    ramp = (np.add.outer(np.arange(200), np.arange(300)) % 256).astype(np.uint8)
    image = Image.fromarray(ramp)
    buffer = BytesIO()
    image = image.convert("1") if compression == "group4" else image
    image.save(buffer, "TIFF", compression=compression)
    data = bytearray(buffer.getvalue())
    for place in range(300, len(data) // 2, 30):
        data[place] ^= 0x5A
    return bytes(data)


def call(*args: str | Path, cwd: Path, encoding: str = "utf-8") -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "mmcgan", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, env=environment, check=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain  text, café 日本", "plain  text, café 日本"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred\x07\x00\x7f\x9b", "\\x1b[31mred\\x07\\x00\\x7f\\x9b"),
        ("a\u2028b\u2029\x85", "a\\u2028b\\u2029\\x85"),
        ("photo\u202egpj.exe\u2066", "photo\\u202egpj.exe\\u2066"),
        ("a\\nb", "a\\nb"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert escaped(text) == shown
    assert escaped(shown) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "cp437", "utf-16"])
def test_json_can_be_written_in_any_encoding(encoding):
    value = {"path": "größe 日本.jpg", "bytes": os.fsdecode(b"\xff")}
    assert json.loads(json_text(value, encoding)) == value
    assert json_text(value, encoding).isascii()
    plain = json_text({"path": "größe"}, encoding)
    assert plain == (
        '{"path": "größe"}' if encoding == "utf-8" else '{"path": "gr\\u00f6\\u00dfe"}'
    )


def test_a_json_file_holds_any_name(tmp_path):
    value = {"path": os.fsdecode(b"caf\xe9.png"), "word": "größe"}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json", ValueError) == value
    write_json(tmp_path / "b.json", {"word": "größe"})
    assert "größe" in (tmp_path / "b.json").read_text(encoding="utf-8")


@posix_alone
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_any_name_is_tagged_whatever_the_encoding_of_the_output(tmp_path, encoding):
    names = [LATIN, "日本 größe.png", "two.png", "gone łódź.png"]
    for name in names[:3]:
        (tmp_path / name).write_bytes(make_photo("red"))
    args = (*names, "--k", "2", "--summary", "s.json", "--csv", "t.csv")
    result = call(*args, cwd=tmp_path, encoding=encoding)
    assert (result.returncode, b"Traceback" in result.stderr) == (1, False)
    assert b"two.png" in result.stdout
    assert read_json(tmp_path / "s.json", ValueError)["tagged"] == 3
    (failed,) = read_json(tmp_path / "s.json", ValueError)["failed"]
    assert failed["path"] == "gone łódź.png"
    assert os.fsencode(LATIN) in (tmp_path / "t.csv").read_bytes()
    assert "日本" in (tmp_path / "t.csv").read_text("utf-8", errors="replace")
    again = call(*args[:4], "--json", cwd=tmp_path, encoding=encoding)
    found = [json.loads(line) for line in again.stdout.decode("utf-8").splitlines()]
    assert [o["path"] for o in found] == names
    dry = call(*names[:3], "--write", "sidecar", "--dry-run", cwd=tmp_path, encoding=encoding)
    assert (dry.returncode, dry.stdout.count(b"+++ ")) == (0, 3)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "group4"])
def test_what_decoders_say_on_stderr_is_not_shown(tmp_path, compression):
    (tmp_path / "a.tif").write_bytes(broken_tiff(compression))
    (tmp_path / "b.png").write_bytes(make_photo("red"))
    script = (
        "import sys; from pathlib import Path; from mmcgan.errors import PhotoError\n"
        "from mmcgan.inference.photos.images import open_photo\n"
        "try: open_photo(Path(sys.argv[1]))\n"
        "except PhotoError: pass"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "a.tif"], capture_output=True, check=True
    )
    if not said.stderr:
        pytest.skip(f"this libtiff says nothing about {compression}")
    result = call(".", "--k", "1", cwd=tmp_path)
    lines = result.stderr.decode().splitlines()
    assert [line for line in lines[:-1] if "mmcgan: error: a.tif" not in line] == []
    assert lines[-1].startswith("2 photos: ")


def test_libraries_are_quiet_while_python_is_heard_and_a_crash_is_seen():
    script = (
        "import os, sys, ctypes; from mmcgan.terminal import quiet_libraries\n"
        "with quiet_libraries():\n"
        "    os.write(2, b'unnamed\\n'); print('ours', file=sys.stderr)\n"
        "os.write(2, b'behind\\n'); print('after', file=sys.stderr)\n"
        "with quiet_libraries():\n"
        "    if 'crash' in sys.argv: ctypes.string_at(0)\n"
    )
    command = [sys.executable, "-c", script]
    heard = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert heard.splitlines() == ["ours", "behind", "after"]
    crashed = subprocess.run([*command, "crash"], capture_output=True, text=True, check=False)
    assert crashed.returncode != 0
    assert "Fatal Python error" in crashed.stderr


@pytest.mark.skipif(os.name != "posix", reason="a shell closes stderr")
def test_a_closed_stderr_is_left_closed(tmp_path):
    script = (
        "import os, sys; from mmcgan.terminal import quiet_libraries\n"
        "taken = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
        "with quiet_libraries(): os.write(taken, b'kept')\n"
        "print(taken)"
    )
    path = tmp_path / "file"
    shell = f'exec "{sys.executable}" -c "$0" "$1" 2>&-'
    command = ["sh", "-c", shell, script, str(path)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert path.read_bytes() == b"kept"
    assert int(result.stdout) >= 2


@pytest.mark.skipif(os.name != "posix", reason="a shell closes stderr")
def test_a_file_never_takes_the_place_of_a_closed_stream(tmp_path):
    script = (
        "import click, os, sys; from mmcgan.cli import run_command\n"
        "@click.command()\n"
        "def write():\n"
        "    with open(sys.argv[1], 'wb') as file:\n"
        "        os.write(1, b'of C code'); os.write(2, b'of C code'); file.write(b'ours')\n"
        "sys.exit(run_command(write, []))"
    )
    shell = f'exec "{sys.executable}" -c "$0" "$1" >&- 2>&-'
    subprocess.run(["sh", "-c", shell, script, str(tmp_path / "file")], check=True)
    assert (tmp_path / "file").read_bytes() == b"ours"


def test_a_stderr_put_in_its_place_stays_there(capsys):
    with quiet_libraries():
        print("seen", file=sys.stderr)
    assert capsys.readouterr().err == "seen\n"
