"""One evaluation from end to end: systems → store → figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eval.baselines.fitting import FitData, Rival, fit_rivals, left_out
from eval.config import EvaluateConfig
from eval.figures.calibration import calibration
from eval.figures.distribution import Photos, distribution
from eval.figures.sets import tag_sets
from eval.figures.truth import distance_from_truth
from eval.measure import Setting, measure
from eval.predictions import SystemPredictions, read_predictions, write_predictions
from eval.systems import Generated, ask_rival, draw_many, generate
from mmcgan.errors import RunError
from mmcgan.inference.tagger import Tagger
from mmcgan.training.prepared.dataset import Dataset
from mmcgan.training.prepared.feature_rows import StandardizedRows


def evaluate(
    tagger: Tagger,
    dataset: Dataset,
    config: EvaluateConfig,
    log: Sequence[dict[str, Any]],
    out_dir: Path,
) -> tuple[dict[str, Any], dict[str, SystemPredictions], Setting]:
    """Measure the model of `tagger` and its rivals on a split.

    Writes the raw predictions into `out_dir`, reads them back and computes every figure from
    them. Returns the figures of the report, the stored predictions and what was measured.
    Raises `RunError` if the model was made from other data, `DataError` if the split is empty.
    """
    check_same_data(tagger, dataset)
    dataset.require("train", "dev", config.split)
    tags = tagger.model.facts["tags"]
    setting = Setting(dataset, config.split, tags, dataset.vocabularies[tags])
    generated = generate(tagger, dataset.features[setting.rows], setting.concepts)
    learnt = fit_data(tagger, setting, config.seed)
    rivals = fit_rivals(learnt)
    evaluated_features = tagger.model.standardizer(dataset.features[setting.rows])
    store = _store(generated, rivals, evaluated_features, setting, out_dir)
    figures = measure(
        store,
        setting,
        train_features=learnt.train_features,
        evaluated_features=evaluated_features,
        generator_checks={
            "distinct_words": generated.distinct_words,
            "noise_variance_share": generated.noise_variance_share,
            "adversarial_gradient_share": _mean_of(log, "adversarial_gradient_share"),
        },
        tuning={rival.name: rival.tuning for rival in rivals},
        seed=config.seed,
    )
    meaning = _meaning(tagger, setting, learnt, rivals, evaluated_features, config.seed)
    figures |= _truth(generated, setting) | meaning | _sets(generated, setting, learnt, config.seed)
    figures |= calibration(tagger.model, setting.judge(store["cgan"])[setting.tags])
    figures["rivals_left_out"] = left_out(learnt)
    return figures, store, setting


def check_same_data(tagger: Tagger, dataset: Dataset) -> None:
    """Raise `RunError` that says what differs if the model was made from other data."""
    model, vocabularies = tagger.model, dataset.vocabularies
    vocabulary = vocabularies.get(model.facts["tags"])
    found = (dataset.feature_size, len(vocabulary or ()))
    made = (len(model.standardizer.mean), len(model.vocabulary))
    if found != made:
        raise RunError(
            f"the run was made from other data: {made[0]} features, {made[1]} words, but "
            f"{dataset.name} has {found[0]} features, {found[1]} words"
        )
    if model.facts["dataset_id"] != dataset.dataset_id:
        raise RunError(
            f"the run was made from other data than {dataset.name} holds now (its id is "
            f"{model.facts['dataset_id'][:12]}, that of the data {dataset.dataset_id[:12]})"
        )


def fit_data(tagger: Tagger, setting: Setting, seed: int) -> FitData:
    """Return what the rivals learn from: the features and tags that the run learnt from."""
    dataset, vocabulary = setting.dataset, setting.vocabulary
    standardizer = tagger.model.standardizer
    tags = dataset.tag_matrix(setting.tags, vocabulary.words)
    train, dev = dataset.rows("train"), setting.measured_rows("dev")
    return FitData(
        StandardizedRows(dataset.features, train, standardizer, torch.device("cpu")), tags[train],
        standardizer(dataset.features[dev]), tags[dev],
        vocabulary.vectors, seed,
    )  # fmt: skip


def _store(
    generated: Generated,
    rivals: Sequence[Rival],
    features: npt.NDArray[np.float32],
    setting: Setting,
    out_dir: Path,
) -> dict[str, SystemPredictions]:
    """Write what all systems say of standardised `features` (N, D), and read it back."""
    concept_rows = np.array(setting.vocabulary.rows(setting.concepts), np.int64)
    own = [generated.predictions, *generated.variants]
    n_words = len(setting.vocabulary)
    systems = [*own, *(ask_rival(r, features, concept_rows, n_words) for r in rivals)]
    names = setting.image_ids, setting.vocabulary.words, setting.concepts
    write_predictions(out_dir, systems, *names)
    return read_predictions(out_dir, *names)


def _truth(generated: Generated, setting: Setting) -> dict[str, Any]:
    """Return the distance from the true distribution, where it is known for the tags learnt."""
    truth = setting.dataset.truth
    if truth is None:
        return {}
    scene = truth.scene[setting.rows]
    words = setting.vocabulary.words
    distance = distance_from_truth(generated.draws, scene, truth, setting.tags, words)
    return {"truth": distance} if distance else {}


def _meaning(
    tagger: Tagger,
    setting: Setting,
    learnt: FitData,
    rivals: Sequence[Rival],
    features: npt.NDArray[np.float32],
    seed: int,
) -> dict[str, Any]:
    """Return how well the draws, and the MLP's softmax, predict the tags of `features` (N, D).

    It is a comparison of both, and left out where the MLP is.
    """
    mlp = next((rival for rival in rivals if rival.name == "mlp"), None)
    if mlp is None:
        return {}
    raw, dev_rows = setting.dataset.features, setting.measured_rows("dev")
    dev = Photos(
        learnt.dev_tags, draw_many(tagger, raw[dev_rows]),
        lambda images: mlp.score(learnt.dev_features[images]),
    )  # fmt: skip
    evaluated = Photos(
        setting.relevant[setting.tags], draw_many(tagger, raw[setting.rows]),
        lambda images: mlp.score(features[images]),
    )  # fmt: skip
    found = distribution(dev, evaluated, learnt.train_tags, seed)
    return {"distribution": found} if found else {}


def _sets(generated: Generated, setting: Setting, learnt: FitData, seed: int) -> dict[str, Any]:
    """Return what the tag sets of single draws are like."""
    found = tag_sets(
        generated.sets, generated.predictions.ranking.rows, setting.relevant[setting.tags],
        learnt.train_tags, setting.vocabulary.vectors, seed,
    )  # fmt: skip
    return {"sets": found} if found else {}


def _mean_of(log: Sequence[dict[str, Any]], name: str) -> float | None:
    values = [record[name] for record in log if record.get(name) is not None]
    return float(np.mean(values)) if values else None
