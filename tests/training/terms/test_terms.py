"""The list of terms: made from the settings, and asked for by options."""

from __future__ import annotations

import pytest
import torch
from helpers.tasks import PLAIN, batch_of, draw, losses_of, make_photos, make_task, modern
from torch import Tensor

from eval.studies.ablation import STEPS, WITHOUT
from mmcgan.training.config import PRESETS, TrainConfig
from mmcgan.training.terms import KINDS, build_terms, options_of
from mmcgan.training.terms.adversarial import TagAdversarial
from mmcgan.training.terms.likelihood import Likelihood
from mmcgan.training.terms.retrieval import Retrieval
from mmcgan.training.trainer import keep_means

LISTS = {name: terms for name, terms, _ in (*STEPS, *WITHOUT)}


def test_terms_of_the_presets():
    paper, modern_ = (build_terms(TrainConfig.of(preset).objective) for preset in PRESETS)
    assert paper == (TagAdversarial(),)
    assert modern_ == (
        TagAdversarial("non-saturating", 0.3, 0.3, "spread", "sets"),
        Retrieval(1.0),
        Likelihood(1.0, 0.5, "spread"),
    )


@pytest.mark.parametrize("name", LISTS)
def test_options_of_terms_ask_for_exactly_these(name):
    for preset in PRESETS:
        config = TrainConfig.of(preset, **options_of(LISTS[name]))
        assert build_terms(config.objective) == tuple(LISTS[name])


def test_options_that_ask_for_no_term_leave_it_out():
    for kind in KINDS:
        terms = build_terms(TrainConfig.of("modern", **kind.absent).objective)
        assert any(isinstance(term, kind) for term in terms) == (not kind.absent)


def means_of(gradient: Tensor) -> Tensor:
    """The mean over the draws of each of two generators, (B, 2, E)."""
    return gradient.unflatten(1, (2, -1)).mean(dim=2)


@pytest.mark.parametrize("moves", ["draws", "spread"])
def test_term_that_may_not_move_the_mean_leaves_it(moves):
    torch.manual_seed(0)
    task = make_task(modern(moves=moves, **PLAIN), make_photos())
    batch = batch_of(task, 0, 1, 2, 3, 4)
    draws = draw(task, batch).detach().requires_grad_()
    gradients = {
        name: torch.autograd.grad(loss, draws, retain_graph=True)[0]
        for name, loss in losses_of(task, draws, batch).items()
    }
    kept = keep_means(gradients, task)
    for term in task.terms:
        before, after = gradients[term.name], kept[term.name]
        assert means_of(before).abs().max() > 1e-5
        assert term.moves_mean == (moves == "draws" or isinstance(term, Retrieval))
        if term.moves_mean:
            assert after is before
        else:
            assert means_of(after).abs().max() < 1e-6
            assert torch.allclose(after[:, 0] - after[:, 1], before[:, 0] - before[:, 1])
