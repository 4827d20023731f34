"""Photo → feature vector: frozen networks trained by others, behind one interface.

The command line names a backbone. Its `record`, which says all about it, is stored with the
features that it made; from it `restore_backbone` builds the same one again, on whatever runs best
here.

    efficientnet-lite0, -lite1, -lite2       weights come with the installation; work offline. The
                                             features are of all levels of the network, classes last
    efficientnet-lite0+efficientnet-lite2    the features of both, one after the other; so of all
                                             three: better tags, for the time of each
    efficientnet-lite2:mean                  of each the mean of the last feature map alone; the
                                             records of such features name no pooling
    timm:NAME                                any model of timm that has weights
    open_clip:NAME[:WEIGHTS]                 image encoder of a CLIP model
    torchvision:NAME                         the layer before the classes; alexnet and vgg16 give
                                             the 4,096 units of their last hidden layer
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mmcgan.arrays import FloatArray, Pixels
from mmcgan.errors import OptionError, RunError
from mmcgan.inference.photos.on_openvino import Runtime, read_kept_runtime

if TYPE_CHECKING:  # torch takes long to import, and a network that was converted does without
    from mmcgan.inference.photos.runtimes import PixelNetwork
    from mmcgan.inference.photos.sources import Source

RESIZE = "shorter side bicubic, centre crop"


class Backbone:
    """A frozen network that turns photos into feature vectors of size D.

    `record` is plain JSON: name, weights_sha256, feature_size, image_size, resize, detail, mean,
    std (of values 0…1), runtime, precision; and where all levels of a network are pooled, pooling
    (`mmcgan.inference.photos.pooling.describe`). `run` maps pixels (B, H, W, 3) to features (B, D).
    """

    def __init__(self, record: dict[str, Any], run: Runtime) -> None:
        self.record = record
        self._run = run

    @property
    def feature_size(self) -> int:
        """The size D of a feature vector."""
        return int(self.record["feature_size"])

    @property
    def n_classes(self) -> int:
        """How many classes the features tell the probabilities of; 0 where they hold none."""
        return int(self.record.get("pooling", {}).get("classes", 0))

    def class_probabilities(self, features: FloatArray) -> FloatArray:
        """Return the probabilities (N, `n_classes`) of the classes that features (N, D) hold.

        They are the squares of the last features; of joined networks, the mean over all of them.
        """
        if not self.n_classes:
            return np.zeros((len(features), 0), np.float32)
        ends = np.cumsum(self.record["pooling"]["parts"])
        roots = [features[:, end - self.n_classes : end].astype(np.float32) for end in ends]
        return np.mean(np.square(roots), axis=0)

    @property
    def image_size(self) -> int:
        """The side H = W of the square that the network sees, in pixels."""
        return int(self.record["image_size"])

    @property
    def detail(self) -> int | None:
        """The side in pixels to which the square of a larger photo is reduced first, if any."""
        return self.record.get("detail")

    def with_detail(self, detail: int | None) -> Backbone:
        """Return this backbone with another `detail`."""
        return Backbone(self.record | {"detail": detail}, self._run)

    def preprocess(self, image: Image.Image) -> Pixels:
        """Return pixels (H, W, 3): the centre square, resized to the network's size.

        A photo with more than `detail` pixels on its shorter side is first reduced to that: then
        the network sees no finer structures than in the photos that its features were learnt from.
        """
        square = image if image.mode == "RGB" else image.convert("RGB")
        if self.detail is not None and min(image.size) > self.detail:
            square = _centre_square(square, self.detail)
        return np.asarray(_centre_square(square, self.image_size), np.uint8)

    def preprocess_whole(self, image: Image.Image) -> Pixels:
        """Return pixels (H, W, 3): the whole photo in the middle of the network's mean grey.

        Its longer side is resized to the network's size, whatever `detail` is: this is for what the
        network itself was taught.
        """
        photo = image if image.mode == "RGB" else image.convert("RGB")
        scale = self.image_size / max(photo.size)
        width, height = (max(round(scale * side), 1) for side in photo.size)
        photo = photo.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        grey = tuple(round(255 * mean) for mean in self.record["mean"])
        square = Image.new("RGB", (self.image_size, self.image_size), grey)
        square.paste(photo, ((self.image_size - width) // 2, (self.image_size - height) // 2))
        return np.asarray(square, np.uint8)

    def features(self, images: Sequence[Image.Image]) -> FloatArray:
        """Return the features (B, D) of B images of any size."""
        if not len(images):
            return np.empty((0, self.feature_size), np.float32)
        return self.features_of_pixels(np.stack([self.preprocess(image) for image in images]))

    def features_of_pixels(self, pixels: Pixels) -> FloatArray:
        """Return the features (B, D) of preprocessed pixels (B, H, W, 3).

        They have half precision, in which they are stored: so fresh ones equal those from a file.
        What is too large for that is infinite.
        """
        with np.errstate(over="ignore"):
            return self._run(pixels).astype(np.float16).astype(np.float32)


def load_backbone(name: str, runtime: str = "auto", precision: str = "float32") -> Backbone:
    """Load the backbone `name` (see the module's docstring) for `runtime` and `precision`.

    Raises `OptionError` if there is no such backbone, runtime or precision, and
    `DependencyError` if the package it comes from is not installed.
    """
    from mmcgan.inference.photos.sources import load_source

    return _start(load_source(name), runtime, precision)


def restore_backbone(record: dict[str, Any]) -> Backbone:
    """Load the backbone of `record` again: same weights, preprocessing and precision.

    The runtime is the best one here, which need not be the one it had before. A network that was
    converted before needs neither torch nor its weights. Raises `RunError` if the record is broken
    or other weights are installed.
    """
    facts, precision, detail = _read_record(record)
    run = read_kept_runtime(facts, precision)
    if run is not None:
        return _describe(facts, "openvino", precision, run).with_detail(detail)
    from mmcgan.inference.photos.sources import restore_source

    return _start(restore_source(facts), "auto", precision).with_detail(detail)


def restore_network(record: dict[str, Any]) -> PixelNetwork:
    """Load the network of `record` again as a torch module that takes pixels.

    Raises as `restore_backbone` does.
    """
    from mmcgan.inference.photos.sources import restore_source

    return restore_source(network_facts(record)).on_pixels()


def network_facts(record: dict[str, Any]) -> dict[str, Any]:
    """Return what of a backbone's record identifies its network (`Source.facts`), as plain JSON.

    Raises `RunError` if the record is broken.
    """
    return _read_record(record)[0]


def _read_record(record: dict[str, Any]) -> tuple[dict[str, Any], str, int | None]:
    """Return the facts that identify a network (`Source.facts`), its precision and `detail`."""
    try:
        facts: dict[str, Any] = {
            "name": str(record["name"]),
            "weights_sha256": str(record["weights_sha256"]),
            "image_size": int(record["image_size"]),
            "mean": list(record["mean"]),
            "std": list(record["std"]),
        }
        if "pooling" in record:
            facts["pooling"] = _check_pooling(record["pooling"])
        precision, resize, detail = str(record["precision"]), record["resize"], record.get("detail")
        if detail is not None and (type(detail) is not int or detail < 1):
            raise ValueError(f"detail {detail!r} is no number of pixels")
    except (KeyError, TypeError, ValueError):
        raise RunError("the record of the backbone is broken; prepare the data again") from None
    if resize != RESIZE:
        raise RunError(
            f"the photos were prepared by {resize!r}, this mmcgan does {RESIZE!r}; prepare the "
            "data again"
        )
    return facts, precision, detail


def _check_pooling(pooling: Any) -> dict[str, Any]:
    """Return what a record says of pooling; raise `ValueError` where sizes in it cannot be."""
    n_classes, parts = pooling["classes"], pooling["parts"]
    if not parts or not all(type(n) is int and 0 < n_classes < n for n in parts):
        raise ValueError(f"no network gives {n_classes!r} classes in {parts!r} features")
    return dict(pooling)


def _centre_square(image: Image.Image, size: int) -> Image.Image:
    """Return the centre square of an image as `size` × `size` pixels.

    This equals resizing the shorter side and then cropping, without the large image in between that
    a long strip would become.
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


def _start(source: Source, runtime: str, precision: str) -> Backbone:
    from mmcgan.inference.photos.runtimes import build_runtime

    facts = source.facts
    runtime, run = build_runtime(source.on_pixels(), source.image_size, runtime, precision, facts)
    return _describe(facts, runtime, precision, run)


def _describe(facts: dict[str, Any], runtime: str, precision: str, run: Runtime) -> Backbone:
    """Return the backbone of a network that runs; its output for one image has the feature size."""
    size = facts["image_size"]
    probe = run(np.zeros((1, size, size, 3), np.uint8))
    if probe.ndim != 2:
        raise OptionError(
            f"--backbone {facts['name']}: gives an output of shape {probe.shape[1:]} a photo, "
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
