"""Do the draws mean something: drawn words as a distribution over the vocabulary.

All logarithms are natural. Tables of images by words exist in blocks of images only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from eval.figures.bootstrap import mean_figure, resample_counts
from eval.figures.reliability import Reliability
from mmcgan.arrays import DoubleArray, IntArray

BLOCK, MAX_CELLS = 256, 2**22  # images, and images × words, that are in memory at once
NUMBERS_OF_DRAWS = (100, 1000)  # measured beside all draws

# What is tried on dev. An alpha is a number of imagined draws a word; with V words and S draws the
# prior weighs alpha V / (S + alpha V), so the grid reaches from next to nothing to nearly all.
ALPHAS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
TEMPERATURES = (0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0)
PRIOR_WEIGHTS = (0.0, 0.01, 0.03, 0.1, 0.3)  # epsilon, of the prior beside the baseline's softmax
UNSEEN = 0.5  # photos that a word which no training photo carries counts as in the prior

# Of predicted probabilities: half decades, and one bin for all below.
EDGES = (0.0, *(10.0 ** (i / 2) for i in range(-12, 1)))

DESCRIPTION = (
    "Each generated vector counts as its nearest word; the words drawn for a photo, smoothed as "
    "p = (count + alpha V prior) / (draws + alpha V), are a distribution over the V words of the "
    "vocabulary. The rival's is the softmax of its logits / temperature, mixed with the same prior "
    "by the weight epsilon. The prior is uniform or the tag frequency in train, which alone is "
    "the system that looks at no photo. All of these are chosen on dev by cross-entropy, those of "
    "the draws for each number of draws. Cross-entropy, in nats: −Σ q log p, averaged over photos; "
    "lower is better. Reliability: of all pairs of a photo and a word with a p in the bin, the "
    "mean p and the mean q, which are the same where p can be taken at its word."
)
TARGET = (
    "q(w | x) = 1 / (number of the photo's tags that are in the vocabulary) on each of these tags, "
    "0 on all other words."
)

Params = dict[str, Any]
Logits = Callable[[slice | IntArray], npt.NDArray[np.floating]]  # B of the images → (B, V)
LogP = Callable[[slice], DoubleArray]  # a block of B images → the log p of their words, (B, V)


@dataclass(frozen=True)
class Photos:
    """N images: what they carry, what was drawn for them, what the baseline says of them.

    `tags` (N, V) csr 0/1; `draws` (N, S) the rows of the words nearest to S generated vectors;
    `logits` makes those of the baseline.
    """

    tags: sparse.csr_array
    draws: IntArray
    logits: Logits

    def tagged(self) -> Photos:
        """Return the images with a tag; the others have no q."""
        kept = np.flatnonzero(np.diff(self.tags.indptr))
        tags = sparse.csr_array(self.tags[kept])
        return Photos(tags, self.draws[kept], lambda images: self.logits(kept[images]))


@dataclass(frozen=True)
class Base:
    """A distribution before the prior is mixed in, for any photos, and its settings."""

    params: Params
    log_p: Callable[[Photos, slice], DoubleArray]


@dataclass(frozen=True)
class Mix:
    """A prior, log of (V,), that is mixed in with `weight` in [0, 1], and its settings."""

    params: Params
    log_prior: DoubleArray
    weight: float


@dataclass(frozen=True)
class Chosen:
    """The predictor that is best on dev, its cross-entropy there, and how many were tried."""

    base: Base
    mix: Mix
    dev_cross_entropy: float
    n_tried: int

    @property
    def params(self) -> Params:
        """The settings of both parts."""
        return self.base.params | self.mix.params

    def log_p(self, photos: Photos) -> LogP:
        """Return what it says of `photos`, by block."""
        return lambda block: mixed(
            self.base.log_p(photos, block), self.mix.log_prior, self.mix.weight
        )


def distribution(
    dev: Photos,
    evaluated: Photos,
    train_tags: sparse.csr_array,
    seed: int,
    name: str = "cgan",
    baseline: str = "mlp",
) -> dict[str, Any] | None:
    """Return the `distribution` part of a report: the draws of `name` against those of `baseline`.

    `train_tags` (M, V) is csr 0/1. Images without a tag are left out. Where dev and the evaluated
    images have a different number of draws, the first of the smaller number are used. None if
    there is nothing to choose or to measure by.
    """
    dev, evaluated = dev.tagged(), evaluated.tagged()
    n_draws = min(dev.draws.shape[1], evaluated.draws.shape[1])
    n_images = evaluated.tags.shape[0]
    if not (dev.tags.shape[0] and n_images and n_draws):
        return None
    log_priors = make_log_priors(train_tags)
    counts = resample_counts(n_images, seed)
    numbers = [*(n for n in NUMBERS_OF_DRAWS if n < n_draws), n_draws]
    by_draws = {n: choose(*draw_grid(n, log_priors), dev) for n in numbers}
    systems = {
        name: by_draws[n_draws],
        baseline: choose(*baseline_grid(log_priors), dev),
        "frequency": choose(*frequency_grid(log_priors), dev),
    }
    values = {n: image_cross_entropies(chosen, evaluated) for n, chosen in systems.items()}
    parts = {
        system: {"cross_entropy": mean_figure(values[system], counts), **_facts(chosen, evaluated)}
        for system, chosen in systems.items()
    }
    parts[name]["n_draws"] = n_draws
    difference = mean_figure(values[name] - values[baseline], counts) or {}
    return {
        "description": DESCRIPTION,
        "target": TARGET,
        "target_entropy": mean_figure(np.log(np.diff(evaluated.tags.indptr)), counts),
        "n_images": n_images,
        "systems": parts,
        "difference": {"name": name, "against": baseline, **difference},
        "by_draws": [
            {
                "n_draws": n,
                "cross_entropy": mean_figure(image_cross_entropies(chosen, evaluated), counts),
                "chosen": chosen.params,
            }
            for n, chosen in by_draws.items()
        ],
    }


def make_log_priors(train_tags: sparse.csr_array) -> dict[str, DoubleArray]:
    """Return log p (V,) of each prior: uniform, and how often the words are tags in train."""
    n_words = train_tags.shape[1]
    carried = np.maximum(np.asarray(train_tags.sum(axis=0), np.float64), UNSEEN)
    return {"uniform": np.full(n_words, -np.log(n_words)), "train": np.log(carried / carried.sum())}


def draw_grid(
    n_draws: int, log_priors: Mapping[str, DoubleArray]
) -> tuple[Sequence[Base], Sequence[Mix]]:
    """Return the shares of the first S draws, and all smoothings of them.

    (count + alpha V prior) / (S + alpha V) is the mixture of count / S and the prior with the
    prior's weight alpha V / (S + alpha V).
    """

    def log_p(photos: Photos, block: slice) -> DoubleArray:
        return log_shares(photos.draws[block, :n_draws], photos.tags.shape[1])

    n_words = len(log_priors["uniform"])
    weights = {alpha: alpha * n_words / (n_draws + alpha * n_words) for alpha in ALPHAS}
    mixes = [
        Mix({"alpha": alpha, "prior": prior}, log_prior, weight)
        for alpha, weight in weights.items()
        for prior, log_prior in log_priors.items()
    ]
    return [Base({}, log_p)], mixes


def baseline_grid(log_priors: Mapping[str, DoubleArray]) -> tuple[Sequence[Base], Sequence[Mix]]:
    """Return the softmax of the baseline's logits at each temperature, and all mixtures with it."""
    mixes = [
        Mix({"epsilon": weight, "prior": prior if weight else "none"}, log_prior, weight)
        for weight in PRIOR_WEIGHTS
        for prior, log_prior in log_priors.items()
        if weight or prior == "uniform"  # the prior is the same where it weighs nothing
    ]
    return [_softmax(temperature) for temperature in TEMPERATURES], mixes


def frequency_grid(log_priors: Mapping[str, DoubleArray]) -> tuple[Sequence[Base], Sequence[Mix]]:
    """Return nothing but the training prior: what is known without a photo."""

    def log_p(photos: Photos, block: slice) -> DoubleArray:
        return np.tile(log_priors["uniform"], (len(photos.draws[block]), 1))

    return [Base({}, log_p)], [Mix({}, log_priors["train"], 1.0)]


def choose(bases: Sequence[Base], mixes: Sequence[Mix], dev: Photos) -> Chosen:
    """Return the pair with the lowest cross-entropy on dev, the first of equal ones."""
    best: Chosen | None = None
    for base in bases:
        at_tags = log_p_at_tags(partial(base.log_p, dev), dev.tags)
        for mix in mixes:
            log_p = mixed(at_tags, mix.log_prior[dev.tags.indices], mix.weight)
            value = float(cross_entropies(log_p, dev.tags).mean())
            if best is None or value < best.dev_cross_entropy:
                best = Chosen(base, mix, value, len(bases) * len(mixes))
    assert best is not None  # no grid is empty
    return best


def image_cross_entropies(chosen: Chosen, photos: Photos) -> DoubleArray:
    """Return the cross-entropy of each of `photos`, (N,)."""
    return cross_entropies(log_p_at_tags(chosen.log_p(photos), photos.tags), photos.tags)


def cross_entropies(log_p: DoubleArray, tags: sparse.csr_array) -> DoubleArray:
    """Return -Σ q log p (N,) from the log p of each tag of each image, in the order of `tags`.

    As q is 1 / n on the n tags of an image, that is the mean of -log p over its tags.
    """
    n_tags = np.diff(tags.indptr)
    image = np.repeat(np.arange(len(n_tags)), n_tags)
    return -np.bincount(image, log_p, len(n_tags)) / n_tags


def log_p_at_tags(log_p: LogP, tags: sparse.csr_array) -> DoubleArray:
    """Return the log p of each tag of each image, in the order of `tags` (N, V)."""
    parts = []
    for block in blocks(*tags.shape):
        own = tags[block]
        image = np.repeat(np.arange(own.shape[0]), np.diff(own.indptr))
        parts.append(log_p(block)[image, own.indices])
    return np.concatenate(parts)


def log_shares(draws: IntArray, n_words: int) -> DoubleArray:
    """Return the log of each word's share of the draws (B, S), (B, V); -inf where never drawn."""
    n_images, n_draws = draws.shape
    cells = np.arange(n_images)[:, None] * n_words + draws
    counts = np.bincount(cells.ravel(), minlength=n_images * n_words)
    return _log(counts.reshape(n_images, n_words) / n_draws)


def mixed(log_p: DoubleArray, log_prior: DoubleArray, weight: float) -> DoubleArray:
    """Return log((1 - weight) p + weight prior) of log p (…, V) and the log prior (V,)."""
    return np.logaddexp(_log(np.float64(1 - weight)) + log_p, _log(np.float64(weight)) + log_prior)


def reliability(log_p: LogP, tags: sparse.csr_array) -> list[dict[str, Any]]:
    """Return mean p and mean q of all pairs of an image and a word, by bins of p (EDGES).

    A bin holds low ≤ p < high, the last one 1 as well; those without a pair are left out.
    """
    bins = Reliability(EDGES)
    for block in blocks(*tags.shape):
        q = tags[block].toarray()
        q = q / q.sum(axis=1, keepdims=True)
        bins.add(np.exp(log_p(block)).ravel(), q.ravel())
    return bins.lines()


def blocks(n_images: int, n_words: int) -> Iterator[slice]:
    """Yield slices of BLOCK images, with very many words of fewer."""
    step = max(min(BLOCK, MAX_CELLS // n_words), 1)
    for start in range(0, n_images, step):
        yield slice(start, min(start + step, n_images))


def _softmax(temperature: float) -> Base:
    def log_p(photos: Photos, block: slice) -> DoubleArray:
        scaled = photos.logits(block).astype(np.float64) / temperature
        return np.asarray(special.log_softmax(scaled, axis=1), np.float64)

    return Base({"temperature": temperature}, log_p)


def _facts(chosen: Chosen, photos: Photos) -> dict[str, Any]:
    return {
        "chosen": chosen.params,
        "prior_weight": chosen.mix.weight,
        "n_tried": chosen.n_tried,
        "dev_cross_entropy": chosen.dev_cross_entropy,
        "reliability": reliability(chosen.log_p(photos), photos.tags),
    }


def _log(values: Any) -> Any:
    """Return the logarithm, -inf of 0 without a warning."""
    with np.errstate(divide="ignore"):
        return np.log(values)
