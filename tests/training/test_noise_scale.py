"""How far the noise of a mixture reaches when tagging: chosen by the tags of dev."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from mmcgan.inference.model import Model
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training import noise_scale as spread_module
from mmcgan.training.config import TrainConfig
from mmcgan.training.networks import MixtureGenerator, build_generator
from mmcgan.training.noise_scale import N_DRAWS, SCALES, fit_spread
from mmcgan.training.prepared.feature_rows import Standardizer

N_WORDS, FEATURE_SIZE = 6, 3


def tagger_of(generator: Any, ranking: str = "mean") -> Tagger:
    """Six words, one along each axis of the generator's space."""
    words = Vocabulary(tuple("abcdef"), np.eye(N_WORDS, dtype=np.float32), np.ones(N_WORDS, int))
    scale = Standardizer(np.zeros(FEATURE_SIZE, np.float32), np.ones(FEATURE_SIZE, np.float32))
    bias = np.zeros(N_WORDS, np.float32)
    return Tagger(Model(generator.eval, words, bias, ranking, scale, {}, {}))


def mixture(location: list[float], gate: float = 0.0) -> MixtureGenerator:
    """One member that aims at `location` for every image, with noise along every axis."""
    config = TrainConfig(generator="mixture", noise_size=N_WORDS, noise_units=N_WORDS,
                         image_units=N_WORDS, draws=2)  # fmt: skip
    generator = build_generator(FEATURE_SIZE, N_WORDS, config)
    assert isinstance(generator, MixtureGenerator)
    member = generator.members[0]
    with torch.no_grad():
        for layer in (member.trunk, member.gate):
            layer.weight.zero_()
        member.trunk.bias.copy_(torch.tensor(location))
        # softplus(0.5413) = 1: the noise is a standard Gaussian.
        member.gate.bias.fill_(0.541324854612918 + gate)
        weights = generator.noise_layer.weight, generator.reach.weight, member.output.weight
        for weight in weights:
            weight.copy_(torch.eye(N_WORDS))
    return generator


def features(n: int = 12) -> np.ndarray:
    return np.zeros((n, FEATURE_SIZE), np.float32)


def tags_of(*lists: list[int]) -> sparse.csr_array:
    table = np.zeros((len(lists), N_WORDS), np.float32)
    for row, words in zip(table, lists, strict=True):
        row[words] = 1
    return sparse.csr_array(table)


def cross_entropies(tagger: Tagger, tags: sparse.csr_array) -> dict[str, float]:
    """-Σ q log p of every scale, by plain counting of the nearest words of N_DRAWS draws."""
    dense = tags.toarray()
    prior = (dense.sum(axis=0) + 0.5) / (dense.sum() + 0.5 * N_WORDS)
    found = {}
    for scale in SCALES:
        tagger.model.generator.spread.fill_(scale)
        draws = tagger.model.sample(features(len(dense)), N_DRAWS, tagger.seed)
        losses = []
        for row, own in zip(draws, dense, strict=True):
            shares = np.bincount(row.argmax(axis=1), minlength=N_WORDS)
            p = (shares + 0.1 * N_WORDS * prior) / (N_DRAWS + 0.1 * N_WORDS)
            losses.append(-np.mean(np.log(p[own > 0])))
        found[f"{scale:g}"] = float(np.mean(losses))
    return found


def test_fit_spread_takes_the_best_of_its_tries():
    # The draws lie at word a, the photos carry one of a and b each, a twice as often.
    tags = tags_of(*[[0], [0], [1]] * 4)
    tagger = tagger_of(mixture([2.0, 1.0, 0, 0, 0, 0]))
    expected = cross_entropies(tagger, tags)
    tagger.model.generator.spread.fill_(1)
    facts = fit_spread(tagger, features(), tags)
    assert facts["spread_tries"] == {k: round(v, 4) for k, v in expected.items()}
    best = min(expected, key=lambda k: expected[k])
    assert f"{facts['spread']:g}" == best
    assert float(tagger.model.generator.spread) == pytest.approx(facts["spread"])


def test_spread_is_small_where_photos_agree_and_large_where_they_do_not():
    location = [1.5, 0, 0, 0, 0, 0]
    same, all_words = [[0]] * 12, [list(range(N_WORDS))] * 12
    found = [fit_spread(tagger_of(mixture(location)), features(), tags_of(*lists))["spread"]
             for lists in (same, all_words)]  # fmt: skip
    assert found == [min(SCALES), max(SCALES)]


def test_spread_leaves_the_ranking_as_it_is():
    location = [0.5, 0.3, 0.7, 0.0, 0.2, 0.6]
    tags = tags_of(*[[0, 1, 2, 3, 4, 5]] * 12)
    tagger = tagger_of(mixture(location))
    before = tagger.tag_features(features(), N_WORDS)
    assert fit_spread(tagger, features(), tags)["spread"] != 1
    after = tagger.tag_features(features(), N_WORDS)
    for first, second in zip(before, after, strict=True):
        assert [tag.word for tag in first] == [tag.word for tag in second] == list("cfabed")
        scores = [[tag.score for tag in tags] for tags in (first, second)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_other_generators_have_no_spread():
    generator = build_generator(FEATURE_SIZE, N_WORDS, TrainConfig(image_units=2, noise_units=2))
    state = {name: weights.clone() for name, weights in generator.state_dict().items()}
    assert fit_spread(tagger_of(generator), features(2), tags_of([0], [1])) == {}
    assert all(torch.equal(generator.state_dict()[n], weights) for n, weights in state.items())


def test_no_more_photos_are_looked_at_than_are_needed(monkeypatch):
    monkeypatch.setattr(spread_module, "MAX_PHOTOS", 3)
    seen = []
    samples = Model.sample
    monkeypatch.setattr(
        Model, "sample", lambda self, f, n, seed: seen.append(len(f)) or samples(self, f, n, seed)
    )
    tags = tags_of(*[[0], [1], [2]] * 4)
    assert fit_spread(tagger_of(mixture([1.0] * N_WORDS)), features(), tags)["spread"] in SCALES
    assert seen == [3] * len(SCALES)
