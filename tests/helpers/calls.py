"""Start several calls at once, as processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def start_call(what: str, place: str | Path, photos: Iterable[str | Path]) -> subprocess.Popen[str]:
    """Start `parallel_calls.py`; its output are the errors of the call."""
    script = Path(__file__).with_name("parallel_calls.py")
    command = [sys.executable, str(script), what, str(place), *map(str, photos)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
