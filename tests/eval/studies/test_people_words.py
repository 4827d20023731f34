"""What makes of a run the model that ships: words for people, and scores that say what is right."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from helpers.models import MIXTURE, SEEING, WORDS, make_model, save, seeing_backbone
from helpers.photos import make_photo

from eval.studies import people_words
from eval.studies.judging import PHOTOS, TAGS, VERDICTS, read_table, write_table
from eval.studies.people_words import (
    OBJECTS,
    fit_scores,
    fit_thresholds,
    least_sure,
    main,
)
from mmcgan.cli import run_command
from mmcgan.errors import DataError
from mmcgan.inference import tagger as tagger_module
from mmcgan.inference.model import read_model
from mmcgan.inference.words.objects import ObjectWords
from mmcgan.inference.words.rules import NEVER, RuleTable

THREE_THINGS = ObjectWords(("daisy", "pier", "tomato"), np.eye(3, dtype=np.float32))


def judged(scores: list[float], right: list[tuple[int, int]]) -> pd.DataFrame:
    table = pd.DataFrame(right, columns=["judge1", "judge2"])
    return table.assign(score=[str(score) for score in scores])


def of_word(word: str, scores: list[float], right: list[float]) -> pd.DataFrame:
    photos = [str(number) for number in range(len(scores))]
    return pd.DataFrame({"photo": photos, "word": word, "score": scores, "right": right})


def test_scores_become_the_share_of_right_tags():
    scores = [0.9] * 10 + [0.1] * 10
    right = [(1, 1)] * 9 + [(0, 0)] + [(0, 0)] * 8 + [(1, 1)] + [(1, 0)]
    found = fit_scores(judged(scores, right))
    assert found(np.float32([0.9, 0.1])) == pytest.approx([0.9, 0.15], abs=0.03)


def test_scores_that_do_not_tell_what_is_right_are_refused():
    with pytest.raises(DataError, match="not judged right more often"):
        fit_scores(judged([0.9, 0.8, 0.2, 0.1], [(0, 0), (0, 0), (1, 1), (1, 1)]))


def test_sure_is_the_least_probability_with_three_in_four_right():
    probabilities = np.array([0.2, 0.9, 0.8, 0.7, 0.6])
    assert least_sure(probabilities, np.array([0, 1, 1, 0, 1])) == 0.6
    assert least_sure(probabilities, np.array([0, 1, 1, 0, 0])) == 0.8
    assert least_sure(probabilities, np.zeros(5)) == pytest.approx(0.901)


def test_word_that_is_often_wrong_must_be_as_likely_as_makes_it_right():
    often = of_word("lake", [0.9, 0.8, 0.7, 0.6, 0.5, 0.2], [1, 1, 0, 0, 0, 0])
    seldom = of_word("cave", [0.9, 0.8], [0, 0])
    right = of_word("dog", [0.9, 0.8, 0.7, 0.6], [1, 1, 1, 0])
    assert fit_thresholds(pd.concat([often, seldom, right])) == {"lake": 0.8}


def test_the_annotators_words_are_kept_for_a_tenth_of_the_photos():
    scores = [0.99 - 0.01 * number for number in range(20)]
    plant, dog = (of_word(word, scores, [1.0] * 20) for word in ("plant", "dog"))
    (found,) = fit_thresholds(pd.concat([plant, dog])).items()
    assert found == ("plant", 0.97)
    assert sum(score > 0.97 for score in scores) == 2


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tagger_module, "restore_backbone", lambda record: seeing_backbone())
    for module in (tagger_module, people_words):
        monkeypatch.setattr(module, "object_words", lambda: THREE_THINGS)
    vocabulary = make_model(MIXTURE).vocabulary
    words = ("flowers", "london", *WORDS[2:])
    named = type(vocabulary)(words, vocabulary.vectors, vocabulary.n_photos)
    return save(make_model(MIXTURE, backbone=SEEING, vocabulary=named), tmp_path / "run")


def run(command: str, folder, tables, *arguments: str) -> None:
    options = [command, *arguments, "--run", str(folder.path), "--tables", str(tables)]
    assert run_command(main, options) == 0


def test_candidates_are_judged_and_make_the_model(folder, tmp_path):
    tables, photos, rules = tmp_path / "tables", tmp_path / "photos", tmp_path / "rules.csv"
    RuleTable.read().write(rules)
    photos.mkdir()
    for name in ("1", "2"):
        (photos / f"{name}.jpg").write_bytes(make_photo("red"))
    rows = [[name, "p", "1", f"{name}.jpg", "0", "dog", "", half] for name, half in ("1A", "2B")]
    write_table(tables / "photos.csv", pd.DataFrame(rows, columns=PHOTOS))
    weights = folder.weights_path.read_bytes()

    run("candidates", folder, tables, str(photos), "--rules", str(rules))
    tags = read_table(tables / "tags.csv", TAGS)
    assert set(tags["photo"]) == {"1"}
    assert {"flower", "tomato"} <= set(tags["word"])
    assert not {"flowers", "london"} & set(tags["word"])

    right = [int(float(score) > 0.3) for score in tags["score"]]
    verdicts = tags.assign(judge1=right, judge2=right)[VERDICTS]
    write_table(tables / "verdicts.csv", verdicts.drop_duplicates(["photo", "word"]))
    run("fit", folder, tables, "--rules", str(rules))
    found = read_model(folder)
    assert found.objects is not None
    assert found.calibration is not None
    assert found.objects.threshold <= 1
    assert found.rules.becomes["flowers"] == "flower"
    assert found.rules.becomes["london"] == NEVER
    assert folder.weights_path.read_bytes() == weights
    assert OBJECTS in set(tags["system"])
    assert "london" not in json.loads(folder.model_path.read_text("utf-8"))["rules"]["thresholds"]
