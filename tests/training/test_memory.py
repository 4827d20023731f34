"""A training that cannot fit is refused before it starts, with what would."""

from __future__ import annotations

import os

import pytest
import torch

from mmcgan.errors import OptionError
from mmcgan.training import memory
from mmcgan.training.config import TrainConfig
from mmcgan.training.memory import require_memory, total_memory
from mmcgan.training.setup import build_setup

CPU = torch.device("cpu")
MODERN = TrainConfig.of("modern", members=4, image_units=512)


def test_tables_of_too_many_words_are_refused_with_what_would_fit(monkeypatch):
    monkeypatch.setattr(memory, "total_memory", lambda device: 16 * 2**30)
    with pytest.raises(
        OptionError, match=r"4 tables of 1,000,000 words, 53.4 GiB .* 16.0 GiB"
    ) as error:
        require_memory(1_000_000, MODERN, CPU)
    assert "--preset paper" in str(error.value)


@pytest.mark.parametrize(
    ("config", "n_words", "there_is"),
    [
        (MODERN, 299_000, 16 * 2**30),
        (MODERN, 10**9, None),  # the system does not say
        (TrainConfig.of("paper"), 10**9, 16 * 2**30),  # learns no table
    ],
)
def test_others_may_start(monkeypatch, config, n_words, there_is):
    monkeypatch.setattr(memory, "total_memory", lambda device: there_is)
    require_memory(n_words, config, CPU)


def test_total_memory_is_that_of_the_machine_or_its_container(monkeypatch, tmp_path):
    assert total_memory(CPU) > 2**28

    def unknown(name):
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    monkeypatch.setattr(memory, "CONTAINER_LIMIT", tmp_path / "memory.max")
    assert total_memory(CPU) is None
    memory.CONTAINER_LIMIT.write_text("max\n")
    assert total_memory(CPU) is None
    memory.CONTAINER_LIMIT.write_text("1048576\n")
    assert total_memory(CPU) == 2**20
    monkeypatch.undo()
    monkeypatch.setattr(memory, "CONTAINER_LIMIT", tmp_path / "memory.max")
    assert total_memory(CPU) == 2**20  # the lower of both


def test_task_is_refused_before_anything_is_computed(make_dataset, monkeypatch):
    monkeypatch.setattr(memory, "total_memory", lambda device: 1000)
    monkeypatch.setattr("mmcgan.training.setup.fit_standardizer", None)
    with pytest.raises(OptionError, match="--preset paper"):
        build_setup(make_dataset(), TrainConfig.of("modern"), "user")
