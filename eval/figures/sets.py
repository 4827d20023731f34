"""Tag sets: are the best words of one draw a set that a person might have written?

A set is a row of at most CUT vocabulary rows, best first; -1 fills the places of smaller sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier

from eval.figures.bootstrap import Figure, divided, figure, mean_figure, resample_counts
from mmcgan.arrays import BoolArray, DoubleArray, FloatArray, IntArray

CUT = 10  # words of a set
MIN_PHOTOS = 50  # training photos with a word, from which on missing pairs say something
N_FOLDS = 5
MIN_SETS = 50  # real sets of two words or more, from which on a classifier is fitted
BLOCK = 64  # images whose sets are mixed at once
NONE = -1  # fills the places of smaller sets

DESCRIPTION = (
    f"The {CUT} nearest words of one generated vector are a set of tags, generated at once. "
    "Beside them: independent, the same words of a photo dealt out anew, so that each word of a "
    "set comes from another draw (the place in the set stays, a word that the set has is skipped); "
    f"ranking, the {CUT} words that the photo is tagged with in the end; real, the photo's own "
    f"tags, of more than {CUT} so many at random."
)
MEASURES = {
    "never_together": "Share of all pairs of words in these sets that no training photo carries "
    "together. Real sets have some too.",
    "never_together_same_size": "The same among the first words of a set only, as many as the "
    "photo has tags: what is to be compared with real sets.",
    "never_together_frequent": "The same, of whole sets, among the pairs whose words are both on "
    f"{MIN_PHOTOS} training photos or more, so that it says something that they never met.",
    "energy": "Conditional energy score: E|f − y| − ½ E|f − f′| with y the mean word vector of the "
    "photo's own m tags, f that of the first m words of a set and f′ that of another set of the "
    "photo; lower is better. It rewards sets that are near the real one and vary as much as real "
    "ones do. A ranking is one certain set, so that only its distance is left.",
    "realism": "Area under the ROC curve of a classifier that tells real sets from these ones, of "
    "the same size, by the company of the words alone, not by the photo; .5 means that they cannot "
    "be told apart, 1 that they always can.",
}

Counts = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Cooccurrence:
    """How often M training photos carry each word, (V,), and each pair of words, csr (V, V)."""

    n_photos: IntArray
    pairs: sparse.csr_array
    n_images: int

    @classmethod
    def of(cls, tags: sparse.csr_array) -> Cooccurrence:
        """Count the 0/1 `tags` (M, V)."""
        exact = tags.astype(np.int32)
        pairs = sparse.csr_array(exact.T @ exact)
        pairs.sort_indices()  # else a look at one pair goes through all of its word
        return cls(pairs.diagonal(), pairs, tags.shape[0])

    def together(self, left: IntArray, right: IntArray) -> IntArray:
        """Return how many photos carry both words of pairs of any one shape."""
        counts = np.asarray(self.pairs[left.ravel(), right.ravel()])
        return counts.reshape(left.shape)

    def log_lift(self, left: IntArray, right: IntArray) -> DoubleArray:
        """Return log((n + 1) / (e + 1)) for pairs of words of one shape.

        n is the number of photos with both, e = n_left n_right / M the number that chance would
        give; the photo that is added to both keeps rare pairs from saying much.
        """
        expected = self.n_photos[left] / max(self.n_images, 1) * self.n_photos[right]
        return np.log((self.together(left, right) + 1) / (expected + 1))


def tag_sets(
    sets: IntArray,
    ranking: IntArray,
    tags: sparse.csr_array,
    train_tags: sparse.csr_array,
    word_vectors: FloatArray,
    seed: int,
) -> dict[str, Any] | None:
    """Return the `sets` part of a report; what is not defined is left out, None without a draw.

    `sets` (N, R, K) are the K best words of R draws an image, `ranking` (N, ≥ K) its final words,
    best first and without repetition; `tags` (N, V) and `train_tags` (M, V) csr 0/1;
    `word_vectors` (V, E) unit rows.
    """
    n_images, n_draws, _ = sets.shape
    if not (n_images and n_draws):
        return None
    size = min(sets.shape[2], CUT)
    words, (sets, ranking, real) = _only_these(
        sets[:, :, :size], ranking[:, :size], real_sets(tags, size, seed)
    )
    train, counts = Cooccurrence.of(train_tags[:, words]), resample_counts(n_images, seed)
    word_vectors = word_vectors[words]
    kinds = {"one draw": sets}
    if n_draws > 1:
        kinds["independent"] = independent_sets(sets, seed)
    kinds |= {"ranking": ranking[:, None], "real": real[:, None]}
    measured = {n: _pair_figures(made, real, train, counts) for n, made in kinds.items()}
    for name, made in kinds.items():
        if name != "real":
            scores = energy_scores(made, real, word_vectors, certain=name == "ranking")
            measured[name]["energy"] = mean_figure(scores, counts)
            measured[name]["realism"] = realism(real, made, train, word_vectors, counts, seed)
    return {
        "description": DESCRIPTION,
        "measures": MEASURES,
        "n_images": n_images,
        "n_draws": n_draws,
        "size": size,
        "kinds": {
            name: {measure: value for measure, value in values.items() if value is not None}
            for name, values in measured.items()
        },
    }


def real_sets(tags: sparse.csr_array, size: int, seed: int) -> IntArray:
    """Return the tags of each image as a set, (N, size); of more a seeded random choice."""
    rng = np.random.default_rng(seed)
    sets = np.full((tags.shape[0], size), NONE)
    for i in range(len(sets)):
        own = tags.indices[tags.indptr[i] : tags.indptr[i + 1]]
        if len(own) > size:
            own = rng.choice(own, size, replace=False)
        sets[i, : len(own)] = own
    return sets


def independent_sets(sets: IntArray, seed: int) -> IntArray:
    """Deal the words of `sets` (N, R, K) out anew within each image, each from another draw.

    In a seeded order of the R draws, the j-th word of the r-th new set is the j-th one of the
    draw r + j (mod R), so that all K come from different draws where R ≥ K; where the set has
    that word, the draw's next one follows, after its last one its first.
    """
    n_images, n_draws, _ = sets.shape
    order = np.tile(np.arange(n_draws), (n_images, 1))
    np.random.default_rng(seed).permuted(order, axis=1, out=order)
    shuffled = np.take_along_axis(sets, order[:, :, None], axis=1)
    starts = range(0, n_images, BLOCK)
    return np.concatenate([_dealt(shuffled[start : start + BLOCK]) for start in starts])


def never_together(
    sets: IntArray, train: Cooccurrence, counts: Counts, min_photos: int = 0
) -> Figure | None:
    """Return the share of the pairs in `sets` (N, R, K) that no training photo has.

    Only pairs of words that `min_photos` training photos carry each are counted; None without
    one. The interval resamples images by `counts` (N, B).
    """
    n_pairs, n_never = np.zeros((2, len(sets)))
    for a, b in combinations(range(sets.shape[2]), 2):
        left, right = sets[:, :, a], sets[:, :, b]
        counted = (left != NONE) & (right != NONE)
        counted &= np.minimum(train.n_photos[left], train.n_photos[right]) >= min_photos
        n_pairs += counted.sum(axis=1)
        n_never += (counted & (train.together(left, right) == 0)).sum(axis=1)
    if not n_pairs.any():
        return None
    resampled = divided(n_never @ counts, n_pairs @ counts)
    return figure(float(n_never.sum() / n_pairs.sum()), resampled)


def energy_scores(
    sets: IntArray, real: IntArray, word_vectors: FloatArray, certain: bool = False
) -> DoubleArray:
    """Return the energy score of `sets` (N, R, K) given `real` ones (N, K), (N,); lower is better.

    (1/R) Σ_r |f_r - y| - 1/(2 R (R - 1)) Σ_{r ≠ s} |f_r - f_s|, with y the mean vector of an
    image's m real words and f_r that of the first m words of set r: the energy score of Gneiting
    & Raftery (JASA 2007, eq. 22, sign turned) with its second expectation over pairs of different
    sets, which leaves it without bias for any R. NaN where an image has no real word, and where a
    single set does not say how sets vary; with `certain` it is said not to vary.
    """
    n_images, n_draws, _ = sets.shape
    scores = np.full(n_images, np.nan)
    if n_draws < 2 and not certain:
        return scores
    for i, m in enumerate((real != NONE).sum(axis=1)):
        if m:
            y = word_vectors[real[i, :m]].mean(axis=0, dtype=np.float64)
            f = word_vectors[sets[i, :, :m]].mean(axis=1, dtype=np.float64)
            spread = 0.0 if certain else _mean_distance(f)
            scores[i] = np.linalg.norm(f - y, axis=1).mean() - spread / 2
    return scores


def realism(
    real: IntArray,
    sets: IntArray,
    train: Cooccurrence,
    word_vectors: FloatArray,
    counts: Counts,
    seed: int,
) -> Figure | None:
    """Return how well a classifier tells `real` sets (N, K) from `sets` (N, R, K): an AUC.

    Each image with m ≥ 2 real words gives its real set and the first m words of one of its sets,
    a seeded choice; None where there are too few. Both are in the same one of N_FOLDS folds, and
    are judged by a classifier of the other folds. The AUC is that of a fold, averaged over folds;
    the interval resamples images by `counts` (N, B), with the classifiers as they are.

    The classifier is gradient boosting on trees, since generated sets may be on both sides of the
    real ones (too close in meaning or too far apart), which no linear one could tell.
    """
    judged = (real != NONE).sum(axis=1) > 1
    if judged.sum() < MIN_SETS:
        return None
    rng = np.random.default_rng(seed)
    picked = sets[np.arange(len(sets)), rng.integers(sets.shape[1], size=len(sets))]
    made = np.where(real != NONE, picked, NONE)
    of_real = set_features(real[judged], train, word_vectors)
    of_made = set_features(made[judged], train, word_vectors)
    fold = rng.permutation(judged.sum()) % N_FOLDS
    aucs, resampled = [], []
    for k in range(N_FOLDS):
        wins = _wins(of_real, of_made, fold == k, seed)
        weights = counts[judged][fold == k].astype(np.float64)
        aucs.append(wins.mean())
        resampled.append(divided((wins @ weights * weights).sum(axis=0), weights.sum(axis=0) ** 2))
    return figure(float(np.mean(aucs)), np.mean(resampled, axis=0))


def set_features(sets: IntArray, train: Cooccurrence, word_vectors: FloatArray) -> DoubleArray:
    """Return what describes each of `sets` (n, K) of two words or more, (n, 7).

    Mean, lowest and highest cosine of two of its words, mean log lift of a pair, mean and
    standard deviation of log(1 + training photos) of a word, and the number of words.
    """
    a, b = np.triu_indices(sets.shape[1], 1)
    is_pair = (sets[:, a] != NONE) & (sets[:, b] != NONE)
    vectors = word_vectors[sets]
    cosines = np.where(is_pair, (vectors @ vectors.transpose(0, 2, 1))[:, a, b], np.nan)
    lifts = np.where(is_pair, train.log_lift(sets[:, a], sets[:, b]), np.nan)
    frequency = np.where(sets != NONE, np.log1p(train.n_photos[sets]), np.nan)
    of_cosines = [function(cosines, axis=1) for function in (np.nanmean, np.nanmin, np.nanmax)]
    of_words = [np.nanmean(frequency, axis=1), np.nanstd(frequency, axis=1)]
    columns = [*of_cosines, np.nanmean(lifts, axis=1), *of_words, (sets != NONE).sum(axis=1)]
    return np.stack(columns, axis=1).astype(np.float64)


def _only_these(*sets: IntArray) -> tuple[IntArray, list[IntArray]]:
    """Return the words (W,) that any of the sets hold, and the sets with places among these."""
    words = np.unique(np.concatenate([own.ravel() for own in sets]))
    words = words[words != NONE]
    return words, [np.where(own == NONE, NONE, np.searchsorted(words, own)) for own in sets]


def _pair_figures(
    sets: IntArray, real: IntArray, train: Cooccurrence, counts: Counts
) -> dict[str, Figure | None]:
    same_size = np.where(real[:, None] != NONE, sets, NONE)
    return {
        "never_together": never_together(sets, train, counts),
        "never_together_same_size": never_together(same_size, train, counts),
        "never_together_frequent": never_together(sets, train, counts, MIN_PHOTOS),
    }


def _dealt(sets: IntArray) -> IntArray:
    """Return new sets (N, R, K) from shuffled ones; see `independent_sets`."""
    dealt = np.empty_like(sets)
    for j in range(sets.shape[2]):
        offered = np.roll(sets, (-j, -j), axis=(1, 2))
        taken = (offered[:, :, :, None] == dealt[:, :, None, :j]).any(axis=3)
        first = taken.argmin(axis=2)[:, :, None]  # of those that are not taken
        dealt[:, :, j] = np.take_along_axis(offered, first, axis=2)[:, :, 0]
    return dealt


def _mean_distance(f: DoubleArray) -> float:
    """Return the mean distance of two different rows of f (R ≥ 2, E)."""
    squares = (f**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * f @ f.T, 0))
    np.fill_diagonal(distances, 0)
    return float(distances.sum() / (len(f) * (len(f) - 1)))


def _wins(real: DoubleArray, made: DoubleArray, held: BoolArray, seed: int) -> DoubleArray:
    """Fit on the sets that are not `held` (n,); compare the scores of those that are.

    `real` and `made` (n, 7) are the features of both sets of each image. In the result (h, h),
    [i, j] is 1 if real set i looks more real than made set j, ½ if equally so.
    """
    model = HistGradientBoostingClassifier(
        max_leaf_nodes=15, l2_regularization=1.0, early_stopping=False, random_state=seed
    )
    is_real = np.repeat([1, 0], (~held).sum())
    model.fit(np.concatenate([real[~held], made[~held]]), is_real)
    scores = [model.decision_function(features[held]) for features in (real, made)]
    margin = scores[0][:, None] - scores[1]
    return (np.sign(margin) + 1) / 2
