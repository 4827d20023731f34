"""python -m mmcgan.train, but rank 1 is killed after update 15: a script."""

import os
import signal
import sys
from functools import partial

from mmcgan.cli import run_command
from mmcgan.train import main
from mmcgan.training.ranks import run_on_ranks
from mmcgan.training.trainer import Trainer


def main_that_dies() -> int:
    step = Trainer.step

    def step_or_die(trainer: Trainer):
        if trainer.update == 15 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        return step(trainer)

    Trainer.step = step_or_die
    return run_on_ranks(partial(run_command, main))


if __name__ == "__main__":
    sys.exit(main_that_dies())
