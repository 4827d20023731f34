"""What makes of a run the model that ships: words for people, and scores that say what is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.datasets import build_dataset
from helpers.models import FACTS, MIXTURE, SEEING, WORDS, D, make_model, save, seeing_backbone
from helpers.photos import make_photo
from scipy.special import expit

from eval.studies import people_words
from eval.studies.judging import PHOTOS, TAGS, VERDICTS, read_table, write_table
from eval.studies.people_words import (
    FITTED,
    FLICKR,
    OBJECTS,
    fit_objects,
    fit_words,
    least_sure,
    main,
    shifted,
    with_general,
    with_right,
)
from eval.studies.people_words import (
    WORDS as OF_WORDS,
)
from mmcgan.cli import run_command
from mmcgan.errors import DataError
from mmcgan.inference import tagger as tagger_module
from mmcgan.inference.calibration import logit
from mmcgan.inference.model import read_model
from mmcgan.inference.model_dir import ModelDir
from mmcgan.inference.words.objects import ObjectWords
from mmcgan.inference.words.rules import NEVER, Rules
from mmcgan.training.prepared.dataset import FILE_NAME, write_dataset

THREE_THINGS = ObjectWords(("daisy", "pier", "tomato"), np.eye(3, dtype=np.float32))


def judged(scores: list[float], right: list[tuple[int, int]]) -> pd.DataFrame:
    table = pd.DataFrame(right, columns=["judge1", "judge2"])
    return table.assign(score=scores, right=table.mean(axis=1))


def test_scores_of_objects_become_the_share_of_right_tags():
    scores = [0.9] * 10 + [0.1] * 10
    right = [(1, 1)] * 9 + [(0, 0)] + [(0, 0)] * 8 + [(1, 1)] + [(1, 0)]
    found = fit_objects(judged(scores, right))
    assert found(np.float32([0.9, 0.1])) == pytest.approx([0.9, 0.15], abs=0.03)


def test_scores_that_do_not_tell_what_is_right_are_refused():
    backwards = judged([0.9, 0.8, 0.2, 0.1], [(0, 0), (0, 0), (1, 1), (1, 1)])
    with pytest.raises(DataError, match="not judged right more often"):
        fit_objects(backwards)
    with pytest.raises(DataError, match="not judged right more often"):
        fit_words(backwards.assign(word="sea"))


def test_words_that_few_write_and_are_right_are_shifted_up():
    # All have the same scores; "nature" is always right, "night" never, "sea" as often as not.
    random = np.random.default_rng(0)
    scores = random.uniform(0.2, 0.8, 600).astype(np.float32)
    words = np.repeat(["nature", "night", "sea"], 200)
    right = np.select([words == "nature", words == "night"], [1, 0], scores > 0.5)
    table = pd.DataFrame({"word": words, "score": scores, "right": right.astype(float)})
    calibration, shifts = fit_words(table)
    assert shifts["nature"] > 1
    assert shifts["night"] < -1
    assert abs(shifts["sea"]) < 1
    seen = table["word"].map(shifts).to_numpy()
    fitted = calibration(expit(logit(scores) + seen).astype(np.float32))
    for word in ("nature", "night", "sea"):
        own = (table["word"] == word).to_numpy()
        assert fitted[own].mean() == pytest.approx(right[own].mean(), abs=0.03)


def test_a_word_that_was_judged_once_is_hardly_shifted():
    many = pd.DataFrame({"word": "sea", "score": [0.2, 0.8] * 50, "right": [0.0, 1.0] * 50})
    once = pd.DataFrame({"word": ["cave"], "score": [0.8], "right": [0.0]})
    _, shifts = fit_words(pd.concat([many, once]))
    assert -1.5 < shifts["cave"] < 0


def test_the_second_judge_may_have_seen_only_a_part():
    table = pd.DataFrame({"judge1": ["1", "1", "0"], "judge2": ["", "0", ""]})
    assert with_right(table)["right"].tolist() == [1, 0.5, 0]


def test_sure_is_the_least_probability_with_three_in_four_right():
    probabilities = np.array([0.2, 0.9, 0.8, 0.7, 0.6])
    assert least_sure(probabilities, np.array([0, 1, 1, 0, 1])) == 0.6
    assert least_sure(probabilities, np.array([0, 1, 1, 0, 0])) == 0.8
    assert least_sure(probabilities, np.zeros(5)) == pytest.approx(0.901)


def test_words_that_hold_for_many_photos_are_general_and_the_annotators_kept_for_a_tenth():
    few, many = np.zeros(20, np.float32), np.full(20, 0.5, np.float32)
    few[0] = 0.9
    plant = np.linspace(0.01, 0.2, 20, dtype=np.float32)
    rules = with_general(
        Rules(thresholds={"beagle": 0.6}), {"blue": many, "jellyfish": few, "plant": plant}
    )
    assert rules.general == {"blue", "plant"}
    assert rules.thresholds.keys() == {"beagle", "plant"}
    assert (plant >= rules.thresholds["plant"]).sum() == 2


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tagger_module, "restore_backbone", lambda record: seeing_backbone())
    for module in (tagger_module, people_words):
        monkeypatch.setattr(module, "object_words", lambda: THREE_THINGS)
    dataset = build_dataset(feature_size=D)
    write_dataset(dataset, tmp_path / "data" / FILE_NAME)
    vocabulary = make_model(MIXTURE).vocabulary
    words = ("flowers", "london", *WORDS[2:])
    named = type(vocabulary)(words, vocabulary.vectors, vocabulary.n_photos)
    facts = FACTS | {"dataset_id": dataset.dataset_id}
    model = make_model(MIXTURE, backbone=SEEING, vocabulary=named, facts=facts)
    return save(model, tmp_path / "run")


@pytest.fixture
def tables(folder, tmp_path):
    tables, photos = tmp_path / "tables", tmp_path / "photos"
    photos.mkdir()
    for name in ("1", "2"):
        (photos / f"{name}.jpg").write_bytes(make_photo("red"))
    rows = [[name, "p", "1", f"{name}.jpg", "0", "dog", "", half] for name, half in ("1A", "2B")]
    write_table(tables / "photos.csv", pd.DataFrame(rows, columns=PHOTOS))
    run("candidates", folder, tables, str(photos))
    tags = read_table(tables / "tags.csv", TAGS)
    right = [int(float(score) > 0.3) for score in tags["score"]]
    verdicts = tags.assign(judge1=right, judge2=right)[VERDICTS]
    write_table(tables / "verdicts.csv", verdicts.drop_duplicates(["photo", "word"]))
    flickr = [
        ["4", "sea", "0", "1", "0"],
        ["4", "night", "0", "0", ""],
        ["14", "rose", "1", "1", ""],
    ]
    write_table(tables / "flickr.csv", pd.DataFrame(flickr, columns=FLICKR))
    return tables


def run(command: str, folder, tables, *arguments: str) -> int:
    options = [command, *arguments, "--run", str(folder.path), "--tables", str(tables)]
    return run_command(main, options)


def test_candidates_are_of_half_a_and_leave_the_model_alone(folder, tables):
    tags = read_table(tables / "tags.csv", TAGS)
    assert set(tags["photo"]) == {"1"}
    assert set(tags["system"]) == {OF_WORDS, OBJECTS}
    assert {"flower", "tomato"} <= set(tags["word"])
    assert not {"flowers", "london"} & set(tags["word"])
    assert read_model(folder).rules == Rules()


def test_a_model_is_made_of_what_was_judged(folder, tables, tmp_path):
    before = folder.model_path.read_bytes(), folder.weights_path.read_bytes()
    out = tmp_path / "made"
    assert run("fit", folder, tables, "--data", str(tmp_path / "data"), "--out", str(out)) == 0
    assert (folder.model_path.read_bytes(), folder.weights_path.read_bytes()) == before
    found, given = read_model(ModelDir(out)), read_model(folder)
    assert found.objects is not None
    assert found.calibration is not None
    assert found.rules.becomes["flowers"] == "flower"
    assert found.rules.becomes["london"] == NEVER
    assert found.rules.general
    changed = found.bias - given.bias
    words = found.vocabulary.words
    assert changed[words.index("london")] == 0  # which nobody was asked about
    assert changed[words.index("sea")] != 0
    assert np.array_equal(found.vocabulary.vectors, given.vocabulary.vectors)
    assert found.facts[FITTED] > 2


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"refitted_on_dev": True}, "--refit"),
        ({"dataset_id": "other"}, "has not learnt from"),
        ({FITTED: 3}, "already"),
    ],
)
def test_a_run_that_knows_the_judged_photos_is_refused(
    folder, tables, tmp_path, capsys, facts, words
):
    model = read_model(folder)
    known = save(replace(model, facts={**model.facts, **facts}), tmp_path / "known")
    out = tmp_path / "made"
    assert run("fit", known, tables, "--data", str(tmp_path / "data"), "--out", str(out)) == 1
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_all_words_that_become_one_are_shifted_like_it():
    model = make_model(MIXTURE)
    rules = Rules({"rose": "flower"})
    found = shifted(model, rules, {"flower": 0.5, "unheard of": 3.0})
    change = dict(zip(WORDS, found.bias - model.bias, strict=True))
    assert change["rose"] == change["flower"] == pytest.approx(0.5)
    assert change["sea"] == 0
    assert found.rules == rules
