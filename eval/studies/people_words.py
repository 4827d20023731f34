"""python -m eval.studies.people_words: make of a run on Flickr's photos the model that ships.

Its words become words for people, by `mmcgan/inference/words/rules.csv`, and what stands in the
picture joins them. What people write and what is right on a photo are two things: the scores of
words and of objects are made probabilities that a tag is right, by half A of the photographs that
were judged by eye (docs/judging). `candidates` gives these the tags to judge, `fit` takes what was
said of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

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
from mmcgan.cli import PATH, config_options, given, run_command, say
from mmcgan.errors import DataError, RunError
from mmcgan.files import read_json, write_json
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.model import read_model
from mmcgan.inference.model_dir import ModelDir, named_model
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.objects import object_words
from mmcgan.inference.words.ranking import rank_scores
from mmcgan.inference.words.rules import TABLE, RuleTable
from mmcgan.inference.words.vocabulary import normalize_tag, printed
from mmcgan.options import option
from mmcgan.training.calibrate import fit_platt

WORDS, OBJECTS = "candidates: words", "candidates: objects"  # as systems of the tables
SURE = 0.75  # share of right tags from which on a score is sure
GIVEN = 0.3  # least score of a word that is often among the best
ENOUGH_PHOTOS = 4  # that have a word, to say how often it is wrong
WEAK = 10.0  # inverse strength of the prior that keeps the scale finite
AS_IT_IS = Calibration(1.0, 0.0, 0.0)


@dataclass(frozen=True)
class PeopleWordsConfig(TablesConfig):
    """A run, and the tables of what was judged."""

    run: Path | None = option(None, "Run folder whose model is changed; the newest finished one.")
    rules: Path | None = option(
        None, "Table of the rules of words; mmcgan's own if not given. `fit` puts thresholds there."
    )

    @property
    def table(self) -> Path:
        """The table of the rules of words."""
        return self.rules or TABLE


@click.group("eval.studies.people_words")
def main() -> None:
    """Give the model of a run words for people, and scores that say how sure a tag is."""


@main.command("candidates")
@click.argument("photos", type=PATH)
@config_options(PeopleWordsConfig)
def candidates(photos: Path, **options: Any) -> None:
    """Put the best words and objects of the photographs in PHOTOS into tags.csv, to be judged."""
    config = PeopleWordsConfig(**given(options))
    folder = ModelDir(named_model(config.run))
    give_words(folder, RuleTable.read(config.table), AS_IT_IS, AS_IT_IS)
    found = pd.DataFrame(find_candidates(Tagger.load(folder.path), photos), columns=TAGS)
    half = read_photos(config.tables).query("half == 'A'")["id"]
    found = found[found["photo"].isin(half)]
    tags = read_table(config.tables / "tags.csv", TAGS, missing_is_empty=True)
    others = tags[~tags["system"].isin([WORDS, OBJECTS])]
    write_table(config.tables / "tags.csv", pd.concat([others, found]))
    say(f"{len(found)} candidates: {config.tables / 'tags.csv'}")


def find_candidates(tagger: Tagger, photos: Path) -> Iterator[tuple[str, str, int, str, float]]:
    """Yield photo, system, rank, word and score of the best words and of the best objects."""
    names = object_words().words
    no_objects = Tagger(tagger.model, objects=False)
    for path in sorted(photos.iterdir()):
        features, classes = tagger.look(path)
        if classes is None:
            raise DataError("the backbone of this run has no classes")
        words = [(tag.word, tag.score) for tag in no_objects.tag_features(features, DEPTH)[0]]
        best = rank_scores(object_words().scores(classes), DEPTH)
        objects = [(names[i], float(s)) for i, s in zip(best.rows[0], best.scores[0], strict=True)]
        for system, tags in ((WORDS, words), (OBJECTS, objects)):
            for rank, (word, score) in enumerate(tags, 1):
                yield path.stem, system, rank, printed(word), score


@main.command("fit")
@config_options(PeopleWordsConfig)
def fit(**options: Any) -> None:
    """Fit scores and thresholds to what was judged of half A; the latter go into rules.csv too."""
    config = PeopleWordsConfig(**given(options))
    judged = read_tags(config.tables).merge(read_verdicts(config.tables), on=["photo", "word"])
    judged["right"] = judged[JUDGES].mean(axis=1)
    parts = {name: judged[judged["system"] == name] for name in (WORDS, OBJECTS)}
    words, objects = (fit_scores(part) for part in parts.values())
    scored = pd.concat(
        part.assign(score=calibration(part["score"].astype(float).to_numpy(np.float32)))
        for part, calibration in zip(parts.values(), (words, objects), strict=True)
    )
    best = scored.sort_values("score").groupby(["photo", "word"], as_index=False).last()
    thresholds = fit_thresholds(best)
    fitted = {str(normalize_tag(word)): least for word, least in thresholds.items()}
    table = RuleTable.read(config.table).with_thresholds(fitted)
    table.write(config.table)
    run = named_model(config.run)
    give_words(ModelDir(run), table, words, objects)
    say(f"words: {words}\nobjects: {objects}\nthresholds: {thresholds}\nrun: {run}")


def fit_scores(judged: pd.DataFrame) -> Calibration:
    """Return what makes of `score` the probability that a tag is right, as `JUDGES` say.

    The threshold is the least probability from which on `SURE` of the tags are right. Raises
    `DataError` where higher scores are not righter.
    """
    scores = judged["score"].astype(float).to_numpy(np.float32)
    right = judged[JUDGES].to_numpy(int)
    fitted = fit_platt(np.repeat(scores, len(JUDGES)), right.ravel(), WEAK)
    if fitted is None:
        raise DataError("tags with a higher score are not judged right more often")
    scale, shift = fitted
    probabilities = Calibration(scale, shift, 0.0)(scores)
    return Calibration(scale, shift, least_sure(probabilities, right.mean(axis=1)))


def least_sure(probabilities: np.ndarray, right: np.ndarray) -> float:
    """Return the least probability from which on `SURE` of the tags are right.

    If there is none, it is just above all of them.
    """
    order = np.argsort(-probabilities, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    sure = np.flatnonzero(share >= SURE)
    return float(probabilities[order[sure[-1]]] if len(sure) else probabilities.max() + 0.001)


def fit_thresholds(judged: pd.DataFrame) -> dict[str, float]:
    """Return the least score at which a word is given, for those that need one.

    `judged` has photo, word, score, right. A word that is wrong on over a quarter of the photos, of
    at least `ENOUGH_PHOTOS`, must be as likely as makes the rest right. The annotators' words are
    on so many photos that they say little: each is kept for the tenth that it suits best.
    """
    most = round(FREQUENT * judged["photo"].nunique())
    thresholds = {}
    for word, own in judged.groupby("word"):
        best = own.sort_values("score", ascending=False)
        if word in {*ANNOTATORS_WORDS, *ANNOTATORS_WORDS.values()} and len(best) > most:
            thresholds[str(word)] = round_up(best["score"].iloc[most])
            best = best.iloc[:most]
        given = best[best["score"] >= GIVEN]
        if len(given) >= ENOUGH_PHOTOS and given["right"].mean() < SURE:
            least = least_sure(given["score"].to_numpy(), given["right"].to_numpy())
            thresholds[str(word)] = max(thresholds.get(str(word), 0.0), round_up(least))
    return thresholds


def round_up(score: float) -> float:
    """Return the next larger of scores as the table of rules writes them."""
    return float(np.ceil(score * 1000) / 1000)


def give_words(
    folder: ModelDir, table: RuleTable, words: Calibration, objects: Calibration
) -> None:
    """Put a table's rules for its words, and how sure words and objects are, into a model's file.

    The weights stay. Raises `RunError` if there is no such model.
    """
    vocabulary = read_model(folder).vocabulary.words
    rules = table.rules([*vocabulary, *object_words().words])
    description = read_json(folder.model_path, RunError)
    description.pop("synonyms", None)
    changes = {"rules": asdict(rules), "objects": asdict(objects), "calibration": asdict(words)}
    write_json(folder.model_path, description | changes)


if __name__ == "__main__":
    sys.exit(run_command(main))
