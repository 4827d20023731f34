"""Make a backbone's torch network run, on OpenVINO or on torch, as one function of pixels.

A `Runtime` maps pixels (B, H, W, 3) uint8 to features (B, D) float32. Both runtimes are made from
the same torch module, in the precision that is asked for, never in a faster one that the library
would choose by itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from mmcgan.arrays import FloatArray, Pixels
from mmcgan.errors import OptionError, one_line
from mmcgan.inference.photos.on_openvino import (
    Runtime,
    compile_runtime,
    has_openvino,
    has_precision,
    import_openvino,
    read_or_convert,
)


class PixelNetwork(nn.Module):
    """A network on raw pixels: the normalisation is part of the graph.

    (B, H, W, 3) uint8 → ((x / 255 - mean) / std) (B, 3, H, W) → `network` → (B, D).
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", 255 * torch.tensor(std, dtype=torch.float32))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features (B, D) of pixels (B, H, W, 3) uint8."""
        # OpenVINO reads colours last, so that to turn the axes costs nothing just before it.
        images = (pixels.float() - self.mean) / self.std
        return self.network(images.permute(0, 3, 1, 2))  # of (B, 3, H, W)


def build_runtime(
    module: PixelNetwork,
    image_size: int,
    runtime: str,
    precision: str,
    facts: dict[str, Any] | None = None,
) -> tuple[str, Runtime]:
    """Make `module` run on square images of side `image_size`; return the runtime's name and it.

    `runtime` is "openvino", "torch" or "auto": torch on a CUDA GPU, else OpenVINO where it is
    installed and can run this network in this precision, else torch. With `facts` (JSON) that
    identify the module, the network that OpenVINO makes of it is kept for the next time. Raises
    `OptionError` for another value, and `DependencyError` or `OptionError` where OpenVINO is asked
    for and missing or unfit.
    """
    _check_choice("--runtime", runtime, ("auto", "openvino", "torch"))
    _check_choice("--precision", precision, ("float32", "bfloat16"))
    module = module.eval().requires_grad_(False)
    if runtime == "openvino":
        return "openvino", _openvino_runtime(module, image_size, precision, facts)
    if runtime == "auto" and not torch.cuda.is_available() and has_openvino():
        try:
            return "openvino", _openvino_runtime(module, image_size, precision, facts)
        except OptionError:  # this network, or this precision on this CPU: torch can do both
            pass
    return "torch", _torch_runtime(module, precision)


def _check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise OptionError(f"{option}: {value!r} is not one of {', '.join(choices)}")


def _torch_runtime(module: PixelNetwork, precision: str) -> Runtime:
    """Run the module as it is, on the GPU if there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = module.to(device)
    if device.type == "cuda":
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    is_bfloat16 = precision == "bfloat16"

    def run(pixels: Pixels) -> FloatArray:
        batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
        # TF32 convolutions, cuDNN's default, would not be the float32 that is recorded.
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
            torch.autocast(device.type, torch.bfloat16, enabled=is_bfloat16),
        ):
            features = module(batch)
        return np.asarray(features.float().cpu().numpy(), np.float32)

    return run


def _openvino_runtime(
    module: PixelNetwork, image_size: int, precision: str, facts: dict[str, Any] | None
) -> Runtime:
    """Convert the module, or read it if it was converted before, and compile it for the CPU."""
    ov = import_openvino()
    if not has_precision(ov, precision):
        raise OptionError(
            "--precision bfloat16: OpenVINO has no bfloat16 on this CPU; use --precision float32, "
            "or --runtime torch, which is slower"
        )
    convert = partial(_convert, ov, module, image_size)
    network = read_or_convert(ov, facts, convert) if facts else convert()
    return compile_runtime(ov, network, precision)


def _convert(ov: ModuleType, module: PixelNetwork, image_size: int) -> Any:
    """Convert the torch module to OpenVINO's form; raise `OptionError` if that fails."""
    shape = [image_size, image_size, 3]
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # about constants in the trace: tests compare results
            # Traced here, not by OpenVINO, which would trace twice to check: half the time.
            traced = torch.jit.trace(  # type: ignore[no-untyped-call]
                module, torch.zeros([1, *shape], dtype=torch.uint8), check_trace=False
            )
            model = ov.convert_model(traced)
            model.reshape([-1, *shape])
    except Exception as reason:  # whatever the tracer, the converter or the network raises
        raise OptionError(
            f"--runtime openvino: this backbone cannot be converted ({one_line(reason)}); "
            "use --runtime torch"
        ) from None
    return model
