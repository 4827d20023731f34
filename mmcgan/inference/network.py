"""The generator as it answers: from standardised features and noise to vectors, in NumPy.

The mean draw of a mixture is all that tagging takes of it where the words were learnt with it;
that runs on OpenVINO where it is installed (`compile_mean_draw`).

A model file names the kind of the network and its sizes (`NetworkRecord`) and holds its weights by
name. The networks that learn are torch modules (`mmcgan.training.networks`); a test holds both to
the same vectors.

Shapes: N images, S draws, K generators, D feature size, E vector size, Z noise size, U units after
the noise, H units after the image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from mmcgan.arrays import FloatArray, StoredArray
from mmcgan.inference.noise import gaussian_noise
from mmcgan.inference.photos.on_openvino import (
    Requests,
    compile_network,
    has_openvino,
    import_openvino,
)

Kind = Literal["linear", "mixture"]
Weights: TypeAlias = Mapping[str, npt.NDArray[Any]]  # by name, in half or single precision
Layer: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Standardizer:
    """Features as the networks take them: with mean 0 and variance 1 over the photos learnt from.

    `mean` and `scale`, (D,) float32, are those of the features learnt from. A feature that never
    varies is only centred.
    """

    mean: FloatArray
    scale: FloatArray

    def __call__(self, features: StoredArray) -> FloatArray:
        """Standardise `features` (N, D), in single precision even where they have half of it."""
        return (features.astype(np.float32, copy=False) - self.mean) / self.scale


@dataclass(frozen=True)
class NetworkRecord:
    """The kind and the sizes of a generator, as the model file names them.

    `noise_scale` is how far the noise of a mixture reaches when tagging.
    """

    kind: Kind
    generators: int
    feature_size: int
    vector_size: int
    noise_size: int
    noise_units: int
    image_units: int
    noise_scale: float = 1.0

    def __post_init__(self) -> None:
        """Raise `ValueError` for a kind that there is not, or a size below 1."""
        if self.kind not in get_args(Kind):
            raise ValueError(f"no network is of the kind {self.kind!r}")
        sizes = [value for name, value in vars(self).items() if name not in ("kind", "noise_scale")]
        if any(type(size) is not int or size < 1 for size in sizes):
            raise ValueError(f"no network has the sizes {sizes}")
        if not 0 <= self.noise_scale < np.inf:
            raise ValueError(f"no noise has the scale {self.noise_scale!r}")


def weight_shapes(record: NetworkRecord) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by name."""
    n_noise, n_image, vector_size = record.noise_units, record.image_units, record.vector_size
    if record.kind == "linear":
        return {
            "noise_layer.weight": (n_noise, record.noise_size),
            "noise_layer.bias": (n_noise,),
            "condition_layer.weight": (n_image, record.feature_size),
            "condition_layer.bias": (n_image,),
            "output.weight": (vector_size, n_noise + n_image),
            "output.bias": (vector_size,),
        }
    shared = {
        "noise_layer.weight": (n_noise, record.noise_size),
        "reach.weight": (n_image, n_noise),
    }
    own = {
        "trunk.weight": (n_image, record.feature_size),
        "trunk.bias": (n_image,),
        "gate.weight": (n_noise, n_image),
        "gate.bias": (n_noise,),
        "output.weight": (vector_size, n_image),
    }
    numbers = range(record.generators)
    return shared | {f"members.{k}.{name}": own[name] for k in numbers for name in own}


@dataclass(frozen=True)
class Network(ABC):
    """A generator: its record and its weights, of which no name or shape may differ.

    Raises `KeyError` where a weight is missing, `ValueError` where one has another shape.
    """

    record: NetworkRecord
    weights: Weights

    def __post_init__(self) -> None:
        """Check the weights against the record."""
        for name, shape in weight_shapes(self.record).items():
            if self.weights[name].shape != shape:
                raise ValueError(
                    f"size mismatch: {name} is {self.weights[name].shape}, and should be {shape}"
                )

    @abstractmethod
    def draws(self, features: FloatArray, n_draws: int, seed: int) -> FloatArray:
        """Map standardised features (N, D) to vectors (N, S, E) with the noise of `seed`.

        Every image meets the same draws of noise, so that its vectors do not depend on the images
        beside it. Of `n_draws`, as many are made as the generators can share.
        """

    def centres(self, features: FloatArray, n_draws: int, seed: int) -> FloatArray:
        """Map features (N, D) to vectors (N, C, E), no more than it takes for the draws' mean."""
        return self.draws(features, n_draws, seed)

    def mean_draw(self, features: FloatArray, n_draws: int, seed: int) -> FloatArray:
        """Map features (N, D) to the mean of their draws, (N, E)."""
        return self.centres(features, n_draws, seed).mean(axis=1)

    @cached_property
    def _weights(self) -> dict[str, FloatArray]:
        """The weights in single precision."""
        return {name: self.weights[name].astype(np.float32) for name in weight_shapes(self.record)}


class LinearNetwork(Network):
    """The generator of arXiv 1411.1784, section 4.2: noise and image meet in the linear output."""

    def draws(self, features: FloatArray, n_draws: int, seed: int) -> FloatArray:
        """Map features (N, D) to vectors (N, S, E): each layer runs once a draw or an image."""
        noise = gaussian_noise(seed, n_draws, self.record.noise_size)
        from_noise = self._hidden("noise_layer", noise)  # (S, U)
        from_image = self._hidden("condition_layer", features)  # (N, H)
        of_noise, of_image = np.split(self._weights["output.weight"], [from_noise.shape[1]], axis=1)
        cloud = from_noise @ of_noise.T + self._weights["output.bias"]
        return cloud + (from_image @ of_image.T)[:, np.newaxis]

    def _hidden(self, layer: str, inputs: FloatArray) -> FloatArray:
        weights = self._weights
        return np.maximum(inputs @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"], 0)


class MixtureNetwork(Network):
    """K generators that share an image's draws (`mmcgan.training.networks.MixtureGenerator`)."""

    def draws(self, features: FloatArray, n_draws: int, seed: int) -> FloatArray:
        """Map features (N, D) to vectors (N, S, E); those of a generator follow each other."""
        directions = self._noise(n_draws, seed) @ self._weights["noise_layer.weight"].T  # (K, n, U)
        made = [self._draws_of(k, features, own) for k, own in enumerate(directions)]
        return np.concatenate(made, axis=1)

    def centres(self, features: FloatArray, n_draws: int, seed: int) -> FloatArray:
        """Map features (N, D) to the mean (N, K, E) of each generator's draws, without noise."""
        numbers = range(self.record.generators)
        centres = [self._location(k, features) @ self._output(k).T for k in numbers]
        return np.stack(centres, axis=1)

    def mean_draw(self, features: FloatArray, n_draws: int, seed: int) -> FloatArray:
        """Map features (N, D) to the mean of their draws, (N, E), which no noise changes."""
        return self._mean_draw(features)

    @cached_property
    def _mean_draw(self) -> Callable[[FloatArray], FloatArray]:
        numbers = range(self.record.generators)
        trunks, biases, outputs = (
            [self.weights[f"members.{k}.{name}"] for k in numbers]
            for name in ("trunk.weight", "trunk.bias", "output.weight")
        )
        layers = np.concatenate(trunks), np.concatenate(biases), np.concatenate(outputs, 1)
        return compile_mean_draw(*layers, len(numbers))

    def _draws_of(self, k: int, features: FloatArray, directions: FloatArray) -> FloatArray:
        """Return the draws (N, n, E) of generator k with the noise `directions` (n, U)."""
        location = self._location(k, features)  # (N, H)
        weight, bias = (self._weights[f"members.{k}.gate.{part}"] for part in ("weight", "bias"))
        gate = np.logaddexp(0, location @ weight.T + bias)  # (N, U)
        reach = (directions * gate[:, np.newaxis]) @ self._weights["reach.weight"].T  # (N, n, H)
        scale = np.float32(self.record.noise_scale)
        return (location[:, np.newaxis] + scale * reach) @ self._output(k).T

    def _location(self, k: int, features: FloatArray) -> FloatArray:
        weight, bias = (self._weights[f"members.{k}.trunk.{part}"] for part in ("weight", "bias"))
        return np.maximum(features @ weight.T + bias, 0)

    def _output(self, k: int) -> FloatArray:
        return self._weights[f"members.{k}.output.weight"]

    def _noise(self, n_draws: int, seed: int) -> FloatArray:
        """Return noise (K, n, Z) in pairs z, -z; of an odd number n the last one is 0."""
        k, size = self.record.generators, self.record.noise_size
        n = n_draws // k
        half = gaussian_noise(seed, k, n // 2, size)
        rest = np.zeros((k, n % 2, size), np.float32)
        return np.concatenate([half, -half, rest], axis=1)


def compile_mean_draw(
    trunk: Layer, bias: Layer, output: Layer, n_generators: int
) -> Callable[[FloatArray], FloatArray]:
    """Return the map of standardised features (N, D) to the mean draws (N, E) of a mixture.

        mean draw(x) = 1/K Σ_k output_k · relu(trunk_k · x + bias_k)

    is two layers, each of all K generators at once: on OpenVINO where it is installed, else in
    NumPy. OpenVINO keeps the half precision of the model file, since reading the weights is what
    takes the time of one photo, and computes in float32.

    `trunk` (K·H, D), `bias` (K·H,) and `output` (E, K·H) are the generators' layers side by side.
    """
    n = np.float32(n_generators)
    if has_openvino():
        return _on_openvino(trunk, bias, output, n)
    trunk, bias, output = (layer.astype(np.float32) for layer in (trunk, bias, output))
    return lambda features: np.maximum(features @ trunk.T + bias, 0) @ output.T / n


def _on_openvino(trunk: Layer, bias: Layer, output: Layer, n: np.float32) -> Requests:
    ov = import_openvino()
    op = ov.opset13

    def constant(values: Layer) -> Any:
        return op.convert(op.constant(values), "f32")

    features = op.parameter([-1, trunk.shape[1]], np.float32)
    hidden = op.relu(op.add(op.matmul(features, constant(trunk), False, True), constant(bias)))
    total = op.matmul(hidden, constant(output), False, True)
    network = ov.Model([op.divide(total, n)], [features])
    return Requests(compile_network(ov, network, "float32", "LATENCY"))


def build_network(record: NetworkRecord, weights: Weights) -> Network:
    """Return the network of a record.

    Raises `KeyError` where a weight is missing, `ValueError` where one has another shape.
    """
    return {"linear": LinearNetwork, "mixture": MixtureNetwork}[record.kind](record, weights)
