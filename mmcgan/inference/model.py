"""The model file: what answers for a photo, with a schema of its own.

model.json
    format_version  2; files of version 1 are read too (`mmcgan.inference.model_v1`)
    network         kind, generators and sizes of the network, and its noise scale (`NetworkRecord`)
    ranking         "mean" or "vote": the rule that ranks the words (`words/ranking.py`)
    words           the V words; n_photos: how many photos learnt from carry each
    calibration     scale, shift and threshold of the scores, where they were fitted
    rules           what becomes of the words, how sure they must be, and which are general
                    (`words/rules.py`); older files have `synonyms` alone, the words whose place
                    another one takes, with it
    objects         scale, shift and threshold of the class probabilities of the backbone's own
                    head, where they name what stands in the picture (`words/objects.py`)
    backbone        the record of the backbone whose features the network takes
    facts           how the model was trained: for people and for reports, nothing reads them to tag
model.safetensors   half precision (float16): generator.* as the network names them, word_vectors
                    (V, E), feature_mean and feature_scale (D,); word_bias (V,) where the words were
                    learnt with the generator. Tensors of other names are left alone.

Nothing in it depends on how a training names its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from mmcgan.arrays import FloatArray
from mmcgan.errors import MmcganError, RunError, TrainingError
from mmcgan.files import read_json, write_json
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.model_dir import ModelDir
from mmcgan.inference.model_v1 import upgraded
from mmcgan.inference.network import Network, NetworkRecord, Standardizer, build_network
from mmcgan.inference.scorers import Rule
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.rules import Rules
from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows

FORMAT_VERSION = 2
GENERATOR = "generator."  # what the names of the network's weights begin with

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Model:
    """A network with the words it may answer with.

    `vocabulary` holds the words with the vectors that the network aims at: unit rows, or where they
    were learnt with it vectors of any length beside a `bias` (V,). `ranking` is the rule that ranks
    them, `calibration` makes probabilities of their scores, `rules` says what becomes of the words.
    `objects` makes probabilities of what the backbone's own head names, where that joins the words.
    `backbone` is the record of the features that the network takes, `standardizer` scales them;
    `facts` says how the model was trained.
    """

    network: Network
    vocabulary: Vocabulary
    bias: FloatArray | None
    ranking: Rule
    standardizer: Standardizer
    backbone: dict[str, Any]
    facts: dict[str, Any]
    calibration: Calibration | None = None
    rules: Rules = field(default_factory=Rules)
    objects: Calibration | None = None

    @property
    def scores_are_probabilities(self) -> bool:
        """Whether the ranking scores a word by a share or a probability, not by a cosine."""
        return self.ranking == "vote" or self.bias is not None

    def calibrated(self, scores: FloatArray) -> FloatArray:
        """Return the ranking's `scores` as probabilities; as they are without a calibration."""
        return scores if self.calibration is None else self.calibration(scores)

    def sample(self, features: FloatArray, n_samples: int, seed: int) -> FloatArray:
        """Generate vectors (N, S, E) for raw image features (N, D); see `Network.draws`."""
        return self.network.draws(self.standardizer(features), n_samples, seed)

    def build_index(self) -> WordIndex:
        """Return the search over the model's words."""
        return WordIndex(self.vocabulary.vectors, self.bias)


def write_model(folder: ModelDir, model: Model) -> None:
    """Write a model; the weights come last and make it whole.

    Raises `TrainingError`, and writes nothing, if a value is not finite in half precision.
    """
    vocabulary, standardizer = model.vocabulary, model.standardizer
    weights = {f"{GENERATOR}{name}": array for name, array in model.network.weights.items()}
    weights |= {"word_vectors": vocabulary.vectors}
    weights |= {"feature_mean": standardizer.mean, "feature_scale": standardizer.scale}
    weights |= {} if model.bias is None else {"word_bias": model.bias}
    halved = {name: _halved(name, array) for name, array in weights.items()}
    description = {
        "format_version": FORMAT_VERSION,
        "network": asdict(model.network.record),
        "ranking": model.ranking,
        "words": vocabulary.words,
        "n_photos": vocabulary.n_photos.tolist(),
        "backbone": model.backbone,
        "facts": model.facts,
        "rules": asdict(model.rules) | {"general": sorted(model.rules.general)},
    }
    if model.calibration:
        description["calibration"] = asdict(model.calibration)
    if model.objects:
        description["objects"] = asdict(model.objects)
    write_json(folder.model_path, description)
    folder.write_weights(halved)


def read_model(folder: ModelDir) -> Model:
    """Read a model, of this version or the one before.

    Raises `RunError` if it is missing or unfinished, or if its files are broken or do not fit each
    other.
    """
    if not folder.is_finished:
        is_begun = (folder.path / "config.json").is_file()
        go_on = "is not finished; go on with python -m mmcgan.train --resume"
        state = go_on if is_begun else "holds no run"
        raise RunError(f"{folder.path} {state} (no {folder.weights_path.name} in it)")
    description = read_json(folder.model_path, RunError)
    try:
        arrays = load_file(folder.weights_path)
        if description["format_version"] == 1:
            description = upgraded(description, arrays)
        return _restored(description, arrays)
    except (SafetensorError, KeyError, TypeError, ValueError, MmcganError) as reason:
        raise RunError(
            f"the model of {folder.path} is broken, or its files are of different runs "
            f"({type(reason).__name__}: {' '.join(str(reason).split())})"
        ) from None


def _halved(name: str, array: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        halved = array.astype(np.float16)
    if not np.isfinite(halved).all():
        largest = float(np.abs(array).max())
        raise TrainingError(
            f"the model cannot be written: {name} has values up to {largest:g}, half precision "
            f"ends at {np.finfo(np.float16).max:g}; train with a lower --learning-rate"
        )
    return np.ascontiguousarray(halved)


def _restored(description: dict[str, Any], arrays: Arrays) -> Model:
    if description["format_version"] != FORMAT_VERSION:
        found = description["format_version"]
        raise RunError(f"its format version is {found}, this mmcgan reads 1 and {FORMAT_VERSION}")
    record = NetworkRecord(**description["network"])
    if description["ranking"] not in get_args(Rule):
        raise RunError(f"no rule of ranking is called {description['ranking']!r}")
    weights = {n.removeprefix(GENERATOR): a for n, a in arrays.items() if n.startswith(GENERATOR)}
    vocabulary, bias = _words(description, arrays, record.vector_size)
    standardizer = Standardizer(_single(arrays, "feature_mean"), _single(arrays, "feature_scale"))
    sizes = standardizer.mean.shape, standardizer.scale.shape
    if sizes != ((record.feature_size,),) * 2:
        raise RunError(f"{record.feature_size} features but means and scales of shapes {sizes}")
    calibration, objects = description.get("calibration"), description.get("objects")
    return Model(
        build_network(record, weights),
        vocabulary,
        bias,
        description["ranking"],
        standardizer,
        description["backbone"],
        description["facts"],
        Calibration(**calibration) if calibration else None,
        _rules(description, vocabulary),
        Calibration(**objects) if objects else None,
    )


def _rules(description: dict[str, Any], vocabulary: Vocabulary) -> Rules:
    """Return the rules of the words; raise `RunError` if they are those of other words."""
    older = {"becomes": description.get("synonyms", {}), "thresholds": {}}
    stored = description.get("rules", older)
    broader, general = dict(stored.get("broader", {})), stored.get("general", [])
    if not all(map(_is_words, (*broader.values(), general))):
        raise RunError("rules with words that are none")
    thresholds = {word: float(least) for word, least in dict(stored["thresholds"]).items()}
    rules = Rules(dict(stored["becomes"]), thresholds, broader, frozenset(general))
    if not rules.becomes.keys() <= vocabulary.row_of.keys():
        raise RunError("rules of words that it does not have")
    return rules


def _is_words(stored: Any) -> bool:
    return isinstance(stored, list) and all(isinstance(word, str) for word in stored)


def _words(
    description: dict[str, Any], arrays: Arrays, vector_size: int
) -> tuple[Vocabulary, FloatArray | None]:
    """Return the words with their vectors, and their biases where they have some."""
    words, vectors = tuple(description["words"]), _single(arrays, "word_vectors")
    bias = _single(arrays, "word_bias") if "word_bias" in arrays else None
    if bias is None:
        vectors = unit_rows(vectors)
    elif bias.shape != (len(words),):
        raise RunError(f"{len(words)} words but biases of shape {bias.shape}")
    n_photos = np.array(description["n_photos"], np.int64)
    if vectors.shape != (len(words), vector_size) or n_photos.shape != (len(words),):
        raise RunError(
            f"{len(words)} words and {n_photos.size} counts but word vectors of shape "
            f"{vectors.shape}"
        )
    return Vocabulary(words, vectors, n_photos), bias


def _single(arrays: Arrays, name: str) -> FloatArray:
    return arrays[name].astype(np.float32)
