"""Settings: checked whoever makes them, and plain JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from data_prep.config import PrepareConfig
from eval.config import EvaluateConfig
from eval.digits.config import DigitsConfig
from mmcgan.errors import OptionError
from mmcgan.folders.config import TagConfig
from mmcgan.options import flattened
from mmcgan.training.config import FORMER_OPTIONS, PRESETS, TrainConfig
from mmcgan.training.schedules import LEARNING_RATE_FLOOR, MOMENTUM_END, MOMENTUM_START
from mmcgan.web.__main__ import WebConfig

CONFIGS = [PrepareConfig, TrainConfig, DigitsConfig, EvaluateConfig, TagConfig, WebConfig]


@pytest.mark.parametrize("config", CONFIGS)
def test_config_has_help_for_every_field_and_defaults_that_it_takes(config):
    config()
    assert [o.name for o in config.all_options() if not o.help.endswith(".")] == []


@pytest.mark.parametrize("config", CONFIGS)
def test_no_two_options_have_a_name(config):
    names = [option.name for option in config.all_options()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (
            PrepareConfig,
            {"word_size": 0},
            "--word-size: 0 is out of range, it must be at least 1 and at most 10000",
        ),
        (
            PrepareConfig,
            {"max_failed": 1.5},
            "--max-failed: 1.5 is out of range, it must be at least 0 and at most 1",
        ),
        (
            PrepareConfig,
            {"min_photos": -1},
            "--min-photos: -1 is out of range, it must be at least 1",
        ),
        (PrepareConfig, {"min_count": 0}, "--min-count: 0 is out of range, it must be at least 1"),
        (PrepareConfig, {"seed": -1}, "--seed: -1 is out of range, it must be at least 0"),
        (
            TrainConfig,
            {"dropout": 1.0},
            "--dropout: 1.0 is out of range, it must be at least 0 and at most 0.99",
        ),
        (
            TrainConfig,
            {"learning_rate": float("nan")},
            "--learning-rate: nan is out of range, it must be at least 0",
        ),
        (
            TrainConfig,
            {"learning_rate_decay": float("inf")},
            "--learning-rate-decay: inf is out of range, it must be at least 1",
        ),
        (
            TrainConfig,
            {"learning_rate_decay": 0.5},
            "--learning-rate-decay: 0.5 is out of range, it must be at least 1",
        ),
        (TagConfig, {"k": 0}, "--k: 0 is out of range, it must be at least 1"),
        (
            PrepareConfig,
            {"dataset": "flickr"},
            "--dataset: 'flickr' is not one of sample, folder, mirflickr",
        ),
        (
            TrainConfig,
            {"tags": "annotations"},
            "--tags: 'annotations' is not one of user, user+annotations",
        ),
        (EvaluateConfig, {"split": "train"}, "--split: 'train' is not one of val, test"),
    ],
)
def test_config_refuses_a_value_outside_its_range(config, options, message):
    with pytest.raises(OptionError) as caught:
        config.from_options(**options)
    assert str(caught.value) == message


def test_config_takes_the_ends_of_its_ranges():
    PrepareConfig(word_size=10_000, max_failed=0.0, seed=0, min_photos=1, min_count=None)
    TrainConfig.from_options(dropout=0.99, average=0, tags=None)


def test_config_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        TrainConfig().run.seed = 2  # type: ignore[misc]


@pytest.mark.parametrize("config", CONFIGS)
def test_config_to_json_is_the_same_after_a_round_trip(config):
    plain = config().to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert config.from_options(**flattened(plain)).to_json() == plain


def test_config_to_json_writes_paths_as_text():
    plain = PrepareConfig(root=Path("a/b"), corpus=(Path("c.gz"), Path("d"))).to_json()
    assert (plain["root"], plain["corpus"], plain["out"]) == ("a/b", ["c.gz", "d"], None)


def test_train_config_defaults_are_the_papers():
    # arXiv 1411.1784, section 4.2, and the schedule of section 4.1 that it refers to.
    config = TrainConfig()
    generator, discriminator = config.generator, config.discriminator
    assert (generator.noise_size, generator.noise_units, generator.units) == (100, 500, 2000)
    assert (discriminator.word_units, discriminator.image_units) == (500, 1200)
    assert (discriminator.maxout_units, discriminator.maxout_pieces) == (1000, 3)
    assert (config.optimiser.batch_size, generator.dropout, discriminator.dropout) == (
        100,
        0.5,
        0.5,
    )
    assert (config.optimiser.learning_rate, config.optimiser.learning_rate_decay) == (0.1, 1.00004)
    assert LEARNING_RATE_FLOOR == 1e-6
    assert (MOMENTUM_START, MOMENTUM_END) == (0.5, 0.7)
    assert PrepareConfig().word_size == 200


def test_paper_learns_from_single_words_by_the_adversarial_term_alone():
    config = TrainConfig()
    objective, optimiser = config.objective, config.optimiser
    assert (config.run.preset, config.generator.kind, objective.examples) == (
        "paper",
        "linear",
        "pairs",
    )
    assert (objective.discriminated, config.generator.draws, objective.moves) == (
        "words",
        1,
        "draws",
    )
    assert (objective.retrieval, objective.likelihood, objective.gradient_penalty) == (0, 0, 0)
    assert (objective.untagged, objective.adversarial_share) == (0, None)
    assert (optimiser.kind, optimiser.weight_decay, optimiser.average) == ("sgd", 0, 0)
    assert (config.generator.ranking, optimiser.d_learning_rate) == ("vote", None)


def test_train_config_of_starts_from_the_modern_preset():
    assert TrainConfig.of() == TrainConfig.of("modern")
    config = TrainConfig.of(seed=3, members=2)
    assert (config.run.preset, config.run.seed, config.generator.n_generators) == ("modern", 3, 2)
    for name, value in PRESETS["modern"].items():
        if name != "members":
            assert config.options()[name] == value, name
    decay = TrainConfig().optimiser.learning_rate_decay
    assert config.optimiser.learning_rate_decay == decay


def test_train_config_of_the_paper_is_the_defaults():
    assert TrainConfig.of("paper") == TrainConfig()
    assert TrainConfig.of("paper", seed=5) == TrainConfig.from_options(seed=5)


def test_presets_say_only_what_differs_from_the_paper():
    names = TrainConfig().options()
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
    TrainConfig.from_options(members=4, draws=4)


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


# Groups.


@pytest.mark.parametrize("config", [TrainConfig, DigitsConfig])
def test_every_option_has_an_owner(config):
    groups = [option.group for option in config.all_options()]
    order = list(dict.fromkeys(groups))
    assert order == ["generator", "discriminator", "objective", "optimiser", "run"]
    assert groups == sorted(groups, key=order.index)


def test_stored_settings_are_read_in_groups_and_side_by_side():
    config = TrainConfig.of(members=2, draws=4, seed=3)
    assert TrainConfig.from_json(config.to_json()) == config
    assert TrainConfig.from_json(flattened(config.to_json())) == config
    assert TrainConfig.from_json(config.to_json(), seed=4) == config.with_options(seed=4)


def test_former_options_are_read_where_they_say_what_is_so_now():
    config = TrainConfig.of("paper")
    stored = config.to_json() | FORMER_OPTIONS
    assert TrainConfig.from_json(stored) == config
    with pytest.raises(TypeError, match="there is no option vector_size"):
        TrainConfig.from_json(stored | {"vector_size": 320})
    assert not FORMER_OPTIONS.keys() & config.options().keys()
