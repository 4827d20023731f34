"""Layers that the networks are built of, where torch has none that fits."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """torch's dropout; on a CPU its masks are drawn in less than half the time.

    `bernoulli_` calls the random generator for one number after the other, and compares a uniform
    double. Drawing these together gives the same mask (but where torch takes MKL's generator).
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs, while training some of them 0 and the others the larger for it."""
        if not self.training or not self.p or inputs.device.type != "cpu":
            return super().forward(inputs)
        keep = 1 - self.p
        mask = torch.rand(inputs.shape, dtype=torch.float64) < keep
        return inputs * mask.to(inputs.dtype).div_(keep)


class Maxout(nn.Module):
    """The largest of several linear maps, unit by unit (Goodfellow et al. 2013, equation 3)."""

    def __init__(self, in_features: int, n_units: int, n_pieces: int):
        super().__init__()
        self.linear = nn.Linear(in_features, n_units * n_pieces)
        self.shape = (n_units, n_pieces)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (…, in_features) to (…, n_units)."""
        return self.linear(inputs).unflatten(-1, self.shape).amax(-1)


def units(in_features: int, n_units: int, pieces: int = 1) -> nn.Module:
    """Return a hidden layer (…, in_features) → (…, n_units): maxout, or ReLU of one piece."""
    if pieces > 1:
        return Maxout(in_features, n_units, pieces)
    return nn.Sequential(nn.Linear(in_features, n_units), nn.ReLU())
