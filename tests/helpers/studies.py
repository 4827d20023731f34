"""What the tests of the studies share: networks and rivals that take no time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from eval.baselines import mlp, perceptrons

SMALL = {
    "noise_units": 4,
    "image_units": 8,
    "d_word_units": 4,
    "d_image_units": 4,
    "maxout_units": 4,
    "batch_size": 16,
    "epochs": 2,
    "evaluate_every": 10,
}


@contextmanager
def small_baselines() -> Iterator[None]:
    """The same rivals in less time: few units and rounds, and no threads for tiny matrices."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    settings = (mlp.MlpSettings(8, 0.1, 0.2, 1e-2), mlp.MlpSettings(16, 0.1, 0.2, 1e-2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perceptrons, "MLP_TRIES", settings)
        patch.setattr(mlp, "ROUND", 10)
        patch.setattr(mlp, "MAX_ROUNDS", 5)
        yield
    torch.set_num_threads(n_threads)
