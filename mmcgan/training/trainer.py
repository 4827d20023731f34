"""The alternating training of generator and discriminator: one whole update on one screen.

Everything random in an update is seeded by (seed, update): the order of the examples by (seed,
epoch), noise and dropout by (seed, update); where several ranks train, dropout by (seed, update,
rank). So a run that goes on from a checkpoint takes the very steps that an uninterrupted one takes,
and no state of a random generator is stored.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mmcgan.errors import TrainingError
from mmcgan.training.adversarial import ADVERSARIAL, Game, Losses
from mmcgan.training.learning import LearningConfig
from mmcgan.training.ranks import ALONE, Ranks
from mmcgan.training.schedules import momentum, rate_factor

# What fits half an hour on two cores for MIRFLICKR's pairs, and still trains on a few photos.
DEFAULT_EPOCHS, MIN_UPDATES, MIN_INTERVAL = 8, 1500, 100


class Trainer:
    """The networks of a game and their optimisers; `update` counts generator updates."""

    def __init__(self, game: Game, config: LearningConfig, ranks: Ranks = ALONE):
        self.game, self.config, self.ranks = game, config, ranks
        self.learners = game.learners.train()
        self.discriminator = game.discriminator.train()
        self.optimizer_g = _build_optimizer(self.learners, config.learning_rate, config)
        d_rate = config.learning_rate if config.d_learning_rate is None else config.d_learning_rate
        self.optimizer_d = _build_optimizer(self.discriminator, d_rate, config)
        self.average = _build_average(self.learners, config.average)
        self.update = 0
        self._order: tuple[int, Tensor] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """Whole mini-batches in an epoch; what is left over is dropped, at random."""
        return max(self.game.n_examples // self.game.batch_size, 1)

    @property
    def updates_per_epoch(self) -> float:
        """Generator updates in an epoch."""
        return self.batches_per_epoch / self.config.discriminator_steps

    @property
    def n_updates(self) -> int:
        """Generator updates of the whole training."""
        if self.config.epochs is not None:
            return max(int(self.config.epochs * self.updates_per_epoch), 1)
        return max(int(DEFAULT_EPOCHS * self.updates_per_epoch), MIN_UPDATES)

    @property
    def evaluation_interval(self) -> int:
        """Updates between two evaluations."""
        return self.config.evaluate_every or max(round(self.updates_per_epoch), MIN_INTERVAL)

    @property
    def epoch(self) -> float:
        """Passes over the examples so far."""
        return self.update / self.updates_per_epoch

    @property
    def evaluated(self) -> nn.ModuleDict:
        """The networks to generate with: the running average, where there is one."""
        module = self.average.module if self.average else self.learners
        assert isinstance(module, nn.ModuleDict)
        return module

    def step(self) -> Losses:
        """Take one update: k discriminator steps, then one generator step. Returns its measures."""
        self.ranks.seed(_mixed_seed(self.config.seed, self.update))
        self._set_schedules()
        for i in range(self.config.discriminator_steps):
            batch = self._batch(self.update * self.config.discriminator_steps + i)
            measures = self._discriminator_step(batch)
        measures |= self._generator_step(batch)
        if self.average:
            self.average.update_parameters(self.learners)
        self.update += 1
        return measures

    def _discriminator_step(self, batch: Any) -> Losses:
        """Raise V(D, G) by one step of D."""
        with self._mixed_precision():
            losses, right = self.game.discriminator_losses(batch)
        measures = self.ranks.total(losses | right)
        self._check_finite({name: measures[name] for name in losses})
        self.optimizer_d.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.ranks.sum_gradients(self.discriminator)
        self.optimizer_d.step()
        return measures

    def _generator_step(self, batch: Any) -> Losses:
        """Lower the generator's terms by one step of G.

        Each term's gradient is taken at the draws, where they are weighed against each other, and
        goes through G once.
        """
        self.discriminator.requires_grad_(False)
        self.optimizer_g.zero_grad(set_to_none=True)
        with self._mixed_precision():
            draws = self.game.draw_all(batch)
            seen = draws.detach().requires_grad_()
            losses = self.game.generator_losses(seen, batch)
        measures = self.ranks.total(losses)
        self._check_finite(measures)
        gradients = {name: _gradient_at(seen, loss) for name, loss in losses.items()}
        gradients = self.game.steer(gradients)
        weight, share = balance(gradients, self.config.adversarial_share, self.ranks)
        gradients[ADVERSARIAL] = weight * gradients[ADVERSARIAL]
        draws.backward(torch.stack(list(gradients.values())).sum(0))  # type: ignore[no-untyped-call]
        self.ranks.sum_gradients(self.learners)
        self.optimizer_g.step()
        self.discriminator.requires_grad_(True)
        return {**measures, "adversarial_gradient_share": share}

    def _mixed_precision(self) -> torch.autocast:
        """Return the context in which matrix products have the precision of the settings."""
        mixed = self.config.precision == "bfloat16"
        return torch.autocast(self.game.device.type, torch.bfloat16, enabled=mixed)

    def _check_finite(self, losses: Losses) -> None:
        """Raise `TrainingError` if a loss is not finite."""
        if not torch.isfinite(torch.stack(list(losses.values())).sum()):
            values = ", ".join(f"{name} = {float(loss.detach())}" for name, loss in losses.items())
            raise TrainingError(
                f"the loss is no longer a number at update {self.update} ({values}); "
                "try a lower --learning-rate"
            )

    def _batch(self, number: int) -> Any:
        """Return the examples of the mini-batch of that number, counted over all epochs."""
        epoch, place = divmod(number, self.batches_per_epoch)
        order = self._epoch_order(epoch)
        size = self.game.batch_size
        return self.game.batch(order[place * size : (place + 1) * size])

    def _epoch_order(self, epoch: int) -> Tensor:
        """Return the order of the examples in an epoch, the same whenever it is asked for."""
        if self._order is None or self._order[0] != epoch:
            random = torch.Generator().manual_seed(_mixed_seed(self.config.seed, epoch))
            order = torch.randperm(self.game.n_examples, generator=random)
            self._order = epoch, order.to(self.game.device)
        return self._order[1]

    def _set_schedules(self) -> None:
        factor = rate_factor(self.config, self.update, self.n_updates)
        for optimizer in (self.optimizer_g, self.optimizer_d):
            for group in optimizer.param_groups:
                group["lr"] = group["first_lr"] * factor
                if self.config.optimizer == "sgd":
                    group["momentum"] = momentum(self.config, self.epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to go on from here."""
        states = {name: part.state_dict() for name, part in self._parts().items()}
        return {"update": self.update, **states}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        self.update = state["update"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def copy_of_evaluated(self) -> dict[str, dict[str, Tensor]]:
        """Return the weights to generate with as they are now, by network."""
        return {n: copy.deepcopy(net.state_dict()) for n, net in self.evaluated.items()}

    def _parts(self) -> dict[str, Any]:
        parts = {
            "learners": self.learners,
            "discriminator": self.discriminator,
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
        }
        return parts | ({"average": self.average} if self.average else {})


def balance(gradients: Losses, share: float | None, ranks: Ranks = ALONE) -> tuple[float, Tensor]:
    """Return the weight of the adversarial gradient, and its share of all gradients by norm.

    With a `share` the weight makes it that; without, the weight is 1. The share is NaN where no
    term has a gradient, as happens to the saturating loss when D is sure.
    """
    norms = ranks.norms(gradients)
    own = norms.pop(ADVERSARIAL)
    others = sum(norms.values())
    weight = 1.0
    if share is not None and own > 0 and others > 0:
        weight = share / (1 - share) * others / own
    total = weight * own + others
    return weight, torch.tensor(weight * own / total if total > 0 else float("nan"))


def _gradient_at(draws: Tensor, loss: Tensor) -> Tensor:
    """Return the gradient of `loss` at the draws; what else it reaches keeps its own."""
    draws.grad = torch.zeros_like(draws)
    loss.backward()  # type: ignore[no-untyped-call]
    return draws.grad


def _build_optimizer(network: nn.Module, rate: float, config: LearningConfig) -> Optimizer:
    """Build the optimiser; each group remembers its first learning rate for the schedule."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    group = {"params": parameters, "first_lr": rate}
    if config.optimizer == "sgd":
        return SGD([group], lr=rate, weight_decay=config.weight_decay)
    betas = (0.9, 0.99)
    return AdamW([group], rate, betas, weight_decay=config.weight_decay, fused=True)


def _build_average(network: nn.Module, decay: float) -> AveragedModel | None:
    if not decay:
        return None
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=update)


def _mixed_seed(seed: int, counter: int) -> int:
    """Return the seed of an update or epoch: other numbers for every one of a run's, below 2**32.

    torch looks at the low 32 bits alone. The steps between runs are those of Knuth's multiplicative
    hash, so that runs of any few seeds have no random number in common.
    """
    return (seed * 2654435761 + counter) % 2**32
