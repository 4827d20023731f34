"""How good generated digits are: likelihood, recognition, and their features beside real ones'."""

from __future__ import annotations

from contextlib import redirect_stdout
from typing import Any

import numpy as np
from prdc import compute_prdc

from eval.digits.classifier import DigitClassifier, Recognised
from eval.digits.config import Kind
from eval.digits.data import N_CLASSES, DigitData
from eval.digits.parzen import parzen_log_likelihood
from eval.figures.modes import Modes
from mmcgan.arrays import FloatArray, IntArray
from mmcgan.inference.words.index import import_faiss

NEAREST = 5  # neighbours that make the manifold of precision, recall, density and coverage
MAX_COMPARED = 5000  # samples and images whose distances to each other are in memory at once
N_NEAREST = 2000  # samples whose nearest training image is looked for


def measure_samples(
    samples: FloatArray,
    labels: IntArray,
    data: DigitData,
    classifier: DigitClassifier,
    kind: Kind,
) -> dict[str, Any]:
    """Return what a report says of `samples` (S, P), generated for `labels` (S,)."""
    test = data.test.images
    fake, real = classifier.recognise(samples), classifier.recognise(test)
    right = float((fake.labels == labels).mean())
    counts = np.bincount(real.labels, minlength=N_CLASSES)
    return {
        "log_likelihood": parzen_log_likelihood(samples, data.validation.images, test),
        **({"condition_accuracy": right} if kind == "cgan" else {}),
        "classifier_accuracy": float((real.labels == data.test.labels).mean()),
        "fid": frechet_distance(fake.features, real.features),
        "inception_score": inception_score(fake.probabilities),
        **precision_recall(fake, real),
        "modes": Modes.of(fake.labels, N_CLASSES).to_json() | {"real_counts": counts.tolist()},
        "nearest": nearness(samples, data),
    }


def frechet_distance(first: FloatArray, second: FloatArray) -> float:
    """|m - m'|² + tr(C + C' - 2 (C C')^½) of features (N, F) and (M, F).

    FID (Heusel et al. 2017, equation 6), which has its name from the features of Inception.
    """
    means = [features.mean(axis=0, dtype=np.float64) for features in (first, second)]
    covariances = [np.cov(features.T.astype(np.float64)) for features in (first, second)]
    # C C' has the eigenvalues of the symmetric C^½ C' C^½, whose roots make the trace.
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ covariances[1] @ root)
    distance = ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1])
    # Rounding may make the distance of equals negative.
    return max(float(distance - 2 * np.sqrt(np.maximum(shared, 0)).sum()), 0.0)


def inception_score(probabilities: FloatArray) -> float:
    """exp E KL(p(y|x) ‖ p(y)) of class probabilities (N, C) (Salimans et al. 2016, section 4)."""
    p = np.maximum(probabilities.astype(np.float64), 1e-12)
    divergence = (p * (np.log(p) - np.log(p.mean(axis=0)))).sum(axis=1)
    return float(np.exp(divergence.mean()))


def precision_recall(fake: Recognised, real: Recognised) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020)."""
    features = (_thinned(part.features) for part in (real, fake))
    with redirect_stdout(None):  # it prints how many there are
        found = compute_prdc(*features, nearest_k=NEAREST)
    return {name: float(found[name]) for name in ("precision", "recall", "density", "coverage")}


def nearness(samples: FloatArray, data: DigitData) -> dict[str, float]:
    """Return how near samples (S, P) are to the training images, beside the test images.

    A generator that repeats what it has seen is much nearer to them than unseen digits are, or
    has few of them as its nearest.
    """
    rows, distances = nearest_training(_thinned(samples, N_NEAREST), data)
    _, of_test = nearest_training(_thinned(data.test.images, N_NEAREST), data)
    return {
        "n_samples": len(rows),
        "n_distinct": len(np.unique(rows)),
        "distance": float(distances.mean()),
        "test_distance": float(of_test.mean()),
    }


def nearest_training(images: FloatArray, data: DigitData) -> tuple[IntArray, FloatArray]:
    """Return the row of the nearest training image of each of `images` (N, P), and how far."""
    index = import_faiss().IndexFlatL2(data.train.images.shape[1])
    index.add(data.train.images)
    squares, rows = index.search(np.ascontiguousarray(images), 1)
    return rows[:, 0], np.sqrt(np.maximum(squares[:, 0], 0))


def _thinned(rows: FloatArray, most: int = MAX_COMPARED) -> FloatArray:
    """Return at most `most` rows, evenly over all, so that every class has its part."""
    step = -(-len(rows) // most)
    return np.ascontiguousarray(rows[::step])
