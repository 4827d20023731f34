"""The mean draw of a mixture: all that tagging takes of it where the words were learnt with it.

    mean draw(x) = 1/K Σ_k output_k · relu(trunk_k · x + bias_k)

is two layers, each of all K generators at once: on OpenVINO where it is installed, else in NumPy.
OpenVINO keeps the half precision of the model file, since reading the weights is what takes the
time of one photo, and computes in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mmcgan.arrays import FloatArray
from mmcgan.inference.photos.on_openvino import (
    Requests,
    compile_network,
    has_openvino,
    import_openvino,
)

Layer = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class MeanDraw:
    """Standardised features (N, D) → the mean draws (N, E), compiled on first use.

    `trunk` (K·H, D), `bias` (K·H,) and `output` (E, K·H) are the generators' layers side by side.
    """

    trunk: Layer
    bias: Layer
    output: Layer
    n_generators: int

    def __call__(self, features: FloatArray) -> FloatArray:
        """Return the mean draws (N, E) of features (N, D)."""
        return self._run(features)

    @cached_property
    def _run(self) -> Callable[[FloatArray], FloatArray]:
        return self._on_openvino() if has_openvino() else self._in_numpy()

    def _in_numpy(self) -> Callable[[FloatArray], FloatArray]:
        trunk, bias, output = (a.astype(np.float32) for a in (self.trunk, self.bias, self.output))
        n = np.float32(self.n_generators)
        return lambda features: np.maximum(features @ trunk.T + bias, 0) @ output.T / n

    def _on_openvino(self) -> Requests:
        ov = import_openvino()
        op = ov.opset13

        def constant(values: Layer) -> Any:
            return op.convert(op.constant(values), "f32")

        features = op.parameter([-1, self.trunk.shape[1]], np.float32)
        trunk = op.matmul(features, constant(self.trunk), False, True)
        hidden = op.relu(op.add(trunk, constant(self.bias)))
        total = op.matmul(hidden, constant(self.output), False, True)
        network = ov.Model([op.divide(total, np.float32(self.n_generators))], [features])
        return Requests(compile_network(ov, network, "float32", "LATENCY"))
