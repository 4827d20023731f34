"""Training with the networks of the paper, beside plain torch and beside the machine's peak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch
from torch.profiler import ProfilerActivity, profile

from eval.benchmark.plain_gan import PlainGan, plain_batches
from eval.benchmark.rows import Row, median_seconds
from mmcgan.training.config import TrainConfig
from mmcgan.training.networks import build_networks
from mmcgan.training.sampler import Examples
from mmcgan.training.tag_task import TagTask
from mmcgan.training.trainer import Trainer

FEATURE_SIZE, VECTOR_SIZE = 1280, 200  # of the default backbone and word vectors
N_PHOTOS, N_WORDS, TAGS_A_PHOTO = 2_000, 1_000, 4
MATRIX_SIZE, N_PRODUCTS = 2048, 8  # whose product is the machine's peak, and how many are timed


def training_rows(
    config: TrainConfig | None = None, n_updates: int = 10, repeats: int = 5
) -> Iterator[Row]:
    """Yield the rows `train_plain` and `train_peak`, with the preset `paper` if none is given.

    The first is of the `--precision` that is the faster one on this processor.
    """
    config = config or TrainConfig.of("paper")
    examples = make_examples(N_PHOTOS, N_WORDS)
    trainer = build_trainer(examples, config)
    rounded = build_trainer(examples, config.with_options(precision="bfloat16"))
    plain = PlainGan(FEATURE_SIZE, VECTOR_SIZE, config)
    batches = plain_batches(examples, config.optimiser.batch_size)
    matrix = torch.randn(MATRIX_SIZE, MATRIX_SIZE)
    seconds = median_seconds(
        {
            "ours": lambda: [trainer.step() for _ in range(n_updates)],
            "rounded": lambda: [rounded.step() for _ in range(n_updates)],
            "plain": lambda: [plain.step(*next(batches)) for _ in range(n_updates)],
            "peak": lambda: [matrix @ matrix for _ in range(N_PRODUCTS)],
        },
        repeats,
    )
    n_pairs = n_updates * config.optimiser.batch_size
    work = n_pairs * operations_a_pair(FEATURE_SIZE, VECTOR_SIZE, config)
    tried = ("float32", seconds["ours"], trainer), ("bfloat16", seconds["rounded"], rounded)
    precision, fastest, fast = min(tried, key=lambda one: one[1])
    peak = N_PRODUCTS * 2 * MATRIX_SIZE**3 / seconds["peak"]
    against = (
        "the same networks in plain torch, a row a pair in Python lists, DataLoader (ours: "
        f"--precision {precision})"
    )
    why = (
        f"in float32 the ratio is {seconds['plain'] / seconds['ours']:.2f}, and "
        f"{seconds['plain'] / (work / peak):.1f} is the most: the matrix products of 100 shuffled "
        f"pairs are the same in both, the peak is {peak / 1e9:.0f} GFLOP/s. With {precision}, "
        f"{_profile(fast)}"
    )
    ours, rival = n_pairs / fastest, n_pairs / seconds["plain"]
    yield Row("train_plain", against, ours, rival, "pairs/s", "more", 4, why)
    against, reached = "the machine's float32 matrix product", work / seconds["ours"] / 1e9
    why = _profile(trainer)
    yield Row("train_peak", against, reached, peak / 1e9, "GFLOP/s", "more", 0.5, why)


def make_examples(n_photos: int, n_words: int) -> Examples:
    """Make photos, each with a few of the words; all numbers are random."""
    random = torch.Generator().manual_seed(0)
    images = torch.arange(n_photos).repeat_interleave(TAGS_A_PHOTO)
    words = torch.randint(n_words, (len(images),), generator=random)
    return Examples(
        torch.randn(n_photos, FEATURE_SIZE, generator=random),
        torch.randn(n_words, VECTOR_SIZE, generator=random),
        torch.stack([images, words], dim=1),
    )


def build_trainer(examples: Examples, config: TrainConfig) -> Trainer:
    """Build the trainer as a run does."""
    frequency = torch.full((len(examples.word_vectors),), 0.01)
    sizes = examples.image_features.shape[1], examples.word_vectors.shape[1]
    networks = build_networks(sizes[0], examples.word_vectors, frequency, sizes[1], config)
    return Trainer(TagTask(networks, examples, config), config)


def operations_a_pair(feature_size: int, vector_size: int, config: TrainConfig) -> int:
    """Return the floating-point operations that an update needs for each pair of its mini-batch.

    Matrix products alone, two operations for each weight that a row of a layer's input passes:
    forward, at the layer's input on the way back, and for the gradient of the weight. With a
    weight count a layer, of the generator noise N, image I and output O; of the discriminator
    image J, word W, maxout M and logit L, M' of M being the part that reads the word:

        D step   N + I + O                       a draw
                 2 J + 4 (W + M + L)             a real and a generated word: forward, weights
                 2 (M + L)                       back to the inputs
        G step   2 (N + I + O) + O               a draw: forward, weights, back to the inputs
                 J + W + M + L                   D forward, whose weights stay as they are
                 W + M' + L                      back to the draw
    """
    generator, discriminator = config.generator, config.discriminator
    n_noise, n_image = generator.noise_units, generator.units
    noise, image = generator.noise_size * n_noise, feature_size * n_image
    output = (n_noise + n_image) * vector_size
    n_pieces = discriminator.maxout_units * discriminator.maxout_pieces
    d_image = feature_size * discriminator.image_units
    word = vector_size * discriminator.word_units
    beside_word = discriminator.word_units * n_pieces
    maxout = beside_word + discriminator.image_units * n_pieces
    logit = discriminator.maxout_units
    draw = noise + image + output
    d_step = draw + 2 * d_image + 4 * (word + maxout + logit) + 2 * (maxout + logit)
    g_step = 2 * draw + output + d_image + word + maxout + logit + word + beside_word + logit
    return 2 * (d_step + g_step)


def _profile(trainer: Trainer, n_updates: int = 5, n_named: int = 3) -> str:
    """Say which operations an update spends its time on."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(n_updates):
            trainer.step()
    taken = Counter({event.key: event.self_cpu_time_total for event in profiler.key_averages()})
    total = taken.total()
    products = sum(taken.pop(name, 0) for name in ("aten::mm", "aten::addmm", "aten::bmm"))
    beside = ", ".join(f"{name} {time / total:.0%}" for name, time in taken.most_common(n_named))
    return f"the matrix products take {products / total:.0%} of an update; beside them {beside}"
