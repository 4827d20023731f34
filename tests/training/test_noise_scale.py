"""How far the noise of a mixture reaches when tagging: chosen by the tags of dev."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.models import LINEAR, make_model
from scipy import sparse

from mmcgan.inference.model import Model
from mmcgan.inference.network import NetworkRecord, Standardizer, build_network
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.vocabulary import Vocabulary
from mmcgan.training import noise_scale
from mmcgan.training.noise_scale import N_DRAWS, SCALES, fit_noise_scale, with_noise_scale

N_WORDS, FEATURE_SIZE = 6, 3
RECORD = NetworkRecord("mixture", 1, FEATURE_SIZE, N_WORDS, N_WORDS, N_WORDS, N_WORDS)


def mixture(location: list[float]) -> Model:
    """One generator that aims at `location` for every image, with noise along every axis.

    Six words, one along each axis of its space.
    """
    eye, zeros = np.eye(N_WORDS, dtype=np.float32), np.zeros(FEATURE_SIZE, np.float32)
    own = {
        "trunk.weight": np.zeros((N_WORDS, FEATURE_SIZE), np.float32),
        "trunk.bias": np.array(location, np.float32),
        "gate.weight": np.zeros((N_WORDS, N_WORDS), np.float32),
        # softplus(0.5413) = 1: the noise is a standard Gaussian.
        "gate.bias": np.full(N_WORDS, 0.541324854612918, np.float32),
        "output.weight": eye,
    }
    weights = {"noise_layer.weight": eye, "reach.weight": eye}
    weights |= {f"members.0.{name}": array for name, array in own.items()}
    words = Vocabulary(tuple("abcdef"), eye, np.ones(N_WORDS, int))
    bias, scale = np.zeros(N_WORDS, np.float32), Standardizer(zeros, zeros + 1)
    return Model(build_network(RECORD, weights), words, bias, "mean", scale, {}, {})


def features(n: int = 12) -> np.ndarray:
    return np.zeros((n, FEATURE_SIZE), np.float32)


def tags_of(*lists: list[int]) -> sparse.csr_array:
    table = np.zeros((len(lists), N_WORDS), np.float32)
    for row, words in zip(table, lists, strict=True):
        row[words] = 1
    return sparse.csr_array(table)


def cross_entropies(model: Model, tags: sparse.csr_array) -> dict[str, float]:
    """-Σ q log p of every scale, by plain counting of the nearest words of N_DRAWS draws."""
    dense = tags.toarray()
    prior = (dense.sum(axis=0) + 0.5) / (dense.sum() + 0.5 * N_WORDS)
    found = {}
    for scale in SCALES:
        draws = with_noise_scale(model, scale).sample(features(len(dense)), N_DRAWS, 0)
        losses = []
        for row, own in zip(draws, dense, strict=True):
            shares = np.bincount(row.argmax(axis=1), minlength=N_WORDS)
            p = (shares + 0.1 * N_WORDS * prior) / (N_DRAWS + 0.1 * N_WORDS)
            losses.append(-np.mean(np.log(p[own > 0])))
        found[f"{scale:g}"] = float(np.mean(losses))
    return found


def test_noise_scale_is_the_best_of_its_tries():
    # The draws lie at word a, the photos carry one of a and b each, a twice as often.
    tags = tags_of(*[[0], [0], [1]] * 4)
    model = mixture([2.0, 1.0, 0, 0, 0, 0])
    expected = cross_entropies(model, tags)
    fitted = fit_noise_scale(model, 0, features(), tags)
    assert fitted.facts["spread_tries"] == {k: round(v, 4) for k, v in expected.items()}
    assert f"{fitted.facts['spread']:g}" == min(expected, key=lambda k: expected[k])
    assert fitted.network.record.noise_scale == fitted.facts["spread"]
    assert (model.network.record.noise_scale, model.facts) == (1, {})  # it is left as it was


def test_noise_scale_is_small_where_photos_agree_and_large_where_they_do_not():
    model = mixture([1.5, 0, 0, 0, 0, 0])
    same, all_words = [[0]] * 12, [list(range(N_WORDS))] * 12
    fitted = [fit_noise_scale(model, 0, features(), tags_of(*lists)) for lists in (same, all_words)]
    assert [one.network.record.noise_scale for one in fitted] == [min(SCALES), max(SCALES)]


def test_noise_scale_leaves_the_ranking_as_it_is():
    model = mixture([0.5, 0.3, 0.7, 0.0, 0.2, 0.6])
    fitted = fit_noise_scale(model, 0, features(), tags_of(*[[0, 1, 2, 3, 4, 5]] * 12))
    assert fitted.network.record.noise_scale != 1
    before, after = (Tagger(one).tag_features(features(), N_WORDS) for one in (model, fitted))
    for first, second in zip(before, after, strict=True):
        assert [tag.word for tag in first] == [tag.word for tag in second] == list("cfabed")
        scores = [[tag.score for tag in tags] for tags in (first, second)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_other_networks_have_no_noise_scale():
    model = make_model(replace(LINEAR, feature_size=FEATURE_SIZE))
    assert fit_noise_scale(model, 0, features(2), tags_of([0], [1])) is model


def test_no_more_photos_are_looked_at_than_are_needed(monkeypatch):
    monkeypatch.setattr(noise_scale, "MAX_PHOTOS", 3)
    seen = []
    sample = Model.sample
    monkeypatch.setattr(
        Model, "sample", lambda self, f, n, seed: seen.append(len(f)) or sample(self, f, n, seed)
    )
    tags = tags_of(*[[0], [1], [2]] * 4)
    fitted = fit_noise_scale(mixture([1.0] * N_WORDS), 0, features(), tags)
    assert fitted.network.record.noise_scale in SCALES
    assert seen == [3] * len(SCALES)
