import json
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from eval import systems
from eval.baselines.perceptrons import ENSEMBLE
from eval.baselines.tuning import Baseline
from eval.systems import VOTE, generate
from mmcgan.cli import run_command
from mmcgan.evaluate import main
from mmcgan.inference.tagger import Tagger
from mmcgan.inference.words.ranking import count_votes
from mmcgan.training.prepared.dataset import FILE_NAME, SPLITS, read_dataset, write_dataset

RIVALS = ["frequency", "knn", "regression", "ridge", "mlp"]


def reported(trained, out):
    data, run = trained
    options = ["--run", str(run), "--data", str(data), "--split", "val", "--out", str(out)]
    assert run_command(main, options) == 0
    return out


@pytest.fixture(scope="module")
def report_dir(trained, tmp_path_factory):
    return reported(trained, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def report(report_dir):
    return json.loads((report_dir / "report.json").read_text())


@pytest.fixture(scope="module")
def modern_dir(trained_modern, tmp_path_factory):
    return reported(trained_modern, tmp_path_factory.mktemp("modern-report"))


def test_report_has_all_systems_with_their_roles(report):
    roles = {name: system["role"] for name, system in report["systems"].items()}
    assert roles == {"cgan": "cgan", **dict.fromkeys(RIVALS, "rival")}


def test_data_prepared_before_half_precision_is_evaluated(trained, report, tmp_path):
    data, run = tmp_path / "data", trained[1]
    shutil.copytree(trained[0], data)
    with h5py.File(data / FILE_NAME, "a") as file:
        assert file["features"].dtype == np.float32
        file.attrs["format_version"] = 1
    out = reported((data, run), tmp_path / "report")
    again = json.loads((out / "report.json").read_text())
    assert again["systems"] == report["systems"]


def test_report_has_every_measure_with_an_interval(report, trained):
    dataset = read_dataset(trained[0])
    assert report["n_images"] == len(dataset.rows("val"))
    n_val = int((dataset.split == SPLITS.index("val")).sum())
    assert report["n_skipped"] == n_val - report["n_images"]
    assert report["n_concepts"] == 4
    for system in report["systems"].values():
        for relevance in ("user", "user+annotations"):
            assert {"P@1", "P@5", "P@10", "R@10", "MiAP"} <= set(system[relevance])
            for figure in system[relevance].values():
                assert figure["low"] <= figure["value"] <= figure["high"]
        assert set(system["concept_MAP"]) == {"value", "low", "high"}


def test_of_very_many_photos_some_are_measured_and_the_report_says_so(
    trained, tmp_path, monkeypatch
):
    data, run = trained
    monkeypatch.setattr("mmcgan.training.prepared.dataset.MAX_MEASURED", 7)
    monkeypatch.setattr("eval.baselines.tuning.MAX_WEIGHTS", 17 * 6)  # those of the ridge
    report = json.loads((reported((data, run), tmp_path) / "report.json").read_text())
    assert report["n_images"] == 7
    assert report["n_left_out"] == len(read_dataset(data).rows("val")) - 7
    assert list(report["systems"]) == ["cgan", *RIVALS[:-1]]
    assert list(report["rivals_left_out"]) == ["mlp", "mlp_ensemble"]
    assert "distribution" not in report
    assert "The baseline mlp was left out" in (tmp_path / "report.md").read_text()


def test_report_has_the_controls_of_the_generator(report):
    checks = report["cgan_checks"]
    assert set(checks) == {
        "distinct_words",
        "noise_variance_share",
        "vocabulary_coverage",
        "shuffled_P@10",
        "adversarial_gradient_share",
    }
    assert checks["adversarial_gradient_share"] == 1.0
    assert 0 <= report["truth"]["total_variation"] <= 1


def test_modern_report_has_the_vote_of_its_draws_beside_the_ranking(modern_dir, trained_modern):
    report = json.loads((modern_dir / "report.json").read_text())
    roles = {name: system["role"] for name, system in report["systems"].items()}
    rivals = dict.fromkeys([*RIVALS, ENSEMBLE], "rival")
    assert roles == {"cgan": "cgan", VOTE: "variant", **rivals}
    assert report["cgan_checks"]["adversarial_gradient_share"] == pytest.approx(0.3)
    data, run = trained_modern
    dataset, tagger = read_dataset(data), replace(Tagger.load(run), folds=False)
    stored = pd.read_parquet(modern_dir / "predictions.parquet")
    votes = stored[stored.system == VOTE]
    rows = dataset.rows("val")
    (draws,) = tagger.draws(dataset.features[rows])
    ranking = count_votes(draws).rank(10)
    for i, row in enumerate(rows):
        mine = votes[votes.image_id == dataset.image_ids[row]].sort_values("rank").head(10)
        words = [tagger.model.vocabulary.words[w] for w in ranking.rows[i]]
        assert mine.word.tolist() == words
        assert mine.score.to_numpy() == pytest.approx(ranking.scores[i])


def test_modern_report_has_an_ensemble_of_as_many_perceptrons_as_generators(modern_dir):
    report = json.loads((modern_dir / "report.json").read_text())
    assert ENSEMBLE in report["ratios"]["user+annotations"]
    assert report["tuning"][ENSEMBLE]["n_members"] == 2
    assert report["rivals_left_out"] == {}
    title = "6 tried, each with 2 of 2 members, not refitted on train + dev"
    assert title in (modern_dir / "report.md").read_text()


def test_run_with_one_generator_has_no_ensemble_and_the_report_says_why(report_dir, report):
    assert list(report["rivals_left_out"]) == [ENSEMBLE]
    said = r"The baseline mlp\_ensemble was left out: the run has one generator"
    assert said in (report_dir / "report.md").read_text()


def test_modern_run_names_the_topics_of_photos_that_it_has_not_seen(modern_dir):
    report = json.loads((modern_dir / "report.json").read_text())
    frequency, cgan = (
        report["systems"][name]["user+annotations"]["P@1"]["value"]
        for name in ("frequency", "cgan")
    )
    assert cgan > frequency + 0.1


@pytest.mark.parametrize(
    ("fixtures", "variants"),
    [(("report_dir", "trained"), []), (("modern_dir", "trained_modern"), [VOTE, ENSEMBLE])],
    ids=["paper", "modern"],
)
def test_stored_predictions_are_what_tagging_says(fixtures, variants, request):
    report_dir, (data, run) = (request.getfixturevalue(name) for name in fixtures)
    dataset, tagger = read_dataset(data), replace(Tagger.load(run), folds=False)
    stored = pd.read_parquet(report_dir / "predictions.parquet")
    assert set(stored.system) == {"cgan", *variants, *RIVALS}
    rows = dataset.rows("val")
    assert set(stored.image_id) == set(dataset.image_ids[rows])
    ours = stored[stored.system == "cgan"]
    for row, tags in zip(rows, tagger.tag_features(dataset.features[rows]), strict=True):
        mine = ours[ours.image_id == dataset.image_ids[row]].sort_values("rank").head(10)
        assert mine.word.tolist() == [tag.word for tag in tags]
        shown = tagger.model.calibrated(mine.score.to_numpy())  # stored is the ranking's own
        assert shown == pytest.approx([tag.score for tag in tags], abs=1e-6)


def test_precision_in_the_report_follows_from_the_stored_predictions(report, report_dir, trained):
    dataset = read_dataset(trained[0])
    stored = pd.read_parquet(report_dir / "predictions.parquet")
    for system in ("cgan", "ridge"):
        precisions = []
        for row in dataset.rows("val"):
            mine = stored[(stored.system == system) & (stored.image_id == dataset.image_ids[row])]
            top = set(mine[mine["rank"] <= 10].word)
            precisions.append(len(top & set(dataset.tags["user"].of(row))) / 10)
        figure = report["systems"][system]["user"]["P@10"]
        assert figure["value"] == pytest.approx(np.mean(precisions))


def test_rivals_learn_what_there_is_to_learn(report):
    best = report["systems"]["ridge"]["user"]["P@1"]["value"]
    assert best > report["systems"]["frequency"]["user"]["P@1"]["value"] + 0.2


def test_report_is_written_in_three_forms(report_dir):
    assert {p.name for p in report_dir.iterdir()} == {
        "report.json",
        "report.md",
        "report.html",
        "predictions.parquet",
        "concept_scores.parquet",
        "answers.h5",
    }
    page = (report_dir / "report.html").read_text()
    assert "data:image/jpeg" in page
    assert "日本" in page


def test_same_call_gives_the_same_figures(report, trained, tmp_path):
    data, run = trained
    assert run_command(main, ["--run", str(run), "--data", str(data), "--out", str(tmp_path)]) == 0
    again = json.loads((tmp_path / "report.json").read_text())
    assert again["systems"] == report["systems"]
    assert again["cgan_checks"] == report["cgan_checks"]


@pytest.mark.parametrize("fixture", ["trained", "trained_modern"])
def test_noise_share_is_the_variance_within_images(fixture, request):
    data, run = request.getfixturevalue(fixture)
    dataset, tagger = read_dataset(data), Tagger.load(run)
    features = dataset.features[:70]
    generated = generate(tagger, features, [])
    samples = np.concatenate([s for _, s in tagger.samples(features)]).astype(np.float64)
    total = samples.reshape(-1, samples.shape[-1]).var(axis=0).sum()
    within = samples.var(axis=1).mean(axis=0).sum()
    assert generated.drawn.checks["noise_variance_share"] == pytest.approx(within / total)
    assert generated.drawn.nearest.shape == (70, 100)


def evaluate(run, data, out, capsys, *options):
    status = run_command(
        main, ["--run", str(run), "--data", str(data), "--out", str(out), *options]
    )
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return status, lines[0]


def test_empty_split_is_named(trained, tmp_path, capsys):
    data, run = trained
    dataset = read_dataset(data)
    moved = dataset.split.copy()
    moved[moved == SPLITS.index("test")] = SPLITS.index("val")
    other = replace(dataset, split=moved)
    write_dataset(other, tmp_path / "data" / FILE_NAME)
    shutil.copytree(run, tmp_path / "run")
    model = json.loads((run / "model.json").read_text())
    model["facts"]["dataset_id"] = other.dataset_id
    (tmp_path / "run" / "model.json").write_text(json.dumps(model))
    status, line = evaluate(
        tmp_path / "run", tmp_path / "data", tmp_path / "out", capsys, "--split", "test"
    )
    assert status == 1
    assert "the split test" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"feature_size": 7}, "6 features"),
        ({"n_images": 4}, "17 words, but"),
        ({"vector_size": 4}, "its id is"),
        ({"seed": 3}, "its id is"),
    ],
)
def test_run_made_from_other_data_is_refused(trained, make_dataset, tmp_path, capsys, sizes, words):
    same = {"n_images": 200, "annotations": True, "truth": True, "n_thumbnails": 6}
    other = make_dataset(**(same | sizes))
    write_dataset(other, tmp_path / FILE_NAME)
    status, line = evaluate(trained[1], tmp_path, tmp_path / "out", capsys)
    assert status == 1
    assert "made from other data" in line
    assert words in line


def test_run_without_a_model_is_named(trained, tmp_path, capsys):
    status, line = evaluate(tmp_path, trained[0], tmp_path / "out", capsys)
    assert status == 1
    assert "holds no run" in line


def test_unknown_split_is_status_2(trained, capsys):
    assert run_command(main, ["--run", str(trained[1]), "--split", "train"]) == 2
    assert "--split" in capsys.readouterr().err


def test_a_rivals_answers_do_not_depend_on_how_many_photos_are_scored_at_once(monkeypatch):
    random = np.random.default_rng(0)
    weights = random.normal(size=(6, 30)).astype(np.float32)
    rival = Baseline("plain", {}, lambda features: np.asarray(features @ weights))
    features = random.normal(size=(25, 6)).astype(np.float32)
    whole = systems.ask_baseline(rival, features, np.array([3, 7]), 30)
    monkeypatch.setattr("eval.baselines.scoring.MAX_SCORES", 4 * 30)
    parts = systems.ask_baseline(rival, features, np.array([3, 7]), 30)
    assert np.array_equal(parts.ranking.rows, whole.ranking.rows)
    assert np.allclose(parts.concept_scores, whole.concept_scores, atol=1e-6)
    assert parts.concept_scores.shape == (25, 2)


def test_report_is_made_again_from_the_stored_answers_alone(trained_modern, tmp_path, monkeypatch):
    data, run = (shutil.copytree(path, tmp_path / path.name) for path in trained_modern)
    out = reported((data, run), tmp_path / "report")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for name in ("report.json", "report.md", "report.html"):
        (out / name).unlink()
    shutil.rmtree(data)
    shutil.rmtree(run)
    monkeypatch.setattr("eval.evaluation.fit_baselines", None)
    assert run_command(main, ["--from", str(out)]) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    "options", [["--seed", "1"], ["--run", "x"], ["--data", "x", "--out", "y"], ["--split", "val"]]
)
def test_from_goes_with_no_other_option(tmp_path, capsys, options):
    assert run_command(main, ["--from", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert all(option in error for option in ("--from", *options[::2]))


@pytest.mark.parametrize("name", ["answers.h5", "predictions.parquet", "concept_scores.parquet"])
def test_from_names_the_file_that_is_missing_or_broken(report_dir, tmp_path, capsys, name):
    out = shutil.copytree(report_dir, tmp_path / "out")
    (out / name).write_bytes((out / name).read_bytes()[:100])
    assert run_command(main, ["--from", str(out)]) == 1
    assert name in capsys.readouterr().err
    (out / name).unlink()
    assert run_command(main, ["--from", str(out)]) == 1
    assert f"{name} is missing" in capsys.readouterr().err
