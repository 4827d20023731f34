"""One evaluation in two halves: answers into the store, and from the store to the report.

The first half asks the run and its baselines, and puts all that measuring needs into REPORT
(`eval.store`). The second reads that back, and makes the report of it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from eval.answers import Answers, Compared, GalleryPhoto, Scores
from eval.baselines.fitting import fit_baselines, left_out
from eval.baselines.nearest import near_duplicates
from eval.baselines.tuning import Baseline, FitData
from eval.config import EvaluateConfig
from eval.figures.distribution import Photos
from eval.findings import Findings
from eval.pages.report import write_report
from eval.pages.summary import page_of
from eval.sections import section_modules
from eval.sections.gallery import shown_photos
from eval.setting import Setting
from eval.store import read_store, write_store
from eval.systems import ask_baseline, draw_many, generate
from mmcgan.arrays import FloatArray, IntArray
from mmcgan.errors import RunError
from mmcgan.inference.network import Standardizer
from mmcgan.inference.tagger import Tagger
from mmcgan.training.prepared.dataset import Dataset
from mmcgan.training.prepared.feature_rows import StandardizedRows

N_GALLERY = 24  # photos that are shown

Log = Sequence[Mapping[str, Any]]


def report(out_dir: Path) -> dict[str, Any]:
    """Write the report of the answers that are stored in `out_dir`, and return it.

    Raises `DataError` if the store is missing or broken.
    """
    answers = read_store(out_dir)
    findings = Findings(measure(answers), answers.log, shown_photos(answers))
    write_report(out_dir, findings.report, page_of(findings))
    return findings.report


def measure(answers: Answers) -> dict[str, Any]:
    """Return the figures of a report: what was measured, and what each section measures."""
    figures: dict[str, Any] = {
        "format": "mmcgan-report",
        "format_version": 1,
        "split": answers.split,
        "tags": answers.tags,
        "relevances": list(answers.relevant),
        "n_images": len(answers.image_ids),
        "n_skipped": answers.n_skipped,
        "n_left_out": answers.n_left_out,
        "n_concepts": len(answers.concepts),
        "n_concepts_without_photo": int((~answers.annotated.any(axis=0)).sum()),
        "concepts": list(answers.concepts),
    }
    for module in section_modules():
        if hasattr(module, "measure"):
            figures = _merged(figures, module.measure(answers))
    return figures


def _merged(figures: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return both; sections may each add to the same system, for one."""
    both = {
        name: _merged(figures[name], more[name])
        for name in figures.keys() & more.keys()
        if isinstance(figures[name], dict)
    }
    return figures | more | both


def answer(
    tagger: Tagger,
    dataset: Dataset,
    config: EvaluateConfig,
    log: Log,
    facts: Mapping[str, Any],
    out_dir: Path,
) -> None:
    """Store what the model of `tagger` and its baselines answer for the photos of a split.

    Raises `RunError` if the model was made from other data, `DataError` if the split is empty.
    """
    check_same_data(tagger, dataset)
    dataset.require("train", "dev", config.split)
    tags = tagger.model.facts["tags"]
    setting = Setting(dataset, config.split, tags, dataset.vocabularies[tags])
    numbers = tagger.model.standardizer  # all that the baselines take of the run
    n_members = tagger.model.network.record.generators
    precision = tagger.model.facts.get("precision", "float32")
    learnt = fit_data(setting, numbers.mean, numbers.scale, config.seed, n_members, precision)
    features = Standardizer(numbers.mean, numbers.scale)(dataset.features_of(setting.rows))
    write_store(out_dir, _answers(tagger, learnt, features, setting, log, facts))


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


def fit_data(
    setting: Setting,
    mean: FloatArray,
    scale: FloatArray,
    seed: int,
    n_members: int = 1,
    precision: str = "float32",
) -> FitData:
    """Return what the baselines learn from: the features and tags that a run learnt from.

    `mean` and `scale` (D,) standardise the features as the run does; `n_members` is the number of
    its generators, and so of perceptrons in an ensemble; `precision` is that of its training.
    """
    dataset, vocabulary = setting.dataset, setting.vocabulary
    standardizer = Standardizer(mean, scale)
    tags = dataset.tag_matrix(setting.tags, vocabulary.words)
    train, dev = dataset.rows("train"), setting.measured_rows("dev")
    return FitData(
        StandardizedRows(dataset.features, train, standardizer, torch.device("cpu")),
        tags[train],
        standardizer(dataset.features_of(dev)),
        tags[dev],
        vocabulary.vectors,
        seed,
        n_members,
        precision,
    )


def _answers(
    tagger: Tagger,
    learnt: FitData,
    features: FloatArray,
    setting: Setting,
    log: Log,
    facts: Mapping[str, Any],
) -> Answers:
    """Ask the run, fit the baselines, ask them for standardised `features` (N, D); join all."""
    generated = generate(tagger, setting.dataset.features_of(setting.rows), setting.concepts)
    baselines = fit_baselines(learnt)
    n_words = len(setting.vocabulary)
    answered = [
        generated.predictions,
        *generated.variants,
        *(ask_baseline(b, features, setting.concept_rows, n_words) for b in baselines),
    ]
    truth = setting.dataset.truth
    return Answers(
        split=setting.split,
        tags=setting.tags,
        seed=learnt.seed,
        image_ids=setting.image_ids,
        vocabulary=setting.vocabulary,
        systems={system.name: system for system in answered},
        relevant=setting.relevant,
        n_outside={source: setting.n_outside(source) for source in setting.relevant},
        n_skipped=setting.n_skipped,
        n_left_out=setting.n_left_out,
        concepts=setting.concepts,
        annotated=setting.annotated,
        train_tags=learnt.train_tags,
        has_duplicate=near_duplicates(features, learnt.train_features),
        drawn=generated.drawn,
        scores=Scores(tagger.model.scores_are_probabilities, tagger.model.calibration),
        tuning={baseline.name: baseline.tuning for baseline in baselines},
        baselines_left_out=left_out(learnt),
        truth=truth and replace(truth, scene=truth.scene[setting.rows]),
        compared=_compared(tagger, learnt, setting, baselines, features),
        gallery=gallery_photos(setting.dataset, setting.rows),
        log=log,
        facts=facts,
    )


def _compared(
    tagger: Tagger,
    learnt: FitData,
    setting: Setting,
    baselines: Sequence[Baseline],
    features: FloatArray,
) -> Compared | None:
    """Return the many draws beside the MLP, None where that was left out."""
    mlp = next((baseline for baseline in baselines if baseline.name == "mlp"), None)
    if mlp is None:
        return None
    dev_draws, draws = (
        draw_many(tagger, setting.dataset.features_of(rows), len(setting.vocabulary))
        for rows in (setting.measured_rows("dev"), setting.rows)
    )
    return Compared(
        Photos(learnt.dev_tags, dev_draws, lambda rows: mlp.score(learnt.dev_features[rows])),
        Photos(setting.relevant[setting.tags], draws, lambda rows: mlp.score(features[rows])),
    )


def gallery_photos(dataset: Dataset, rows: IntArray) -> list[GalleryPhoto]:
    """Return those of the measured `rows` (N,) that have a thumbnail, N_GALLERY at most."""
    places = [place for place, row in enumerate(rows.tolist()) if row in dataset.thumbnails]
    annotations = dataset.tags.get("annotations")
    return [
        GalleryPhoto(
            place,
            dataset.thumbnails[row],
            dataset.tags["user"].of(row),
            annotations.of(row) if annotations else [],
        )
        for place in places[:N_GALLERY]
        for row in [int(rows[place])]
    ]
