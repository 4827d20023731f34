"""The strongest discriminative rival: a multi-label perceptron on the image features, in torch."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor, nn

FloatArray = npt.NDArray[np.float32]
Score = Callable[[FloatArray], FloatArray]

BATCH_SIZE = 256


@dataclass(frozen=True)
class MlpSettings:
    """What is tuned; the defaults are values known to be good on MIRFLICKR."""

    hidden_units: int = 1024
    input_dropout: float = 0.5
    dropout: float = 0.7
    learning_rate: float = 2e-3
    epochs: int = 10


@dataclass(frozen=True)
class FittedMlp:
    """A trained perceptron: its `score` and the epoch, from 1, at which dev was best."""

    score: Score
    epoch: int


def fit_mlp(
    features: FloatArray,
    tags: sparse.csr_array,
    settings: MlpSettings,
    seed: int,
    dev_precision: Callable[[Score], float],
) -> FittedMlp:
    """Train on `features` (N, D) and 0/1 `tags` (N, V); keep the epoch that is best on dev.

    The loss is binary cross-entropy over all V tags, the optimiser AdamW; the output bias starts
    at the logit of each tag's frequency. The same seed gives the same weights on one machine.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _build(features.shape[1], tags, settings)
        optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
        best_value, best_epoch, best_weights = -1.0, 0, network.state_dict()
        for epoch in range(1, settings.epochs + 1):
            _train_epoch(network, optimizer, torch.from_numpy(features), tags)
            schedule.step()
            value = dev_precision(_score_of(network))
            if value > best_value:
                best_value, best_epoch = value, epoch
                best_weights = deepcopy(network.state_dict())
    network.load_state_dict(best_weights)
    return FittedMlp(_score_of(network), best_epoch)


def _build(feature_size: int, tags: sparse.csr_array, settings: MlpSettings) -> nn.Sequential:
    output = nn.Linear(settings.hidden_units, tags.shape[1])
    frequency = (tags.sum(axis=0) + 1) / (tags.shape[0] + 2)
    with torch.no_grad():
        output.bias.copy_(torch.logit(torch.from_numpy(np.asarray(frequency, np.float32))))
    return nn.Sequential(
        nn.Dropout(settings.input_dropout),
        nn.Linear(feature_size, settings.hidden_units),
        nn.ReLU(),
        nn.Dropout(settings.dropout),
        output,
    )


def _train_epoch(
    network: nn.Sequential,
    optimizer: torch.optim.Optimizer,
    features: Tensor,
    tags: sparse.csr_array,
) -> None:
    network.train()
    mean_tags = max(float(tags.sum()) / tags.shape[0], 1e-6)
    for batch in torch.randperm(len(features)).split(BATCH_SIZE):
        truth = torch.from_numpy(tags[batch.numpy()].toarray())
        logits = network(features[batch])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="sum")
        optimizer.zero_grad()
        (loss / (len(batch) * mean_tags)).backward()
        optimizer.step()


def _score_of(network: nn.Sequential) -> Score:
    """Return the function features (N, D) → logits (N, V)."""

    def score(features: FloatArray) -> FloatArray:
        network.eval()
        with torch.inference_mode():
            logits: FloatArray = network(torch.from_numpy(np.ascontiguousarray(features))).numpy()
        return logits

    return score
