"""The alternating training of generator and discriminator: one whole update on one screen.

Everything random in an update is seeded by (seed, update): the order of the examples by (seed,
epoch), noise and dropout by (seed, update); where several ranks train, dropout by (seed, update,
rank). So a run that goes on from a checkpoint takes the very steps that an uninterrupted one takes,
and no state of a random generator is stored.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mmcgan.errors import TrainingError
from mmcgan.training.learning import LearningConfig, OptimiserOptions
from mmcgan.training.ranks import ALONE, Ranks
from mmcgan.training.schedules import momentum, rate_factor
from mmcgan.training.terms.adversarial import ADVERSARIAL, AdversarialTerm, Losses
from mmcgan.training.terms.term import Mean, Means, Term

# What fits half an hour on two cores for MIRFLICKR's pairs, and still trains on a few photos.
DEFAULT_EPOCHS, MIN_UPDATES, MIN_INTERVAL = 8, 1500, 100


class TrainingTask(Protocol):
    """What is trained: two networks, the examples they learn from, and the terms they lower.

    `learners` are the generator and what learns with it; `terms` what the generator lowers, the
    `adversarial` one of them what the discriminator gives. `n_generators` share the draws of an
    example, those of each beside each other. `n_examples` make an epoch, `batch_size` of them a
    mini-batch, and the discriminator looks at `n_discriminated` of these; `unit` is what they are
    called, in the plural, `device` where they are.
    """

    learners: nn.ModuleDict
    discriminator: nn.Module
    adversarial: AdversarialTerm
    terms: Sequence[Term]
    n_generators: int
    n_examples: int
    batch_size: int
    n_discriminated: int
    unit: str
    device: torch.device

    def batch(self, chosen: Tensor, random: torch.Generator) -> Any:
        """Return the examples `chosen` (B,), and what `random` puts beside them.

        It has a length, and the discriminator looks at the first `n_discriminated`; its
        `part(first, step)` are the examples `first`, `first` + `step`, … with all that is needed.
        """

    def noise(self, n: int, random: torch.Generator) -> Tensor:
        """Draw the noise (n, S, Z) of as many examples."""

    def draw(self, batch: Any, noise: Tensor) -> Tensor:
        """Generate vectors (n, S, E) for the first n examples of a mini-batch."""


class Trainer:
    """The networks of a task and their optimisers; `update` counts generator updates.

    The whole training takes `n_updates` of them, `evaluation_interval` from one evaluation to the
    next.

    Where several processes train together (`mmcgan.training.ranks`), each takes its part of every
    mini-batch. Losses and gradients of the parts are weighed so that they add up to the whole's.
    DistributedDataParallel does not fit: the generator's gradient is put together at the draws,
    after their norms over the whole mini-batch are known, the words have theirs from another
    backward pass, and the penalties differentiate D twice. So gradients are summed when they are
    complete.
    """

    def __init__(self, task: TrainingTask, config: LearningConfig, ranks: Ranks = ALONE):
        """Raise `OptionError` where a mini-batch has too few examples for the ranks."""
        ranks.require(task.n_discriminated)
        self.task, self.config, self.ranks = task, config, ranks
        self.optimiser = optimiser = config.optimiser
        self.learners = task.learners.train()
        self.discriminator = task.discriminator.train()
        self.optimizer_g = _build_optimizer(self.learners, optimiser.learning_rate, optimiser)
        d_rate = optimiser.d_learning_rate
        d_rate = optimiser.learning_rate if d_rate is None else d_rate
        self.optimizer_d = _build_optimizer(self.discriminator, d_rate, optimiser)
        self.average = _build_average(self.learners, optimiser.average)
        self.update = 0
        self._order: tuple[int, Tensor] | None = None
        # Whole mini-batches in an epoch; what is left over is dropped, at random.
        self.batches_per_epoch = max(task.n_examples // task.batch_size, 1)
        self.updates_per_epoch = self.batches_per_epoch / optimiser.discriminator_steps
        epochs, least = config.run.epochs or DEFAULT_EPOCHS, 1 if config.run.epochs else MIN_UPDATES
        self.n_updates = max(int(epochs * self.updates_per_epoch), least)
        a_while = max(round(self.updates_per_epoch), MIN_INTERVAL)
        self.evaluation_interval = config.run.evaluate_every or a_while

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
        self.ranks.seed(_mixed_seed(self.config.run.seed, self.update))
        self._set_schedules()
        for i in range(self.optimiser.discriminator_steps):
            whole = self._batch(self.update * self.optimiser.discriminator_steps + i)
            batch = whole.part(self.ranks.rank, self.ranks.size)
            measures = self._discriminator_step(batch, self._noise(whole.n_discriminated))
        measures |= self._generator_step(batch, self._noise(len(whole)))
        if self.average:
            self.average.update_parameters(self.learners)
        self.update += 1
        return measures

    def _discriminator_step(self, batch: Any, noise: Tensor) -> Losses:
        """Raise V(D, G) by one step of D."""
        with self._mixed_precision():
            with torch.no_grad():
                draws = self.task.draw(batch, noise)
            means = self.task.adversarial.discriminator_losses(draws, batch, self.task)
            losses, right = (self.ranks.weigh(part) for part in means)
        measures = self.ranks.total(losses | right)
        self._check_finite({name: measures[name] for name in losses})
        self.optimizer_d.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.ranks.sum_gradients(self.discriminator)
        self.optimizer_d.step()
        return measures

    def _generator_step(self, batch: Any, noise: Tensor) -> Losses:
        """Lower the generator's terms by one step of G.

        Each term's gradient is taken at the draws, where they are weighed against each other, and
        goes through G once.
        """
        self.discriminator.requires_grad_(False)
        self.optimizer_g.zero_grad(set_to_none=True)
        with self._mixed_precision():
            draws = self.task.draw(batch, noise)
            seen = draws.detach().requires_grad_()
            losses = self.ranks.weigh(term_losses(self.task, seen, batch))
        measures = self.ranks.total(losses)
        self._check_finite(measures)
        gradients = {name: _gradient_at(seen, loss) for name, loss in losses.items()}
        gradients = keep_means(gradients, self.task)
        weight, share = balance(gradients, self.task.adversarial.adversarial_share, self.ranks)
        gradients[ADVERSARIAL] = weight * gradients[ADVERSARIAL]
        draws.backward(torch.stack(list(gradients.values())).sum(0))  # type: ignore[no-untyped-call]
        self.ranks.sum_gradients(self.learners)
        self.optimizer_g.step()
        self.discriminator.requires_grad_(True)
        return {**measures, "adversarial_gradient_share": share}

    def _noise(self, n: int) -> Tensor:
        """Return this process's part of the noise of a mini-batch of `n` examples."""
        return self.ranks.own(self.task.noise(n, self.ranks.random))

    def _mixed_precision(self) -> torch.autocast:
        """Return the context in which matrix products have the precision of the settings."""
        mixed = self.optimiser.precision == "bfloat16"
        return torch.autocast(self.task.device.type, torch.bfloat16, enabled=mixed)

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
        size = self.task.batch_size
        return self.task.batch(order[place * size : (place + 1) * size], self.ranks.random)

    def _epoch_order(self, epoch: int) -> Tensor:
        """Return the order of the examples in an epoch, the same whenever it is asked for."""
        if self._order is None or self._order[0] != epoch:
            random = torch.Generator().manual_seed(_mixed_seed(self.config.run.seed, epoch))
            order = torch.randperm(self.task.n_examples, generator=random)
            self._order = epoch, order.to(self.task.device)
        return self._order[1]

    def _set_schedules(self) -> None:
        factor = rate_factor(self.optimiser, self.update, self.n_updates)
        for optimizer in (self.optimizer_g, self.optimizer_d):
            for group in optimizer.param_groups:
                group["lr"] = group["first_lr"] * factor
                if self.optimiser.kind == "sgd":
                    group["momentum"] = momentum(self.optimiser, self.epoch)

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


def term_losses(task: TrainingTask, draws: Tensor, batch: Any) -> Means:
    """Return what the generator lowers by name: each term's loss for draws (B, S, E), weighted."""
    means = {term: term.mean_loss(draws, batch, task) for term in task.terms}
    return {term.name: Mean(term.weight * mean.value, mean.n) for term, mean in means.items()}


def keep_means(gradients: Losses, task: TrainingTask) -> Losses:
    """Take the mean out of the gradients at the draws of those terms that may not move it."""
    return {
        term.name: gradients[term.name]
        if term.moves_mean
        else without_mean(gradients[term.name], task.n_generators)
        for term in task.terms
    }


def without_mean(gradient: Tensor, n_generators: int) -> Tensor:
    """Return a gradient at draws (B, S, E) less its mean over the draws of each generator.

    What is left moves the draws apart or together and leaves their mean where it is.
    """
    n_images, _, size = gradient.shape
    own = gradient.view(n_images, n_generators, -1, size)
    return (own - own.mean(dim=2, keepdim=True)).view_as(gradient)


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


def _build_optimizer(network: nn.Module, rate: float, options: OptimiserOptions) -> Optimizer:
    """Build the optimiser; each group remembers its first learning rate for the schedule."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    group = {"params": parameters, "first_lr": rate}
    if options.kind == "sgd":
        return SGD([group], lr=rate, weight_decay=options.weight_decay)
    betas = (0.9, 0.99)
    return AdamW([group], rate, betas, weight_decay=options.weight_decay, fused=True)


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
