"""The rivals on small drawn data: what they learn, how they are tuned, what they survive."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.linear_model import Ridge

from eval.baselines import fitting as baselines
from eval.baselines import mlp, perceptrons, tuning
from eval.baselines.fitting import fit_baselines, frequency
from eval.baselines.nearest import find_nearest
from eval.baselines.ridge import NormalEquations
from eval.baselines.tuning import N_TRIES, Baseline, FitData, Try, choose
from mmcgan.errors import DataError
from mmcgan.inference.network import Standardizer
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.prepared.feature_rows import StandardizedRows

MLP_TRIES = perceptrons.MLP_TRIES  # the real ones, before the fixture makes them small
TUNED = ["knn", "regression", "ridge", "mlp", "mlp_ensemble"]
N_MEMBERS = 3
N_KINDS, N_WORDS = 4, 12


@pytest.fixture(autouse=True, scope="module")
def _small_networks():
    """The same code in less time: fewer units and rounds, and no threads for tiny matrices."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    settings = [mlp.MlpSettings(32, 0.1, 0.2, 1e-2, unit) for unit in (False, True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perceptrons, "MLP_TRIES", settings * 3)
        patch.setattr(mlp, "ROUND", 20)
        patch.setattr(mlp, "MAX_ROUNDS", 10)
        yield
    torch.set_num_threads(n_threads)


def drawn(n_images, seed):
    """Images of four kinds, each with its own feature direction and its own three words."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, N_KINDS, n_images)
    features = 3 * np.eye(N_KINDS, 6)[kind] + rng.normal(size=(n_images, 6))
    own = np.arange(N_WORDS)[None] // 3 == kind[:, None]
    tags = own & (rng.random(own.shape) < 0.7)
    return features.astype(np.float32), sparse.csr_array(tags.astype(np.float32))


def fit_data(n_train=200, n_dev=60, seed=0):
    vectors = np.random.default_rng(9).normal(size=(N_WORDS, 5))
    return FitData(*drawn(n_train, 1), *drawn(n_dev, 2), unit_rows(vectors), seed, N_MEMBERS)


@pytest.fixture(scope="module")
def rivals(_small_networks):
    return {rival.name: rival for rival in fit_baselines(fit_data())}


def test_rivals_come_in_the_order_of_the_report(rivals):
    assert list(rivals) == ["frequency", *TUNED]


def test_frequency_scores_are_the_shares_of_training_images():
    data = fit_data()
    scores = frequency(data).score(np.zeros((2, 6), np.float32))
    shares = data.train_tags.toarray().mean(axis=0)
    assert scores == pytest.approx(np.stack([shares, shares]))


@pytest.mark.parametrize("name", TUNED)
def test_rival_names_the_words_of_the_kind_of_image(rivals, name):
    features, _ = drawn(100, 3)
    kind = features[:, :N_KINDS].argmax(axis=1)  # nearly always the kind that was drawn
    best = rivals[name].score(features).argmax(axis=1) // 3
    assert (best == kind).mean() > 0.8


@pytest.mark.parametrize("name", TUNED)
def test_rival_gets_the_stated_number_of_tries_and_takes_the_best(rivals, name):
    tuning = rivals[name].tuning
    values = [trial["P@10"] for trial in tuning["tried"]]
    assert len(values) == N_TRIES
    assert tuning["chosen"] == tuning["tried"][int(np.argmax(values))]["params"]
    assert tuning["refitted"] is False


def test_grids_hold_the_stated_number_of_different_tries():
    grids = (baselines.KNN_TRIES, baselines.RIDGE_TRIES, baselines.REGRESSION_TRIES)
    for grid in (*grids, MLP_TRIES):
        assert len({str(params) for params in grid}) == N_TRIES


@pytest.mark.parametrize("name", ["frequency", *TUNED])
def test_rival_scores_are_finite_float32_of_every_word(rivals, name):
    scores = rivals[name].score(drawn(7, 4)[0])
    assert scores.shape == (7, N_WORDS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_choose_takes_the_first_of_equal_tries():
    data = fit_data()
    same = frequency(data).score
    rival = choose("x", iter([Try({"n": n}, same) for n in range(3)]), data)
    assert rival.tuning["chosen"] == {"n": 0}


def test_choose_prefers_the_try_that_is_better_on_dev():
    data = fit_data()
    worst = Try({"n": 0}, lambda features: -data.dev_tags.toarray())
    best = Try({"n": 1}, lambda features: data.dev_tags.toarray())
    assert choose("x", iter([worst, best]), data).tuning["chosen"] == {"n": 1}


def test_ridge_solves_the_penalised_least_squares():
    data = fit_data()
    tags = data.train_tags.__getitem__
    predict = NormalEquations.of(data.train_features, tags).solve(0.3)
    model = Ridge(alpha=0.3 * len(data.train_features), solver="svd")
    model.fit(data.train_features.astype(float), data.train_tags.toarray())
    assert predict(data.dev_features) == pytest.approx(model.predict(data.dev_features), abs=1e-4)


def test_knn_votes_are_the_weighted_share_of_the_neighbours():
    # Cosine distances of (1, 0) to the three: 0, 0.4, 1. Weights 1, .6 and about 0.
    train = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], np.float32)
    tags = sparse.csr_array(np.array([[1, 0], [0, 1], [0, 1]], np.float32))
    data = FitData(train, tags, train, tags, np.eye(2, dtype=np.float32), 0)
    found = next(baselines.knn_tries(data))
    assert found.params["weights"] == "cosine"
    scores = found.score(np.array([[1.0, 0.0]], np.float32))
    assert scores == pytest.approx(np.array([[1 / 1.6, 0.6 / 1.6]]), abs=1e-4)


def test_knn_subtracts_the_prior_that_it_says(monkeypatch):
    data = fit_data()
    plain = {"n_neighbours": 20, "weights": "softmax", "prior": 0.0}
    monkeypatch.setattr(baselines, "KNN_TRIES", [plain, plain | {"prior": 0.5}])
    with_prior, without = (t.score(data.dev_features) for t in baselines.knn_tries(data))
    shares = data.train_tags.toarray().mean(axis=0)
    assert with_prior - without == pytest.approx(np.tile(0.5 * shares, (60, 1)), abs=1e-6)


def test_same_seed_gives_the_same_perceptron():
    data = fit_data(80, 30)
    scores = [
        mlp.fit_mlp(
            data.train_features, data.train_tags, mlp.MlpSettings(16), seed, data.dev_precision
        ).score(data.dev_features)
        for seed in (5, 5, 6)
    ]
    assert (scores[0] == scores[1]).all()
    assert (scores[0] != scores[2]).any()


def test_perceptron_keeps_the_weights_that_were_best_on_dev():
    data = fit_data(80, 30)
    values = iter([0.1, 0.5, 0.2, 0.5, 0.4, 0.3, 0.9])
    seen = []

    def dev_precision(score):
        seen.append(score(data.dev_features))
        return next(values)

    fitted = mlp.fit_mlp(
        data.train_features, data.train_tags, mlp.MlpSettings(16), 0, dev_precision
    )
    assert fitted.n_updates == 2 * mlp.ROUND
    assert len(seen) == 2 + mlp.PATIENCE
    assert (fitted.score(data.dev_features) == seen[1]).all()


def test_perceptron_leaves_the_random_numbers_of_its_caller_alone():
    data = fit_data(20, 10)
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    mlp.fit_mlp(data.train_features, data.train_tags, mlp.MlpSettings(4), 0, data.dev_precision)
    assert (torch.rand(3) == wanted).all()


def tiny_data():
    """Five training images, two words, three features; a dev image without a tag."""
    rng = np.random.default_rng(0)
    tags = np.array([[1, 0], [0, 1], [1, 1], [1, 0], [0, 1]], np.float32)
    dev_tags = np.array([[0, 0], [1, 0]], np.float32)
    features = rng.normal(size=(7, 3)).astype(np.float32)
    return FitData(
        features[:5],
        sparse.csr_array(tags),
        features[5:],
        sparse.csr_array(dev_tags),
        np.eye(2, dtype=np.float32),
        0,
        n_members=2,
    )


def test_rivals_fit_five_images_and_two_words():
    rivals = fit_baselines(tiny_data())
    for rival in rivals:
        assert isinstance(rival, Baseline)
        scores = rival.score(np.ones((1, 3), np.float32))
        assert scores.shape == (1, 2)
        assert np.isfinite(scores).all()


def test_rivals_fit_more_features_than_images():
    data = tiny_data()
    wide = [np.tile(part, (1, 40)) for part in (data.train_features, data.dev_features)]
    data = FitData(wide[0], data.train_tags, wide[1], data.dev_tags, data.word_vectors, 0)
    assert all(np.isfinite(r.score(wide[1])).all() for r in fit_baselines(data))


def test_rivals_with_too_many_weights_for_the_words_are_left_out(monkeypatch):
    data = tiny_data()
    assert baselines.left_out(data) == {}
    monkeypatch.setattr(tuning, "MAX_WEIGHTS", 32 * 2)
    assert baselines.left_out(data) == {
        "mlp_ensemble": "128 weights for 2 words, more than 64"  # of two members
    }
    assert [rival.name for rival in fit_baselines(data)] == ["frequency", *TUNED[:-1]]
    monkeypatch.setattr(tuning, "MAX_WEIGHTS", 3 * 2)
    assert list(baselines.left_out(data)) == ["mlp", "mlp_ensemble"]
    monkeypatch.setattr(tuning, "MAX_WEIGHTS", 5)
    found = baselines.left_out(data)
    assert found["ridge"] == "6 weights for 2 words, more than 5"
    assert found["mlp"].startswith("64 weights")
    assert [rival.name for rival in fit_baselines(data)] == ["frequency", "knn", "regression"]
    with pytest.raises(DataError, match=r"64 weights for 2 words.*--min-photos"):
        next(perceptrons.mlp_tries(data))


@pytest.mark.parametrize("name", TUNED)
def test_training_photos_in_parts_from_disk_give_the_same_rival(rivals, name, monkeypatch):
    data = fit_data()
    same = Standardizer(np.zeros(6, np.float32), np.ones(6, np.float32))
    rows = StandardizedRows(data.train_features, np.arange(200), same, torch.device("cpu"))
    monkeypatch.setattr("mmcgan.training.prepared.feature_rows.CHUNK_BYTES", 7 * 6 * 4)
    monkeypatch.setattr("eval.baselines.scoring.MAX_SCORES", 11 * N_WORDS)
    parts = replace(data, train_features=rows)
    tries = {
        "knn": baselines.knn_tries,
        "regression": baselines.regression_tries,
        "ridge": baselines.ridge_tries,
        "mlp": perceptrons.mlp_tries,
    }
    if name == "mlp_ensemble":
        found = perceptrons.tune_ensemble(parts, cache(partial(perceptrons.fit_member, parts)))
    else:
        found = choose(name, tries[name](parts), data)
    assert found.tuning == rivals[name].tuning
    features = drawn(9, 5)[0]
    assert found.score(features) == pytest.approx(rivals[name].score(features), abs=2e-5)


def test_neighbours_are_sought_once_for_all_tries_on_dev(monkeypatch):
    asked = []

    def find(photos, train, k):
        asked.append(len(photos))
        return find_nearest(photos, train, k)

    monkeypatch.setattr(baselines, "find_nearest", find)
    data = fit_data()
    choose("knn", baselines.knn_tries(data), data)
    assert asked == [60]
