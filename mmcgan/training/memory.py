"""A check of the memory, made before a training that would be killed for want of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import torch

from mmcgan.errors import OptionError
from mmcgan.training.config import TrainConfig

# A weight is held seven times: itself, its gradient, two moments, the running average, and the best
# so far, twice while a better one takes its place.
COPIES = 7
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def require_memory(n_words: int, config: TrainConfig, device: torch.device) -> None:
    """Raise `OptionError` if the tables of words that a run would learn cannot fit into memory."""
    if not config.learns_spaces:
        return
    n_tables = config.generator.n_generators
    needed = 4 * COPIES * n_tables * n_words * config.generator.units
    there_is = total_memory(device)
    if there_is and needed > there_is:
        raise OptionError(
            f"--preset: {config.run.preset} learns {n_tables} tables of {n_words:,} words, "
            f"{needed / 2**30:.1f} GiB while training, and there are {there_is / 2**30:.1f} GiB; "
            "take --preset paper, lower --members or --image-units, or prepare with a higher "
            "--min-photos"
        )


def total_memory(device: torch.device) -> int | None:
    """Return the bytes of memory of a GPU, or of this machine or container; None if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    known = []
    with contextlib.suppress(AttributeError, ValueError, OSError):
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(ValueError, OSError):  # "max" where there is no limit
        known.append(int(CONTAINER_LIMIT.read_text("ascii")))
    return min(known, default=None)
