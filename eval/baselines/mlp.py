"""The strongest discriminative baseline: a multi-label perceptron on image features, in torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from eval.baselines.scoring import Score
from mmcgan.arrays import FloatArray, IntArray
from mmcgan.training.mixup import Mixup
from mmcgan.training.prepared.feature_rows import Features

MAX_BATCH_SIZE = 256
MIN_BATCH_SIZE = 16  # where there are few images; between the two, forty batches an epoch
ROUND = 50  # updates between two evaluations on dev, however many epochs that makes
MAX_ROUNDS = 40
PATIENCE = 4  # rounds without a better P@10 on dev
AVERAGE_DECAY = 0.99  # a step, of the running average of the weights that is evaluated


@dataclass(frozen=True)
class MlpSettings:
    """What is tuned; the defaults are values known to be good on MIRFLICKR."""

    hidden_units: int = 1024
    input_dropout: float = 0.5
    dropout: float = 0.7
    learning_rate: float = 5e-4
    mixup: float = 0.0  # strength, as that of the GAN


class Mlp(nn.Module):
    """Features (N, D) → dropout, linear, ReLU, dropout, linear → logits (N, V)."""

    def __init__(self, feature_size: int, frequency: Tensor, settings: MlpSettings):
        """Draw the weights; the output bias is the logit of each word's `frequency` (V,)."""
        super().__init__()
        self.input_dropout = nn.Dropout(settings.input_dropout)
        self.hidden = nn.Linear(feature_size, settings.hidden_units)
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(settings.hidden_units, len(frequency))
        with torch.no_grad():
            self.output.bias.copy_(torch.logit(frequency))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (N, V)."""
        hidden = torch.relu(self.hidden(self.input_dropout(features)))
        return self.output(self.dropout(hidden))


@dataclass(frozen=True)
class FittedMlp:
    """A trained perceptron: its `score` and the number of updates at which dev was best."""

    score: Score
    n_updates: int


def fit_mlp(
    features: Features,
    tags: sparse.csr_array,
    settings: MlpSettings,
    seed: int,
    dev_precision: Callable[[Score], float],
    precision: str = "float32",
) -> FittedMlp:
    """Train on `features` (N, D) and 0/1 `tags` (N, V); keep the weights that are best on dev.

    The loss is binary cross-entropy over all V words, the optimiser AdamW; evaluated is a running
    average of the weights. `precision` is that of the matrix products. The same seed gives the same
    weights on one machine.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Mlp(features.shape[1], _frequency(tags), settings)
        average = _average_of(network)
        optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, fused=True)
        batches = _batches(len(features))
        best_value, best_round, best = -1.0, 0, average
        for number in range(1, MAX_ROUNDS + 1):
            for batch in islice(batches, ROUND):
                seen = torch.from_numpy(np.asarray(features[batch]))
                targets = torch.from_numpy(tags[batch].toarray())
                mixed = _mixed(seen, targets, settings.mixup)
                _update(network, optimizer, *mixed, precision)
                average.update_parameters(network)
            value = dev_precision(_score_of(average))
            if value > best_value:
                best_value, best_round, best = value, number, deepcopy(average)
            elif number - best_round >= PATIENCE:
                break
    return FittedMlp(_score_of(best), best_round * ROUND)


def _average_of(network: Mlp) -> AveragedModel:
    update = get_ema_multi_avg_fn(AVERAGE_DECAY)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=update)


def _frequency(tags: sparse.csr_array) -> Tensor:
    """Return the share of images with each word (V,), kept off 0 and 1."""
    n_images = tags.shape[0]
    return torch.tensor((tags.sum(axis=0) + 1) / (n_images + 2), dtype=torch.float32)


def _batches(n_images: int) -> Iterator[IntArray]:
    """Yield rows of mini-batches for ever, each image once an epoch."""
    size = min(max(n_images // 40, MIN_BATCH_SIZE), MAX_BATCH_SIZE)
    while True:
        for batch in torch.split(torch.randperm(n_images), size):
            yield batch.numpy()


def _mixed(features: Tensor, targets: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Mix photos (B, D) and their tags (B, V) in pairs, where `strength` is not 0."""
    if not strength:
        return features, targets
    mixup = Mixup.draw(len(features), 0, strength, torch.default_generator)
    others = mixup.partners
    return mixup.mix(features, features[others]), mixup.mix(targets, targets[others])


def _update(
    network: Mlp,
    optimizer: torch.optim.Optimizer,
    features: Tensor,
    targets: Tensor,
    precision: str,
) -> None:
    network.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        logits = network(features).float()
    loss = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    optimizer.zero_grad()
    (loss / len(features)).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _score_of(network: nn.Module) -> Score:
    """Return the function features (N, D) → logits (N, V)."""

    def score(features: FloatArray) -> FloatArray:
        network.eval()
        with torch.inference_mode():
            return network(torch.from_numpy(np.ascontiguousarray(features))).numpy()

    return score
