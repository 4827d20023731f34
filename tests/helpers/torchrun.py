"""Commands run by torchrun, as real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
PATHS = os.pathsep.join([str(TESTS.parent), str(TESTS)])


def torchrun(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as two ranks."""
    return run("-m", "torch.distributed.run", "--nproc-per-node", "2", *command)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python on one thread."""
    return subprocess.run(
        [sys.executable, *map(str, command)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=120,
    )


def said(result: subprocess.CompletedProcess[str]) -> list[str]:
    """What mmcgan itself said on stderr, without torchrun's report."""
    return [
        line
        for line in result.stderr.splitlines()
        if line.startswith("mmcgan.") and ": error: " in line
    ]
