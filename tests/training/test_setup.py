"""A prepared file as a task: what is learnt from, by every combination of settings, and saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eval.studies.ablation import ablation_rows
from mmcgan.inference.model import read_model
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.ranking import Ranking, count_distinct
from mmcgan.training.bias import with_fitted_bias
from mmcgan.training.config import TrainConfig
from mmcgan.training.loop import Best
from mmcgan.training.networks import as_generator
from mmcgan.training.runs import RunDir
from mmcgan.training.setup import COLLAPSED, COLLAPSED_WORDS, Setup, build_setup

SIZES: dict[str, Any] = {
    "noise_size": 4,
    "noise_units": 5,
    "image_units": 8,
    "d_word_units": 4,
    "d_image_units": 5,
    "maxout_units": 3,
    "epochs": 1,
    "evaluate_every": 2,
}
MODERN = SIZES | {"members": 2, "draws": 4, "untagged": 3}


def setup_of(dataset: Any, preset: str = "modern", **settings: Any) -> Setup:
    sizes = MODERN if preset == "modern" else SIZES
    config = TrainConfig.of(preset, **(sizes | settings))
    return build_setup(dataset, config, config.run.tags or "user")


def train(setup: Setup, path: Path) -> RunDir:
    """Train; every loss and every weight of the model is a number."""
    run = RunDir(path)
    run.write_config({})
    setup.train(run)
    model = read_model(run)
    weights = as_generator(model.network).state_dict().values()
    assert all(torch.isfinite(tensor).all() for tensor in weights)
    assert np.isfinite(model.vocabulary.vectors).all()
    tags = Tagger(model, 0).tag_features(setup.dataset.features[:2], 5)
    assert all(np.isfinite(tag.score) for one in tags for tag in one)
    return run


# What is learnt from.


def test_features_in_half_precision_teach_what_they_would_in_single(make_dataset, tmp_path):
    half = make_dataset()
    half = replace(half, features=half.features.astype(np.float16))
    single = replace(half, features=half.features.astype(np.float32))
    runs = [train(setup_of(data), tmp_path / str(i)) for i, data in enumerate((half, single))]
    stored = [(run.path / "model.safetensors").read_bytes() for run in runs]
    assert stored[0] == stored[1]
    assert setup_of(half).dev[0].dtype == np.float32


def test_examples_are_the_tagged_photos_of_train_with_their_tags(make_dataset):
    dataset = make_dataset(annotations=True)
    setup = setup_of(dataset, "paper", tags="user+annotations")
    examples, rows = setup.trainer.task.examples, dataset.rows("train")
    assert examples.n_tagged == len(examples.image_features) == len(rows)
    features = examples.image_features[:].numpy()
    assert np.allclose(features.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(features.std(axis=0), 1, atol=1e-5)
    assert np.allclose(features, setup.standardizer(dataset.features[rows]))
    words = dataset.vocabularies["user+annotations"].words
    found = {(int(rows[i]), words[w]) for i, w in examples.pairs.tolist()}
    expected = {
        (row, word)
        for row in rows.tolist()
        for source in ("user", "annotations")
        for word in dataset.tags[source].of(row)
    }
    assert found == expected
    assert len(examples.pairs) == len(expected)
    # Pairs of a photo lie beside each other.
    assert sorted(examples.pairs[:, 0].tolist()) == examples.pairs[:, 0].tolist()


def test_networks_see_words_of_variance_1_a_component(make_dataset):
    dataset = make_dataset()
    vectors = setup_of(dataset, "paper").trainer.task.examples.word_vectors
    given = dataset.vocabularies["user"].vectors
    assert np.allclose(vectors.numpy(), given * 5**0.5)
    assert float((vectors**2).mean()) == pytest.approx(1, abs=1e-5)


def test_bias_of_a_word_starts_at_its_frequency(make_dataset):
    dataset = make_dataset()
    setup = setup_of(dataset)
    rows, words = dataset.rows("train"), setup.vocabulary.words
    counts = np.array([sum(w in dataset.tags["user"].of(row) for row in rows) for w in words])
    frequency = torch.sigmoid(setup.trainer.task.words.bias.detach()).numpy()
    assert np.allclose(frequency, (counts + 1) / (len(rows) + 2), atol=1e-6)


def test_untagged_photos_of_train_follow_the_tagged_ones(make_dataset):
    dataset = make_dataset()
    setup = setup_of(dataset)
    examples, rows = setup.trainer.task.examples, dataset.rows("train")
    # Of the fixture every tenth photo has no tag and is in dev; move some of them to train.
    assert len(examples.image_features) == examples.n_tagged == len(rows)
    split = dataset.split.copy()
    split[[9, 19, 29]] = 0
    setup = setup_of(replace(dataset, split=split))
    examples = setup.trainer.task.examples
    assert (examples.n_tagged, len(examples.image_features)) == (len(rows), len(rows) + 3)
    untagged = setup.standardizer(dataset.features[[9, 19, 29]])
    assert np.allclose(examples.image_features[-3:].numpy(), untagged)
    assert int(examples.pairs[:, 0].max()) == len(rows) - 1
    # They say nothing of how features are standardised, and are left out where none is wanted.
    assert np.array_equal(setup.standardizer.mean, setup_of(dataset).standardizer.mean)
    without = setup_of(replace(dataset, split=split), untagged=0)
    assert len(without.trainer.task.examples.image_features) == len(rows)


def test_similar_photos_are_looked_for_where_they_are_wanted(make_dataset):
    dataset = make_dataset()
    assert setup_of(dataset).trainer.task.examples.neighbours is None  # none without a tag in train
    split = dataset.split.copy()
    split[[9, 19, 29]] = 0
    dataset = replace(dataset, split=split)
    assert setup_of(dataset).trainer.task.examples.neighbours is not None
    assert setup_of(dataset, untagged=0).trainer.task.examples.neighbours is None
    assert setup_of(dataset, "paper").trainer.task.examples.neighbours is None


def test_refit_learns_from_train_and_dev(make_dataset):
    dataset = make_dataset()
    setup = setup_of(dataset, refit=True)
    rows = np.sort(np.concatenate([dataset.rows("train"), dataset.rows("dev")]))
    examples = setup.trainer.task.examples
    assert examples.n_tagged == len(rows) > len(dataset.rows("train"))
    assert np.allclose(
        examples.image_features[:].numpy(), setup.standardizer(dataset.features[rows]), atol=1e-6
    )
    assert np.allclose(setup.standardizer.mean, dataset.features[rows].mean(axis=0), atol=1e-6)


def test_setup_says_in_one_line_what_is_trained(make_dataset):
    dataset = make_dataset()
    for preset in ("modern", "paper"):
        setup = setup_of(dataset, preset, seed=7)
        line, examples = setup.describe(), setup.trainer.task.examples
        assert "\n" not in line
        for part in (
            preset,
            "user tags",
            f"{len(examples.pairs)} pairs",
            f"{len(dataset.rows('train'))} photos",
            "16 words",
            "(seed 7)",
        ):
            assert part in line
    assert "learning rate 0.001 → 0 " in setup_of(dataset).describe()


# Validation and the model.


def test_validation_scores_the_ranking_of_dev_by_the_tags_learnt(make_dataset, monkeypatch):
    dataset = make_dataset(annotations=True)
    setup = setup_of(dataset, tags="user+annotations")
    seen = []

    def score(ranking: Ranking, relevant: Any) -> float:
        seen.append((ranking, relevant))
        return 0.25

    monkeypatch.setattr("mmcgan.training.setup.mean_precision", score)
    taggers = setup.trainer.evaluated.eval()
    found = setup.validate(taggers)
    assert (found.score, found.measures["P@10"]) == (0.25, 0.25)
    ((ranking, relevant),) = seen
    rows, words = dataset.rows("dev"), setup.vocabulary.words
    for i, row in enumerate(rows):
        own = {words[w] for w in relevant[[i]].indices}
        assert own == set(dataset.tags["user"].of(row)) | set(dataset.tags["annotations"].of(row))
    tagger = Tagger(setup.model(taggers, {}), seed=setup.config.run.seed)
    expected = [[tag.word for tag in tags] for tags in tagger.tag_features(dataset.features[rows])]
    assert [[words[w] for w in best] for best in ranking.rows] == expected
    draws = next(tagger.draws(dataset.features[rows]))
    n_words = count_distinct(draws.nearest).mean()
    assert found.warning == ("" if n_words >= COLLAPSED_WORDS else COLLAPSED)
    assert found.measures["distinct_words"] == pytest.approx(n_words)


def test_model_has_the_best_networks_and_not_the_last(make_dataset, tmp_path):
    setup = setup_of(make_dataset(), average=0.0, learning_rate=0.1)
    best = Best()
    setup.trainer.step()
    assert best.take(0.5, setup.trainer)
    wanted = setup.trainer.copy_of_evaluated()
    for _ in range(3):
        setup.trainer.step()
    last = setup.trainer.copy_of_evaluated()["generator"]
    run = RunDir(tmp_path)
    run.write_config({})
    setup.finish(run, best)
    model = read_model(run)
    saved = as_generator(model.network).state_dict()
    for name, weights in wanted["generator"].items():
        assert torch.equal(saved[name], weights.half().float()), name
    changed = {n for n, w in last.items() if not torch.equal(w, wanted["generator"][n])}
    assert {"members.0.trunk.weight", "members.1.gate.bias", "reach.weight"} <= changed
    # All directions are kept where there are so few words, and with them the learnt bias, which
    # dev then corrects.
    features, tags = setup.dev
    before = setup.model(setup.trainer.evaluated, {})
    assert np.allclose(before.bias, wanted["words"]["bias"].numpy(), atol=1e-4)
    assert np.allclose(model.bias, with_fitted_bias(before, features, tags).bias, atol=0.01)
    assert not np.allclose(model.bias, before.bias, atol=0.05)
    assert (model.facts["best_update"], model.facts["n_updates"]) == (1, 4)


def test_model_has_the_running_average(make_dataset, tmp_path):
    setup = setup_of(make_dataset(), average=0.5, evaluate_every=100, refit=True, learning_rate=0.1)
    run = train(setup, tmp_path)
    averaged, last = (
        taggers["generator"].members[0].trunk.weight.detach()
        for taggers in (setup.trainer.average.module, setup.trainer.learners)
    )
    saved = as_generator(read_model(run).network).members[0].trunk.weight.detach()
    assert torch.equal(saved, averaged.half().float())
    assert not torch.equal(saved, last.half().float())
    # Dev was learnt from: it has no say in the bias.
    learnt = setup.trainer.average.module["words"].bias.detach().numpy()
    assert np.allclose(read_model(run).bias, learnt, atol=0.01)


def test_facts_say_what_was_learnt_from(make_dataset, tmp_path):
    dataset = make_dataset()
    split = dataset.split.copy()
    split[[9, 19, 29]] = 0
    dataset = replace(dataset, split=split)
    n_photos = {}
    for refit in (False, True):
        run = train(setup_of(dataset, refit=refit, epochs=3), tmp_path / str(refit))
        facts = read_model(run).facts
        assert facts["refitted_on_dev"] is refit
        assert facts["dataset_id"] == dataset.dataset_id
        assert facts["n_untagged_photos"] == 3
        assert facts["epochs"] == 3
        n_photos[refit] = facts["n_photos"]
        if refit:
            assert facts["best_update"] == facts["n_updates"]
    assert n_photos[False] == len(dataset.rows("train"))
    assert n_photos[True] == len(dataset.rows("train")) + len(dataset.rows("dev"))


# Every combination that there is a name for.


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"retrieval": 0.0},
        {"likelihood": 0.0},
        {"retrieval": 0.0, "likelihood": 0.0},
        {"generator": "linear"},
        {"members": 1},
        {"examples": "pairs"},
        {"judged": "words", "retrieval": 0.0},
        {"judged": "words", "generator": "linear"},
        {"untagged": 0},
        {"moves": "draws"},
        {"adversarial_share": 0.0},
        {"adversarial_share": None},
        {"gradient_penalty": 0.0},
        {"average": 0.0},
        {"optimizer": "sgd"},
        {"ranking": "vote"},
        {"refit": True},
        {"loss": "saturating"},
        {"loss": "wasserstein"},
        {"loss": "relativistic"},
        {"loss": "wasserstein", "examples": "pairs", "retrieval": 0.0, "judged": "words"},
        {"discriminator_steps": 2},
        {"judged_examples": 1},
        {"judged_examples": None},
        {"batch_size": 1},
        {"generator_init": 0.05},
    ],
    ids=str,
)
def test_modern_trains_with_any_part_changed(make_dataset, tmp_path, settings):
    train(setup_of(make_dataset(n_images=40), **settings), tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"generator": "mixture", "members": 2, "draws": 4},
        {"draws": 3},
        {"judged": "sets"},
        {"examples": "photos"},
        {"retrieval": 1.0},
        {"likelihood": 1.0},
        {"untagged": 3},
        {"moves": "spread", "draws": 4},
        {"optimizer": "adamw", "learning_rate": 1e-3},
        {"ranking": "mean"},
        {"average": 0.9},
        {"gradient_penalty": 1.0},
    ],
    ids=str,
)
def test_paper_trains_with_any_part_changed(make_dataset, tmp_path, settings):
    train(setup_of(make_dataset(n_images=40), "paper", **settings), tmp_path)


@pytest.mark.parametrize("name", ablation_rows())
def test_every_row_of_the_ablation_trains(make_dataset, tmp_path, name):
    row, small = ablation_rows()[name], {"members": 2, "draws": 4, "untagged": 3}
    taken = {k: v for k, v in small.items() if k in row and row.get(k) != 1}
    config = TrainConfig.from_options(**(row | SIZES | taken))
    train(build_setup(make_dataset(n_images=40), config, "user"), tmp_path)
