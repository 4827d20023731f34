"""Networks on OpenVINO, without torch: converted ones kept in the user's cache folder, and run.

Torch takes longer to import than all else that a first photo takes, and tracing and converting a
network takes seconds more; reading one that was converted before, a tenth of a second. What is kept
can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mmcgan.arrays import FloatArray, Pixels
from mmcgan.errors import DependencyError
from mmcgan.files import user_cache

Runtime = Callable[[Pixels], FloatArray]

VERSION = 1  # of the conversion: networks that another version made are converted again

_PRECISION = {"float32": "f32", "bfloat16": "bf16"}
_FILE_NAME = "network.xml"  # and its weights beside it
_DIGEST_NAME = "sha256"  # of both


def read_kept_runtime(facts: dict[str, Any], precision: str) -> Runtime | None:
    """Return a runtime of the kept network that `facts` (JSON) name.

    None where none is kept, OpenVINO is missing or unfit, or a GPU may be the better choice.
    """
    if precision not in _PRECISION or shutil.which("nvidia-smi") or not has_openvino():
        return None
    ov = import_openvino()
    network = _read_kept(ov, facts) if has_precision(ov, precision) else None
    return None if network is None else compile_runtime(ov, network, precision)


def read_or_convert(ov: ModuleType, facts: dict[str, Any], convert: Callable[[], Any]) -> Any:
    """Return the converted network that `facts` (JSON) name, made by `convert` where none is kept.

    Without a folder that can be written to, nothing is kept.
    """
    network = _read_kept(ov, facts)
    if network is not None:
        return network
    network, folder = convert(), _folder(ov, facts)
    with contextlib.suppress(OSError, RuntimeError):
        _keep(ov, network, folder)
        # Read as it will be the next time: a network that was read may round differently.
        network = ov.Core().read_model(folder / _FILE_NAME)
    return network


def _read_kept(ov: ModuleType, facts: dict[str, Any]) -> Any | None:
    """Return the kept network that `facts` name; None where there is none, or it was changed."""
    folder = _folder(ov, facts)
    try:
        if (folder / _DIGEST_NAME).read_text("ascii") != _digest(folder):
            return None
        return ov.Core().read_model(folder / _FILE_NAME)
    except (OSError, UnicodeError, RuntimeError):
        return None


def _folder(ov: ModuleType, facts: dict[str, Any]) -> Path:
    text = json.dumps({**facts, "openvino": ov.__version__, "version": VERSION}, sort_keys=True)
    return user_cache("openvino") / hashlib.sha256(text.encode()).hexdigest()[:32]


def _digest(folder: Path) -> str:
    """Return the SHA-256 of the network and its weights."""
    digest = hashlib.sha256()
    for suffix in (".xml", ".bin"):
        digest.update((folder / _FILE_NAME).with_suffix(suffix).read_bytes())
    return digest.hexdigest()


def _keep(ov: ModuleType, network: Any, folder: Path) -> None:
    """Write a network into `folder`, wholly or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as partial_dir:
        ov.save_model(network, Path(partial_dir) / _FILE_NAME, compress_to_fp16=False)
        (Path(partial_dir) / _DIGEST_NAME).write_text(_digest(Path(partial_dir)), "ascii")
        shutil.rmtree(folder, ignore_errors=True)
        Path(partial_dir).rename(folder)


def has_precision(ov: ModuleType, precision: str) -> bool:
    """Whether OpenVINO can compute in that precision on this CPU."""
    return precision == "float32" or "BF16" in ov.Core().get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    )


def compile_runtime(ov: ModuleType, network: Any, precision: str) -> Runtime:
    """Compile a network of pixels twice: with all cores on one photo, and for many at once.

    Either way a request is of one photo. To know that beforehand saves a twentieth of its time:
    else OpenVINO works out the shape of every layer anew each time.
    """
    of_one = network.clone()
    of_one.reshape([1, *network.input(0).get_partial_shape()[1:]])

    def compiled(hint: str) -> Requests:
        return Requests(compile_network(ov, of_one, precision, hint))

    alone, together = compiled("LATENCY"), cache(partial(compiled, "THROUGHPUT"))
    return lambda pixels: alone(pixels) if len(pixels) == 1 else together().one_by_one(pixels)


def compile_network(ov: ModuleType, network: Any, precision: str, hint: str) -> Any:
    """Compile a network for the CPU: "LATENCY" for one input, "THROUGHPUT" for many at once."""
    options = {"INFERENCE_PRECISION_HINT": _PRECISION[precision], "PERFORMANCE_HINT": hint}
    return ov.Core().compile_model(network, "CPU", options)


class Requests:
    """A compiled network of one input and one output that any number of threads may call.

    It has as many requests, which run beside each other, as OpenVINO says is best.
    """

    def __init__(self, compiled: Any) -> None:
        self._free: SimpleQueue[Any] = SimpleQueue()
        self._n_requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        for _ in range(self._n_requests):
            self._free.put(compiled.create_infer_request())

    def __call__(self, inputs: npt.NDArray[Any]) -> FloatArray:
        """Run all of the inputs (B, …) at once, as soon as a request is free."""
        request = self._free.get()
        try:
            return np.array(request.infer([np.ascontiguousarray(inputs)])[0], np.float32)
        finally:
            self._free.put(request)

    def one_by_one(self, inputs: npt.NDArray[Any]) -> FloatArray:
        """Run each of the inputs (B, …) in a request of its own, several beside each other.

        This is faster than the batch as a whole: the output of a layer stays in the caches, and no
        core waits for another at each layer.
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


@contextlib.contextmanager
def _without_telemetry() -> Iterator[None]:
    """Hide OpenVINO's telemetry while OpenVINO is imported, which then works without it.

    Unasked, the telemetry would report over the network and write to the home folder.
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
