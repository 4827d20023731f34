"""What the two networks play for: real and generated examples, and the terms that each lowers.

The preset `paper` plays for single words: real is the word vector of a photo's tag, fake what the
generator made for that photo. The preset `modern` plays for tag sets: real is the sum of the word
vectors of a photo's tags, fake that of as many words, the best ones of a single draw. Both are the
same code: a pair is a photo with a set of one tag.

Where several ranks train together (`mmcgan.training.ranks`), mini-batches are whole ones; draws,
losses and gradients are of a rank's own rows, and the losses add up to those of the whole.

Shapes: B examples, U untagged photos beside them, S draws an example, K members, D feature size,
E word-vector size, V words, C words that an update scores, P (photo, tag) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from mmcgan.training.adversarial import ADVERSARIAL, PLAYS, Judge, Losses
from mmcgan.training.config import TrainConfig
from mmcgan.training.losses import draw_likelihood, retrieval_loss
from mmcgan.training.neighbours import Neighbours
from mmcgan.training.networks import Discriminator, Generator, MixtureGenerator, WordTable
from mmcgan.training.prepared.feature_rows import Rows
from mmcgan.training.ranks import ALONE, Ranks

MAX_SCORED_WORDS = 8192  # words that an update scores; of a larger vocabulary, a random choice
SET_SOFTNESS = 0.5  # of a word's place in a set, in logits: how far its gradient reaches
MAX_SET = 50  # tags of a photo that make its set

BATCHES_OF_PHOTOS, MIN_PHOTOS = 40, 16  # an epoch of photos at least, a batch of them at least
RETRIEVAL = "loss_g_retrieval"


@dataclass(frozen=True)
class Examples:
    """What is learnt from.

    `image_features` (N, D) standardised, the tagged photos first, read when they are needed;
    `word_vectors` (V, E) as the discriminator sees them; `pairs` (P, 2) int64, rows of a tagged
    image and of a word, those of an image beside each other; `neighbours` similar tagged photos
    of each untagged one, where asked for.
    """

    image_features: Rows
    word_vectors: Tensor
    pairs: Tensor
    neighbours: Neighbours | None = None

    @cached_property
    def n_tagged(self) -> int:
        """How many of the images have tags."""
        return int(self.pairs[-1, 0]) + 1

    @cached_property
    def n_tags(self) -> Tensor:
        """The number of tags of each image, (N,)."""
        return torch.bincount(self.pairs[:, 0], minlength=len(self.image_features))

    @cached_property
    def _first_pair(self) -> Tensor:
        """Where the pairs of each image begin, (N,)."""
        return torch.cumsum(self.n_tags, 0) - self.n_tags

    def tags_of(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tags of `images` (B,) as pairs: places in `images` (P,), words (P,)."""
        sizes = self.n_tags[images]
        owners = torch.repeat_interleave(sizes)
        place = torch.arange(len(owners), device=images.device)
        offset = place - (sizes.cumsum(0) - sizes)[owners]
        return owners, self.pairs[self._first_pair[images][owners] + offset, 1]


@dataclass(frozen=True)
class Batch:
    """Some examples: `images` (B, D), and their tags as pairs of an example and a word.

    Of a mini-batch that ranks share, `images` are a rank's own; all else is that of the whole.

    `owners` (P,) are places in the batch, `words` (P,) rows of the vocabulary. `rows` (B,) are
    the images' rows, `untagged` (U,) those of untagged photos that are looked at beside them.
    """

    images: Tensor
    owners: Tensor
    words: Tensor
    rows: Tensor
    untagged: Tensor

    def head(self, n: int | None, ranks: Ranks = ALONE) -> Batch:
        """Return the first n examples alone, without untagged photos; all if n is None.

        Of them only this rank's own, with their own tags.
        """
        n = len(self.rows) if n is None else n
        kept = self.owners < n
        owners, words, rows = self.owners[kept], self.words[kept], ranks.own(self.rows[:n])
        if ranks.size > 1:
            kept = owners % ranks.size == ranks.rank
            owners, words = owners[kept] // ranks.size, words[kept]
        return Batch(self.images[: len(rows)], owners, words, rows, self.untagged[:0])

    @property
    def sizes(self) -> Tensor:
        """The number of tags of each example, (B,)."""
        return torch.bincount(self.owners, minlength=len(self.images))

    def sum_of(self, vectors: Tensor) -> Tensor:
        """Sum the rows of `vectors` (V, E) over each example's tags, divided by √size: (B, E)."""
        total = torch.zeros(len(self.images), vectors.shape[1], device=vectors.device)
        total = total.index_add(0, self.owners, vectors[self.words])
        return total / self.sizes.clamp(min=1).sqrt().unsqueeze(1)


class TagGame:
    """Generator, word table and discriminator on the tags of photos."""

    def __init__(
        self,
        generator: Generator | MixtureGenerator,
        words: WordTable,
        discriminator: Discriminator,
        examples: Examples,
        config: TrainConfig,
        ranks: Ranks = ALONE,
    ):
        self.generator, self.words, self.discriminator = generator, words, discriminator
        # What tags: the generator and the words it aims at.
        self.learners = nn.ModuleDict({"generator": generator, "words": words})
        self.examples, self.config, self.ranks = examples, config, ranks
        self.play = PLAYS[config.loss]

    @property
    def n_examples(self) -> int:
        """How many examples make an epoch: pairs, or photos."""
        examples = self.examples
        return examples.n_tagged if self.config.examples == "photos" else len(examples.pairs)

    @property
    def unit(self) -> str:
        """What an example is: a pair, or a photo with all of its tags."""
        return self.config.examples

    @property
    def batch_size(self) -> int:
        """Examples in a mini-batch; few photos still make enough batches an epoch."""
        if self.config.examples == "pairs":
            return self.config.batch_size
        return min(self.config.batch_size, max(self.n_examples // BATCHES_OF_PHOTOS, MIN_PHOTOS))

    @property
    def n_judged(self) -> int:
        """Examples of a mini-batch whose draws are judged."""
        n_examples = min(self.batch_size, self.n_examples)
        return min(n_examples, self.config.judged_examples or n_examples)

    @property
    def device(self) -> torch.device:
        """Where the examples are."""
        return self.examples.pairs.device

    def batch(self, chosen: Tensor) -> Batch:
        """Return the examples `chosen` (B,), and a random choice of untagged photos beside them."""
        examples = self.examples
        if self.config.examples == "pairs":
            rows, words = examples.pairs[chosen].T
            owners = torch.arange(len(chosen), device=chosen.device)
        else:
            rows = chosen
            owners, words = examples.tags_of(rows)
        images = examples.image_features[self.ranks.own(rows)]
        return Batch(images, owners, words, rows, self._pick_untagged(rows))

    def _pick_untagged(self, rows: Tensor) -> Tensor:
        """Return as many untagged photos a tagged one as the settings say, at random."""
        n_untagged = len(self.examples.image_features) - self.examples.n_tagged
        n_wanted = self.config.untagged if n_untagged else 0
        picked = torch.randint(max(n_untagged, 1), (n_wanted,), generator=self.ranks.random)
        return (picked + self.examples.n_tagged).to(rows.device)

    def draw(self, images: Tensor, n_all: int | None = None) -> Tensor:
        """Generate vectors (B, S, E) for images (B, D), which are a rank's own of `n_all`."""
        n_all = len(images) if n_all is None else n_all
        noise = self.ranks.own(self.generator.noise(n_all, self.config.draws, self.ranks.random))
        draws: Tensor = self.generator(noise.to(images.device), images)
        return draws.float()

    def draw_all(self, batch: Batch) -> Tensor:
        """Generate vectors (B + U, S, E) for the examples and the untagged photos beside them."""
        n_tagged, n_untagged = len(batch.rows), len(batch.untagged)
        untagged = self.examples.image_features[self.ranks.own(batch.untagged, n_tagged)]
        return self.draw(torch.cat([batch.images, untagged]), n_tagged + n_untagged)

    def discriminator_losses(self, batch: Batch) -> tuple[Losses, Losses]:
        """Return the terms that D lowers, and how often it was right, by name."""
        n_judged = len(batch.rows[: self.config.judged_examples])
        own = batch.head(n_judged, self.ranks)
        with torch.no_grad():
            fake = self._judged(self.draw(own.images, n_judged), own)
        losses, right = self.play.discriminator_losses(
            self._judge_beside(own), self._real(own), fake, self.config.gradient_penalty
        )
        share = len(own.images) / n_judged  # 1 where a process is alone
        return _scaled(losses, share), _scaled(right, share)

    def generator_losses(self, draws: Tensor, batch: Batch) -> Losses:
        """Return the terms that G lowers, by name, for its draws (B + U, S, E)."""
        n_judged = len(batch.rows[: self.config.judged_examples])
        own = batch.head(n_judged, self.ranks)
        own_draws = draws[: len(own.images)]
        loss = self.play.generator_loss(
            self._judge_beside(own), self._real(own), self._judged(own_draws, own)
        )
        share = len(own.images) / n_judged
        losses = {ADVERSARIAL: share * loss}
        if not (self.config.retrieval or self.config.likelihood):
            return losses
        columns, weights = self._scored_words(batch)
        tags = _tag_matrix(batch.owners, batch.words, columns, len(self.words.bias))
        if self.config.retrieval:
            n_images, _, size = draws.shape
            means = draws.view(n_images, self.generator.n_members, -1, size).mean(2)  # (B, K, E)
            target = self._completed(tags, batch, columns)
            loss = retrieval_loss(
                self.words(means, columns), self.ranks.own(target), weights, target.sum()
            )
            losses[RETRIEVAL] = self.config.retrieval * loss
        if self.config.likelihood:
            scores = self.words(own_draws, columns, frozen=True)
            scores = scores / self.config.likelihood_temperature
            loss = draw_likelihood(scores, self.ranks.own(tags[:n_judged]))
            losses["loss_g_likelihood"] = self.config.likelihood * share * loss
        return losses

    def steer(self, gradients: Losses) -> Losses:
        """Return the terms' gradients at the draws; all but retrieval's may move only the spread.

        That is where the settings say so; else the gradients are as they were.
        """
        if self.config.moves == "draws":
            return gradients
        n_members = self.generator.n_members
        return {
            name: gradient if name == RETRIEVAL else without_mean(gradient, n_members)
            for name, gradient in gradients.items()
        }

    def _completed(self, tags: Tensor, batch: Batch, columns: Tensor) -> Tensor:
        """Return the targets (B + U, C): `tags` (B, C), and for untagged photos similar ones'."""
        if self.examples.neighbours is None or not len(batch.untagged):
            return tags
        rows, weights = self.examples.neighbours.of(batch.untagged - self.examples.n_tagged)
        neighbour, words = self.examples.tags_of(rows.flatten())
        owners = neighbour // rows.shape[1]
        shares = _tag_matrix(
            owners, words, columns, len(self.words.bias), weights.flatten()[neighbour]
        )
        return torch.cat([tags, shares])

    def _judge_beside(self, batch: Batch) -> Judge:
        """Return how D judges examples (B, S, E) beside the images of a mini-batch."""
        hidden = self.discriminator.embed_condition(batch.images)
        return lambda examples: self.discriminator.judge(examples, hidden).float()

    def _real(self, batch: Batch) -> Tensor:
        """Return the real example of each photo (B, 1, E): its set of tags."""
        return batch.sum_of(self.examples.word_vectors).unsqueeze(1)

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
        order = torch.randperm(len(others), generator=self.ranks.random)
        picked = others[order[:n_others].to(device)]
        weights = torch.ones(len(own) + len(picked), device=device)
        weights[len(own) :] = len(others) / max(len(picked), 1)
        return torch.cat([own, picked]), weights


def _scaled(losses: Losses, factor: float) -> Losses:
    return {name: factor * value for name, value in losses.items()}


def _tag_matrix(
    owners: Tensor, words: Tensor, columns: Tensor, n_words: int, weights: Tensor | None = None
) -> Tensor:
    """Return the matrix (B, C) of the `words` (P,) of `owners` (P,), in the words `columns` (C,).

    A cell is 1 where the owner has the word, or the sum of its `weights` (P,). Every example owns
    a word, so that the last owner says how many rows there are.
    """
    n_rows = int(owners[-1]) + 1
    place = torch.full((n_words,), -1, device=columns.device)
    place[columns] = torch.arange(len(columns), device=columns.device)
    known = place[words] >= 0
    matrix = torch.zeros(n_rows * len(columns), device=columns.device)
    cells = owners[known] * len(columns) + place[words][known]
    values = torch.ones(len(cells), device=columns.device) if weights is None else weights[known]
    return matrix.index_add(0, cells, values).view(n_rows, len(columns))


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
    return (logits > edge).float() + (soft - soft.detach())


def without_mean(gradient: Tensor, n_members: int) -> Tensor:
    """Return a gradient at draws (B, S, E) less its mean over each member's draws.

    What is left moves the draws apart or together and leaves their mean where it is.
    """
    n_images, _, size = gradient.shape
    own = gradient.view(n_images, n_members, -1, size)
    return (own - own.mean(dim=2, keepdim=True)).view_as(gradient)
