"""The benchmark's rows and the rivals in it; nothing here is timed, whatever the figures are."""

from __future__ import annotations

import bz2
import json
import subprocess
from collections import Counter

import numpy as np
import pytest
import torch
from helpers.models import MIXTURE, SEEING, make_model, three_colours
from helpers.photos import decoded
from helpers.tasks import SMALL
from torch.utils.flop_counter import FlopCounterMode

from data_prep.config import PrepareConfig
from eval.benchmark import __main__ as benchmark
from eval.benchmark import features, rows, search, tagging, training, vectors
from eval.benchmark.features import extract, write_photos
from eval.benchmark.metadata import write_metadata
from eval.benchmark.plain_gan import PlainGan, plain_batches
from eval.benchmark.rows import Row, as_markdown
from mmcgan.cli import run_command
from mmcgan.files import user_cache
from mmcgan.inference import tagger
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.photos.backbone import Backbone, load_backbone, restore_network
from mmcgan.inference.words import clusters
from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.vocabulary import unit_rows
from mmcgan.training.config import TrainConfig
from mmcgan.training.trainer import _mixed_seed

FAST = Row("fast", "slow", 10.0, 5.0, "photos/s", "more", 1.5, "never said")
# Weights that suit features of the benchmark's size.
TINY = SMALL.with_options(generator_init=0.1, discriminator_init=0.2, learning_rate=0.01)
SLOW = Row("slow", "the limit", 4.0, 2.0, "s", "less", 1, "it waits")


def test_ratio_is_larger_where_ours_is_better():
    assert (FAST.ratio, FAST.reached) == (2, True)
    assert (SLOW.ratio, SLOW.reached) == (0.5, False)


def test_row_says_why_only_where_it_is_short():
    assert FAST.as_json() == {
        "what": "fast",
        "against": "slow",
        "ours": 10.0,
        "rival": 5.0,
        "unit": "photos/s",
        "ratio": 2.0,
        "target": 1.5,
    }
    assert SLOW.as_json()["why"] == "it waits"
    text = as_markdown([FAST, SLOW])
    assert "| `fast` | 10 photos/s | slow | 5 photos/s | 2 | 1.5 |" in text
    assert "| 0.5 | 1 (short) |" in text
    assert text.endswith("- `slow`: it waits\n")
    assert "never said" not in text


@pytest.mark.parametrize(("slowly", "order"), [(1.0, "ab" * 4), (0.01, "ab" + "aabb" * 3)])
def test_tasks_run_in_turn_short_ones_once_more_untimed(monkeypatch, slowly, order):
    starts = [0, 10, 20, 30, 40, 50, 60, 70]  # each once beforehand, then three times
    lengths = [slowly, slowly, 9, 0.5, 2, 2, 1, 3]
    clock = iter([t for s, n in zip(starts, lengths, strict=True) for t in (s, s + n)])
    monkeypatch.setattr(rows.time, "perf_counter", lambda: next(clock))
    paused: list[float] = []
    monkeypatch.setattr(rows.time, "sleep", paused.append)
    done: list[str] = []
    tasks = {name: lambda name=name: done.append(name) for name in "ab"}
    assert rows.median_seconds(tasks, 3) == {"a": 2, "b": 2}
    assert "".join(done) == order
    assert paused == [rows.PAUSE] * 6


def test_python_that_ends_badly_is_no_figure():
    rows.python("pass")()
    with pytest.raises(subprocess.CalledProcessError):
        rows.python("raise SystemExit(3)")()


def test_numpy_finds_the_same_words():
    random = np.random.default_rng(0)
    words = unit_rows(random.normal(size=(300, 8)))
    queries = unit_rows(random.normal(size=(25, 8)))
    _, expected = WordIndex(words).search(queries, 7)
    assert np.array_equal(search.numpy_search(words, queries, 7, block=10), expected)


def test_command_tags_every_photo_in_its_order(tmp_path):
    paths = write_photos(tmp_path / "photos", 3)
    tagging.tag_by_command(paths, tmp_path / "tags.jsonl")
    found = [json.loads(line) for line in (tmp_path / "tags.jsonl").read_text().splitlines()]
    assert [entry["path"] for entry in found] == [str(path) for path in paths]
    assert all(1 <= len(entry["tags"]) <= 10 for entry in found)
    # What was kept of them is thrown away before they are tagged again.
    (kept,) = tmp_path.rglob("features.sqlite")
    kept.write_bytes(b"of the call before")
    tagging.tag_by_command(paths, tmp_path / "tags.jsonl")
    assert kept.read_bytes() != b"of the call before"


def test_photo_with_objects_is_set_beside_both_its_views(tmp_path, monkeypatch):
    (path,) = write_photos(tmp_path, 1)
    seen: list[int] = []

    def count(pixels: np.ndarray) -> np.ndarray:
        seen.append(len(pixels))
        return np.zeros((len(pixels), SEEING["feature_size"]), np.float32)

    monkeypatch.setattr(tagger, "restore_backbone", lambda record: Backbone(record, count))
    monkeypatch.setattr(tagger, "object_words", three_colours)
    model = make_model(MIXTURE, backbone=SEEING, objects=Calibration(1.0, 0.0, 0.2))
    monkeypatch.setattr(tagger, "read_model", lambda folder: model)

    def count_passes(tasks, repeats):
        passes = {}
        for name, task in tasks.items():
            seen.clear()
            task()
            passes[name] = float(sum(seen))
        return passes

    monkeypatch.setattr(tagging, "median_seconds", count_passes)
    found = list(tagging._one_photo_rows(path, 1))
    assert [(row.what, row.ours, row.rival) for row in found] == [
        ("tag_one", 2000, 3000),
        ("tag_one_no_objects", 1000, 1500),
        ("tag_one_objects", 2000, 2000),
    ]
    assert [row.against for row in found] == [
        "1.5 × the backbone's latency, square and whole photo",
        "1.5 × the backbone's latency, one square",
        "2 × `tag_one_no_objects`",
    ]


def test_plain_features_are_ours(tmp_path):
    paths = write_photos(tmp_path / "photos", 3)
    backbone = load_backbone("efficientnet-lite0")
    network = restore_network(backbone.record)
    plain = features.plain_features(paths, network, backbone.image_size)
    ours = backbone.features([decoded(path) for path in paths])
    assert np.abs(plain - ours).max() < 0.01 * np.abs(ours).max()
    assert len({path.read_bytes() for path in paths}) == 3


def test_benchmark_extracts_what_prepare_extracts(tmp_path):
    paths = write_photos(tmp_path / "photos", 3)
    backbone = load_backbone("efficientnet-lite0")
    extract(paths, backbone, tmp_path / "work")
    stored = np.fromfile(tmp_path / "work" / "features.f16", np.float16)
    expected = backbone.features([decoded(path) for path in paths])
    assert np.allclose(stored.reshape(3, -1), expected, rtol=2**-10, atol=1e-5)


def test_metadata_is_read_whole_and_its_words_are_as_frequent_as_real_ones(tmp_path):
    path = tmp_path / "metadata.bz2"
    write_metadata(path, 2000, n_words=500)
    with bz2.open(path, "rt", encoding="utf-8") as file:
        lines = file.readlines()
    assert {len(line.split("\t")) for line in lines} == {25}
    assert "%C3%A9" in lines[0] + lines[1]  # é
    corpus = vectors.read_corpus(path, tmp_path / "cleaned")
    documents = list(corpus)
    assert not corpus.skipped()
    assert len(documents) > 1990  # a few photos have no text at all
    counts = Counter(word for words in documents for word in words)
    single = [word for word in counts if "_" not in word]
    assert len(single) == 500
    # 1 / (r + 2.7): ranks 0 and 97 are 99.7 / 2.7 = 37 apart.
    ranked = counts.most_common()
    assert 25 < ranked[0][1] / ranked[97][1] < 50
    assert not any("example" in word or "<" in word for word in counts)


def test_metadata_is_the_same_every_time(tmp_path):
    for name in ("a.bz2", "b.bz2"):
        write_metadata(tmp_path / name, 20)
    assert (tmp_path / "a.bz2").read_bytes() == (tmp_path / "b.bz2").read_bytes()


def test_plain_training_has_our_losses():
    # Without dropout, whose masks are drawn in another order, and without schedules.
    config = TINY.with_options(
        dropout=0.0, d_dropout=0.0, learning_rate_decay=1.0, momentum_epochs=10**9
    )
    examples = training.make_examples(n_photos=5, n_words=4)
    trainer = training.build_trainer(examples, config)
    plain = PlainGan(training.FEATURE_SIZE, training.VECTOR_SIZE, config)
    for network, ours in (
        (plain.generator, trainer.task.generator),
        (plain.discriminator, trainer.discriminator),
    ):
        for parameter, our in zip(network.parameters(), ours.parameters(), strict=True):
            parameter.data.copy_(our)
    for update in range(4):
        batch = trainer._batch(update).part()
        torch.manual_seed(_mixed_seed(config.run.seed, update))
        losses = plain.step(batch.images, examples.word_vectors[batch.words])
        measures = trainer.step()
        names = ("loss_d_real", "loss_d_fake", "loss_g_adversarial")
        expected = [float(measures[name].detach()) for name in names]
        assert [float(loss.detach()) for loss in losses] == pytest.approx(expected, rel=1e-5), (
            update
        )


def test_plain_batches_meet_every_pair_once_an_epoch():
    examples = training.make_examples(n_photos=5, n_words=4)  # 20 pairs
    batches = plain_batches(examples, 4)
    for _ in range(2):
        seen = [row for _ in range(5) for row in next(batches)[0][:, 0].tolist()]
        expected = examples.image_features[examples.pairs[:, 0], 0].tolist()
        assert sorted(seen) == sorted(expected)


def test_operations_are_those_that_torch_counts():
    trainer = training.build_trainer(training.make_examples(n_photos=5, n_words=4), SMALL)
    with FlopCounterMode(display=False) as counter:
        trainer.step()
    needed = training.operations_a_pair(training.FEATURE_SIZE, training.VECTOR_SIZE, SMALL)
    # What autograd takes beyond it: back from D's maxout to the image, which nobody asks for.
    sizes = SMALL.discriminator
    beyond = 2 * sizes.image_units * sizes.maxout_units * sizes.maxout_pieces
    assert counter.get_total_flops() == SMALL.optimiser.batch_size * (needed + beyond)


def test_operations_of_the_paper_worked_out_by_hand():
    # In millions of weights: N .05, I 2.56, O .5, J 1.536, W .1, M 5.1, M' 1.5, L .001.
    # D step 3.11 + 3.072 + 20.804 + 10.202; G step 6.22 + .5 + 6.737 + 1.601; two operations each.
    paper = TrainConfig.of("paper")
    assert training.operations_a_pair(1280, 200, paper) == 2 * (37_188_000 + 15_058_000)


def test_call_writes_the_rows(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(search, "N_PHOTOS", 2)
    monkeypatch.setattr(search, "N_LARGE_PHOTOS", 2)
    monkeypatch.setattr(training, "N_PHOTOS", 3)
    monkeypatch.setattr(training, "MATRIX_SIZE", 4)
    words = PrepareConfig(word_size=4, word_epochs=2, min_count=1)
    few = {
        "features": lambda: features.feature_rows(n_photos=2, repeats=1),
        "vectors": lambda: vectors.vector_rows(40, words, repeats=1),
        "training": lambda: training.training_rows(TINY, n_updates=2, repeats=1),
        "search": lambda: search.search_rows(n_words=50, n_large=600, repeats=1),
        "tagging": lambda: tagging.tagging_rows(n_photos=2, repeats=1),
    }
    monkeypatch.setattr(benchmark, "GROUPS", few)
    monkeypatch.setattr(benchmark, "in_own_process", benchmark.measure)
    out = tmp_path / "rows.json"
    assert run_command(benchmark.main, ["--json", str(out)]) == 0
    written = json.loads(out.read_text())
    targets = {"features_plain": 8, "features_bare": 0.9, "features_levels": 0.97, "corpus": 0.9}
    targets |= {"train_plain": 4, "train_peak": 0.5, "exact_one": 0.95, "exact_batch": 0.95}
    targets |= {"search_speed": 10, "search_agreement": 0.99}
    targets |= {"import": 1, "first_tag": 1, "tag_one": 1, "tag_one_no_objects": 1}
    targets |= {"tag_one_objects": 1, "tag_1000": 0.8}
    assert [(row["what"], row["target"]) for row in written] == list(targets.items())
    for row in written:
        assert row.keys() - {"why"} == FAST.as_json().keys()
        assert 0 < row["ours"] < np.inf
        assert 0 < row["rival"] < np.inf
        assert ("why" in row) == (row["ratio"] < row["target"])
    printed = capsys.readouterr().out
    assert all(f"`{name}`" in printed for name in targets)


def test_large_dictionary_is_clustered_and_its_tags_are_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(clusters, "MIN_WORDS", 3000)
    monkeypatch.setattr(search, "TREE", ((10, 0.12), (60, 0.22), (400, 0.4)))
    monkeypatch.setattr(search, "N_LARGE_PHOTOS", 3)
    speed, agreement = search._clustered_rows(4000, repeats=1)
    assert len(list(user_cache("clusters").iterdir())) == 1
    assert (speed.what, speed.target) == ("search_speed", 10)
    assert (agreement.what, agreement.target) == ("search_agreement", 0.99)
    assert 0.9 <= agreement.ratio <= 1


def test_tree_of_words_has_near_and_far_neighbours():
    words = search.tree_of_words(3000, np.random.default_rng(0))
    assert np.allclose(np.linalg.norm(words, axis=1), 1, atol=1e-5)
    cosines = np.sort(words[::30] @ words.T, axis=1)
    assert 0.3 < cosines[:, -2].mean() < 0.9
    assert abs(cosines.mean()) < 0.1


def test_draws_of_a_photo_lie_near_several_words():
    random = np.random.default_rng(0)
    words = search.tree_of_words(3000, random)
    draws = search.draws_of_photos(words, 2, random)
    assert draws.shape == (2, search.N_SAMPLES, search.SIZE)
    nearest = (draws[0] @ words.T).argmax(axis=1)
    assert 3 <= len(set(nearest)) <= search.N_MEANT


def test_what_was_measured_is_kept_where_a_later_group_fails(tmp_path, capsys, monkeypatch):
    row = Row("import", "the limit", 0.1, 0.2, "s", "less", 1)

    def fail():
        raise OSError("no more space")

    monkeypatch.setattr(benchmark, "GROUPS", {"search": lambda: [row], "tagging": fail})
    monkeypatch.setattr(benchmark, "in_own_process", benchmark.measure)
    out = tmp_path / "rows.json"
    assert run_command(benchmark.main, ["--json", str(out)]) == 1
    assert [found["what"] for found in json.loads(out.read_text())] == ["import"]
    assert "| `import` |" in capsys.readouterr().out
