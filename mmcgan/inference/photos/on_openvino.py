"""Networks on OpenVINO, without torch: those that were converted before, and what runs any.

Torch takes longer to import than all else that a first photo takes.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mmcgan.errors import DependencyError, OptionError
from mmcgan.inference.photos.converted import read_kept

Runtime = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]

_PRECISION = {"float32": "f32", "bfloat16": "bf16"}


def read_kept_runtime(facts: dict[str, Any], precision: str) -> Runtime | None:
    """Return what runs the network of pixels that `facts` (JSON) name, where it is kept.

    None where it is not, OpenVINO is missing or unfit, or a GPU may be the better choice.
    """
    if precision not in _PRECISION or shutil.which("nvidia-smi") or not has_openvino():
        return None
    ov = import_openvino()
    try:
        check_precision(ov, precision)
    except OptionError:
        return None
    network = read_kept(ov, facts)
    return None if network is None else compile_runtime(ov, network, precision)


def check_precision(ov: ModuleType, precision: str) -> None:
    """Raise `OptionError` if OpenVINO does not have that precision on this CPU."""
    if precision == "bfloat16" and "BF16" not in ov.Core().get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    ):
        raise OptionError(
            "--precision bfloat16: OpenVINO has no bfloat16 on this CPU; use --precision float32, "
            "or --runtime torch, which is slower"
        )


def compile_runtime(ov: ModuleType, network: Any, precision: str) -> Runtime:
    """Compile a network of pixels: for one photo, all cores on it, and for many at once."""

    def compiled(hint: str) -> Requests:
        return Requests(compile_network(ov, network, precision, hint))

    alone, together = compiled("LATENCY"), cache(partial(compiled, "THROUGHPUT"))
    return lambda pixels: alone(pixels) if len(pixels) == 1 else together().one_by_one(pixels)


def compile_network(ov: ModuleType, network: Any, precision: str, hint: str) -> Any:
    """Compile a network for the CPU: "LATENCY" for one input, "THROUGHPUT" for many at once."""
    options = {"INFERENCE_PRECISION_HINT": _PRECISION[precision], "PERFORMANCE_HINT": hint}
    return ov.Core().compile_model(network, "CPU", options)


class Requests:
    """A compiled network of one input and one output, from any number of threads.

    Of its requests there are as many as OpenVINO says is best.
    """

    def __init__(self, compiled: Any) -> None:
        self._free: SimpleQueue[Any] = SimpleQueue()
        self._n_requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        for _ in range(self._n_requests):
            self._free.put(compiled.create_infer_request())

    def __call__(self, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Run all of the inputs (B, …) at once, when a request is free."""
        request = self._free.get()
        try:
            return np.array(request.infer([np.ascontiguousarray(inputs)])[0], np.float32)
        finally:
            self._free.put(request)

    def one_by_one(self, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Run each of the inputs (B, …) by itself, beside each other.

        What a layer makes of one stays in the caches, and no core waits for another at each layer:
        faster than the batch as a whole.
        """
        with ThreadPoolExecutor(self._n_requests) as pool:
            return np.concatenate(list(pool.map(self, inputs[:, np.newaxis])))


def has_openvino() -> bool:
    """Whether OpenVINO is installed, and can be imported."""
    try:
        import_openvino()
    except DependencyError:
        return False
    return True


def import_openvino() -> ModuleType:
    """Return the openvino module; without one, raise `DependencyError`."""
    try:
        with _without_telemetry():
            return importlib.import_module("openvino")
    except (ImportError, OSError) as reason:
        raise DependencyError(
            f"--runtime openvino: OpenVINO cannot be imported ({reason}); install it with "
            "pip install 'mmcgan[cpu]', or use --runtime torch"
        ) from None


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Hide OpenVINO's telemetry while OpenVINO is imported, which then goes without.

    It would report its use over the network and write to the home folder, unasked.
    """
    name = "openvino_telemetry"
    known = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if known is None:
            del sys.modules[name]
        else:
            sys.modules[name] = known
