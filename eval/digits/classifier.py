"""A small classifier trained on the digits themselves: what recognises them, and their features.

Inception Score and FID have their names from a network trained on photographs, which says little
of digits. With this one they compare generators inside this project, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm import trange

from eval.digits.data import N_CLASSES, DigitData
from mmcgan.arrays import FloatArray, IntArray

N_FEATURES = 64
BATCH_SIZE, LEARNING_RATE = 128, 2e-3
N_UPDATES = 1500  # about four passes over MNIST
SEED = 0  # the same classifier for every run on the same data
CHUNK = 1000


@dataclass(frozen=True)
class Recognised:
    """What the classifier says of N images: `features` (N, F), `probabilities` (N, C)."""

    features: FloatArray
    probabilities: FloatArray

    @property
    def labels(self) -> IntArray:
        """The most likely class of each image, (N,)."""
        return self.probabilities.argmax(axis=1)


class DigitClassifier(nn.Module):
    """Two convolutions and a layer of `N_FEATURES`: images (N, HW) → features, logits."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Unflatten(1, (1, height, width)),
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * (height // 4) * (width // 4), N_FEATURES),
            nn.ReLU(),
        )
        self.output = nn.Linear(N_FEATURES, N_CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, F) and logits (N, C)."""
        features = self.body(images)
        return features, self.output(features)

    @torch.inference_mode()
    def recognise(self, images: FloatArray) -> Recognised:
        """Look at `images` (N, HW)."""
        parts = map(self, torch.split(torch.from_numpy(images), CHUNK))
        features, logits = (torch.cat(part) for part in zip(*parts, strict=True))
        return Recognised(features.numpy(), logits.softmax(dim=1).numpy())


def train_classifier(data: DigitData) -> DigitClassifier:
    """Train the classifier on the training digits."""
    images, labels = data.train.tensors
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        classifier = DigitClassifier(data.height, data.width)
        optimizer = torch.optim.Adam(classifier.parameters(), LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, N_UPDATES)
        for _ in trange(N_UPDATES, desc="classifier", unit="update", disable=None):
            chosen = torch.randint(len(labels), (BATCH_SIZE,))
            _, logits = classifier(images[chosen])
            loss = nn.functional.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return classifier.eval()
