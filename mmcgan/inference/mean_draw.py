"""The mean draw of a mixture that learnt its words: all that tagging takes, without torch.

    mean draw(x) = 1/K Σ_k output_k · relu(trunk_k · x + bias_k)

is two layers, each of all K members at once, on OpenVINO. Their weights stay in the half precision
of the model file, since reading them is what takes the time of one photo; the numbers are those of
`MixtureGenerator.centres`, computed in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mmcgan.inference.photos.on_openvino import Requests, compile_network, import_openvino
from mmcgan.training.config import TrainConfig

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True)
class MeanDraw:
    """Standardised features (N, D) → the mean draws (N, E), compiled on first use.

    `trunk` (K·H, D), `bias` (K·H,) and `output` (E, K·H) are the members' layers side by side.
    """

    trunk: FloatArray
    bias: FloatArray
    output: FloatArray
    n_members: int

    @classmethod
    def of(
        cls, weights: Mapping[str, FloatArray], sizes: tuple[int, int], config: TrainConfig
    ) -> MeanDraw:
        """Take it from a mixture's weights, by name; `sizes` are D and E.

        Raises `KeyError` where some are missing, `ValueError` where they are not of these sizes.
        """

        def joined(name: str, axis: int) -> FloatArray:
            members = range(config.members)
            return np.concatenate([weights[f"members.{k}.{name}"] for k in members], axis)

        found = joined("trunk.weight", 0), joined("trunk.bias", 0), joined("output.weight", 1)
        n_units = config.members * config.image_units
        expected = (n_units, sizes[0]), (n_units,), (sizes[1], n_units)
        if tuple(layer.shape for layer in found) != expected:
            raise ValueError(f"size mismatch of the members' layers, which must be {expected}")
        return cls(*found, config.members)

    def __call__(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the mean draws (N, E) of features (N, D)."""
        return self._run(features)

    @cached_property
    def _run(self) -> Requests:
        ov = import_openvino()
        op = ov.opset13

        def constant(values: FloatArray) -> Any:
            return op.convert(op.constant(values), "f32")

        features = op.parameter([-1, self.trunk.shape[1]], np.float32)
        trunk = op.matmul(features, constant(self.trunk), False, True)
        hidden = op.relu(op.add(trunk, constant(self.bias)))
        total = op.matmul(hidden, constant(self.output), False, True)
        network = ov.Model([op.divide(total, np.float32(self.n_members))], [features])
        return Requests(compile_network(ov, network, "float32", "LATENCY"))
