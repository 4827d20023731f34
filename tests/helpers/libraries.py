"""The content of a folder of photos, and the summary of a call."""

from __future__ import annotations

import json
from pathlib import Path


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def summary(path: Path) -> dict[str, object]:
    return json.loads(path.read_text())
