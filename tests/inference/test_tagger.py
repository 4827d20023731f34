from dataclasses import replace

import numpy as np
import pytest
from helpers.photos import make_photo

import mmcgan
from mmcgan.errors import DataError, OptionError, PhotoError, RunError
from mmcgan.inference import model_dir
from mmcgan.inference.model import read_model
from mmcgan.inference.network import Standardizer
from mmcgan.inference.tagger import Tag, Tagger
from mmcgan.training.prepared.dataset import read_dataset
from mmcgan.training.runs import RunDir


@pytest.fixture
def tagger(trained, stand_in):
    return replace(Tagger.load(trained[1]), folds=False)


def test_tag_features_ranks_min_k_v_words_by_their_share_of_the_votes(tagger, trained):
    dataset = read_dataset(trained[0])
    n_words = len(tagger.model.vocabulary)
    for k in (1, 5, 1000):
        for tags in tagger.tag_features(dataset.features[:3], k):
            assert len(tags) == min(k, n_words)
            scores = [tag.score for tag in tags]
            assert scores == sorted(scores, reverse=True)
            assert len({tag.word for tag in tags}) == len(tags)
    everything = next(tagger.ranked(dataset.features[:3])).rank(1000).scores
    # every vote is for one of V < 20 words, so that all shares add up to one
    assert everything.sum(axis=1) == pytest.approx([1] * 3, abs=1e-5)
    tags = tagger.tag_features(dataset.features[:3], 1000)
    given = np.array([[tag.score for tag in one] for one in tags])
    assert given == pytest.approx(tagger.model.calibrated(everything), abs=1e-6)


def test_same_seed_gives_the_same_tags_whatever_is_tagged_beside(tagger, trained):
    features = read_dataset(trained[0]).features
    together = tagger.tag_features(features[:70])
    assert tagger.tag_features(features[69:70]) == together[69:]
    assert replace(Tagger.load(trained[1]), folds=False).tag_features(features[:70]) == together
    other = Tagger.load(trained[1], seed=1).draws(features[:70])
    ours = tagger.draws(features[:70])
    assert not np.array_equal(next(other).nearest, next(ours).nearest)


def test_modern_tags_are_the_models_probabilities_of_each_word(trained_modern):
    tagger = replace(Tagger.load(trained_modern[1]), folds=False)
    features, model = read_dataset(trained_modern[0]).features[:5], tagger.model
    assert model.ranking == "mean"
    draws = model.sample(features, 100, seed=0).astype(np.float64)
    logits = (draws @ model.vocabulary.vectors.T + model.bias).mean(axis=1)
    assert model.calibration is not None
    a, b = model.calibration.scale, model.calibration.shift
    found = 1 / (1 + np.exp(-a * logits - b))
    for probabilities, tags in zip(found, tagger.tag_features(features, 5), strict=True):
        rows = [model.vocabulary.row_of[tag.word] for tag in tags]
        assert rows == np.argsort(-probabilities)[:5].tolist()
        assert [tag.score for tag in tags] == pytest.approx(probabilities[rows], abs=1e-5)


def test_modern_tags_do_not_depend_on_the_seed_of_the_noise(trained_modern):
    # Noise comes in pairs: the mean draw is the mean of the members.
    features = read_dataset(trained_modern[0]).features[:5]
    first, other = (Tagger.load(trained_modern[1], seed).tag_features(features) for seed in (0, 1))
    assert [[tag.word for tag in tags] for tags in first] == (
        [[tag.word for tag in tags] for tags in other]
    )
    draws = [Tagger.load(trained_modern[1], seed).samples(features) for seed in (0, 1)]
    assert not np.allclose(*(next(part)[1] for part in draws), atol=0.1)


def test_photos_and_their_features_get_the_same_tags(tagger, tmp_path):
    photos = [make_photo((250, 10, 10)), make_photo((10, 10, 250))]
    path = tmp_path / "red.png"
    path.write_bytes(photos[0])
    many = tagger.tag_many(photos, k=4)
    assert many == tagger.tag_features(
        np.array([[250, 10, 10] * 2, [10, 10, 250] * 2], np.float32) / 255, k=4
    )
    assert (
        tagger.tag(path, k=4) == tagger.tag(str(path), k=4) == tagger.tag(photos[0], 4) == many[0]
    )
    assert all(isinstance(tag, Tag) for tag in many[0])


def test_no_photo_gives_no_tags(tagger):
    assert tagger.tag_many([]) == []
    assert tagger.tag_features(np.zeros((0, 6), np.float32)) == []


def test_a_broken_photo_is_named_and_the_others_are_tagged(tagger):
    good = make_photo((1, 2, 3))
    results = list(tagger.tag_each([good, b"not a photo", good]))
    assert isinstance(results[1], PhotoError)
    assert results[0] == results[2] == tagger.tag(good)
    with pytest.raises(PhotoError):
        tagger.tag_many([good, b""])


def test_missing_photo_is_named(tagger, tmp_path):
    with pytest.raises(PhotoError, match=r"none\.jpg"):
        tagger.tag(tmp_path / "none.jpg")


def test_k_below_one_is_refused(tagger):
    with pytest.raises(OptionError, match="--k"):
        tagger.tag_features(np.zeros((1, 6), np.float32), 0)


@pytest.mark.parametrize("shape", [(2, 5), (6,)])
def test_features_of_another_size_are_refused(tagger, shape):
    with pytest.raises(DataError, match=r"\(N, 6\)"):
        tagger.tag_features(np.zeros(shape, np.float32))


def test_sampled_vectors_are_the_generators_on_standardised_features(trained):
    model = read_model(RunDir(trained[1]))
    features = read_dataset(trained[0]).features[:4]
    raw = replace(model, standardizer=Standardizer(np.zeros(6, np.float32), np.ones(6, np.float32)))
    expected = raw.sample(model.standardizer(features), n_samples=3, seed=2)
    samples = model.sample(features, n_samples=3, seed=2)
    assert samples.shape == (4, 3, 5)
    assert np.array_equal(samples, expected)


def test_api_tags_with_the_newest_finished_run(trained, stand_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_dir, "PRETRAINED", tmp_path / "none")
    photo = tmp_path / "a.png"
    photo.write_bytes(make_photo((9, 99, 200)))
    with pytest.raises(RunError, match=r"mmcgan\.train"):
        mmcgan.tag(photo)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "0001").symlink_to(trained[1])
    expected = mmcgan.tag(str(photo), k=3, run=trained[1])
    assert mmcgan.tag(photo, 3) == expected
    assert len(expected) == 3
    assert mmcgan.Tag is Tag
    assert mmcgan.Tagger is Tagger
    with pytest.raises(AttributeError):
        mmcgan.nonsense  # noqa: B018


def test_api_without_a_run_tags_with_the_packaged_model(trained, stand_in, packaged):
    photo = make_photo((9, 99, 200))
    expected = mmcgan.load(trained[1]).tag(photo)
    assert mmcgan.load().tag(photo) == Tagger.load().tag(photo) == expected
    (packaged / "a.png").write_bytes(photo)
    assert mmcgan.tag(packaged / "a.png") == expected


def test_api_prefers_a_run_to_the_packaged_model(trained, stand_in, packaged):
    (packaged / "model.json").write_text("broken")
    with pytest.raises(RunError, match="pretrained"):
        mmcgan.load()
    model_dir.RUNS.mkdir()
    (model_dir.RUNS / "mine").symlink_to(trained[1])
    assert mmcgan.load() is mmcgan.load(trained[1])


def test_api_keeps_the_model_loaded_until_it_changes(trained, stand_in, tmp_path):
    first = mmcgan.load(trained[1])
    assert mmcgan.load(str(trained[1])) is first
