"""The likelihood term: what it asks of single draws."""

from __future__ import annotations

import torch
from helpers.tasks import PLAIN, batch_of, draw, make_photos, make_task, modern, tag_table

from mmcgan.training.config import TrainConfig
from mmcgan.training.losses import draw_likelihood
from mmcgan.training.terms.likelihood import Likelihood


def test_term_is_the_one_that_the_settings_ask_for():
    options = TrainConfig.of("modern", likelihood=2.0, moves="draws").objective
    term = Likelihood.of(options)
    assert term == Likelihood(2.0, 0.5, "draws")
    assert term.name == "loss_g_likelihood"


def test_loss_is_that_of_the_words_at_the_temperature_without_the_weight():
    torch.manual_seed(0)
    task = make_task(modern(judged_examples=2, **PLAIN), make_photos())
    batch = batch_of(task, 2, 4, 0)
    draws = draw(task, batch)
    found = Likelihood(3.0, 0.25).mean_loss(draws, batch, task)
    expected = draw_likelihood(4 * task.words(draws[:2]), tag_table()[[2, 4]].float())
    assert torch.allclose(found.value, expected, rtol=1e-5)
    assert found.n == 2
