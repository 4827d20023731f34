"""What the tests of metadata share: a user's data folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmcgan.metadata.embedded import copies_folder


@pytest.fixture(autouse=True)
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of safety copies, of one test alone."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return copies_folder()
