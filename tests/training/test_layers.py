"""Layers: dropout in less time, and maxout."""

import pytest
import torch

from mmcgan.training.layers import Dropout, Maxout


def test_dropout_drops_its_share_and_makes_the_others_larger():
    torch.manual_seed(0)
    inputs = torch.full((200, 500), 3.0, requires_grad=True)
    dropout = Dropout(0.2)
    outputs = dropout(inputs)
    assert set(outputs.unique().tolist()) == {0, 3.75}
    assert float((outputs == 0).float().mean()) == pytest.approx(0.2, abs=0.01)
    outputs.sum().backward()
    assert torch.equal(inputs.grad, outputs / 3)
    assert not torch.equal(dropout(inputs), outputs)
    torch.manual_seed(0)
    assert torch.equal(dropout(inputs), outputs)


def test_dropout_is_off_when_tagging_and_where_its_share_is_0():
    inputs = torch.randn(5, 4)
    before = torch.get_rng_state()
    assert torch.equal(Dropout(0.5).eval()(inputs), inputs)
    assert torch.equal(Dropout(0.0)(inputs), inputs)
    assert torch.equal(torch.get_rng_state(), before)


def test_maxout_takes_the_largest_of_its_pieces():
    layer = Maxout(in_features=1, n_units=2, n_pieces=3)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [-1.0], [0.0], [2.0], [3.0], [-4.0]]))
        layer.linear.bias.copy_(torch.tensor([0.0, 0.0, 0.5, 0.0, -2.0, 0.0]))
    # x = 1: unit 0 max(1, -1, .5), unit 1 max(2, 1, -4); x = -1: max(-1, 1, .5), max(-2, -5, 4)
    assert layer(torch.tensor([[1.0], [-1.0]])).tolist() == [[1.0, 2.0], [1.0, 4.0]]
    assert layer(torch.ones(5, 3, 1)).tolist() == [[[1.0, 2.0]] * 3] * 5
