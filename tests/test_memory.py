"""A training that cannot fit is refused before it starts, with what would."""

from __future__ import annotations

import os

import pytest
import torch

from mmcgan.config import TrainConfig
from mmcgan.errors import OptionError
from mmcgan.training import memory
from mmcgan.training.memory import require_memory, total_memory

CPU = torch.device("cpu")
MODERN = TrainConfig.of("modern", members=4, image_units=512)


def test_tables_of_too_many_words_are_refused_with_what_would_fit(monkeypatch):
    monkeypatch.setattr(memory, "total_memory", lambda device: 16 * 2**30)
    with pytest.raises(
        OptionError, match=r"4 tables of 1,000,000 words, 38 GiB .* 16 GiB"
    ) as error:
        require_memory(1_000_000, MODERN, CPU)
    assert "--preset paper" in str(error.value)


@pytest.mark.parametrize(
    ("config", "n_words", "there_is"),
    [
        (MODERN, 400_000, 16 * 2**30),
        (MODERN, 10**9, None),  # the system does not say
        (TrainConfig.of("paper"), 10**9, 16 * 2**30),  # learns no table
    ],
)
def test_others_may_start(monkeypatch, config, n_words, there_is):
    monkeypatch.setattr(memory, "total_memory", lambda device: there_is)
    require_memory(n_words, config, CPU)


def test_total_memory_is_that_of_the_machine(monkeypatch):
    assert total_memory(CPU) > 2**28

    def unknown(name):
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert total_memory(CPU) is None
