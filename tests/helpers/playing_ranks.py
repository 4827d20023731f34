"""Small tasks trained by the ranks that torchrun started: a script, OUT is its argument."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from helpers.tasks import SMALL, make_examples, make_photos, make_task, modern

from mmcgan.training.config import TrainConfig
from mmcgan.training.neighbours import Neighbours
from mmcgan.training.ranks import ALONE, Ranks, current_ranks, run_on_ranks
from mmcgan.training.sampler import Examples
from mmcgan.training.trainer import Trainer

N_UPDATES = 10
# Without dropout, whose masks are each rank's own; and with SGD: AdamW makes whole steps of the
# rounding errors that are the gradient of what is not used.
PLAIN = {
    "dropout": 0.0,
    "input_dropout": 0.0,
    "d_dropout": 0.0,
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "momentum_epochs": 2,
}
# Mini-batches of 5 leave one rank an example more; so do 3 that are judged.
CONFIGS = {
    "paper": SMALL.with_options(batch_size=5, dropout=0.0, d_dropout=0.0),
    "two steps": SMALL.with_options(discriminator_steps=2, dropout=0.0, d_dropout=0.0),
    "modern": modern(batch_size=5, judged_examples=3, untagged=3, average=0.9, **PLAIN),
    "relativistic": modern(loss="relativistic", moves="draws", **PLAIN),
}


def some_untagged() -> Examples:
    """The photos of `make_photos`, and two without tags that are similar to some of them."""
    tagged = make_photos()
    neighbours = Neighbours(
        torch.tensor([[0, 2], [4, 3]]), torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    )
    features = torch.cat([tagged.image_features, tagged.image_features[:2] + 0.5])
    return replace(tagged, image_features=features, neighbours=neighbours)


def play(config: TrainConfig, ranks: Ranks = ALONE):
    """Train for some updates; return all weights and the measures of each update."""
    examples = some_untagged() if config.objective.untagged else make_examples()
    trainer = Trainer(make_task(config, examples), config, ranks)
    measures = [{n: float(v.detach()) for n, v in trainer.step().items()} for _ in range(N_UPDATES)]
    return {**trainer.evaluated.state_dict(), **trainer.discriminator.state_dict()}, measures


def main(*, say=print) -> int:
    ranks = current_ranks()
    played = {name: play(config, ranks) for name, config in CONFIGS.items()}
    torch.save(played, Path(sys.argv[1]) / f"{ranks.rank}of{ranks.size}.pt")
    return 0


if __name__ == "__main__":
    sys.exit(run_on_ranks(main))
