"""python -m mmcgan.export: a run → files that run without Python.

OUT/backbone.onnx   pixels (B, H, W, 3) uint8 → features (B, D)
OUT/generator.onnx  features (B, D) → vectors (B, S, E), with the noise of the seed inside
OUT/words.onnx      vectors (B, S, E) → scores (B, V) and tie_breaks (B, V) of the words
OUT/tagger.json     how a photo becomes pixels, the V words, and how they are ranked

All in float32. The tags are the model's own words, each by itself: what becomes of them by its
rules, and what stands in the picture, are not in the files.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmcgan.cli import config_options, given, run_command, say
from mmcgan.errors import DependencyError
from mmcgan.files import atomic_path, write_json
from mmcgan.folders.config import ModelConfig
from mmcgan.inference.calibration import CLOSEST
from mmcgan.inference.model import Model
from mmcgan.inference.model_dir import default_model
from mmcgan.inference.photos.backbone import restore_network
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.ranking import N_NEIGHBOURS
from mmcgan.options import option
from mmcgan.training.networks import MixtureGenerator, as_generator

FORMAT_VERSION = 1
OPSET = 18


@dataclass(frozen=True)
class ExportConfig(ModelConfig):
    """`python -m mmcgan.export`: a run → ONNX files."""

    out: Path = option(Path("export"), "Folder of the files.")


@click.command("mmcgan.export")
@config_options(ExportConfig)
def main(**options: Any) -> None:
    """Write a run as ONNX files and a JSON description, for tools that know no Python."""
    config = ExportConfig(**given(options))
    run = config.run or default_model()
    say(f"run: {run} → {config.out}")
    paths = export(Tagger.load(run, config.seed), config.out)
    for path in paths:
        say(f"{path} ({path.stat().st_size / 2**20:.1f} MiB)")


class Generate(nn.Module):
    """Raw features (B, D) → the vectors (B, S, E) that the ranking of a model takes."""

    mean: Tensor
    scale: Tensor
    noise: Tensor

    def __init__(self, tagger: Tagger):
        super().__init__()
        model = tagger.model
        self.generator = as_generator(model.network)
        random = torch.Generator().manual_seed(tagger.seed)
        self.register_buffer("noise", self.generator.noise(1, tagger.n_samples, random))
        self.register_buffer("mean", torch.from_numpy(model.standardizer.mean))
        self.register_buffer("scale", torch.from_numpy(model.standardizer.scale))
        self.needs_noise = model.ranking == "vote"

    def forward(self, features: Tensor) -> Tensor:
        """Return the vectors (B, S, E); a mixture knows the mean of its draws without noise."""
        inputs = (features - self.mean) / self.scale
        if isinstance(self.generator, MixtureGenerator) and not self.needs_noise:
            return self.generator.centres(inputs)
        return self.generator.sample(self.noise, inputs)


class Rank(nn.Module):
    """Vectors (B, S, E) → scores and tie breaks (B, V) of the words."""

    table: Tensor
    bias: Tensor

    def __init__(self, model: Model):
        super().__init__()
        self.rule, self.has_bias = model.ranking, model.bias is not None
        vectors = torch.from_numpy(model.vocabulary.vectors)
        bias = torch.zeros(len(vectors)) if model.bias is None else torch.from_numpy(model.bias)
        self.calibration = model.calibration
        self.register_buffer("table", vectors)
        self.register_buffer("bias", bias)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores and the tie breaks (B, V)."""
        queries = vectors if self.has_bias else normalize(vectors, dim=-1)
        means = queries.mean(dim=1) @ self.table.T + self.bias
        if self.rule == "mean":
            scores = self._calibrated(means.sigmoid()) if self.has_bias else means
            return scores, torch.zeros_like(means)
        n_neighbours = min(N_NEIGHBOURS, len(self.table))
        nearest = (queries @ self.table.T + self.bias).topk(n_neighbours, dim=-1).indices
        votes = nearest.flatten(start_dim=1)
        shares = torch.zeros_like(means).scatter_add(1, votes, torch.ones_like(votes).float())
        return self._calibrated(shares / (vectors.shape[1] * n_neighbours)), means

    def _calibrated(self, scores: Tensor) -> Tensor:
        """Do what `Calibration` does."""
        if self.calibration is None:
            return scores
        logits = scores.clamp(CLOSEST, 1 - CLOSEST).logit()
        probabilities = (self.calibration.scale * logits + self.calibration.shift).sigmoid()
        return torch.where(scores > 0, probabilities, 0)


def export(tagger: Tagger, out: Path) -> list[Path]:
    """Write the files of a tagger into `out`, the description last; return their paths.

    Raises `DependencyError` without the packages that write ONNX.
    """
    model = tagger.model
    network = restore_network(model.backbone)
    size = int(model.backbone["image_size"])
    pixels = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    features = torch.zeros(2, len(model.standardizer.mean))
    generate = Generate(tagger)
    vectors = generate(features)
    paths = [out / f"{name}.onnx" for name in ("backbone", "generator", "words")]
    _write_onnx(network, pixels, "pixels", ["features"], paths[0])
    _write_onnx(generate, features, "features", ["vectors"], paths[1])
    _write_onnx(Rank(model), vectors, "vectors", ["scores", "tie_breaks"], paths[2])
    paths.append(out / "tagger.json")
    write_json(paths[-1], describe(tagger))
    return paths


def describe(tagger: Tagger) -> dict[str, Any]:
    """Return all that the graphs do not hold, as JSON."""
    backbone = tagger.model.backbone
    return {
        "format_version": FORMAT_VERSION,
        "pixels": {
            "mode": "RGB, upright (turned as its EXIF orientation says), transparency on white",
            "resize": backbone["resize"],
            "detail": backbone.get("detail"),
            "size": backbone["image_size"],
            "steps": "1. If detail is a number and the shorter side has more pixels: the centre "
            "square, resized to detail × detail. 2. The centre square, resized to size × size. "
            "Both bicubic with antialiasing; values 0 to 255, no normalisation.",
        },
        "words": list(tagger.model.vocabulary.words),
        "ranking": "By score, then tie break, both descending, then the order of the words.",
        "score": "the probability that the photo carries the word"
        if tagger.model.bias is not None or tagger.model.calibration
        else "the share of the votes"
        if tagger.model.scores_are_probabilities
        else "the mean cosine",
        "backbone": backbone,
    }


def _write_onnx(
    module: nn.Module, example: Tensor, given_name: str, results: Sequence[str], path: Path
) -> None:
    """Write a module of one tensor, whose first dimension may be any."""
    batch = {0: torch.export.Dim("batch", min=1)}
    with atomic_path(path) as partial, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # about versions of opsets: tests compare the tags
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            torch.onnx.export(
                module.eval(),
                (example,),
                partial,
                input_names=[given_name],
                output_names=list(results),
                dynamic_shapes=(batch,),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except ImportError:
            raise DependencyError(
                "the packages that write ONNX are not installed: pip install 'mmcgan[export]'"
            ) from None


if __name__ == "__main__":
    sys.exit(run_command(main))
