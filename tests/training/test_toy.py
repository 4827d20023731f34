"""The same networks, losses and trainer learn p(word | condition) where it is known.

Eight conditions, three words each. The word vector of condition c and word j is the unit vector
along (e_c, e_j), so that the words of all conditions form the same triangle, shifted: the literal
generator, whose noise and condition meet only in its linear output, can express no other shape.
"""

import numpy as np
import pytest
import torch

from mmcgan.inference.words.index import WordIndex
from mmcgan.inference.words.ranking import Draws
from mmcgan.training.config import TrainConfig
from mmcgan.training.loop import Validation, fit
from mmcgan.training.networks import build_networks
from mmcgan.training.runs import RunDir
from mmcgan.training.sampler import Examples
from mmcgan.training.tag_task import TagTask
from mmcgan.training.trainer import Trainer

N_CONDITIONS, PROBABILITY = 8, np.array([0.5, 0.3, 0.2])
N_WORDS, SIZE = len(PROBABILITY), N_CONDITIONS + len(PROBABILITY)

CONFIG = TrainConfig.from_options(
    batch_size=400,
    noise_size=8,
    noise_units=64,
    image_units=64,
    d_word_units=64,
    d_image_units=64,
    maxout_units=64,
    dropout=0.0,
    d_dropout=0.0,
    generator_init=0.2,
    discriminator_init=0.1,
    learning_rate=0.01,
    evaluate_every=25,
    epochs=3000,
    patience=1000,
)


def word_vectors():
    conditions = np.repeat(np.eye(N_CONDITIONS), N_WORDS, axis=0)
    words = np.tile(np.eye(N_WORDS), (N_CONDITIONS, 1))
    return (np.concatenate([conditions, words], axis=1) / np.sqrt(2)).astype(np.float32)


def draw_pairs(n, seed):
    """Draw n (condition, word) pairs from the true distribution."""
    random = np.random.default_rng(seed)
    conditions = np.arange(n) % N_CONDITIONS
    return np.stack(
        [conditions, conditions * N_WORDS + random.choice(N_WORDS, n, p=PROBABILITY)], axis=1
    )


def exact_pairs():
    """Fifty (condition, word) pairs a condition, in the very proportions of the distribution."""
    words = np.repeat(np.arange(N_WORDS), (50 * PROBABILITY).astype(int))
    conditions = np.repeat(np.arange(N_CONDITIONS), len(words))
    return np.stack([conditions, conditions * N_WORDS + np.tile(words, N_CONDITIONS)], axis=1)


def drawn_shares(generator, conditions, seed, n_draws=1000):
    """The share of each word among the nearest words of the draws, (conditions, words)."""
    noise = generator.noise(1, n_draws, torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        samples = generator.eval().sample(noise, conditions).numpy()
    nearest = Draws.of(samples, WordIndex(word_vectors())).nearest
    return np.stack(
        [np.bincount(row, minlength=N_CONDITIONS * N_WORDS) / n_draws for row in nearest]
    )


def total_variation(shares, expected):
    return float(np.abs(shares - expected).sum(axis=1).mean() / 2)


def truth():
    table = np.zeros((N_CONDITIONS, N_CONDITIONS * N_WORDS))
    for condition in range(N_CONDITIONS):
        table[condition, condition * N_WORDS : (condition + 1) * N_WORDS] = PROBABILITY
    return table


def empirical(pairs):
    table = np.zeros((N_CONDITIONS, N_CONDITIONS * N_WORDS))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), 1)
    return table / table.sum(axis=1, keepdims=True)


@pytest.fixture
def one_thread():
    """The order of sums, and so the course of the training, depends on the number of threads."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.mark.parametrize("seed", [0, 2])
def test_toy_distribution_is_learnt_to_a_total_variation_below_one_fifth(
    seed, tmp_path, one_thread
):
    conditions = 3 * torch.eye(N_CONDITIONS)
    examples = Examples(
        conditions,
        torch.from_numpy(word_vectors()),
        torch.from_numpy(exact_pairs()),
    )
    config = CONFIG.with_options(seed=seed)
    vectors, frequency = examples.word_vectors, torch.ones(N_CONDITIONS * N_WORDS)
    networks = build_networks(N_CONDITIONS, vectors, frequency, SIZE, config)
    dev = empirical(draw_pairs(800, seed=1))

    def validate(taggers):
        """Held-out pairs choose the best networks, as dev does on photos; not the truth."""
        score = 1 - total_variation(drawn_shares(taggers["generator"], conditions, seed=3), dev)
        return Validation(score, {"P@10": score, "distinct_words": 3.0})

    run = RunDir(tmp_path)
    run.write_config({})
    before = total_variation(drawn_shares(networks[0], conditions, seed=5), truth())
    best = fit(Trainer(TagTask(networks, examples, config), config), validate, run)
    networks[0].load_state_dict(best.networks["generator"])
    shares = drawn_shares(networks[0], conditions, seed=4)
    assert before > 0.7
    assert total_variation(shares, truth()) <= 0.2
    # every condition gets its own words, and all three of them
    own = shares.reshape(N_CONDITIONS, N_CONDITIONS, N_WORDS)[range(8), range(8)]
    assert (own.sum(axis=1) > 0.7).all()
