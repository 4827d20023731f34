"""The alternating training of generator and discriminator.

Everything random in an update is seeded by (seed, update): the order of the pairs by (seed,
epoch), noise and dropout by (seed, update). So a run that goes on from a checkpoint takes the
very steps that an uninterrupted one takes, and no state of a random generator is stored.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD
from tqdm import tqdm

from mmcgan.config import TrainConfig
from mmcgan.errors import TrainingError
from mmcgan.losses import GENERATOR_LOSSES, fake_loss, gradient_share, real_loss
from mmcgan.networks import Discriminator, Generator
from mmcgan.runs import RunDir

# What fits half an hour on two cores for MIRFLICKR's pairs, and still trains on a few photos.
DEFAULT_EPOCHS, MIN_UPDATES, MIN_INTERVAL = 8, 1500, 100
COLLAPSED_WORDS = 2  # mean distinct nearest words a photo below which G has collapsed
UNBEATEN_ACCURACY = 0.99  # of D, on real and on generated words, above which G cannot win


@dataclass(frozen=True)
class Examples:
    """What is learnt from: each photo once for each of its tags.

    `image_features` (N, D) standardised; `word_vectors` (V, E); `pairs` (P, 2) int64, rows of an
    image and of a word.
    """

    image_features: Tensor
    word_vectors: Tensor
    pairs: Tensor


def learning_rate(config: TrainConfig, update: int) -> float:
    """0.1 / 1.00004^update, not below the floor (arXiv 1411.1784, section 4.1)."""
    # As a product: the power itself overflows for a large decay and a long run.
    rate = config.learning_rate * (1 / config.learning_rate_decay) ** update
    return max(rate, config.learning_rate_floor)


def momentum(config: TrainConfig, epoch: float) -> float:
    """Rise from 0.5 to 0.7, linearly over `momentum_epochs` (the released configuration)."""
    share = min(epoch / config.momentum_epochs, 1.0)
    return config.momentum_start + share * (config.momentum_end - config.momentum_start)


class Trainer:
    """Both networks, their optimisers and the examples; `update` counts generator updates."""

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        examples: Examples,
        config: TrainConfig,
    ):
        self.generator, self.discriminator = generator.train(), discriminator.train()
        self.examples, self.config = examples, config
        self.generator_loss = GENERATOR_LOSSES[config.generator_loss]
        self.optimizer_g = SGD(generator.parameters(), lr=config.learning_rate)
        self.optimizer_d = SGD(discriminator.parameters(), lr=config.learning_rate)
        self.update = 0
        self._order: tuple[int, Tensor] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """Whole mini-batches in a pass over the pairs; what is left over is dropped, at random."""
        return max(len(self.examples.pairs) // self.config.batch_size, 1)

    @property
    def updates_per_epoch(self) -> float:
        """Generator updates in a pass over the pairs."""
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
        """Passes over the pairs so far."""
        return self.update / self.updates_per_epoch

    def step(self) -> dict[str, Tensor]:
        """Take one update: k discriminator steps, then one generator step. Returns its measures."""
        torch.manual_seed(_mixed_seed(self.config.seed, self.update))
        self._set_schedules()
        for i in range(self.config.discriminator_steps):
            images, words = self._batch(self.update * self.config.discriminator_steps + i)
            measures = self._discriminator_step(images, words)
        measures |= self._generator_step(images)
        self.update += 1
        return measures

    def _discriminator_step(self, images: Tensor, words: Tensor) -> dict[str, Tensor]:
        """Raise V(D, G) by one step of D on images (B, D) and their words (B, E)."""
        with torch.no_grad():
            fake_words = self.generator(self._noise(images), images)
        hidden = self.discriminator.embed_images(images)
        real_logits = self.discriminator.judge(words, hidden)
        fake_logits = self.discriminator.judge(fake_words, hidden)
        losses = {"loss_d_real": real_loss(real_logits), "loss_d_fake": fake_loss(fake_logits)}
        self._descend(self.optimizer_d, losses)
        accuracies = {
            "d_accuracy_real": (real_logits > 0).float().mean(),
            "d_accuracy_fake": (fake_logits < 0).float().mean(),
        }
        return {**losses, **accuracies}

    def _generator_step(self, images: Tensor) -> dict[str, Tensor]:
        """Lower the generator's loss by one step of G on images (B, D)."""
        self.discriminator.requires_grad_(False)
        losses = self._generator_losses(self.generator(self._noise(images), images), images)
        self._descend(self.optimizer_g, losses)
        self.discriminator.requires_grad_(True)
        return losses

    def _generator_losses(self, fake_words: Tensor, images: Tensor) -> dict[str, Tensor]:
        """Return the terms that G lowers, by name, for its words (B, E) on images (B, D)."""
        logits = self.discriminator(fake_words, images)
        return {"loss_g_adversarial": self.generator_loss(logits)}

    def adversarial_gradient_share(self) -> float | None:
        """Return the adversarial term's share of the gradient on the generated vectors, now."""
        images, _ = self._batch(self.update)
        fake_words = self.generator(self._noise(images), images)
        terms = self._generator_losses(fake_words, images)
        return gradient_share(terms, "loss_g_adversarial", fake_words)

    def _descend(self, optimizer: SGD, losses: dict[str, Tensor]) -> None:
        """Take one step down the sum of `losses`. Raises `TrainingError` if it is not finite."""
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            values = ", ".join(f"{name} = {float(loss.detach())}" for name, loss in losses.items())
            raise TrainingError(
                f"the loss is no longer a number at update {self.update} ({values}); "
                "try a lower --learning-rate"
            )
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def _noise(self, images: Tensor) -> Tensor:
        return torch.randn(len(images), self.config.noise_size, device=images.device)

    def _batch(self, batch: int) -> tuple[Tensor, Tensor]:
        """Return the image features (B, D) and word vectors (B, E) of the batch-th mini-batch."""
        epoch, place = divmod(batch, self.batches_per_epoch)
        order = self._epoch_order(epoch)
        chosen = order[place * self.config.batch_size : (place + 1) * self.config.batch_size]
        rows = self.examples.pairs[chosen]
        return self.examples.image_features[rows[:, 0]], self.examples.word_vectors[rows[:, 1]]

    def _epoch_order(self, epoch: int) -> Tensor:
        """Return the order of the pairs in an epoch, the same whenever it is asked for."""
        if self._order is None or self._order[0] != epoch:
            random = torch.Generator().manual_seed(_mixed_seed(self.config.seed, epoch))
            order = torch.randperm(len(self.examples.pairs), generator=random)
            self._order = epoch, order.to(self.examples.pairs.device)
        return self._order[1]

    def _set_schedules(self) -> None:
        for optimizer in (self.optimizer_g, self.optimizer_d):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(self.config, self.update)
                group["momentum"] = momentum(self.config, self.epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to go on from here."""
        return {
            "update": self.update,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer_g": self.optimizer_g.state_dict(),
            "optimizer_d": self.optimizer_d.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        self.update = state["update"]
        for name in ("generator", "discriminator", "optimizer_g", "optimizer_d"):
            getattr(self, name).load_state_dict(state[name])


def _mixed_seed(seed: int, counter: int) -> int:
    """Return a seed that differs for every (seed, counter), each below 2**31."""
    return (seed % 2**31) * 2**31 + counter % 2**31


@dataclass(frozen=True)
class Validation:
    """What an evaluation on dev says of the generator; the best by `score` is kept."""

    score: float
    measures: dict[str, float]


@dataclass
class Best:
    """The best networks so far, and how many evaluations went by without a better one."""

    score: float = -1.0
    update: int = 0
    n_since: int = 0
    networks: dict[str, Any] = field(default_factory=dict)

    def take(self, score: float, trainer: Trainer) -> bool:
        """Keep the networks if `score` is the best so far; say whether it is."""
        if score <= self.score:
            self.n_since += 1
            return False
        networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}
        states = {name: copy.deepcopy(net.state_dict()) for name, net in networks.items()}
        self.score, self.update, self.n_since, self.networks = score, trainer.update, 0, states
        return True


def fit(trainer: Trainer, validate: Callable[[Generator], Validation], run: RunDir) -> Best:
    """Train to the last epoch or until dev gets no better; log and checkpoint on the way.

    Goes on from the checkpoint of `run` where it has one. Returns the best networks. A run whose
    losses are no longer numbers ends with the best networks before that, and says so; if there
    are none yet, `TrainingError` is raised.
    """
    best = _load_checkpoint(trainer, run)
    bar = tqdm(desc="train", total=trainer.n_updates, initial=trainer.update, unit="update",
               disable=None)  # fmt: skip
    with bar, torch.random.fork_rng():
        while trainer.update < trainer.n_updates and best.n_since < trainer.config.patience:
            try:
                trained = _train_interval(trainer, bar)
            except TrainingError as error:
                if not best.update:
                    raise
                _warn(run, trainer.update, str(error))
                break
            validation = validate(trainer.generator.eval())
            trainer.generator.train()
            _record(run, trained, validation, best.take(validation.score, trainer))
            bar.set_postfix({name: f"{value:.4g}" for name, value in validation.measures.items()})
            run.save_checkpoint({"trainer": trainer.state_dict(), "best": vars(best)})
    return best


def _record(run: RunDir, trained: dict[str, Any], validation: Validation, is_best: bool) -> None:
    """Log an interval and its evaluation; say, once a run, what went wrong with the game."""
    update, measures = trained["update"], validation.measures
    place = {"update": update, "epoch": trained["epoch"]}
    run.log({"event": "train", **trained})
    run.log({"event": "evaluate", **place, **measures, "best": is_best})
    if measures["distinct_words"] < COLLAPSED_WORDS:
        _warn(run, update, "the generator has collapsed: nearly all samples of a photo have the "
              "same nearest word")  # fmt: skip
    if min(trained["d_accuracy_real"], trained["d_accuracy_fake"]) > UNBEATEN_ACCURACY:
        _warn(run, update, "the discriminator tells real from generated words without fail; the "
              "generator learns little from it")  # fmt: skip


def _warn(run: RunDir, update: float, message: str) -> None:
    """Say and log a warning, unless this run has said it before."""
    if all(record.get("message") != message for record in run.read_log()):
        run.log({"event": "warning", "update": update, "message": message})
        tqdm.write(f"warning: {message} (update {update})", file=sys.stderr)


def _load_checkpoint(trainer: Trainer, run: RunDir) -> Best:
    """Bring trainer and log back to the last checkpoint; do nothing where there is none."""
    state = run.load_checkpoint()
    if state is not None:
        trainer.load_state_dict(state["trainer"])
    run.cut_log(after_update=trainer.update)
    return Best(**state["best"]) if state is not None else Best()


def _train_interval(trainer: Trainer, bar: tqdm[Any]) -> dict[str, Any]:
    """Take the updates up to the next evaluation; return their mean measures."""
    interval = trainer.evaluation_interval
    n_updates = min(interval - trainer.update % interval, trainer.n_updates - trainer.update)
    sums: dict[str, Tensor] = {}
    started_at = time.perf_counter()
    for _ in range(n_updates):
        for name, value in trainer.step().items():
            sums[name] = sums.get(name, torch.zeros(())) + value.detach().cpu()
        bar.update()
    seconds = time.perf_counter() - started_at
    means = {name: float(total) / n_updates for name, total in sums.items()}
    n_pairs = n_updates * trainer.config.discriminator_steps * trainer.config.batch_size
    return {
        "update": trainer.update,
        "epoch": trainer.epoch,
        "learning_rate": learning_rate(trainer.config, trainer.update),
        "momentum": momentum(trainer.config, trainer.epoch),
        **means,
        "adversarial_gradient_share": trainer.adversarial_gradient_share(),
        "pairs_per_second": n_pairs / seconds,
    }
