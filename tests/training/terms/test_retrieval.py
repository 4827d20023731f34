"""The retrieval term: whom it reaches, and a choice of words that stands for all."""

from __future__ import annotations

import pytest
import torch
from helpers.tasks import (
    FEATURE_SIZE,
    PLAIN,
    batch_of,
    draw,
    examples_of,
    losses_of,
    make_photos,
    make_task,
    modern,
    random_of,
)

from mmcgan.training import sampler
from mmcgan.training.config import TrainConfig
from mmcgan.training.terms.retrieval import Retrieval


def test_term_is_the_one_that_the_settings_ask_for():
    term = Retrieval.of(TrainConfig.of("modern", retrieval=2.0).objective)
    assert term == Retrieval(2.0)
    assert (term.name, term.moves_mean) == ("loss_g_retrieval", True)


def test_retrieval_reaches_the_words_and_every_draw():
    torch.manual_seed(0)
    task = make_task(modern(**PLAIN), make_photos())
    batch = batch_of(task, 0, 1, 2, 3, 4)
    draws = draw(task, batch).detach().requires_grad_()
    losses_of(task, draws, batch)["loss_g_retrieval"].backward()
    for parameter in task.words.parameters():
        assert parameter.grad.abs().amax(dim=-1).min() > 0
    assert draws.grad.abs().amax(dim=-1).min() > 0
    # The mean is what counts: all draws of a generator move alike.
    assert torch.allclose(draws.grad[:, 0], draws.grad[:, 1])


def test_loss_is_a_mean_over_all_photos():
    task = make_task(modern(judged_examples=2, **PLAIN), make_photos())
    batch = batch_of(task, 0, 1, 2, 3, 4)
    assert Retrieval(1.0).mean_loss(draw(task, batch), batch, task).n == 5


def test_scored_part_stands_for_the_whole_loss(monkeypatch):
    """Averaged over many choices of words, the retrieval term is that of all words."""
    torch.manual_seed(0)
    pairs = torch.tensor([[0, 3], [0, 40], [1, 7], [2, 7], [2, 49]])
    examples = examples_of(pairs, torch.randn(3, FEATURE_SIZE, generator=random_of(2)), 50)
    task = make_task(modern(adversarial_share=None, **PLAIN), examples)
    draws = draw(task, batch_of(task, 0, 2))

    def loss() -> float:
        return float(losses_of(task, draws, batch_of(task, 0, 2))["loss_g_retrieval"].detach())

    whole = loss()
    monkeypatch.setattr(sampler, "MAX_SCORED_WORDS", 20)
    losses = [loss() for _ in range(300)]
    assert sum(losses) / 300 == pytest.approx(whole, rel=0.02)
    assert max(losses) > 1.01 * whole
