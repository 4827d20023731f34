"""What the two networks play for: real and generated examples, and the terms that each lowers.

The preset `paper` plays for single words: real is the word vector of a photo's tag, fake what the
generator made for that photo. The preset `modern` plays for tag sets: real is the sum of the word
vectors of a photo's tags, fake that of as many words, the best ones of a single draw. Both are the
same code: a pair is a photo with a set of one tag.

Shapes: B examples, S draws an example, K members, D feature size, E word-vector size, V words,
P (photo, tag) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mmcgan.config import TrainConfig
from mmcgan.losses import (
    GENERATOR_LOSSES,
    draw_likelihood,
    fake_loss,
    gradient_penalty,
    real_loss,
    retrieval_loss,
)
from mmcgan.networks import Discriminator, Generator, MixtureGenerator, WordTable

MAX_SCORED_WORDS = 8192  # words that an update scores; of a larger vocabulary, a random choice
SET_SOFTNESS = 0.5  # of a word's place in a set, in logits: how far its gradient reaches
MAX_SET = 50  # tags of a photo that make its set

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Examples:
    """What is learnt from.

    `image_features` (N, D) standardised; `word_vectors` (V, E) as the discriminator sees them;
    `pairs` (P, 2) int64, rows of an image and of a word, those of an image beside each other.
    """

    image_features: Tensor
    word_vectors: Tensor
    pairs: Tensor


@dataclass(frozen=True)
class Batch:
    """Some examples: `images` (B, D), and their tags as pairs of an example and a word.

    `owners` (P,) are places in the batch, `words` (P,) rows of the vocabulary.
    """

    images: Tensor
    owners: Tensor
    words: Tensor

    @property
    def sizes(self) -> Tensor:
        """The number of tags of each example, (B,)."""
        return torch.bincount(self.owners, minlength=len(self.images))

    def sum_of(self, vectors: Tensor) -> Tensor:
        """Sum the rows of `vectors` (V, E) over each example's tags, divided by √size: (B, E)."""
        total = torch.zeros(len(self.images), vectors.shape[1], device=vectors.device)
        total = total.index_add(0, self.owners, vectors[self.words])
        return total / self.sizes.clamp(min=1).sqrt().unsqueeze(1)

    def tags(self, columns: Tensor, n_words: int) -> Tensor:
        """Return which example carries which of the words `columns` (C,): 0/1 (B, C)."""
        place = torch.full((n_words,), -1, device=columns.device)
        place[columns] = torch.arange(len(columns), device=columns.device)
        tags = torch.zeros(len(self.images), len(columns), device=columns.device)
        tags[self.owners, place[self.words]] = 1.0
        return tags


class TagGame:
    """Generator, word table and discriminator on the tags of photos."""

    def __init__(
        self,
        generator: Generator | MixtureGenerator,
        words: WordTable,
        discriminator: Discriminator,
        examples: Examples,
        config: TrainConfig,
    ):
        self.generator, self.words, self.discriminator = generator, words, discriminator
        self.examples, self.config = examples, config
        self.generator_loss = GENERATOR_LOSSES[config.generator_loss]
        self._n_tags = torch.bincount(examples.pairs[:, 0], minlength=len(examples.image_features))
        self._first = torch.cumsum(self._n_tags, 0) - self._n_tags

    @property
    def n_examples(self) -> int:
        """How many examples make an epoch: pairs, or photos."""
        photos = self.config.examples == "photos"
        return len(self.examples.image_features if photos else self.examples.pairs)

    def batch(self, chosen: Tensor) -> Batch:
        """Return the examples `chosen` (B,)."""
        pairs = self.examples.pairs
        if self.config.examples == "pairs":
            images, words = pairs[chosen].T
            owners = torch.arange(len(chosen), device=chosen.device)
            return Batch(self.examples.image_features[images], owners, words)
        sizes = self._n_tags[chosen]
        owners = torch.repeat_interleave(sizes)
        offset = torch.arange(len(owners), device=chosen.device) - (sizes.cumsum(0) - sizes)[owners]
        words = pairs[self._first[chosen][owners] + offset, 1]
        return Batch(self.examples.image_features[chosen], owners, words)

    def draw(self, batch: Batch) -> Tensor:
        """Generate vectors (B, S, E) for the examples of `batch`."""
        noise = self.generator.noise(len(batch.images), self.config.draws)
        draws: Tensor = self.generator(noise.to(batch.images.device), batch.images)
        return draws

    def discriminator_losses(self, batch: Batch) -> tuple[Losses, Losses]:
        """Return the terms that D lowers, and how often it was right, by name."""
        real = batch.sum_of(self.examples.word_vectors).unsqueeze(1)
        with torch.no_grad():
            fake = self._judged(self.draw(batch), batch)
        real.requires_grad_(self.config.gradient_penalty > 0)
        hidden = self.discriminator.embed_images(batch.images)
        real_logits = self.discriminator.judge(real, hidden)
        fake_logits = self.discriminator.judge(fake, hidden)
        losses = {"loss_d_real": real_loss(real_logits), "loss_d_fake": fake_loss(fake_logits)}
        if self.config.gradient_penalty:
            penalty = gradient_penalty(real_logits, real)
            losses["loss_d_penalty"] = self.config.gradient_penalty * penalty
        right = {
            "d_accuracy_real": (real_logits > 0).float().mean(),
            "d_accuracy_fake": (fake_logits < 0).float().mean(),
        }
        return losses, right

    def generator_losses(self, draws: Tensor, batch: Batch) -> Losses:
        """Return the terms that G lowers, by name, for its draws (B, S, E)."""
        logits = self.discriminator(self._judged(draws, batch), batch.images)
        losses = {"loss_g_adversarial": self.generator_loss(logits)}
        if self.config.retrieval or self.config.likelihood:
            columns, weights = self._scored_words(batch)
            tags = batch.tags(columns, len(self.words.bias))
        if self.config.retrieval:
            n_images, _, size = draws.shape
            means = draws.view(n_images, self.generator.n_members, -1, size).mean(2)  # (B, K, E)
            loss = retrieval_loss(self.words(means, columns), tags, weights)
            losses["loss_g_retrieval"] = self.config.retrieval * loss
        if self.config.likelihood:
            scores = self.words(draws, columns, frozen=True)
            loss = draw_likelihood(scores / self.config.likelihood_temperature, tags)
            losses["loss_g_likelihood"] = self.config.likelihood * loss
        return losses

    def _judged(self, draws: Tensor, batch: Batch) -> Tensor:
        """Return what D sees of draws (B, S, E): the vectors, or a draw's set for each member."""
        if self.config.judged == "words":
            return draws
        one_each = draws[:, :: draws.shape[1] // self.generator.n_members]  # (B, K, E)
        sizes = batch.sizes.clamp(max=min(MAX_SET, len(self.words.bias) - 1))
        sets = best_sets(self.words(one_each, frozen=True), sizes)
        return sets @ self.examples.word_vectors / sizes.sqrt().view(-1, 1, 1)

    def _scored_words(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the words that an update scores (C,), and for how many each stands (C,).

        All of a small vocabulary; of a large one the batch's own and a random choice of others.
        """
        n_words, device = len(self.words.bias), batch.words.device
        if n_words <= MAX_SCORED_WORDS:
            return torch.arange(n_words, device=device), torch.ones(n_words, device=device)
        is_own = torch.zeros(n_words, dtype=torch.bool, device=device)
        is_own[batch.words] = True
        own, others = is_own.nonzero()[:, 0], (~is_own).nonzero()[:, 0]
        n_others = max(MAX_SCORED_WORDS - len(own), 1)
        picked = others[torch.randperm(len(others))[:n_others].to(device)]
        weights = torch.ones(len(own) + len(picked), device=device)
        weights[len(own) :] = len(others) / max(len(picked), 1)
        return torch.cat([own, picked]), weights


def best_sets(logits: Tensor, sizes: Tensor) -> Tensor:
    """Return the `sizes` (B,) best words of each draw, 0/1, from logits (B, S, V).

    Forward the sets are exact; backward a word's place is a sigmoid around the last one that is
    in, so that a gradient reaches the draw (Bengio et al. 2013, the straight-through estimator).
    Sizes are at least 1 and below V.
    """
    ordered = logits.detach().topk(int(sizes.max()) + 1, dim=-1).values
    place = sizes.view(-1, 1, 1).expand(-1, logits.shape[1], 1)
    edge = (ordered.gather(-1, place - 1) + ordered.gather(-1, place)) / 2
    soft = torch.sigmoid((logits - edge) / SET_SOFTNESS)
    return (logits > edge).float() + soft - soft.detach()
