"""GANs on digits: networks of section 4.1, the Parzen window, measures, and the command."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import KernelDensity

from eval.digits import classifier, measures, samples, study
from eval.digits.__main__ import load_data, main
from eval.digits.classifier import Recognised
from eval.digits.config import PRESETS, DigitsConfig
from eval.digits.data import N_CLASSES
from eval.digits.networks import build_networks
from eval.digits.parzen import SIGMAS, log_densities, parzen_log_likelihood
from eval.digits.task import WIDTH, LabelledTask
from mmcgan.cli import run_command
from mmcgan.errors import DataError, OptionError, RunError
from mmcgan.files import read_json
from mmcgan.training.losses import sample_likelihood
from mmcgan.training.trainer import Trainer, term_losses

SMALL = {
    "noise_units": 8,
    "label_units": 8,
    "joint_units": 16,
    "d_image_units": 8,
    "d_label_units": 4,
    "d_joint_units": 8,
}
FLAGS = [
    text for name, value in SMALL.items() for text in (f"--{name.replace('_', '-')}", str(value))
]


def small(**settings) -> DigitsConfig:
    preset = settings.pop("preset", "paper")
    return DigitsConfig.of(preset, **{**SMALL, **settings})


def n_parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# The networks.


def test_networks_have_the_sizes_of_section_4_1():
    generator, discriminator = build_networks(784, "cgan", DigitsConfig())
    assert n_parameters(generator) == (
        (100 + 1) * 200 + (10 + 1) * 1000 + (1200 + 1) * 1200 + (1200 + 1) * 784
    )
    assert n_parameters(discriminator) == (
        (784 + 1) * 240 * 5 + (10 + 1) * 50 * 5 + (290 + 1) * 240 * 4 + 240 + 1
    )


def test_unconditional_networks_have_no_label():
    generator, discriminator = build_networks(784, "gan", DigitsConfig())
    assert n_parameters(generator) == (100 + 1) * 200 + (200 + 1) * 1200 + (1200 + 1) * 784
    assert n_parameters(discriminator) == 785 * 240 * 5 + 241 * 240 * 4 + 240 + 1
    noise, labels = generator.noise(4), torch.tensor([0, 1, 2, 3])
    generator.eval(), discriminator.eval()
    images = generator(noise, labels)
    assert torch.equal(images, generator(noise, labels.flip(0)))
    assert torch.equal(discriminator(images, labels), discriminator(images, labels.flip(0)))


@pytest.mark.parametrize("condition", ["concatenated", "multiplied"])
def test_both_ways_to_join_the_label_change_what_networks_say(condition):
    generator, discriminator = build_networks(64, "cgan", small(condition=condition))
    generator.eval(), discriminator.eval()
    noise = generator.noise(1).repeat(2, 1, 1)
    images = generator(noise, torch.tensor([3, 4]))
    assert images.shape == (2, 1, 64)
    assert (images >= 0).all()
    assert (images <= 1).all()
    assert not torch.allclose(images[0], images[1])
    same = images[:1].repeat(2, 1, 1)
    logits = discriminator(same, torch.tensor([3, 4]))
    assert logits.shape == (2, 1)
    assert not torch.allclose(logits[0], logits[1])


def test_multiplied_label_is_the_element_wise_product_with_its_embedding():
    generator, _ = build_networks(64, "cgan", small(condition="multiplied"))
    noise, labels = generator.noise(3), torch.tensor([0, 5, 5])
    joined, beside = generator.label(noise, labels)
    assert beside is None
    assert torch.equal(joined[1, 0], noise[1, 0] * generator.label.embedding.weight[5])


@pytest.mark.parametrize(
    ("kind", "low", "high", "variance"),
    [("unit", 0, 1, 1 / 12), ("uniform", -(3**0.5), 3**0.5, 1), ("gaussian", -9, 9, 1)],
)
def test_noise_is_of_its_kind(kind, low, high, variance):
    generator, _ = build_networks(64, "gan", small(noise=kind))
    noise = generator.noise(500, torch.Generator().manual_seed(0))
    assert noise.shape == (500, 1, 100)
    assert (noise >= low).all()
    assert (noise <= high).all()
    assert float(noise.var()) == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize(
    ("n_examples", "settings", "epochs"),
    [
        (50_000, {}, 40),
        (1077, {}, 400),
        (50_000, {"discriminator_steps": 10}, 80),
        (30, {"epochs": 7}, 7),
        (30, {}, 4000),
    ],
)
def test_few_digits_are_met_more_often(n_examples, settings, epochs):
    assert DigitsConfig.from_options(**settings).settled(n_examples).run.epochs == epochs


# The data.


def test_embedded_digits_are_split_by_class_and_do_not_overlap():
    data = load_data(DigitsConfig())
    assert (data.height, data.width) == (8, 8)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1077, 360, 360]
    for part in (data.train, data.validation, data.test):
        shares = np.bincount(part.labels, minlength=N_CLASSES) / len(part)
        assert shares == pytest.approx([0.1] * N_CLASSES, abs=0.01)
        assert (part.images.min(), part.images.max()) == (0, 1)


def write_mnist(folder: Path, n_train: int, n_test: int = 20, size: int = 8) -> None:
    random = np.random.default_rng(0)
    for name, n in (("train", n_train), ("t10k", n_test)):
        labels = (np.arange(n) % N_CLASSES).astype(np.uint8)
        images = random.integers(0, 60, (n, size, size), dtype=np.uint8)
        images[np.arange(n), labels % size] = 255  # a line at the height of the label
        content = struct.pack(">IIII", 0x803, n, size, size) + images.tobytes()
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
        content = struct.pack(">II", 0x801, n) + labels.tobytes()
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(content)


def test_last_10000_training_images_are_for_validation(tmp_path):
    write_mnist(tmp_path, 10_300)
    data = load_data(DigitsConfig.from_options(data=tmp_path))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [300, 10_000, 20]
    assert (data.name, data.height, data.width) == ("mnist", 8, 8)
    assert float(data.train.images.max()) == 1.0
    assert data.validation.labels[0] == 300 % N_CLASSES


def test_data_without_enough_for_validation_is_refused(tmp_path):
    write_mnist(tmp_path, 10_000)
    with pytest.raises(DataError, match="10000 training images"):
        load_data(DigitsConfig.from_options(data=tmp_path))


def test_download_needs_a_folder():
    with pytest.raises(OptionError, match="--data"):
        load_data(DigitsConfig.from_options(download=True))


# The Parzen window.


@pytest.mark.parametrize("sigma", [0.1, 0.3, 1.0])
def test_log_densities_equal_scikit_learns(sigma, monkeypatch):
    monkeypatch.setattr("eval.digits.parzen.CHUNK", 7)
    random = np.random.default_rng(0)
    drawn, images = random.random((50, 12)), random.random((20, 12))
    expected = KernelDensity(bandwidth=sigma).fit(drawn).score_samples(images)
    assert log_densities(drawn, images, [0.5, sigma])[1] == pytest.approx(expected, rel=1e-9)


def test_density_far_from_every_sample_is_finite():
    found = log_densities(np.zeros((2, 784)), np.full((1, 784), 1.0), [0.1])
    assert found[0, 0] == pytest.approx(-784 / 0.02 - 784 * np.log(0.1 * np.sqrt(2 * np.pi)))


def test_sigma_is_chosen_on_validation_and_reported_on_test():
    random = np.random.default_rng(1)
    drawn, validation, test = (random.normal(0, 0.3, (n, 5)) for n in (400, 200, 300))
    found = parzen_log_likelihood(drawn, validation, test)
    means = {
        s: KernelDensity(bandwidth=s).fit(drawn).score_samples(validation).mean() for s in SIGMAS
    }
    assert found["validation"] == pytest.approx({f"{s:.3g}": mean for s, mean in means.items()})
    assert found["sigma"] == max(means, key=means.get)
    values = KernelDensity(bandwidth=found["sigma"]).fit(drawn).score_samples(test)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["se"] == pytest.approx(values.std(ddof=1) / np.sqrt(300))


def test_sigmas_are_those_of_the_published_protocol():
    assert pytest.approx(np.logspace(-1, 0, 10)) == list(SIGMAS)


# The measures.


def test_frechet_distance_of_gaussians_is_known():
    random = np.random.default_rng(0)
    first = random.normal(0, 1, (20_000, 3)).astype(np.float32)
    second = random.normal(0, 2, (20_000, 3)).astype(np.float32) + np.float32([1, 0, 0])
    # |m - m'|² + Σ (s - s')²
    assert measures.frechet_distance(first, second) == pytest.approx(1 + 3, rel=0.05)
    assert measures.frechet_distance(first, first) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_features_that_never_vary():
    flat = np.zeros((10, 3), np.float32)
    assert measures.frechet_distance(flat, flat + 2) == pytest.approx(12)


def test_inception_score_is_the_number_of_classes_at_best_and_1_at_worst():
    assert measures.inception_score(np.eye(10, dtype=np.float32)) == pytest.approx(10, rel=1e-6)
    assert measures.inception_score(np.full((5, 10), 0.1, np.float32)) == pytest.approx(1)
    assert measures.inception_score(np.eye(10, dtype=np.float32)[[3, 3]]) == pytest.approx(1)


def test_precision_and_recall_of_half_the_data(capsys):
    random = np.random.default_rng(0)
    real = random.normal(size=(400, 2)).astype(np.float32)
    half = real[real[:, 0] > 0]
    found = measures.precision_recall(Recognised(half, half), Recognised(real, real))
    assert found["precision"] == 1
    assert found["recall"] == pytest.approx(0.5, abs=0.1)
    assert set(found) == {"precision", "recall", "density", "coverage"}
    assert capsys.readouterr().out == ""


def test_repeated_training_images_are_found_out():
    data = load_data(DigitsConfig())
    copies = np.repeat(data.train.images[:3], 50, axis=0)
    found = measures.nearness(copies, data)
    assert (found["n_samples"], found["n_distinct"]) == (150, 3)
    assert found["distance"] == pytest.approx(0, abs=1e-3)
    assert found["test_distance"] > 0.5


def test_classifier_knows_the_embedded_digits(monkeypatch):
    monkeypatch.setattr(classifier, "N_UPDATES", 250)
    data = load_data(DigitsConfig())
    found = classifier.train_classifier(data).recognise(data.test.images)
    assert (found.labels == data.test.labels).mean() > 0.93
    assert found.features.shape == (360, classifier.N_FEATURES)
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(360), abs=1e-5)


# The training and the command.


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("kind", ["gan", "cgan"])
def test_every_preset_takes_steps_in_the_projects_trainer(preset, kind):
    first = {"generator_init": 0.5, "discriminator_init": 0.5}
    data, config = load_data(DigitsConfig()), small(preset=preset, **first)
    networks = build_networks(64, kind, config)
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    trainer = Trainer(LabelledTask(*networks, images, labels, config), config)
    # Biases may stay: where logits are compared, that of the last layer has no gradient.
    before = [p.detach().clone() for n in networks for p in n.parameters() if p.ndim == 2]
    for _ in range(5):
        measured = trainer.step()
    after = [p.detach() for n in networks for p in n.parameters() if p.ndim == 2]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(torch.isfinite(value) for value in measured.values())


def test_likelihood_of_the_samples_is_one_more_term_of_the_generator():
    data, config = load_data(DigitsConfig()), small(preset="likelihood")
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    task = LabelledTask(*build_networks(64, "cgan", config), images, labels, config, 2.0)
    batch = task.batch(torch.arange(20), torch.default_generator)
    draws = task.draw(batch, task.noise(20, torch.default_generator))
    losses = {name: mean.value for name, mean in term_losses(task, draws, batch).items()}
    same = batch.labels.unsqueeze(1) == batch.labels
    expected = 2 * sample_likelihood(draws[:, 0], batch.real[:, 0], same, WIDTH)
    assert set(losses) == {"loss_g_adversarial", "loss_g_likelihood"}
    assert torch.equal(losses["loss_g_likelihood"], expected)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished call on the embedded digits."""
    out = tmp_path_factory.mktemp("digits") / "out"
    assert call(out) == 0
    return out


def call(out: Path, *options: str, kind: str = "cgan") -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "N_UPDATES", 60)
        patch.setattr(samples, "N_PER_CLASS", 20)
        patch.setattr(study.class_labels, "__defaults__", (20,))
        return run_command(
            main,
            [kind, "--out", str(out), "--epochs", "4", *FLAGS, "--evaluate-every", "20", *options],
        )


def test_report_holds_what_the_contract_names(run):
    report = read_json(run / "report.json", RunError)
    assert set(report["log_likelihood"]) >= {"mean", "se", "sigma"}
    assert 0 <= report["condition_accuracy"] <= 1
    assert report["fid"] > 0
    assert report["modes"]["of"] == N_CLASSES
    assert sum(report["modes"]["counts"]) == report["n_samples"] == 200
    assert report["published"] == {}  # they are of MNIST
    page = (run / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert report["run"]["best_update"] in (20, 40)


def test_call_on_a_finished_run_measures_it_again(run, capsys):
    weights, report = ((run / name).read_bytes() for name in ("model.safetensors", "report.json"))
    assert call(run) == 0
    assert "log-likelihood" in capsys.readouterr().out
    assert (run / "model.safetensors").read_bytes() == weights
    assert (run / "report.json").read_bytes() == report


@pytest.mark.parametrize(
    ("options", "kind", "named"),
    [(["--noise-size", "5"], "cgan", "--noise-size"), ([], "gan", "gan: ")],
)
def test_other_settings_than_the_runs_are_refused(run, capsys, options, kind, named):
    assert call(run, *options, kind=kind) == 2
    assert named in capsys.readouterr().err


def test_interrupted_call_goes_on_to_the_same_model(run, tmp_path, monkeypatch):
    validate, calls = study.validate, iter([True, False])

    def interrupted(networks, watched):
        if not next(calls):
            raise KeyboardInterrupt
        return validate(networks, watched)

    monkeypatch.setattr(study, "validate", interrupted)
    assert call(tmp_path) == 130
    monkeypatch.setattr(study, "validate", validate)
    assert call(tmp_path) == 0
    assert (tmp_path / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_unconditional_run_has_no_condition_accuracy(tmp_path):
    assert call(tmp_path, kind="gan") == 0
    assert "condition_accuracy" not in read_json(tmp_path / "report.json", RunError)


def test_broken_model_is_named(run, tmp_path, capsys):
    for name in ("config.json", "model.json", "log.jsonl"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not a model")
    assert call(tmp_path) == 1
    assert "model.safetensors is broken" in capsys.readouterr().err


def test_missing_data_is_named(tmp_path, capsys):
    assert call(tmp_path / "out", "--data", str(tmp_path / "nowhere")) == 1
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
