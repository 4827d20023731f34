"""python -m eval.studies.people_words: make of a run on Flickr's photos the model that ships.

Its words become words for people, by `mmcgan/inference/words/rules.csv`, and what stands in the
picture joins them. What people write and what is right on a photo are two things: few write
"nature", and it is right on many photos. So the biases of the words, and the scores of words and of
objects, are fitted to what was judged by eye (docs/judging): on photos of MIRFLICKR's dev, which
the run has not learnt from, and on half A of the photographs. `candidates` gives these the tags to
judge, `fit` takes what was said of them.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from eval.studies.judgement import ANNOTATORS_WORDS, DEPTH, FREQUENT, JUDGES
from eval.studies.judging import (
    TAGS,
    TablesConfig,
    read_photos,
    read_table,
    read_tags,
    read_verdicts,
    write_table,
)
from mmcgan.arrays import DoubleArray, FloatArray
from mmcgan.cli import PATH, config_options, given, run_command, say
from mmcgan.errors import DataError
from mmcgan.inference.calibration import Calibration, logit
from mmcgan.inference.model import Model, read_model, write_model
from mmcgan.inference.model_dir import ModelDir, named_model
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.objects import object_words
from mmcgan.inference.words.ranking import rank_scores
from mmcgan.inference.words.rules import Rules, RuleTable
from mmcgan.inference.words.vocabulary import normalize_tag, printed
from mmcgan.options import option
from mmcgan.training.calibrate import fit_platt
from mmcgan.training.prepared.dataset import read_dataset

FLICKR = ["photo", "word", "decoy", *JUDGES]  # columns of flickr.csv; the second judge saw a part
WORDS, OBJECTS = "candidates: words", "candidates: objects"  # as systems of the tables
WORDS_DEPTH = 50  # words of a photo that a verdict may be on
SHARE_RIGHT = 0.75  # share of right tags from which on a score is sure
WEAK = 10.0  # inverse strength of the prior that keeps the scale finite
# Deviation of the words' shifts, in logits: of .1 to 3 the likeliest, by 5-fold cross-validation.
PRIOR = 1.5
GENERAL = 0.05  # share of the photos for which a word holds, from which on it is general
FITTED = "fitted_to_judged_tags"  # the fact that says how many
AS_IT_IS = Calibration(1.0, 0.0, 0.0)


@dataclass(frozen=True)
class PeopleWordsConfig(TablesConfig):
    """A run, and the tables of what was judged."""

    run: Path | None = option(None, "Run folder with the model; the newest finished one.")


@dataclass(frozen=True)
class FitConfig(PeopleWordsConfig):
    """What the model is fitted to, and where it goes."""

    data: Path = option(Path("data/ship"), "Prepared data that the run has learnt from.")
    out: Path = option(Path("mmcgan/pretrained"), "Folder of the model that is made.")


@click.group("eval.studies.people_words")
def main() -> None:
    """Give the model of a run words for people, and scores that say how sure a tag is."""


@main.command("candidates")
@click.argument("photos", type=PATH)
@config_options(PeopleWordsConfig)
def candidates(photos: Path, **options: Any) -> None:
    """Put the best words and objects of half A of the photographs in PHOTOS into tags.csv."""
    config = PeopleWordsConfig(**given(options))
    model = as_judged(read_model(ModelDir(named_model(config.run))))
    found = pd.DataFrame(find_candidates(model, photos), columns=TAGS)
    half = read_photos(config.tables).query("half == 'A'")["id"]
    found = found[found["photo"].isin(half)]
    tags = read_table(config.tables / "tags.csv", TAGS, missing_is_empty=True)
    others = tags[~tags["system"].isin([WORDS, OBJECTS])]
    write_table(config.tables / "tags.csv", pd.concat([others, found]))
    say(f"{len(found)} candidates: {config.tables / 'tags.csv'}")


def as_judged(model: Model) -> Model:
    """Return a model that gives words for people, each with the score of its own words alone."""
    rules = Rules(RuleTable.read().rules(model.vocabulary.words).becomes)
    return replace(model, rules=rules, calibration=AS_IT_IS, objects=AS_IT_IS)


def find_candidates(model: Model, photos: Path) -> Iterator[tuple[str, str, int, str, float]]:
    """Yield photo, system, rank, word and score of the best words and of the best objects."""
    names, tagger, no_objects = object_words().words, Tagger(model), Tagger(model, objects=False)
    for path in sorted(photos.iterdir()):
        features, classes = tagger.look(path)
        if classes is None:
            raise DataError("the backbone of this run has no classes")
        words = [(t.word, t.score) for t in no_objects.tag_features(features, WORDS_DEPTH)[0]]
        best = rank_scores(object_words().scores(classes), DEPTH)
        objects = [(names[i], float(s)) for i, s in zip(best.rows[0], best.scores[0], strict=True)]
        for system, tags in ((WORDS, words), (OBJECTS, objects)):
            for rank, (word, score) in enumerate(tags, 1):
                yield path.stem, system, rank, printed(word), score


@main.command("fit")
@config_options(FitConfig)
def fit(**options: Any) -> None:
    """Make the model: its biases, scores and thresholds fitted to what was judged."""
    config = FitConfig(**given(options))
    model = read_model(ModelDir(named_model(config.run)))
    flickr, features = read_flickr(config, model)
    judged = read_photographs(config.tables)
    of_words, of_objects = (judged[judged["system"] == system] for system in (WORDS, OBJECTS))
    words = pd.concat([score_words(model, flickr, features), of_words])
    calibration, shifts = fit_words(words)
    objects = fit_objects(of_objects)
    facts = {**model.facts, FITTED: len(words)}
    rules = RuleTable.read().rules([*model.vocabulary.words, *object_words().words])
    fitted = shifted(model, rules, shifts)
    fitted = replace(fitted, calibration=calibration, objects=objects, facts=facts)
    fitted = replace(fitted, rules=with_general(rules, word_scores(fitted, features)))
    write_model(ModelDir(config.out), fitted)
    say(f"words: {calibration}, by {len(words)} judged tags that the model can give")
    say(f"objects: {objects}")
    say(f"general words: {', '.join(sorted(fitted.rules.general))}")
    say(f"model: {config.out}")


def read_flickr(config: FitConfig, model: Model) -> tuple[pd.DataFrame, FloatArray]:
    """Return what was judged of photos of dev, and the features (N, D) of these photos.

    They are in the order of `photo`. Raises `DataError` if the run has learnt from them.
    """
    judged = with_right(read_table(config.tables / "flickr.csv", FLICKR).query("decoy == '0'"))
    dataset = read_dataset(config.data)
    if model.facts["dataset_id"] != dataset.dataset_id:
        raise DataError(f"the run has not learnt from {config.data}")
    if model.facts.get("refitted_on_dev"):
        raise DataError("the run was trained with --refit, so it knows the photos that were judged")
    if model.bias is None or FITTED in model.facts:
        raise DataError("the run has learnt no words, or is made of what was judged already")
    row_of = {str(image): row for row, image in enumerate(dataset.image_ids)}
    photos = sorted(set(judged["photo"]))
    if unknown := [photo for photo in photos if photo not in row_of]:
        raise DataError(f"{config.data} has no photo {unknown[0]}, which flickr.csv has")
    return judged, dataset.features_of([row_of[photo] for photo in photos])


def read_photographs(tables: Path) -> pd.DataFrame:
    """Return what systems said of the photographs and was judged, the candidates among it."""
    return with_right(read_tags(tables).merge(read_verdicts(tables), on=["photo", "word"]))


def with_right(judged: pd.DataFrame) -> pd.DataFrame:
    """Return verdicts with their mean as `right`; the second judge may have seen but a part."""
    verdicts = judged[JUDGES].apply(pd.to_numeric)
    return judged.assign(right=verdicts.mean(axis=1))


def score_words(model: Model, judged: pd.DataFrame, features: FloatArray) -> pd.DataFrame:
    """Return the judged words of photos that the model gives, with their scores.

    `features` (N, D) are those of the photos, in order.
    """
    tagger = Tagger(as_judged(model), objects=False)
    tags = tagger.tag_features(features, len(model.vocabulary))
    scores = [
        (photo, printed(tag.word), tag.score)
        for photo, found in zip(sorted(set(judged["photo"])), tags, strict=True)
        for tag in found
    ]
    return judged.merge(pd.DataFrame(scores, columns=["photo", "word", "score"]))


def fit_words(judged: pd.DataFrame) -> tuple[Calibration, dict[str, float]]:
    """Return the calibration of scores, and what each word's logit is shifted by to be right.

    Of `judged` (word, score, right). The model is right = sigmoid(scale · logit(score) + shift +
    own shift of the word), with a normal prior on the words' own: a Platt scaling (Platt 1999) with
    a random intercept a word. Shifts are in logits of the score, before it is scaled.
    """
    words, column = np.unique(judged["word"].to_numpy(str), return_inverse=True)
    logits = logit(judged["score"].to_numpy(np.float32))
    right = judged["right"].to_numpy(float)

    def loss(parameters: DoubleArray) -> tuple[float, DoubleArray]:
        scale, shift, own = parameters[0], parameters[1], parameters[2:]
        score = scale * logits + shift + own[column]
        residual = expit(score) - right
        of_words = np.bincount(column, residual, len(words)) + own / PRIOR**2
        value = (np.logaddexp(0, score) - right * score).sum() + (own**2).sum() / (2 * PRIOR**2)
        return float(value), np.concatenate([[residual @ logits, residual.sum()], of_words])

    start = np.concatenate([[1.0, 0.0], np.zeros(len(words))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
    scale, shift, own = found[0], found[1], found[2:]
    if scale <= 0:
        raise DataError("words with a higher score are not judged right more often")
    probabilities = expit(scale * logits + shift + own[column])
    sure = least_sure(probabilities, right)
    shifts = {str(normalize_tag(w)): float(o / scale) for w, o in zip(words, own, strict=True)}
    return Calibration(float(scale), float(shift), sure), shifts


def fit_objects(judged: pd.DataFrame) -> Calibration:
    """Return what makes of an object's `score` the probability that it is right, (Platt 1999)."""
    scores = judged["score"].to_numpy(np.float32)
    right = judged[JUDGES].to_numpy(int)
    fitted = fit_platt(np.repeat(scores, len(JUDGES)), right.ravel(), WEAK)
    if fitted is None:
        raise DataError("objects with a higher score are not judged right more often")
    probabilities = Calibration(*fitted, 0.0)(scores)
    return Calibration(*fitted, least_sure(probabilities, right.mean(axis=1)))


def least_sure(probabilities: np.ndarray, right: np.ndarray) -> float:
    """Return the least probability from which on `SHARE_RIGHT` of the tags are right.

    If there is none, it is just above all of them.
    """
    order = np.argsort(-probabilities, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    sure = np.flatnonzero(share >= SHARE_RIGHT)
    return float(probabilities[order[sure[-1]]] if len(sure) else probabilities.max() + 0.001)


def shifted(model: Model, rules: Rules, shifts: Mapping[str, float]) -> Model:
    """Return a model with rules, and with biases shifted for what its words become."""
    names = [rules.becomes.get(word, word) for word in model.vocabulary.words]
    own = np.array([shifts.get(name, 0.0) for name in names], np.float32)
    assert model.bias is not None
    return replace(model, rules=rules, bias=model.bias + own)


def word_scores(model: Model, features: FloatArray) -> dict[str, FloatArray]:
    """Return the scores (N,) of each word for people, 0 where a photo is not given it.

    `features` (N, D) are of photos of all kinds.
    """
    tags = Tagger(model, objects=False).tag_features(features, len(model.vocabulary))
    scores: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(features), np.float32))
    for row, found in enumerate(tags):
        for tag in found:
            scores[tag.word][row] = tag.score
    return scores


def with_general(rules: Rules, scores: Mapping[str, FloatArray]) -> Rules:
    """Return rules that say which words are general, by their `scores` (N,) on photos of all kinds.

    The annotators' words are on so many photos that each is kept for the tenth it suits best.
    """
    names = [str(normalize_tag(name)) for pair in ANNOTATORS_WORDS.items() for name in pair]
    few = {n: float(np.quantile(scores[n], 1 - FREQUENT)) for n in names if n in scores}
    general = frozenset(word for word, own in scores.items() if own.mean() > GENERAL)
    return replace(rules, thresholds={**rules.thresholds, **few}, general=general)


if __name__ == "__main__":
    sys.exit(run_command(main))
