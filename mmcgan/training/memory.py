"""How much memory there is, asked before a training that would be killed for want of it."""

from __future__ import annotations

import os

import torch

from mmcgan.config import TrainConfig
from mmcgan.errors import OptionError

COPIES = 5  # of a weight: itself, its gradient, two moments and the running average


def require_memory(n_words: int, config: TrainConfig, device: torch.device) -> None:
    """Raise `OptionError` where the tables of words that a run would learn cannot fit."""
    if not config.learns_spaces:
        return
    needed = 4 * COPIES * config.members * n_words * config.image_units
    there_is = total_memory(device)
    if there_is and needed > there_is:
        raise OptionError(
            f"--preset: {config.preset} learns {config.members} tables of {n_words:,} words, "
            f"{needed / 2**30:.0f} GiB while training, and there are {there_is / 2**30:.0f} GiB; "
            "take --preset paper, lower --members or --image-units, or prepare with a higher "
            "--min-photos"
        )


def total_memory(device: torch.device) -> int | None:
    """Return the bytes of memory of a device; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
