"""Mixup: a photo and its tags are mixed with another photo and its tags (Zhang et al. 2018).

Between two photos the networks then learn to give the tags of both, in proportion. It keeps wide
features from being learnt by heart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixup:
    """How B examples are mixed.

    `partners` (B,) are the places of the examples that they are mixed with, `shares` (B, 1) what is
    left of each, from a half to all.
    """

    partners: Tensor
    shares: Tensor

    @classmethod
    def draw(cls, n: int, n_kept: int, strength: float, random: torch.Generator) -> Mixup:
        """Pair `n` examples but the first `n_kept`, which stay as they are.

        A share is max(λ, 1 - λ), with λ from Beta(`strength`, `strength`).
        """
        partners, shares = torch.arange(n), torch.ones(n, 1)
        partners[n_kept:] = n_kept + torch.randperm(n - n_kept, generator=random)
        # torch's own Beta takes no generator.
        beta = np.random.default_rng(int(torch.randint(2**31, (), generator=random)))
        drawn = beta.beta(strength, strength, (n - n_kept, 1))
        shares[n_kept:] = torch.from_numpy(np.maximum(drawn, 1 - drawn)).float()
        return cls(partners, shares)

    def mix(self, values: Tensor, others: Tensor) -> Tensor:
        """Mix values (B, …) of the examples with those of their partners."""
        return self.shares * values + (1 - self.shares) * others

    def part(self, places: Tensor) -> Mixup:
        """Return the same for the examples at some `places`; their partners may be any."""
        return Mixup(self.partners[places], self.shares[places])

    def to(self, device: torch.device) -> Mixup:
        """Return the same on a device."""
        return Mixup(self.partners.to(device), self.shares.to(device))
