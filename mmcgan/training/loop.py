"""The loop around the updates: log, evaluation on dev, checkpoint, early end, warnings."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from mmcgan.errors import RunError, TrainingError
from mmcgan.training.runs import RunDir
from mmcgan.training.schedules import learning_rate, momentum
from mmcgan.training.trainer import Trainer

UNBEATEN = (
    "the discriminator tells real from generated examples without fail; the generator learns "
    "little from it"
)
UNBEATEN_ACCURACY = 0.99  # of D, on real and on generated examples, above which G cannot win


@dataclass(frozen=True)
class Validation:
    """What an evaluation says of the generator; the best by `score` is kept.

    `warning` says what is wrong with it, "" where nothing is.
    """

    score: float
    measures: dict[str, float]
    warning: str = ""


@dataclass
class Best:
    """The best networks so far, and how many evaluations went by without a better one.

    `networks` holds the state of the generator, and of what learns with it, by name.
    """

    score: float = -math.inf
    update: int = 0
    n_since: int = 0
    networks: dict[str, Any] = field(default_factory=dict)

    def take(self, score: float, trainer: Trainer, always: bool = False) -> bool:
        """Keep the networks if `score` is the best so far, or `always`; say whether it does."""
        if score <= self.score and not always:
            self.n_since += 1
            return False
        self.score, self.update, self.n_since = score, trainer.update, 0
        self.networks = trainer.copy_of_evaluated()
        return True


def fit(
    trainer: Trainer,
    validate: Callable[[nn.ModuleDict], Validation],
    run: RunDir,
    keep_last: bool = False,
) -> Best:
    """Train to the last epoch or until it gets no better; log and checkpoint on the way.

    `validate` is given the networks to generate with. Goes on from the checkpoint of `run` where
    it has one; where several ranks train, the first one's validation is that of all. Returns the
    best networks, or the last ones with `keep_last`. A run whose losses are no longer numbers ends
    with the best networks before that, and says so; if there are none yet, `TrainingError` is
    raised.
    """
    best = _load_checkpoint(trainer, run)
    bar = tqdm(
        desc="train", total=trainer.n_updates, initial=trainer.update, unit="update", disable=None
    )
    with bar, torch.random.fork_rng():
        while trainer.update < trainer.n_updates and best.n_since < trainer.config.run.patience:
            try:
                trained = _train_interval(trainer, bar)
            except TrainingError as error:
                if not best.update:
                    raise
                _warn(run, trainer.update, str(error))
                break
            validation = trainer.ranks.of_first(validate, trainer.evaluated.eval())
            trainer.evaluated.train()
            is_best = best.take(validation.score, trainer, keep_last)
            _record(run, trained, validation, is_best)
            bar.set_postfix({name: f"{value:.4g}" for name, value in validation.measures.items()})
            run.save_checkpoint({"trainer": trainer.state_dict(), "best": vars(best)})
    return best


def _record(run: RunDir, trained: dict[str, Any], validation: Validation, is_best: bool) -> None:
    """Log an interval and its evaluation; say, once a run, what went wrong."""
    update, measures = trained["update"], validation.measures
    place = {"update": update, "epoch": trained["epoch"]}
    run.log({"event": "train", **trained})
    run.log({"event": "evaluate", **place, **measures, "best": is_best})
    if validation.warning:
        _warn(run, update, validation.warning)
    accuracies = [value for name, value in trained.items() if name.startswith("d_accuracy")]
    if min(accuracies) > UNBEATEN_ACCURACY:
        _warn(run, update, UNBEATEN)


def _warn(run: RunDir, update: float, message: str) -> None:
    """Say and log a warning, unless this run has said it before."""
    if all(record.get("message") != message for record in run.read_log()):
        run.log({"event": "warning", "update": update, "message": message})
        tqdm.write(f"warning: {message} (update {update})", file=sys.stderr)


def _load_checkpoint(trainer: Trainer, run: RunDir) -> Best:
    """Bring trainer and log back to the last checkpoint; do nothing where there is none.

    Raises `RunError` if the checkpoint is not of these networks, `RankError` if the ranks do not
    have the same one.
    """
    state, best = run.load_checkpoint(), Best()
    if state is not None:
        try:
            best = Best(**state["best"])
            trainer.load_state_dict(state["trainer"])
        except (KeyError, TypeError, ValueError, RuntimeError) as reason:
            raise RunError(
                f"the checkpoint of {run.path} is of another version of mmcgan "
                f"({' '.join(str(reason).split())[:80]}); train into another folder, or delete "
                "checkpoint.pt to start anew"
            ) from None
    trainer.ranks.agree(trainer.update, "checkpoint")
    run.cut_log(after_update=trainer.update)
    return best


def _train_interval(trainer: Trainer, bar: tqdm[Any]) -> dict[str, Any]:
    """Take the updates up to the next evaluation; return their mean measures."""
    options, interval = trainer.optimiser, trainer.evaluation_interval
    n_updates = min(interval - trainer.update % interval, trainer.n_updates - trainer.update)
    taken: dict[str, list[float]] = {}  # tensors, small as they are, would scatter the memory
    started_at = time.perf_counter()
    for _ in range(n_updates):
        for name, value in trainer.step().items():
            taken.setdefault(name, []).append(float(value.detach()))
        bar.update()
    seconds = time.perf_counter() - started_at
    n_examples = n_updates * options.discriminator_steps * trainer.task.batch_size
    return {
        "update": trainer.update,
        "epoch": trainer.epoch,
        "learning_rate": learning_rate(options, trainer.update, trainer.n_updates),
        **({"momentum": momentum(options, trainer.epoch)} if options.kind == "sgd" else {}),
        **{name: _mean(values) for name, values in taken.items()},
        f"{trainer.task.unit}_per_second": n_examples / seconds,
    }


def _mean(values: list[float]) -> float | None:
    """Return the mean of those values that are numbers, None where none is."""
    mean = float(torch.tensor(values).nanmean())
    return mean if math.isfinite(mean) else None
