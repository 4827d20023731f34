"""Learning rates and momentum as functions of the update: nothing to store, nothing to resume."""

from __future__ import annotations

import math

from mmcgan.training.learning import LearningConfig


def learning_rate(config: LearningConfig, update: int, n_updates: int) -> float:
    """Return the generator's learning rate at `update` of `n_updates`."""
    return config.learning_rate * rate_factor(config, update, n_updates)


def rate_factor(config: LearningConfig, update: int, n_updates: int) -> float:
    """Return what is left of the first learning rate at `update` of `n_updates`.

    SGD: 1 / 1.00004^update, not below the floor (arXiv 1411.1784, section 4.1). AdamW: half a
    cosine from 1 to 0 (Loshchilov & Hutter 2017, SGDR, equation 5).
    """
    if config.optimizer == "adamw":
        return (1 + math.cos(math.pi * min(update / n_updates, 1))) / 2
    # As a product: the power itself overflows for a large decay and a long run.
    factor = (1 / config.learning_rate_decay) ** update
    floor = config.learning_rate_floor / config.learning_rate if config.learning_rate else 0.0
    return max(factor, floor)


def momentum(config: LearningConfig, epoch: float) -> float:
    """Rise from 0.5 to 0.7, linearly over `momentum_epochs` (the released configuration)."""
    share = min(epoch / config.momentum_epochs, 1.0)
    return config.momentum_start + share * (config.momentum_end - config.momentum_start)
