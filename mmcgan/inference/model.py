"""The model that a run leaves: the generator, its words and what its features must look like.

model.json         sizes, settings, words, the record of the backbone, facts of the training; the
                   calibration of the scores, where there is one; the doubles among the words
model.safetensors  generator.*, word_vectors (V, E), feature_mean and feature_scale (D,), in half
                   precision (float16); word_bias (V,) where the words were learnt with the
                   generator; no discriminator, which tagging has no use for
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from mmcgan.errors import MmcganError, RunError, TrainingError
from mmcgan.files import read_json, write_json
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.mean_draw import MeanDraw
from mmcgan.inference.photos.on_openvino import has_openvino
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows
from mmcgan.training.config import TrainConfig
from mmcgan.training.prepared.feature_rows import Standardizer
from mmcgan.training.runs import RunDir

if TYPE_CHECKING:  # torch takes long to import, and tagging by the mean draw does without
    from torch import Tensor

    from mmcgan.training.networks import Generator, MixtureGenerator

    Network: TypeAlias = Generator | MixtureGenerator
    Sampler: TypeAlias = Callable[[Tensor], Tensor]

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Model:
    """A generator with the words it may answer with.

    `build` gives the generator, the same one each time; `mean_draw`, where there is one, is all
    that tagging takes of it. `vocabulary` holds the words with the vectors that the generator aims
    at: unit rows, or where they were learnt with it vectors of any length beside a `bias` (V,).
    `ranking` is the rule that makes words of its draws, `backbone` the record of the features it
    takes, `facts` says how it was trained. `calibration` makes probabilities of its scores,
    `doubles` says which words may take the place of others (`mmcgan.training.synonyms`).
    """

    build: Callable[[], Network]
    vocabulary: Vocabulary
    bias: npt.NDArray[np.float32] | None
    ranking: str
    standardizer: Standardizer
    backbone: dict[str, Any]
    facts: dict[str, Any]
    calibration: Calibration | None = None
    doubles: Mapping[str, str] = field(default_factory=dict)
    mean_draw: MeanDraw | None = None

    @property
    def generator(self) -> Network:
        """The generator. Raises `RunError` where it was read from a broken file."""
        return self.build()

    def calibrated(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the ranking's `scores` as probabilities; as they are without a calibration."""
        return scores if self.calibration is None else self.calibration(scores)

    def sample(
        self, features: npt.NDArray[np.float32], n_samples: int, seed: int
    ) -> npt.NDArray[np.float32]:
        """Generate word vectors (N, S, E) for raw image features (N, D).

        Every image meets the same S draws of noise, those of `seed`, so that its vectors do not
        depend on the images beside it. Of S draws, as many are made as are a multiple of K.
        """
        return self._generate(self.sampler(n_samples, seed), features)

    def sample_to_tag(
        self, features: npt.NDArray[np.float32], n_samples: int, seed: int
    ) -> npt.NDArray[np.float32]:
        """Generate the same as `sample`, but no more vectors than the ranking needs."""
        if self.mean_draw is not None:
            return self.mean_draw(self.standardizer(features))[:, np.newaxis]
        return self._generate(self.sampler_to_tag(n_samples, seed), features)

    def sampler(self, n_samples: int, seed: int) -> Sampler:
        """Return what maps standardised features (N, D) to the vectors of `sample`."""
        import torch

        noise = self.generator.noise(1, n_samples, torch.Generator().manual_seed(seed))
        return lambda inputs: self.generator.sample(noise.to(inputs.device), inputs)

    def sampler_to_tag(self, n_samples: int, seed: int) -> Sampler:
        """Return the same for `sample_to_tag`: a mixture knows its mean draw without noise."""
        from mmcgan.training.networks import MixtureGenerator

        generator = self.generator
        if self.ranking == "mean" and isinstance(generator, MixtureGenerator):
            return generator.centres
        return self.sampler(n_samples, seed)

    def _generate(
        self, sampler: Sampler, features: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        import torch

        device = next(self.generator.parameters()).device
        with torch.inference_mode():
            inputs = torch.from_numpy(self.standardizer(features)).to(device)
            return sampler(inputs).cpu().numpy()

    def build_index(self) -> WordIndex:
        """Return the search over the model's words."""
        return WordIndex(self.vocabulary.vectors, self.bias)


def save_model(run: RunDir, model: Model, config: TrainConfig) -> None:
    """Write the model of a run; the weights come last and make the run finished.

    Raises `TrainingError`, and writes nothing, if a value is not finite in half precision.
    """
    import torch

    vocabulary = model.vocabulary
    bias = {} if model.bias is None else {"word_bias": torch.from_numpy(model.bias)}
    tensors = _halved({
        "word_vectors": torch.from_numpy(vocabulary.vectors),
        "feature_mean": torch.from_numpy(model.standardizer.mean),
        "feature_scale": torch.from_numpy(model.standardizer.scale),
        **bias,
        **{f"generator.{name}": t for name, t in model.generator.state_dict().items()},
    })  # fmt: skip
    write_json(run.model_path, {
        "format_version": FORMAT_VERSION,
        "feature_size": len(model.standardizer.mean),
        "vector_size": vocabulary.vector_size,
        "config": _network_settings(config),
        "words": vocabulary.words,
        "n_photos": vocabulary.n_photos.tolist(),
        "backbone": model.backbone,
        "facts": model.facts,
        **({"calibration": asdict(model.calibration)} if model.calibration else {}),
        "doubles": dict(model.doubles),
    })  # fmt: skip
    run.write_weights(tensors)


def load_model(run: RunDir) -> Model:
    """Read the model of a finished run, on the CPU, in float32.

    Raises `RunError` if the run is missing or unfinished, or if its files are broken or do not
    fit each other.
    """
    if not run.is_finished:
        state = "is not finished; go on with python -m mmcgan.train --resume" if run.is_started \
            else "holds no run"  # fmt: skip
        raise RunError(f"{run.path} {state} (no {run.weights_path.name} in it)")
    description = read_json(run.model_path, RunError)
    with _refused(run):
        model = _restore(run, description, load_file(run.weights_path))
    if model.mean_draw is None:
        model.build()  # what is wrong with it is said here
    return model


@contextmanager
def _refused(run: RunDir) -> Iterator[None]:
    """Make a `RunError` of whatever broken files of a model raise."""
    try:
        yield
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, MmcganError) as reason:
        raise RunError(
            f"the model of {run.path} is broken, or its files are of different runs "
            f"({type(reason).__name__}: {' '.join(str(reason).split())})"
        ) from None


def _halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return `tensors` in half precision; those that hold no floats as they are."""
    import torch

    halved = {n: t.half() if t.is_floating_point() else t for n, t in tensors.items()}
    for name, tensor in halved.items():
        if not torch.isfinite(tensor).all():
            largest = float(tensors[name].abs().max())
            raise TrainingError(
                f"the model cannot be written: {name} has values up to {largest:g}, half precision "
                f"ends at {torch.finfo(torch.half).max:g}; train with a lower --learning-rate"
            )
    return halved


def _restore(
    run: RunDir, description: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]
) -> Model:
    if description["format_version"] != FORMAT_VERSION:
        found = description["format_version"]
        raise RunError(f"its format version is {found}, this mmcgan reads {FORMAT_VERSION}")
    config = TrainConfig(**description["config"])
    sizes = description["feature_size"], description["vector_size"]
    prefix = "generator."
    weights = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
    vectors, mean, scale = (
        arrays[name].astype(np.float32)
        for name in ("word_vectors", "feature_mean", "feature_scale")
    )
    bias = arrays["word_bias"].astype(np.float32) if config.retrieval else None
    words = tuple(description["words"])
    if bias is None:
        vectors = unit_rows(vectors)
    elif bias.shape != (len(words),):
        raise RunError(f"{len(words)} words but biases of shape {bias.shape}")
    n_photos = np.array(description["n_photos"], np.int64)
    if vectors.shape != (len(words), sizes[1]) or n_photos.shape != (len(words),):
        raise RunError(
            f"{len(words)} words and {n_photos.size} counts but word vectors of shape "
            f"{vectors.shape}"
        )
    if not mean.shape == scale.shape == (sizes[0],):
        raise RunError(f"{sizes[0]} features but means {mean.shape} and scales {scale.shape}")
    needs_mean = config.learns_spaces and config.ranking == "mean"
    return Model(
        cache(partial(_build_generator, run, weights, sizes, config)),
        Vocabulary(words, vectors, n_photos),
        bias,
        config.ranking,
        Standardizer(mean, scale),
        description["backbone"],
        description["facts"],
        Calibration(**found) if (found := description.get("calibration")) else None,
        _doubles(description.get("doubles", {}), words),
        MeanDraw.of(weights, sizes, config) if needs_mean and has_openvino() else None,
    )


def _build_generator(
    run: RunDir,
    weights: Mapping[str, npt.NDArray[Any]],
    sizes: tuple[int, int],
    config: TrainConfig,
) -> Network:
    """Build the generator that the weights of a run are of, in float32."""
    import torch

    from mmcgan.training.networks import build_generator

    with _refused(run):
        with torch.random.fork_rng():
            generator = build_generator(*sizes, config)
        generator.load_state_dict({n: torch.from_numpy(a).float() for n, a in weights.items()})
    return generator.eval()


def _doubles(found: dict[str, str], words: tuple[str, ...]) -> dict[str, str]:
    if not {*found, *found.values()} <= set(words):
        raise RunError("doubles of words that it does not have")
    return found


def _network_settings(config: TrainConfig) -> dict[str, Any]:
    """Return the settings of training without its paths, which a model must not depend on."""
    return {k: v for k, v in config.to_json().items() if k not in ("data", "out", "resume")}
