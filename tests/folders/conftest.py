"""A small library of photos, and the command that tags it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.keyword_photos import encode
from helpers.photos import make_photo

from mmcgan.cli import run_command
from mmcgan.tagging import main


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder of three photos, one of them below."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(make_photo("red"))
    (folder / "b.jpg").write_bytes(encode("JPEG"))
    (folder / "sub" / "c.png").write_bytes(make_photo("blue"))
    return folder


@pytest.fixture
def call(trained, stand_in) -> Callable[..., int]:
    return lambda *args: run_command(main, [*map(str, args), "--run", str(trained[1])])
