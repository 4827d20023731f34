"""Open vocabulary: one call from end to end on words whose vectors tell their topic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.datasets import TOPICS
from helpers.studies import SMALL, small_baselines
from scipy import sparse
from scipy.special import logit

from eval.baselines.tuning import FitData, Try
from eval.studies.comparison import train_run
from eval.studies.open_vocabulary import (
    Words,
    choose_on_seen,
    conse_tries,
    main,
    photos_of,
    with_withheld,
)
from eval.studies.unseen import MEASURES
from mmcgan.cli import run_command
from mmcgan.errors import DataError, RunError
from mmcgan.files import read_json
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.vocabulary import Vocabulary, unit_rows
from mmcgan.training.config import TrainConfig
from mmcgan.training.prepared.dataset import FILE_NAME, SPLITS, Dataset, TagTable, write_dataset
from mmcgan.training.runs import RunDir

TAKEN = tuple(words[0] for words in TOPICS)  # one word a topic: beach, animal, café, flower
LEARNT = TrainConfig.of(
    "modern",
    **(SMALL | {"noise_units": 8, "image_units": 64, "epochs": 20, "evaluate_every": 100}),
)


def withhold(dataset: Dataset) -> Dataset:
    """Take a word of each topic from train and dev; the vectors of a topic's words are near."""
    table, is_learnt = dataset.tags["user"], dataset.split < 2
    lists = [
        [w for w in table.of(row) if not (is_learnt[row] and w in TAKEN)]
        for row in range(len(is_learnt))
    ]
    every = dataset.vocabularies["user"]
    random = np.random.default_rng(0)
    centres = 3 * random.normal(size=(len(TOPICS), 6))
    topic_of = {word: i for i, words in enumerate(TOPICS) for word in words}
    vectors = np.array([centres[topic_of[w]] for w in every.words])
    vectors = unit_rows(vectors + random.normal(size=vectors.shape) / 2)

    def part(words: list[str]) -> Vocabulary:
        rows = every.rows(words)
        return Vocabulary(tuple(words), vectors[rows], every.n_photos[rows])

    seen = [word for word in every.words if word not in TAKEN]
    return replace(
        dataset,
        tags={"user": TagTable.from_lists(lists)},
        vocabularies={"user": part(seen), "withheld": part(sorted(TAKEN))},
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_dataset):
    """A finished call on data with withheld words and a run on them: (data, run, out)."""
    folder = tmp_path_factory.mktemp("open")
    dataset = withhold(make_dataset(n_images=400))
    write_dataset(dataset, folder / "data" / FILE_NAME)
    train_run(dataset, LEARNT.with_options(tags="user"), RunDir(folder / "run"))
    assert call(folder / "data", folder / "run", folder / "out") == 0
    return folder / "data", folder / "run", folder / "out"


def call(data: Path, run: Path, out: Path, *options: str) -> int:
    names = ["--data", str(data), "--run", str(run), "--out", str(out)]
    with small_baselines():
        return run_command(main, [*names, *options])


@pytest.fixture(scope="module")
def results(study):
    return read_json(study[2] / "open-vocabulary-val.json", RunError)


def test_call_counts_words_and_photos(results):
    assert results["n_words"] == {"seen": 12, "withheld": 4}
    n_photos = results["n_photos"]
    assert n_photos["all"] == 40  # of val, also those with a withheld word alone
    assert 0 < n_photos["with a withheld word"] < 40
    assert 0 < n_photos["with a seen word"] < 40
    assert n_photos["with a seen word"] + n_photos["with a withheld word"] >= 40


def test_call_measures_every_system(results):
    assert list(results["systems"]) == ["cgan", "regression", "conse", "frequency", "chance"]
    assert results["systems"].keys() == results["descriptions"].keys()
    for figures in results["systems"].values():
        assert figures.keys() == MEASURES.keys()
        for figure in figures.values():
            assert figure["low"] <= figure["value"] + 1e-9
            assert figure["value"] <= figure["high"] + 1e-9


def test_words_that_no_photo_showed_are_found_by_their_vectors(results):
    # By chance the one right word of four is at rank 1 … 4: (1 + 1/2 + 1/3 + 1/4) / 4.
    value = {n: figures["MiAP alone"]["value"] for n, figures in results["systems"].items()}
    assert value["chance"] == pytest.approx(25 / 48)
    for name in ("cgan", "regression", "conse"):
        assert value[name] > 0.8, name
    for name in ("cgan", "regression", "conse"):
        harmonic = results["systems"][name]["R@10 harmonic"]["value"]
        assert harmonic > results["systems"]["chance"]["R@10 harmonic"]["value"], name


def test_call_says_how_map_and_rivals_were_chosen(results):
    tried = results["map"]["tried"]
    best = max(tried, key=lambda trial: trial["explained"])
    assert results["map"]["chosen"] == {name: best[name] for name in ("gamma", "penalty")}
    assert results["map"]["stretch"] > 0
    assert 0 < best["explained"] <= 1
    assert results["tuning"].keys() == {"mlp", "regression", "conse"}
    tried = results["tuning"]["conse"]["tried"]
    assert [trial["params"]["n_words"] for trial in tried] == [1, 5, 10, 50, "all"]


def test_call_writes_a_table(study):
    lines = (study[2] / "open-vocabulary-val.md").read_text().splitlines()
    assert lines[0].startswith("12 seen and 4 withheld words; measured on 40 photos of val, ")
    assert lines[2] == "| | " + " | ".join(MEASURES) + " |"
    rows = [line for line in lines[4:] if line.startswith("|")]
    assert [row.split(" | ")[0] for row in rows] == [
        "| cgan",
        "| regression",
        "| conse",
        "| frequency",
        "| chance",
    ]
    assert "- conse: ConSE (Norouzi et al. 2014)" in "\n".join(lines)


def test_call_gives_the_same_again(study):
    data, run, out = study
    before = (out / "open-vocabulary-val.json").read_bytes()
    assert call(data, run, out, "--split", "val") == 0
    assert (out / "open-vocabulary-val.json").read_bytes() == before


def test_data_without_withheld_words_are_refused(trained, tmp_path, capsys):
    data, run = trained
    assert call(data, run, tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "no words are withheld from small; prepare data with --withhold 0.1" in error
    assert not (tmp_path / "out").exists()


def test_run_of_the_preset_paper_is_refused(study, tmp_path, capsys, make_dataset):
    dataset = withhold(make_dataset(n_images=400))
    train_run(dataset, TrainConfig.from_options(**SMALL, tags="user"), RunDir(tmp_path / "paper"))
    assert call(study[0], tmp_path / "paper", tmp_path / "out") == 1
    assert "preset paper" in capsys.readouterr().err


def test_run_on_other_data_is_refused(study, trained, tmp_path, capsys):
    assert call(study[0], trained[1], tmp_path / "out") == 1
    assert "the run was made from other data" in capsys.readouterr().err


def test_dev_cannot_be_measured(study, tmp_path, capsys):
    assert call(*study[:2], tmp_path / "out", "--split", "dev") == 2
    assert "--split" in capsys.readouterr().err


def test_split_without_a_withheld_word_is_named(make_dataset):
    dataset = withhold(make_dataset())
    words = Words(dataset.vocabularies["user"], dataset.vocabularies["withheld"])
    train = dataset.split == SPLITS.index("train")
    with pytest.raises(
        DataError, match="no photo of the split train of small carries one of the 4"
    ):
        photos_of(dataset, "train", words)
    rows, relevant = photos_of(dataset, "val", words)
    assert relevant.shape == (len(rows), 16)
    assert not train[rows].any()
    shown = [{words.all[w] for w in tags.indices} for tags in relevant]
    assert shown == [set(dataset.tags["user"].of(row)) for row in rows]


def test_model_and_data_name_the_seen_words_in_one_order(study, make_dataset):
    dataset = withhold(make_dataset(n_images=400))
    assert Tagger.load(study[1]).model.vocabulary.words == dataset.vocabularies["user"].words


# The rivals, by hand: two seen words at right angles, a withheld one between them.


def two_and_one() -> Words:
    seen = Vocabulary(("a", "b"), np.eye(2, dtype=np.float32), np.ones(2, np.int64))
    between = unit_rows([[1, 1]])
    return Words(seen, Vocabulary(("z",), between, np.array([3], np.int64)))


def test_words_are_the_seen_ones_first():
    words = two_and_one()
    assert words.all == ("a", "b", "z")
    assert words.n_photos.tolist() == [1, 1, 3]
    assert words.vectors == pytest.approx(np.array([[1, 0], [0, 1], [0.5**0.5, 0.5**0.5]]))


def test_conse_combines_the_most_probable_seen_words():
    logits = logit(np.array([[0.8, 0.4]])).astype(np.float32)
    features = np.zeros((1, 3), np.float32)
    found = {
        t.params["n_words"]: t.score(features) for t in conse_tries(lambda _: logits, two_and_one())
    }
    assert list(found) == [1, 5, 10, 50, "all"]
    assert found[1] == pytest.approx(np.array([[1, 0, 0.5**0.5]]), abs=1e-6)
    # (.8, .4) has the norm √.8: cosines .8/√.8, .4/√.8 and 1.2/√1.6.
    both = np.array([[0.8**0.5, 0.4 / 0.8**0.5, 1.2 / 1.6**0.5]])
    for n_words in (5, 10, 50, "all"):
        assert found[n_words] == pytest.approx(both, abs=1e-6)


def learnt() -> FitData:
    tags = sparse.csr_array(np.array([[1, 0], [0, 1]], np.float32))
    features = np.eye(2, dtype=np.float32)
    return FitData(features, tags, features, tags, np.eye(2, dtype=np.float32), 0)


def test_with_withheld_adds_words_that_no_photo_carries():
    words = two_and_one()
    found = with_withheld(learnt(), words)
    assert found.train_tags.toarray().tolist() == [[1, 0, 0], [0, 1, 0]]
    assert found.dev_tags.shape == (2, 3)
    assert found.word_vectors is words.vectors


def test_choose_on_seen_does_not_look_at_withheld_words(monkeypatch):
    # P@10 of two words is the same for every order; P@1 tells them apart.
    monkeypatch.setattr(
        FitData, "dev_precision", lambda self, score: float(score(self.dev_features).trace())
    )
    right, wrong = np.eye(2, 3, dtype=np.float32), np.zeros((2, 3), np.float32)
    wrong[:, 2] = 9
    tries = [Try({"n": i}, lambda _, s=s: s) for i, s in enumerate([wrong, right, right])]
    rival = choose_on_seen("x", iter(tries), learnt())
    assert rival.tuning["chosen"] == {"n": 1}
    assert rival.tuning["tried"][0] == {"params": {"n": 0}, "P@10": 0}
    assert rival.score(np.zeros((2, 2), np.float32)).shape == (2, 3)
