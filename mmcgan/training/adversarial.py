"""The game of two networks: what the discriminator lowers and what the generator lowers.

One `Play` for each way to play (`--loss`), of formulas in `mmcgan.training.losses`. Whatever is
generated, words or digits, is played for by the same code; a `Game` says what is real and what is
generated.

Shapes: B examples of a mini-batch, R real and S generated vectors an example, E their size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

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

ADVERSARIAL = "loss_g_adversarial"

Losses = dict[str, Tensor]
Judge = Callable[[Tensor], Tensor]  # examples (B, S, E) → the discriminator's logits (B, S)


class Game(Protocol):
    """What `mmcgan.training.trainer` trains: two networks and the examples that they play with."""

    @property
    def learners(self) -> nn.ModuleDict:
        """The generator, and what learns with it."""

    @property
    def discriminator(self) -> nn.Module:
        """The other network."""

    @property
    def n_examples(self) -> int:
        """How many examples make an epoch."""

    @property
    def unit(self) -> str:
        """What an example is called, in the plural."""

    @property
    def batch_size(self) -> int:
        """Examples in a mini-batch."""

    @property
    def device(self) -> torch.device:
        """Where the examples are."""

    def batch(self, chosen: Tensor) -> Any:
        """Return the examples `chosen` (B,)."""

    def draw_all(self, batch: Any) -> Tensor:
        """Generate vectors (B, S, E) for a mini-batch."""

    def discriminator_losses(self, batch: Any) -> tuple[Losses, Losses]:
        """Return the terms that D lowers, and how often it was right, by name."""

    def generator_losses(self, draws: Tensor, batch: Any) -> Losses:
        """Return the terms that G lowers, by name, for its draws (B, S, E)."""

    def steer(self, gradients: Losses) -> Losses:
        """Return each term's gradient at the draws less what that term may not move."""


@dataclass(frozen=True)
class Play:
    """One way to play, on logits of real (B, R) and generated (B, S) examples.

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
        self, judge: Judge, real: Tensor, fake: Tensor, penalty: float
    ) -> tuple[Losses, Losses]:
        """Return the terms that D lowers for real (B, R, E) and fake (B, S, E), and its measures.

        `penalty` is the weight of the penalty on its gradient.
        """
        if penalty and self.penalised != "between":
            real.requires_grad_()
            fake.requires_grad_(self.penalised == "both")
        real_logits, fake_logits = judge(real), judge(fake)
        losses = self.discriminator(real_logits, fake_logits)
        if penalty and self.penalised == "between":
            between = _between(real, fake).requires_grad_()
            losses["loss_d_penalty"] = penalty * lipschitz_penalty(judge(between), between)
        elif penalty:
            held = gradient_penalty(real_logits, real)
            if self.penalised == "both":
                held = held + gradient_penalty(fake_logits, fake)
            losses["loss_d_penalty"] = penalty * held
        return losses, self.right(real_logits, fake_logits)

    def generator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """Return the term that G lowers for fake (B, S, E); real (B, R, E) where it compares."""
        fake_logits = judge(fake)
        return self.generator(fake_logits, judge(real) if self.compares else fake_logits)


def _between(real: Tensor, fake: Tensor) -> Tensor:
    """Return random points on the lines from real (B, 1, E) to fake (B, S, E) examples."""
    share = torch.rand(*fake.shape[:2], 1, device=fake.device)
    return (share * real + (1 - share) * fake).detach()


def _each(real: Callable[[Tensor], Tensor], fake: Callable[[Tensor], Tensor]) -> Any:
    """Return D's terms where it judges real and generated examples apart."""
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

PLAYS: dict[str, Play] = {
    "saturating": Play(
        _LOGISTIC, lambda fake, real: saturating_generator_loss(fake), _by_sign, "real"
    ),
    "non-saturating": Play(
        _LOGISTIC, lambda fake, real: non_saturating_generator_loss(fake), _by_sign, "real"
    ),
    "wasserstein": Play(
        _each(critic_real_loss, critic_fake_loss),
        lambda fake, real: -critic_fake_loss(fake), _by_order, "between",
    ),
    "relativistic": Play(
        lambda real, fake: {"loss_d_order": relativistic_loss(real, fake)},
        relativistic_loss, _by_order, "both", compares=True,
    ),
}  # fmt: skip
