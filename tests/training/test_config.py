"""Settings: checked whoever makes them, and plain JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from data_prep.config import PrepareConfig
from eval.config import EvaluateConfig
from mmcgan.errors import OptionError
from mmcgan.folders.config import TagConfig
from mmcgan.training.config import PRESETS, TrainConfig
from mmcgan.web.__main__ import WebConfig

CONFIGS = [PrepareConfig, TrainConfig, EvaluateConfig, TagConfig, WebConfig]


@pytest.mark.parametrize("config", CONFIGS)
def test_config_has_help_for_every_field_and_defaults_that_it_takes(config):
    config()
    assert [f.name for f in fields(config) if not f.metadata["help"].endswith(".")] == []


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (PrepareConfig, {"word_size": 0},
         "--word-size: 0 is out of range, it must be at least 1 and at most 10000"),
        (PrepareConfig, {"max_failed": 1.5},
         "--max-failed: 1.5 is out of range, it must be at least 0 and at most 1"),
        (PrepareConfig, {"min_photos": -1},
         "--min-photos: -1 is out of range, it must be at least 1"),
        (PrepareConfig, {"min_count": 0}, "--min-count: 0 is out of range, it must be at least 1"),
        (PrepareConfig, {"seed": -1}, "--seed: -1 is out of range, it must be at least 0"),
        (TrainConfig, {"dropout": 1.0},
         "--dropout: 1.0 is out of range, it must be at least 0 and at most 0.99"),
        (TrainConfig, {"learning_rate": float("nan")},
         "--learning-rate: nan is out of range, it must be at least 0"),
        (TrainConfig, {"learning_rate_decay": float("inf")},
         "--learning-rate-decay: inf is out of range, it must be at least 1"),
        (TrainConfig, {"learning_rate_decay": 0.5},
         "--learning-rate-decay: 0.5 is out of range, it must be at least 1"),
        (TagConfig, {"k": 0}, "--k: 0 is out of range, it must be at least 1"),
        (PrepareConfig, {"dataset": "flickr"},
         "--dataset: 'flickr' is not one of sample, folder, mirflickr"),
        (TrainConfig, {"tags": "annotations"},
         "--tags: 'annotations' is not one of user, user+annotations"),
        (EvaluateConfig, {"split": "train"}, "--split: 'train' is not one of val, test"),
    ],
)  # fmt: skip
def test_config_refuses_a_value_outside_its_range(config, options, message):
    with pytest.raises(OptionError) as caught:
        config(**options)
    assert str(caught.value) == message


def test_config_takes_the_ends_of_its_ranges():
    PrepareConfig(word_size=10_000, max_failed=0.0, seed=0, min_photos=1, min_count=None)
    TrainConfig(dropout=0.99, momentum_start=0, momentum_end=1, tags=None)


def test_config_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        TrainConfig().seed = 2  # type: ignore[misc]


@pytest.mark.parametrize("config", CONFIGS)
def test_config_to_json_is_the_same_after_a_round_trip(config):
    plain = config().to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert config(**plain).to_json() == plain


def test_config_to_json_writes_paths_as_text():
    plain = PrepareConfig(root=Path("a/b"), corpus=(Path("c.gz"), Path("d"))).to_json()
    assert (plain["root"], plain["corpus"], plain["out"]) == ("a/b", ["c.gz", "d"], None)


def test_train_config_defaults_are_the_papers():
    # arXiv 1411.1784, section 4.2, and the schedule of section 4.1 that it refers to.
    config = TrainConfig()
    assert (config.noise_size, config.noise_units, config.image_units) == (100, 500, 2000)
    assert (config.d_word_units, config.d_image_units) == (500, 1200)
    assert (config.maxout_units, config.maxout_pieces) == (1000, 3)
    assert (config.batch_size, config.dropout) == (100, 0.5)
    assert (config.learning_rate, config.learning_rate_decay) == (0.1, 1.00004)
    assert config.learning_rate_floor == 1e-6
    assert (config.momentum_start, config.momentum_end) == (0.5, 0.7)
    assert PrepareConfig().word_size == 200


def test_paper_is_the_plain_game_of_single_words():
    config = TrainConfig()
    assert (config.preset, config.generator, config.examples) == ("paper", "linear", "pairs")
    assert (config.judged, config.draws, config.moves) == ("words", 1, "draws")
    assert (config.retrieval, config.likelihood, config.gradient_penalty) == (0, 0, 0)
    assert (config.untagged, config.adversarial_share) == (0, None)
    assert (config.optimizer, config.weight_decay, config.average) == ("sgd", 0, 0)
    assert (config.ranking, config.d_learning_rate) == ("vote", None)


def test_train_config_of_starts_from_the_modern_preset():
    assert TrainConfig.of() == TrainConfig.of("modern")
    config = TrainConfig.of(seed=3, members=2)
    assert (config.preset, config.seed, config.members) == ("modern", 3, 2)
    for name, value in PRESETS["modern"].items():
        if name != "members":
            assert getattr(config, name) == value, name
    assert config.learning_rate_decay == TrainConfig().learning_rate_decay


def test_train_config_of_the_paper_is_the_defaults():
    assert TrainConfig.of("paper") == TrainConfig()
    assert TrainConfig.of("paper", seed=5) == TrainConfig(seed=5)


def test_presets_say_only_what_differs_from_the_paper():
    names = {f.name: f.default for f in fields(TrainConfig)}
    for preset, values in PRESETS.items():
        assert [n for n, value in values.items() if names[n] == value] == [], preset


def test_train_config_of_refuses_a_preset_that_there_is_not():
    with pytest.raises(OptionError, match="--preset: 'best' is not one of modern, paper"):
        TrainConfig.of("best")


def test_train_config_refuses_draws_that_cannot_be_shared():
    with pytest.raises(OptionError) as caught:
        TrainConfig.of(members=3, draws=8)
    assert str(caught.value) == (
        "--draws: 8 cannot be shared among 3 --members, it must be a multiple of them"
    )
    TrainConfig.of(members=3, draws=9)


def test_train_config_refuses_a_mixture_without_noise():
    with pytest.raises(OptionError) as caught:
        TrainConfig.of(members=4, draws=4)
    assert str(caught.value) == (
        "--draws: 4 is one for each of 4 --members, which leaves no noise; it must be two or more "
        "for each"
    )
    TrainConfig(members=4, draws=4)


def test_train_config_refuses_single_words_where_a_mixture_learns_its_own():
    with pytest.raises(OptionError, match=r"--judged: .* use sets, or --retrieval 0"):
        TrainConfig.of(judged="words")
    TrainConfig.of(judged="words", retrieval=0.0)
    TrainConfig.of(judged="words", generator="linear")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("preset", "  [default: modern]"),
        ("batch_size", "  [default: 256; paper: 100]"),
        ("noise_size", "  [default: 100]"),
        ("judged_examples", "  [default: 32; paper: not set]"),
        ("tags", ""),
        ("refit", ""),
    ],
)
def test_help_of_training_says_both_defaults(name, expected):
    assert TrainConfig.defaults(name) == expected
