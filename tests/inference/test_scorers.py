"""The scorers: by the mean draw, or by the vote of the draws, of a whole network."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.models import LINEAR, MIXTURE, make_features, make_model

from mmcgan.inference.scorers import SCORERS, MeanScorer, VoteScorer
from mmcgan.inference.words.ranking import Draws, Means, Votes


@pytest.mark.parametrize("record", [LINEAR, MIXTURE], ids=["linear", "mixture"])
@pytest.mark.parametrize(("rule", "kind"), [("mean", Means), ("vote", Votes)])
def test_scorer_ranks_by_its_rule(record, rule, kind):
    model, features = make_model(record), make_features(3)
    index = model.build_index()
    scorer = SCORERS[rule](model.network, index, 20, 0)
    ranked = scorer(features)
    assert isinstance(ranked, kind)
    draws = Draws.of(model.network.draws(features, 20, 0), index)
    expected = scorer.of(draws).rank(10)
    found = ranked.rank(10)
    assert np.array_equal(found.rows, expected.rows)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4, atol=1e-5)


def test_mean_scorer_without_biases_gives_each_generator_the_same_weight():
    model, features = make_model(MIXTURE, bias=None), make_features(4)
    index = model.build_index()
    found = MeanScorer(model.network, index, 20, 0)(features).rank(5)
    centres = model.network.centres(features, 20, 0).astype(np.float64)
    unit = centres / np.linalg.norm(centres, axis=2, keepdims=True)
    scores = (unit @ model.vocabulary.vectors.T.astype(np.float64)).mean(axis=1)
    assert np.array_equal(found.rows, np.argsort(-scores)[:, :5])


def test_vote_scorer_depends_on_the_seed_and_mean_scorer_of_a_mixture_does_not():
    model, features = make_model(MIXTURE), make_features(4)
    index = model.build_index()
    every = np.arange(10)
    ties = [
        VoteScorer(model.network, index, 40, seed)(features).scores_of(every)[1] for seed in (0, 1)
    ]
    assert not np.array_equal(*ties)
    means = [MeanScorer(model.network, index, 40, seed)(features).rank(10) for seed in (0, 1)]
    assert np.array_equal(means[0].rows, means[1].rows)
