"""Learning rates and momentum as functions of the update: nothing to store, nothing to resume."""

from __future__ import annotations

import math

from mmcgan.training.learning import OptimiserOptions

LEARNING_RATE_FLOOR = 1e-6  # arXiv 1411.1784, section 4.1
MOMENTUM_START, MOMENTUM_END = 0.5, 0.7  # the same


def learning_rate(options: OptimiserOptions, update: int, n_updates: int) -> float:
    """Return the generator's learning rate at `update` of `n_updates`."""
    return options.learning_rate * rate_factor(options, update, n_updates)


def rate_factor(options: OptimiserOptions, update: int, n_updates: int) -> float:
    """Return what is left of the first learning rate at `update` of `n_updates`.

    SGD: 1 / 1.00004^update, not below the floor (arXiv 1411.1784, section 4.1). AdamW: half a
    cosine from 1 to 0 (Loshchilov & Hutter 2017, SGDR, equation 5).
    """
    if options.kind == "adamw":
        return (1 + math.cos(math.pi * min(update / n_updates, 1))) / 2
    # As a product: the power itself overflows for a large decay and a long run.
    factor = (1 / options.learning_rate_decay) ** update
    floor = LEARNING_RATE_FLOOR / options.learning_rate if options.learning_rate else 0.0
    return max(factor, floor)


def momentum(options: OptimiserOptions, epoch: float) -> float:
    """Rise from 0.5 to 0.7, linearly over `momentum_epochs` (the released configuration)."""
    share = min(epoch / options.momentum_epochs, 1.0)
    return MOMENTUM_START + share * (MOMENTUM_END - MOMENTUM_START)
