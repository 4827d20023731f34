"""A study of digits: a GAN trained into a run folder, and what is measured of its samples."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import torch
from safetensors.torch import load_file

from eval.digits.classifier import train_classifier
from eval.digits.config import DigitsConfig, Kind
from eval.digits.data import DigitData, Digits
from eval.digits.measures import measure_samples
from eval.digits.networks import DigitGenerator, build_networks
from eval.digits.parzen import SIGMAS, log_densities
from eval.digits.samples import class_labels, generate
from eval.digits.task import LabelledTask
from mmcgan.errors import OptionError, RunError
from mmcgan.files import read_json, write_json
from mmcgan.options import flattened
from mmcgan.training.loop import Validation, fit
from mmcgan.training.runs import RunDir, frozen_config, require_same
from mmcgan.training.trainer import Trainer

N_WATCHED = 2000  # validation images by which the best networks are chosen while training
PUBLISHED = {
    "deep belief network": {"mean": 138, "se": 2},
    "stacked contractive autoencoder": {"mean": 121, "se": 1.6},
    "deep generative stochastic network": {"mean": 214, "se": 1.1},
    "GAN, arXiv 1406.2661": {"mean": 225, "se": 2},
    "conditional GAN, arXiv 1411.1784": {"mean": 132, "se": 1.8},
    "conditional GAN with convolutions, a later re-run": {"mean": 283, "se": 2},
}  # on MNIST
_NOT_OF_THE_RUN = ("data", "out", "download")


def train(kind: Kind, data: DigitData, config: DigitsConfig, run: RunDir) -> DigitGenerator:
    """Train into `run`, or go on with it, and return the generator of the finished run.

    Raises `OptionError` if the run was started with other settings or data.
    """
    generator, discriminator = build_networks(data.train.images.shape[1], kind, config)
    _freeze(run, kind, data, config)
    if not run.is_finished:
        images, labels = data.train.tensors
        if kind == "gan":
            labels = torch.zeros_like(labels)
        likelihood = config.objective.likelihood
        task = LabelledTask(generator, discriminator, images, labels, config, likelihood)
        watched = data.validation[:N_WATCHED]
        best = fit(Trainer(task, config), lambda networks: validate(networks, watched), run)
        write_json(run.model_path, {"best_update": best.update})
        weights = best.networks["generator"]
        # The weights come last and make the run finished.
        run.write_weights({name: tensor.cpu().numpy() for name, tensor in weights.items()})
        run.finish()
    try:
        generator.load_state_dict(load_file(run.weights_path))
    except Exception as reason:  # safetensors and torch raise many kinds for a broken file
        raise RunError(f"{run.weights_path} is broken ({type(reason).__name__})") from None
    return generator.eval()


def validate(networks: torch.nn.ModuleDict, watched: Digits) -> Validation:
    """Return the log-likelihood of `watched` under samples, which chooses the networks."""
    generator = networks["generator"]
    assert isinstance(generator, DigitGenerator)
    samples = generate(generator, class_labels())
    likelihood = float(log_densities(samples, watched.images, SIGMAS).mean(axis=1).max())
    return Validation(likelihood, {"log_likelihood": likelihood})


def measure(
    kind: Kind, data: DigitData, config: DigitsConfig, generator: DigitGenerator, run: RunDir
) -> dict[str, Any]:
    """Return the report of a finished run."""
    labels = class_labels()
    samples = generate(generator, labels)
    return {
        "kind": kind,
        "preset": config.run.preset,
        "data": {
            "name": data.name,
            "height": data.height,
            "width": data.width,
            "n_train": len(data.train),
            "n_validation": len(data.validation),
            "n_test": len(data.test),
        },
        "n_samples": len(samples),
        **measure_samples(samples, labels.numpy(), data, train_classifier(data), kind),
        "published": PUBLISHED if data.name == "mnist" else {},
        "run": read_json(run.model_path, RunError) | _settings(config),
        "versions": {package: version(package) for package in ("torch", "numpy", "prdc")},
    }


def _settings(config: DigitsConfig) -> dict[str, Any]:
    flat = flattened(config.to_json())
    return {name: value for name, value in flat.items() if name not in _NOT_OF_THE_RUN}


def _freeze(run: RunDir, kind: Kind, data: DigitData, config: DigitsConfig) -> None:
    """Write what is trained before the first update, or check it against a run that is there."""
    if not run.is_started:
        facts = {"kind": kind, "data": data.name}
        run.write_config(facts | frozen_config(config, _NOT_OF_THE_RUN))
        return
    frozen, again = run.read_config(), "name another folder with --out"
    if frozen.get("kind") != kind:
        raise OptionError(f"{kind}: {run.path} was started with {frozen.get('kind')}; {again}")
    before = {"data": frozen.get("data"), **run.read_settings()}
    require_same(run, before, {"data": data.name, **_settings(config)}, again)
