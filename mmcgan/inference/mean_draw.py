"""The mean draw of a mixture: all that tagging takes of it where the words were learnt with it.

    mean draw(x) = 1/K Σ_k output_k · relu(trunk_k · x + bias_k)

is two layers, each of all K generators at once: on OpenVINO where it is installed, else in NumPy.
OpenVINO keeps the half precision of the model file, since reading the weights is what takes the
time of one photo, and computes in float32.
"""

from __future__ import annotations

from collections.abc import Callable
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


def compile_mean_draw(
    trunk: Layer, bias: Layer, output: Layer, n_generators: int
) -> Callable[[FloatArray], FloatArray]:
    """Return the map of standardised features (N, D) to the mean draws (N, E).

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
