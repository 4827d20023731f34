"""The model of a run: written, read back, and refused where it is broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mmcgan.errors import RunError, TrainingError
from mmcgan.inference import model as model_module
from mmcgan.inference.model import Model, load_model, save_model
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.config import TrainConfig
from mmcgan.training.networks import build_networks
from mmcgan.training.prepared.feature_rows import Standardizer
from mmcgan.training.project_words import condense
from mmcgan.training.runs import RunDir

CONFIG = TrainConfig(
    noise_size=3, noise_units=4, image_units=5, d_word_units=4, d_image_units=5, maxout_units=3,
    data=Path("/some/where"),
)  # fmt: skip
MODERN = TrainConfig.of(
    "modern", noise_size=3, noise_units=4, image_units=5, d_word_units=4, d_image_units=5,
    maxout_units=3, members=2, draws=4, vector_size=4, data=Path("/some/where"),
)  # fmt: skip


@pytest.fixture
def model(make_dataset) -> Model:
    return build(make_dataset())


@pytest.fixture
def modern(make_dataset) -> Model:
    return build(make_dataset(), MODERN)


def build(dataset: Any, config: TrainConfig = CONFIG) -> Model:
    """A model as training leaves it, its networks at their first weights."""
    vocabulary, bias = dataset.vocabularies["user"], None
    generator, words, _ = build_networks(
        dataset.feature_size, torch.from_numpy(vocabulary.vectors),
        torch.linspace(0.1, 0.4, len(vocabulary)), vocabulary.vector_size, config,
    )  # fmt: skip
    standardizer = Standardizer.fit(dataset.features, np.arange(len(dataset.features)))
    if config.learns_spaces:
        features = torch.from_numpy(standardizer(dataset.features))
        generator, words = condense(generator.eval(), words, features, len(features), config)
        vectors, bias = (p.detach().numpy() for p in words.parameters())
        vocabulary = replace(vocabulary, vectors=vectors[0])
    facts = {"dataset_id": "abc", "tags": "user", "best_dev_P@10": 0.1}
    return Model(generator.eval, vocabulary, bias, config.ranking, standardizer,
                 dataset.backbone, facts)  # fmt: skip


def save(model: Model, path: Path, config: TrainConfig = CONFIG) -> RunDir:
    run = RunDir(path)
    run.write_config({})
    save_model(run, model, config)
    return run


def test_save_model_is_read_back(model, tmp_path, make_dataset):
    run = save(model, tmp_path / "run")
    assert run.is_finished
    found = load_model(run)
    assert found.vocabulary.words == model.vocabulary.words
    assert np.allclose(found.vocabulary.vectors, model.vocabulary.vectors, atol=1e-3)
    assert np.allclose(np.linalg.norm(found.vocabulary.vectors, axis=1), 1, atol=1e-6)
    assert np.array_equal(found.vocabulary.n_photos, model.vocabulary.n_photos)
    assert (found.backbone, found.facts) == (model.backbone, model.facts)
    assert (found.bias, found.ranking) == (None, "vote")
    assert not found.generator.training
    features = make_dataset().features[:4]
    samples = found.sample(features, 6, seed=1)
    assert samples.dtype == np.float32
    assert np.allclose(samples, model.sample(features, 6, seed=1), atol=1e-3)


def test_words_that_were_learnt_are_read_back_with_their_bias(modern, tmp_path, make_dataset):
    modern.generator.spread.fill_(1.5)
    found = load_model(save(modern, tmp_path, MODERN))
    assert found.ranking == "mean"
    assert found.bias.dtype == np.float32
    assert found.bias.shape == (len(modern.vocabulary),)
    assert np.allclose(found.bias, modern.bias, atol=1e-3)
    # Vectors of any length, which stay as long as they are.
    assert found.vocabulary.vectors.shape == (len(modern.vocabulary), 4)
    assert np.allclose(found.vocabulary.vectors, modern.vocabulary.vectors, atol=1e-3)
    norms = np.linalg.norm(found.vocabulary.vectors, axis=1)
    assert float(norms.std()) > 0.05
    assert float(found.generator.spread) == 1.5
    features = make_dataset().features[:4]
    samples = found.sample(features, 6, seed=1)
    assert samples.shape == (4, 6, 4)
    assert np.allclose(samples, modern.sample(features, 6, seed=1), atol=5e-3)
    assert found.build_index().has_bias


def test_half_precision_and_back_is_the_same_model_file(modern, tmp_path):
    first = save(modern, tmp_path / "one", MODERN)
    again = save(load_model(first), tmp_path / "two", MODERN)
    for name in ("weights_path", "model_path"):
        assert getattr(first, name).read_bytes() == getattr(again, name).read_bytes()


def test_save_model_writes_the_generator_alone_in_half_precision(model, tmp_path):
    tensors = load_file(save(model, tmp_path).weights_path)
    state = {f"generator.{name}": t for name, t in model.generator.state_dict().items()}
    assert tensors.keys() == {"word_vectors", "feature_mean", "feature_scale", *state}
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert all(torch.equal(tensors[name], tensor.half()) for name, tensor in state.items())


def test_save_model_writes_the_bias_of_words_that_were_learnt(modern, tmp_path):
    tensors = load_file(save(modern, tmp_path, MODERN).weights_path)
    assert {name for name in tensors if not name.startswith("generator.")} == {
        "word_vectors", "word_bias", "feature_mean", "feature_scale",
    }  # fmt: skip
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert torch.equal(tensors["word_bias"], torch.from_numpy(modern.bias).half())
    assert "generator.spread" in tensors


def test_load_model_gives_float32(model, tmp_path):
    run = save(model, tmp_path)
    tensors = load_file(run.weights_path)
    found = load_model(run)
    for name, weights in found.generator.state_dict().items():
        assert weights.dtype == torch.float32
        assert torch.equal(weights, tensors[f"generator.{name}"].float())
    words = unit_rows(tensors["word_vectors"].float().numpy())
    assert np.array_equal(found.vocabulary.vectors, words)
    scaling = found.standardizer
    assert {a.dtype.name for a in (words, scaling.mean, scaling.scale)} == {"float32"}


@pytest.mark.parametrize(
    ("value", "words"), [(7e4, "70000"), (-1e9, "1e\\+09"), (np.inf, "inf"), (np.nan, "nan")]
)
def test_save_model_refuses_what_half_precision_cannot_hold(model, tmp_path, value, words):
    with torch.no_grad():
        model.generator.output.weight[0, 0] = value
    match = rf"generator\.output\.weight has values up to {words}, half precision ends at 65504"
    with pytest.raises(TrainingError, match=match):
        save(model, tmp_path)
    assert not RunDir(tmp_path).is_finished
    assert not RunDir(tmp_path).model_path.exists()


def test_load_model_still_reads_the_float32_of_before(model, tmp_path):
    run = save(model, tmp_path)
    tensors = {name: tensor.float() for name, tensor in load_file(run.weights_path).items()}
    expected = load_model(run).sample(np.zeros((1, 6), np.float32), 3, seed=0)
    save_file(tensors | {"discriminator.judge.bias": torch.ones(1)}, run.weights_path)
    found = load_model(run).sample(np.zeros((1, 6), np.float32), 3, seed=0)
    assert np.array_equal(found, expected)


def test_save_model_writes_the_same_bytes_wherever_it_lies(model, tmp_path):
    one = save(model, tmp_path / "one")
    two = save(model, tmp_path / "two", replace(CONFIG, data=Path("/else/where"), resume=True))
    assert one.weights_path.read_bytes() == two.weights_path.read_bytes()
    assert one.model_path.read_bytes() == two.model_path.read_bytes()


@pytest.mark.parametrize(("n_bytes", "name"), [(100, "model.json"), (5000, "model.safetensors")])
def test_save_model_on_a_full_disk_leaves_the_run_unfinished(
    make_dataset, tmp_path, full_disk, n_bytes, name
):
    config = replace(CONFIG, noise_units=400)  # the weights are larger than the description
    model = build(make_dataset(), config)
    with full_disk(n_bytes), pytest.raises(OSError) as caught:
        save(model, tmp_path, config)
    assert caught.value.filename == str(tmp_path / name)
    assert not RunDir(tmp_path).is_finished
    assert not list(tmp_path.glob("*.partial"))


def test_load_model_leaves_the_random_state_alone(model, tmp_path):
    run = save(model, tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_model(run)
    assert torch.equal(torch.rand(1), expected)


def test_sample_gives_every_image_the_same_draws_of_noise(model, make_dataset):
    features = make_dataset().features[:5]
    samples = model.sample(features, 7, seed=2)
    assert (samples.shape, samples.dtype) == ((5, 7, 5), np.float32)
    alone = model.sample(features[3:4], 7, seed=2)
    assert np.allclose(samples[3], alone[0], atol=1e-6)
    assert np.array_equal(model.sample(features, 7, seed=2), samples)
    assert not np.allclose(model.sample(features, 7, seed=3), samples)


def test_sample_standardises_the_features(model, make_dataset):
    features = make_dataset().features[:2]
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(4, CONFIG.noise_size, generator=random)
    inputs = (features - model.standardizer.mean) / model.standardizer.scale
    with torch.no_grad():
        expected = model.generator(noise.unsqueeze(0), torch.from_numpy(inputs[:1]))
    assert np.allclose(model.sample(features, 4, seed=0)[0], expected[0].numpy(), atol=1e-6)


def test_sample_of_a_mixture_has_as_many_draws_as_can_be_shared(modern, make_dataset):
    features = make_dataset().features[:3]
    samples = modern.sample(features, 101, seed=2)
    assert samples.shape == (3, 100, 4)
    assert np.allclose(samples[1], modern.sample(features[1:2], 101, seed=2)[0], atol=1e-6)


def test_vectors_to_tag_are_those_of_the_generator(modern, tmp_path, make_dataset, monkeypatch):
    run, features = save(modern, tmp_path, MODERN), make_dataset().features[:3]
    found = load_model(run)
    assert found.mean_draw is not None
    monkeypatch.setattr(model_module, "has_openvino", lambda: False)
    on_torch = load_model(run)
    assert on_torch.mean_draw is None
    means = [m.sample_to_tag(features, 100, seed=0).mean(axis=1) for m in (found, on_torch)]
    assert means[0].shape == (3, 4)
    np.testing.assert_allclose(*means, atol=1e-5)


def test_load_model_knows_no_mean_draw_where_every_draw_votes(model, tmp_path, make_dataset):
    found = load_model(save(model, tmp_path))
    assert found.mean_draw is None
    assert found.sample_to_tag(make_dataset().features[:2], 6, seed=0).shape == (2, 6, 5)


def test_weights_that_tagging_does_without_are_missed_when_they_are_needed(
    modern, tmp_path, monkeypatch
):
    run = save(modern, tmp_path, MODERN)
    tensors = load_file(run.weights_path)
    del tensors["generator.reach.weight"]
    save_file(tensors, run.weights_path)
    found = load_model(run)
    features = np.zeros((2, 6), np.float32)
    assert np.isfinite(found.sample_to_tag(features, 100, seed=0)).all()
    with pytest.raises(RunError, match=r"is broken.*reach\.weight") as caught:
        found.sample(features, 100, seed=0)
    assert str(run.path) in str(caught.value)
    monkeypatch.setattr(model_module, "has_openvino", lambda: False)
    assert_refused(run, "broken", "reach.weight")


def test_load_model_refuses_members_of_other_sizes(modern, tmp_path, make_dataset):
    run = save(modern, tmp_path / "run", MODERN)
    config = replace(MODERN, image_units=6)
    other = save(build(make_dataset(), config), tmp_path / "other", config)
    run.model_path.write_bytes(other.model_path.read_bytes())
    assert_refused(run, "different runs", "size mismatch")


def assert_refused(run: RunDir, *parts: str) -> None:
    with pytest.raises(RunError) as caught:
        load_model(run)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in (str(run.path), *parts) if part not in message] == []


def test_load_model_of_no_run(tmp_path):
    assert_refused(RunDir(tmp_path / "missing"), "holds no run")
    assert_refused(RunDir(tmp_path), "holds no run")


def test_load_model_of_an_unfinished_run_says_how_to_go_on(tmp_path):
    run = RunDir(tmp_path)
    run.write_config({})
    assert_refused(run, "not finished", "--resume", "model.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_load_model_refuses_truncated_weights(model, tmp_path, share):
    run = save(model, tmp_path)
    data = run.weights_path.read_bytes()
    run.weights_path.write_bytes(data[: int(share * len(data))])
    assert_refused(run, "broken")


def test_load_model_refuses_what_is_no_weights_file(model, tmp_path):
    run = save(model, tmp_path)
    run.weights_path.write_text("<html>not found</html>" * 50)
    assert_refused(run, "broken")


def test_load_model_refuses_weights_that_lack_some(model, tmp_path):
    run = save(model, tmp_path)
    for lost in ("word_vectors", "feature_scale", "generator.output.weight"):
        tensors = load_file(save(model, tmp_path).weights_path)
        del tensors[lost]
        save_file(tensors, run.weights_path)
        assert_refused(run, "broken", lost.removeprefix("generator."))


def test_load_model_refuses_learnt_words_without_their_bias(modern, tmp_path):
    run = save(modern, tmp_path, MODERN)
    tensors = load_file(run.weights_path)
    for bias in ({}, {"word_bias": torch.ones(2)}):
        rest = {name: t for name, t in tensors.items() if name != "word_bias"}
        save_file(rest | bias, run.weights_path)
        assert_refused(run, "broken", "biases of shape (2,)" if bias else "word_bias")


def test_load_model_refuses_a_standardizer_of_another_size(model, tmp_path):
    run = save(model, tmp_path)
    for name in ("feature_mean", "feature_scale"):
        tensors = load_file(save(model, tmp_path).weights_path)
        save_file(tensors | {name: torch.ones(2)}, run.weights_path)
        assert_refused(run, "6 features")


@pytest.mark.parametrize(
    "options",
    [{"feature_size": 9}, {"vector_size": 9}, {"n_images": 4}],
    ids=["feature size", "vector size", "words"],
)
def test_load_model_refuses_the_description_of_another_model(
    model, tmp_path, make_dataset, options
):
    run = save(model, tmp_path / "run")
    other = save(build(make_dataset(**options)), tmp_path / "other")
    run.model_path.write_bytes(other.model_path.read_bytes())
    assert_refused(run, "different runs")


def test_load_model_refuses_the_description_of_other_networks(model, tmp_path, make_dataset):
    config = replace(CONFIG, noise_units=6)
    run = save(model, tmp_path / "run")
    other = save(build(make_dataset(), config), tmp_path / "other", config)
    run.model_path.write_bytes(other.model_path.read_bytes())
    assert_refused(run, "different runs", "size mismatch")


@pytest.mark.parametrize("content", ["", "[]", "3", '"text"', "{}", '{"format_version": 1}'])
def test_load_model_refuses_a_broken_description(model, tmp_path, content):
    run = save(model, tmp_path)
    run.model_path.write_text(content)
    assert_refused(run)


def test_load_model_says_that_the_description_is_missing(model, tmp_path):
    run = save(model, tmp_path)
    run.model_path.unlink()
    assert_refused(run, "model.json is missing")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format_version": 99}, ["format version is 99", "reads 1"]),
        ({"config": {"noise_units": 0}}, ["--noise-units"]),
        ({"config": {"unheard_of": 1}}, ["unheard_of"]),
        ({"config": {"noise_units": "many"}}, []),
        ({"words": None}, []),
        ({"words": ["one"]}, ["1 words"]),
        ({"n_photos": [1]}, ["1 counts"]),
        ({"n_photos": ["a"]}, []),
        ({"feature_size": "six"}, []),
    ],
)
def test_load_model_refuses_a_description_that_does_not_fit(model, tmp_path, change, expected):
    run = save(model, tmp_path)
    description = json.loads(run.model_path.read_text())
    run.model_path.write_text(json.dumps(description | change))
    assert_refused(run, *expected)
