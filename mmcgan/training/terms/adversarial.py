"""The adversarial term: what the discriminator lowers, and what the generator lowers against it.

One `AdversarialLoss` for each `--loss`, of formulas in `mmcgan.training.losses`. Whatever is
generated, words or digits, the same code serves; an `AdversarialTerm` says what is real and what
the discriminator sees of the draws.

The preset `paper` discriminates single words: real is the word vector of a photo's tag, fake what
the generator made for that photo. The preset `modern` discriminates tag sets: real is the sum of
the word vectors of a photo's tags, fake that of as many words, the best ones of a single draw.
Both are the same code: a pair is a photo with a set of one tag.

Shapes: B examples of a mini-batch, R real and S generated vectors an example, E their size,
V words, K generators.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from mmcgan.training.config import Moves, Seen
from mmcgan.training.learning import LossName
from mmcgan.training.losses import (
    critic_fake_loss,
    critic_real_loss,
    fake_loss,
    gradient_penalty,
    lipschitz_penalty,
    non_saturating_generator_loss,
    real_loss,
    relativistic_loss,
    saturating_generator_loss,
)
from mmcgan.training.sampler import Batch
from mmcgan.training.terms.term import AskedTerm, Mean, Means, OfTags

ADVERSARIAL = "loss_g_adversarial"
SET_SOFTNESS = 0.5  # of a word's place in a set, in logits: how far its gradient reaches
MAX_SET = 50  # tags of a photo that make its set

Losses = dict[str, Tensor]
Discriminate = Callable[[Tensor], Tensor]  # examples (B, S, E) → the discriminator's logits (B, S)


@dataclass(frozen=True)
class AdversarialLoss:
    """One kind of adversarial loss, on logits of real (B, R) and generated (B, S) examples.

    `generator` takes the logits of generated examples, then of real ones, which matter only where
    it `compares`; `right` says how often D is right. `penalised` names where the gradient of D is
    held: at "real" examples, at "both" kinds or "between" them.
    """

    discriminator: Callable[[Tensor, Tensor], Losses]
    generator: Callable[[Tensor, Tensor], Tensor]
    right: Callable[[Tensor, Tensor], Losses]
    penalised: str
    compares: bool = False

    def discriminator_losses(
        self, discriminate: Discriminate, real: Tensor, fake: Tensor, penalty: float
    ) -> tuple[Losses, Losses]:
        """Return the terms that D lowers for real (B, R, E) and fake (B, S, E), and its measures.

        `penalty` is the weight of the penalty on its gradient.
        """
        if penalty and self.penalised != "between":
            real.requires_grad_()
            fake.requires_grad_(self.penalised == "both")
        real_logits, fake_logits = discriminate(real), discriminate(fake)
        losses = self.discriminator(real_logits, fake_logits)
        if penalty and self.penalised == "between":
            between = _between(real, fake).requires_grad_()
            losses["loss_d_penalty"] = penalty * lipschitz_penalty(discriminate(between), between)
        elif penalty:
            held = gradient_penalty(real_logits, real)
            if self.penalised == "both":
                held = held + gradient_penalty(fake_logits, fake)
            losses["loss_d_penalty"] = penalty * held
        return losses, self.right(real_logits, fake_logits)


def _between(real: Tensor, fake: Tensor) -> Tensor:
    """Return random points on the lines from real (B, 1, E) to fake (B, S, E) examples."""
    share = torch.rand(*fake.shape[:2], 1, device=fake.device)
    return (share * real + (1 - share) * fake).detach()


def _each(real: Callable[[Tensor], Tensor], fake: Callable[[Tensor], Tensor]) -> Any:
    """Return D's terms where it looks at real and generated examples apart."""
    return lambda r, f: {"loss_d_real": real(r), "loss_d_fake": fake(f)}


def _by_sign(real_logits: Tensor, fake_logits: Tensor) -> Losses:
    return {
        "d_accuracy_real": (real_logits > 0).float().mean(),
        "d_accuracy_fake": (fake_logits < 0).float().mean(),
    }


def _by_order(real_logits: Tensor, fake_logits: Tensor) -> Losses:
    """Where logits have no zero, D is right when a real example has more than a generated one."""
    return {"d_accuracy_order": (real_logits > fake_logits).float().mean()}


_LOGISTIC = _each(real_loss, fake_loss)

ADVERSARIAL_LOSSES: dict[LossName, AdversarialLoss] = {
    "saturating": AdversarialLoss(
        _LOGISTIC, lambda fake, real: saturating_generator_loss(fake), _by_sign, "real"
    ),
    "non-saturating": AdversarialLoss(
        _LOGISTIC, lambda fake, real: non_saturating_generator_loss(fake), _by_sign, "real"
    ),
    "wasserstein": AdversarialLoss(
        _each(critic_real_loss, critic_fake_loss),
        lambda fake, real: -critic_fake_loss(fake),
        _by_order,
        "between",
    ),
    "relativistic": AdversarialLoss(
        lambda real, fake: {"loss_d_order": relativistic_loss(real, fake)},
        relativistic_loss,
        _by_order,
        "both",
        compares=True,
    ),
}


@dataclass(frozen=True)
class AdversarialTerm:
    """The term that a discriminator gives, on the first `n_discriminated` of a mini-batch.

    `adversarial_share` is that of the gradient on the draws which the term is scaled to, None for
    its own size; `gradient_penalty` weighs the penalty on the discriminator's gradient.
    """

    loss: LossName = "saturating"
    gradient_penalty: float = 0.0
    adversarial_share: float | None = None
    moves: Moves = "draws"

    name: ClassVar[str] = ADVERSARIAL
    weight: ClassVar[float] = 1.0

    @property
    def moves_mean(self) -> bool:
        """Whether it moves whole draws, or only their spread."""
        return self.moves == "draws"

    @abstractmethod
    def discriminate(self, batch: Any, task: Any) -> Discriminate:
        """Return the discriminator beside the conditions of a mini-batch."""

    @abstractmethod
    def real(self, batch: Any, task: Any) -> Tensor:
        """Return the real examples (B, R, E)."""

    @abstractmethod
    def seen(self, draws: Tensor, batch: Any, task: Any) -> Tensor:
        """Return what the discriminator sees (B, S', E') of draws (B, S, E)."""

    def mean_loss(self, draws: Tensor, batch: Any, task: Any) -> Mean:
        """Return what the generator lowers."""
        n = batch.n_discriminated
        loss, discriminate = ADVERSARIAL_LOSSES[self.loss], self.discriminate(batch, task)
        fake = discriminate(self.seen(draws[:n], batch, task))
        real = discriminate(self.real(batch, task)) if loss.compares else fake
        return Mean(loss.generator(fake, real), n)

    def discriminator_losses(self, draws: Tensor, batch: Any, task: Any) -> tuple[Means, Means]:
        """Return what the discriminator lowers, and how often it was right, by name."""
        with torch.no_grad():
            fake = self.seen(draws, batch, task)
        discriminate, real = self.discriminate(batch, task), self.real(batch, task)
        adversarial = ADVERSARIAL_LOSSES[self.loss]
        found = adversarial.discriminator_losses(discriminate, real, fake, self.gradient_penalty)
        losses, right = (
            {name: Mean(value, batch.n_discriminated) for name, value in values.items()}
            for values in found
        )
        return losses, right


@dataclass(frozen=True)
class TagAdversarial(AdversarialTerm, AskedTerm):
    """The adversarial term on the tags of photos: single words, or sets of them."""

    judged: Seen = "words"

    def discriminate(self, batch: Batch, task: OfTags) -> Discriminate:
        """Return the discriminator beside the images of a mini-batch."""
        hidden = task.discriminator.embed_condition(batch.images[: batch.n_discriminated])
        return lambda examples: task.discriminator.discriminate(examples, hidden).float()

    def real(self, batch: Batch, task: OfTags) -> Tensor:
        """Return the real example of each photo (B, 1, E): its set of tags."""
        return batch.sum_of(task.examples.word_vectors).unsqueeze(1)

    def seen(self, draws: Tensor, batch: Batch, task: OfTags) -> Tensor:
        """Return draws (B, S, E) as they are, or the set of one draw of each generator."""
        if self.judged == "words":
            return draws
        one_each = draws[:, :: draws.shape[1] // task.n_generators]  # (B, K, E)
        sizes = batch.sizes.clamp(max=min(MAX_SET, len(task.words.bias) - 1))
        sets = best_sets(task.words(one_each, frozen=True), sizes)
        return sets @ task.examples.word_vectors / sizes.sqrt().view(-1, 1, 1)


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
