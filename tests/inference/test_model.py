"""The model file: written, read back, and refused where it is broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.models import (
    LINEAR,
    MIXTURE,
    WORDS,
    E,
    make_features,
    make_model,
    random_weights,
    save,
)
from safetensors.numpy import load_file

from mmcgan.errors import RunError, TrainingError
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.model import Model, read_model
from mmcgan.inference.model_dir import ModelDir
from mmcgan.inference.network import Network, build_network
from mmcgan.inference.words.rules import NEVER, Rules
from mmcgan.inference.words.vocabulary import unit_rows


@pytest.fixture
def model() -> Model:
    return make_model(LINEAR)


@pytest.fixture
def mixture() -> Model:
    return make_model(MIXTURE)


def tensors_of(folder: ModelDir) -> dict[str, np.ndarray]:
    return load_file(folder.weights_path)


def change(folder: ModelDir, **changes: object) -> None:
    description = json.loads(folder.model_path.read_text())
    folder.model_path.write_text(json.dumps(description | changes))


def with_weights(model: Model, name: str, array: np.ndarray) -> Model:
    weights = {**model.network.weights, name: array}
    return replace(model, network=build_network(model.network.record, weights))


def test_model_is_read_back(model, tmp_path):
    folder = save(model, tmp_path / "run")
    assert folder.is_finished
    found = read_model(folder)
    assert found.vocabulary.words == model.vocabulary.words
    assert np.allclose(found.vocabulary.vectors, model.vocabulary.vectors, atol=1e-3)
    assert np.allclose(np.linalg.norm(found.vocabulary.vectors, axis=1), 1, atol=1e-6)
    assert np.array_equal(found.vocabulary.n_photos, model.vocabulary.n_photos)
    assert (found.backbone, found.facts) == (model.backbone, model.facts)
    assert (found.bias, found.ranking, found.calibration) == (None, "vote", None)
    assert found.network.record == model.network.record
    samples = found.sample(make_features(4), 6, seed=1)
    assert samples.dtype == np.float32
    assert np.allclose(samples, model.sample(make_features(4), 6, seed=1), rtol=1e-2, atol=2e-2)


def test_words_that_were_learnt_are_read_back_with_their_bias(mixture, tmp_path):
    found = read_model(save(mixture, tmp_path))
    assert found.ranking == "mean"
    assert found.bias.dtype == np.float32
    assert np.allclose(found.bias, mixture.bias, atol=2e-3)
    # Vectors of any length, which stay as long as they are.
    assert found.vocabulary.vectors.shape == (len(WORDS), E)
    assert np.allclose(found.vocabulary.vectors, mixture.vocabulary.vectors, atol=2e-3)
    assert float(np.linalg.norm(found.vocabulary.vectors, axis=1).std()) > 0.05
    assert found.network.record.noise_scale == 1.5
    assert found.build_index().has_bias


def test_calibrations_and_rules_are_read_back(mixture, tmp_path):
    calibration, objects = Calibration(1.5, -0.2, 0.3), Calibration(0.5, 0.1, 0.4)
    rules = Rules({"café": "bar", "日本": NEVER}, {"rose": 0.6, "spaniel": 0.7})
    given = replace(mixture, calibration=calibration, rules=rules, objects=objects)
    found = read_model(save(given, tmp_path))
    assert (found.calibration, found.rules, found.objects) == (calibration, rules, objects)


def test_without_objects_and_rules_a_model_has_none(mixture, tmp_path):
    found = read_model(save(mixture, tmp_path))
    assert (found.rules, found.objects) == (Rules(), None)


def test_the_synonyms_of_older_files_are_rules(mixture, tmp_path):
    folder = save(mixture, tmp_path)
    description = json.loads(folder.model_path.read_text(encoding="utf-8"))
    del description["rules"]
    folder.model_path.write_text(json.dumps(description | {"synonyms": {"café": "city"}}))
    assert read_model(folder).rules == Rules({"café": "city"})


def test_half_precision_and_back_is_the_same_model_file(mixture, tmp_path):
    first = save(mixture, tmp_path / "one")
    again = save(read_model(first), tmp_path / "two")
    for name in ("weights_path", "model_path"):
        assert getattr(first, name).read_bytes() == getattr(again, name).read_bytes()


@pytest.mark.parametrize(("record", "learnt"), [(LINEAR, set()), (MIXTURE, {"word_bias"})])
def test_weights_are_the_networks_alone_in_half_precision(record, learnt, tmp_path):
    model = make_model(record)
    tensors = tensors_of(save(model, tmp_path))
    own = {f"generator.{name}": array for name, array in model.network.weights.items()}
    assert tensors.keys() == {"word_vectors", "feature_mean", "feature_scale", *learnt, *own}
    assert {array.dtype.name for array in tensors.values()} == {"float16"}
    assert all(np.array_equal(tensors[name], array) for name, array in own.items())


def test_model_answers_in_float32(model, tmp_path):
    folder = save(model, tmp_path)
    found, words = read_model(folder), tensors_of(folder)["word_vectors"]
    assert np.array_equal(found.vocabulary.vectors, unit_rows(words.astype(np.float32)))
    scaling = found.standardizer
    kinds = {a.dtype.name for a in (found.vocabulary.vectors, scaling.mean, scaling.scale)}
    assert kinds == {"float32"}


@pytest.mark.parametrize(
    ("value", "words"), [(7e4, "70000"), (-1e9, "1e\\+09"), (np.inf, "inf"), (np.nan, "nan")]
)
def test_model_that_half_precision_cannot_hold_is_not_written(model, tmp_path, value, words):
    output = model.network.weights["output.weight"].astype(np.float32)
    output[0, 0] = value
    match = rf"generator\.output\.weight has values up to {words}, half precision ends at 65504"
    with pytest.raises(TrainingError, match=match):
        save(with_weights(model, "output.weight", output), tmp_path)
    assert not ModelDir(tmp_path).is_finished
    assert not ModelDir(tmp_path).model_path.exists()


def test_single_precision_and_tensors_of_others_are_read_too(model, tmp_path):
    folder = save(model, tmp_path)
    expected = read_model(folder).sample(make_features(1), 3, seed=0)
    tensors = {name: array.astype(np.float32) for name, array in tensors_of(folder).items()}
    folder.write_weights(tensors | {"discriminator.bias": np.ones(1, np.float32)})
    assert np.array_equal(read_model(folder).sample(make_features(1), 3, seed=0), expected)


def test_model_has_the_same_bytes_wherever_it_lies(model, tmp_path):
    one, two = save(model, tmp_path / "one"), save(model, tmp_path / "two")
    assert one.weights_path.read_bytes() == two.weights_path.read_bytes()
    assert one.model_path.read_bytes() == two.model_path.read_bytes()


@pytest.mark.parametrize(("n_bytes", "name"), [(100, "model.json"), (3000, "model.safetensors")])
def test_model_on_a_full_disk_leaves_the_run_unfinished(tmp_path, full_disk, n_bytes, name):
    model = make_model(replace(LINEAR, noise_units=400))  # weights larger than the description
    with full_disk(n_bytes), pytest.raises(OSError) as caught:
        save(model, tmp_path)
    assert caught.value.filename == str(tmp_path / name)
    assert not ModelDir(tmp_path).is_finished
    assert not list(tmp_path.glob("*.partial"))


def test_samples_meet_the_same_noise_on_every_image(model):
    features = make_features(5)
    samples = model.sample(features, 7, seed=2)
    assert (samples.shape, samples.dtype) == ((5, 7, E), np.float32)
    alone = model.sample(features[3:4], 7, seed=2)
    assert np.allclose(samples[3], alone[0], atol=1e-5)
    assert np.array_equal(model.sample(features, 7, seed=2), samples)
    assert not np.allclose(model.sample(features, 7, seed=3), samples)


def test_samples_are_the_networks_on_standardised_features(model):
    features = make_features(2)
    inputs = (features - model.standardizer.mean) / model.standardizer.scale
    expected = model.network.draws(inputs, 4, seed=0)
    assert np.array_equal(model.sample(features, 4, seed=0), expected)


def assert_refused(folder: ModelDir, *parts: str) -> None:
    with pytest.raises(RunError) as caught:
        read_model(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in (str(folder.path), *parts) if part not in message] == []


def test_no_run_is_refused(tmp_path):
    assert_refused(ModelDir(tmp_path / "missing"), "holds no run")
    assert_refused(ModelDir(tmp_path), "holds no run")


def test_unfinished_run_says_how_to_go_on(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert_refused(ModelDir(tmp_path), "not finished", "--resume", "model.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weights_are_refused(model, tmp_path, share):
    folder = save(model, tmp_path)
    data = folder.weights_path.read_bytes()
    folder.weights_path.write_bytes(data[: int(share * len(data))])
    assert_refused(folder, "broken")


def test_what_is_no_weights_file_is_refused(model, tmp_path):
    folder = save(model, tmp_path)
    folder.weights_path.write_text("<html>not found</html>" * 50)
    assert_refused(folder, "broken")


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (LINEAR, "word_vectors"),
        (LINEAR, "feature_scale"),
        (LINEAR, "generator.output.weight"),
        (MIXTURE, "generator.reach.weight"),
        (MIXTURE, "generator.members.1.gate.bias"),
    ],
)
def test_weights_that_lack_some_are_refused(record, name, tmp_path):
    folder = save(make_model(record), tmp_path)
    tensors = tensors_of(folder)
    del tensors[name]
    folder.write_weights(tensors)
    assert_refused(folder, "broken", name.removeprefix("generator."))


def test_biases_of_other_words_are_refused(mixture, tmp_path):
    folder = save(mixture, tmp_path)
    folder.write_weights(tensors_of(folder) | {"word_bias": np.ones(2, np.float16)})
    assert_refused(folder, "broken", "biases of shape (2,)")


@pytest.mark.parametrize("name", ["feature_mean", "feature_scale"])
def test_standardizer_of_another_size_is_refused(model, tmp_path, name):
    folder = save(model, tmp_path)
    folder.write_weights(tensors_of(folder) | {name: np.ones(2, np.float16)})
    assert_refused(folder, "6 features")


@pytest.mark.parametrize("size", ["feature_size", "vector_size", "noise_units", "image_units"])
@pytest.mark.parametrize("record", [LINEAR, MIXTURE], ids=["linear", "mixture"])
def test_description_of_another_network_is_refused(record, size, tmp_path):
    folder = save(make_model(record), tmp_path / "run")
    other = save(make_model(replace(record, **{size: 9})), tmp_path / "other")
    folder.model_path.write_bytes(other.model_path.read_bytes())
    assert_refused(folder, "different runs")


@pytest.mark.parametrize("content", ["", "[]", "3", '"text"', "{}", '{"format_version": 1}'])
def test_broken_description_is_refused(model, tmp_path, content):
    folder = save(model, tmp_path)
    folder.model_path.write_text(content)
    assert_refused(folder)


def test_missing_description_is_named(model, tmp_path):
    folder = save(model, tmp_path)
    folder.model_path.unlink()
    assert_refused(folder, "model.json is missing")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"format_version": 99}, ["format version is 99", "reads 1 and 2"]),
        ({"network": {}}, []),
        ({"network": {**vars(LINEAR), "noise_units": 0}}, ["no network has the sizes"]),
        ({"network": {**vars(LINEAR), "noise_units": "many"}}, ["no network has the sizes"]),
        ({"network": {**vars(LINEAR), "kind": "diffusion"}}, ["of the kind 'diffusion'"]),
        ({"network": {**vars(LINEAR), "noise_scale": -1}}, ["the scale -1"]),
        ({"network": {**vars(LINEAR), "unheard_of": 1}}, ["unheard_of"]),
        ({"ranking": "best"}, ["'best'"]),
        ({"words": None}, []),
        ({"words": ["one"]}, ["1 words"]),
        ({"n_photos": [1]}, ["1 counts"]),
        ({"n_photos": ["a"]}, []),
        ({"calibration": {"scale": -1.0, "shift": 0.0, "threshold": 0.5}}, ["calibration"]),
        ({"objects": {"scale": 0.0, "shift": 0.0, "threshold": 0.5}}, ["calibration"]),
        ({"rules": {"becomes": {"lake": "sea"}, "thresholds": {}}}, ["rules of words"]),
        (
            {"rules": {"becomes": {"sea": "city", "city": "sea"}, "thresholds": {}}},
            ["which becomes"],
        ),
        ({"rules": {"becomes": ["sea"], "thresholds": {}}}, []),
        ({"rules": {"becomes": {}}}, ["thresholds"]),
        ({"rules": {"becomes": {}, "thresholds": {"sea": "x"}}}, []),
        ({"rules": {"becomes": {}, "thresholds": {}, "broader": None}}, []),
        ({"rules": {"becomes": {}, "thresholds": {}, "broader": {"sea": "water"}}}, ["are none"]),
        ({"rules": {"becomes": {}, "thresholds": {}, "general": "sea"}}, ["are none"]),
        ({"rules": {"becomes": {}, "thresholds": {}, "general": [1]}}, ["are none"]),
    ],
)
def test_description_that_does_not_fit_is_refused(model, tmp_path, changes, expected):
    folder = save(model, tmp_path)
    change(folder, **changes)
    assert_refused(folder, *expected)


def test_network_refuses_weights_of_other_sizes():
    weights = random_weights(MIXTURE) | {"reach.weight": np.zeros((2, 3), np.float16)}
    with pytest.raises(ValueError, match=r"size mismatch: reach\.weight is \(2, 3\)"):
        build_network(MIXTURE, weights)
    del weights["reach.weight"]
    with pytest.raises(KeyError, match=r"reach\.weight"):
        build_network(MIXTURE, weights)


@pytest.fixture(params=["paper", "modern"])
def of_version_1(request) -> Path:
    """A small finished run as version 1 left it, and what it answered then."""
    return Path(__file__).parents[1] / "fixtures" / "runs_v1" / request.param


def test_run_of_version_1_gives_the_answers_of_then(of_version_1):
    from mmcgan.inference.tagger import Tagger

    answers = json.loads((of_version_1 / "answers.json").read_text(encoding="utf-8"))
    features = np.array(answers["features"], np.float32)
    tagger = replace(Tagger.load(of_version_1), folds=False)
    given = [
        [[tag.word, round(tag.score, 6)] for tag in tags]
        for tags in tagger.tag_features(features, 5)
    ]
    assert [[word for word, _ in tags] for tags in given] == (
        [[word for word, _ in tags] for tags in answers["tags"]]
    )
    scores = [[score for _, score in tags] for tags in given]
    assert scores == [pytest.approx([s for _, s in tags], abs=1e-5) for tags in answers["tags"]]
    samples = np.concatenate([vectors for _, vectors in tagger.samples(features)])
    np.testing.assert_allclose(samples.mean(axis=1), answers["mean_vectors"], atol=1e-4)
    np.testing.assert_allclose(samples[:, 0], answers["first_draws"], atol=1e-4)
    assert tagger.model.rules.becomes == answers["doubles"]


def test_no_training_option_can_break_a_stored_model(of_version_1, tmp_path):
    """Options that a training had, and has no more, or never had, say nothing of the answers."""
    folder = ModelDir(tmp_path)
    folder.weights_path.write_bytes((of_version_1 / "model.safetensors").read_bytes())
    description = json.loads((of_version_1 / "model.json").read_text())
    del description["config"]["maxout_units"]
    description["config"]["of_tomorrow"] = 3
    folder.model_path.write_text(json.dumps(description))
    expected = read_model(ModelDir(of_version_1))
    features = np.zeros((2, len(expected.standardizer.mean)), np.float32)
    found = read_model(folder)
    assert np.array_equal(found.sample(features, 6, 0), expected.sample(features, 6, 0))
    again = save(found, tmp_path / "again")  # a file of version 2 names no training option at all
    assert "config" not in json.loads(again.model_path.read_text())
    assert isinstance(read_model(again).network, Network)
