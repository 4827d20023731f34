"""Mini-batches of photos and their tags: of pairs, or of photos with all of their tags.

Whatever is chosen at random is chosen for a whole mini-batch, from a random generator that the
caller gives, before it is divided.

Shapes: B examples, U untagged photos beside them, D feature size, E word-vector size, V words,
C words that an update scores, P (photo, tag) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mmcgan.training.config import TrainConfig
from mmcgan.training.mixup import Mixup
from mmcgan.training.neighbours import Neighbours
from mmcgan.training.prepared.feature_rows import Rows

MAX_SCORED_WORDS = 8192  # words that an update scores; of a larger vocabulary, a random choice
BATCHES_OF_PHOTOS, MIN_PHOTOS = 40, 16  # an epoch of photos at least, a batch of them at least


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
class Scored:
    """The words that an update scores, and what the photos of a mini-batch should score there.

    `columns` (C,) are their rows, `weights` (C,) say for how many words each stands; `targets`
    (B + U, C) are 1 for a photo's tags, and for an untagged photo the shares of similar photos.
    `n_tags` is the sum of the targets.
    """

    columns: Tensor
    weights: Tensor
    targets: Tensor
    n_tags: Tensor

    def part(self, first: int, step: int) -> Scored:
        """Return the photos `first`, `first` + `step`, …, with as many tags as all have on average.

        So the mean loss over a part is divided by the same number of tags a photo as that over
        all.
        """
        targets = self.targets[first::step]
        n_tags = self.n_tags * (len(targets) / len(self.targets))
        return Scored(self.columns, self.weights, targets, n_tags)


@dataclass(frozen=True)
class MiniBatch:
    """Which examples an update looks at: `rows` (B,) of photos and their tags as pairs.

    `owners` (P,) are places in the mini-batch, `words` (P,) rows of the vocabulary; `untagged`
    (U,) are the rows of the untagged photos beside them. The discriminator looks at the first
    `n_discriminated` examples. `random` chooses the words that are scored, once they are asked for.
    `mixup` says how the others are mixed, if they are.
    """

    examples: Examples
    rows: Tensor
    owners: Tensor
    words: Tensor
    untagged: Tensor
    n_discriminated: int
    random: torch.Generator
    mixup: Mixup | None = None

    def __len__(self) -> int:
        """How many photos it has, untagged ones included."""
        return len(self.rows) + len(self.untagged)

    def part(self, first: int = 0, step: int = 1) -> Batch:
        """Return the photos `first`, `first` + `step`, … with their features; all if not given."""
        own = (self.owners < self.n_discriminated) & (self.owners % step == first)
        return Batch(
            self._images(torch.arange(first, len(self), step)),
            len(range(first, self.n_discriminated, step)),
            self.owners[own] // step,
            self.words[own],
            (self, first, step),
        )

    def _images(self, places: Tensor) -> Tensor:
        """Return the features of the photos at `places` (N,), mixed where they are: (N, D)."""
        rows, features = torch.cat([self.rows, self.untagged]), self.examples.image_features
        own = features[rows[places.to(rows.device)]]
        if self.mixup is None:
            return own
        mixup = self.mixup.part(places).to(rows.device)
        return mixup.mix(own, features[rows[mixup.partners]])

    @cached_property
    def scored(self) -> Scored:
        """What is scored for the whole mini-batch."""
        columns, weights = self._choose_words()
        targets = self._targets(columns)
        if self.mixup is not None:
            mixup = self.mixup.to(targets.device)
            targets = mixup.mix(targets, targets[mixup.partners])
        return Scored(columns, weights, targets, targets.sum())

    def _choose_words(self) -> tuple[Tensor, Tensor]:
        """Return the words that are scored (C,), and for how many each stands (C,).

        All of a small vocabulary; of a large one those of the mini-batch and a random choice of
        others.
        """
        n_words, device = len(self.examples.word_vectors), self.words.device
        if n_words <= MAX_SCORED_WORDS:
            return torch.arange(n_words, device=device), torch.ones(n_words, device=device)
        is_own = torch.zeros(n_words, dtype=torch.bool, device=device)
        is_own[self.words] = True
        own, others = is_own.nonzero()[:, 0], (~is_own).nonzero()[:, 0]
        n_others = max(MAX_SCORED_WORDS - len(own), 1)
        order = torch.randperm(len(others), generator=self.random)
        picked = others[order[:n_others].to(device)]
        weights = torch.ones(len(own) + len(picked), device=device)
        weights[len(own) :] = len(others) / max(len(picked), 1)
        return torch.cat([own, picked]), weights

    def _targets(self, columns: Tensor) -> Tensor:
        """Return the targets (B + U, C) of the words `columns`."""
        examples, n_words = self.examples, len(self.examples.word_vectors)
        tags = tag_matrix(self.owners, self.words, columns, n_words)
        if examples.neighbours is None or not len(self.untagged):
            return tags
        rows, weights = (of[self.untagged - examples.n_tagged] for of in examples.neighbours)
        neighbour, words = examples.tags_of(rows.flatten())
        owners = neighbour // rows.shape[1]
        shares = tag_matrix(owners, words, columns, n_words, weights.flatten()[neighbour])
        return torch.cat([tags, shares])


@dataclass(frozen=True)
class Batch:
    """Photos of a mini-batch with their features: `images` (B + U, D), the untagged ones last.

    Of the first `n_discriminated` it has the tags: `owners` (P,) are places among them, `words`
    (P,) rows of the vocabulary. `place` is the mini-batch with the place of this part in it.
    """

    images: Tensor
    n_discriminated: int
    owners: Tensor
    words: Tensor
    place: tuple[MiniBatch, int, int]

    @cached_property
    def scored(self) -> Scored:
        """What is scored for these photos."""
        whole, first, step = self.place
        return whole.scored.part(first, step)

    @property
    def sizes(self) -> Tensor:
        """The number of tags of each photo that the discriminator looks at."""
        return torch.bincount(self.owners, minlength=self.n_discriminated)

    def sum_of(self, vectors: Tensor) -> Tensor:
        """Sum the rows of `vectors` (V, E) over each such photo's tags, divided by √size."""
        total = torch.zeros(self.n_discriminated, vectors.shape[1], device=vectors.device)
        total = total.index_add(0, self.owners, vectors[self.words])
        return total / self.sizes.clamp(min=1).sqrt().unsqueeze(1)


class Sampler:
    """Mini-batches of pairs, a photo with one of its tags, or of photos with all of their tags.

    `n_examples` of the `unit` make an epoch, `batch_size` of them a mini-batch.
    """

    def __init__(self, examples: Examples, config: TrainConfig):
        self.unit: str = config.objective.examples
        self.examples = examples
        self.n_examples, self.batch_size = len(examples.pairs), config.optimiser.batch_size
        if self.unit == "photos":  # of few of them, less a batch than is wanted
            self.n_examples = examples.n_tagged
            most = max(self.n_examples // BATCHES_OF_PHOTOS, MIN_PHOTOS)
            self.batch_size = min(self.batch_size, most)
        self.most_discriminated = config.objective.n_discriminated or len(examples.pairs)
        self.n_discriminated = min(self.most_discriminated, self.batch_size, self.n_examples)
        has_untagged = len(examples.image_features) > examples.n_tagged
        self.n_untagged = config.objective.untagged if has_untagged else 0
        self.mixup = config.objective.mixup

    def batch(self, chosen: Tensor, random: torch.Generator) -> MiniBatch:
        """Return the examples `chosen` (B,), and a random choice of untagged photos beside them."""
        if self.unit == "photos":
            rows, (owners, words) = chosen, self.examples.tags_of(chosen)
        else:
            rows, words = self.examples.pairs[chosen].T
            owners = torch.arange(len(chosen), device=chosen.device)
        first, end = self.examples.n_tagged, len(self.examples.image_features)
        untagged = torch.randint(first, max(end, first + 1), (self.n_untagged,), generator=random)
        n = min(self.most_discriminated, len(rows))
        mixup = None
        if self.mixup:
            mixup = Mixup.draw(len(rows) + len(untagged), n, self.mixup, random)
        untagged = untagged.to(rows.device)
        return MiniBatch(self.examples, rows, owners, words, untagged, n, random, mixup)


def tag_matrix(
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
