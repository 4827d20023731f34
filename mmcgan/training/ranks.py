"""Several processes at work on one job, started by torchrun and joined by torch's own engine.

Every rank holds both networks and is told the whole mini-batch: which examples, which noise. Row
i of it is the work of rank i mod W; what a rank adds to a loss or to a gradient is its part of the
whole's, so that the sum over all ranks is what one process has. Only masks of dropout, and the
points between of the Wasserstein penalty, are a rank's own.
"""

from __future__ import annotations

import math
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mmcgan.errors import MmcganError, OptionError, RankError
from mmcgan.training.terms.term import Means

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

# A process that dies closes its connections, which is noticed at once; a machine that falls
# silent is noticed when nothing was heard of it for so long.
PATIENCE = timedelta(minutes=30)
FIRST_WORD = timedelta(seconds=5)  # how long another rank lets the first one say what is wrong

P = ParamSpec("P")
T = TypeVar("T")


class Ranks:
    """The processes of a job and the place of this one among them; alone if nothing is said.

    `random` gives what all ranks draw alike: the random numbers of a whole mini-batch.
    """

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size
        self.random = torch.default_generator if size == 1 else torch.Generator()

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def own(self, rows: Tensor) -> Tensor:
        """Return this rank's of the rows (B, …) of a mini-batch."""
        return rows[self.rank :: self.size]

    def require(self, n_examples: int) -> None:
        """Raise `OptionError` if some rank has none of the examples that D looks at."""
        if n_examples < self.size:
            raise OptionError(
                f"--nproc-per-node: {self.size} processes cannot share the {n_examples} examples "
                f"of a mini-batch that the discriminator looks at; start at most {n_examples}, or "
                "raise --batch-size or --judged-examples"
            )

    def seed(self, seed: int) -> None:
        """Begin the random numbers of an update: those of the mini-batch and this rank's own."""
        own = seed if self.size == 1 else random.Random(f"{seed} {self.rank}").getrandbits(63)
        torch.manual_seed(own)
        if self.size > 1:
            self.random.manual_seed(seed)

    def weigh(self, means: Means) -> dict[str, Tensor]:
        """Return each mean times this rank's share of its examples.

        The sum over all ranks is then the mean over the examples of all.
        """
        if self.size == 1:
            return {name: mean.value for name, mean in means.items()}
        n_of_all = self.total({name: torch.tensor(mean.n) for name, mean in means.items()})
        return {name: mean.value * (mean.n / float(n_of_all[name])) for name, mean in means.items()}

    def total(self, measures: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the sums over all ranks of scalars by name, without what they were made from."""
        if self.size == 1:
            return measures
        total = torch.stack([value.detach() for value in measures.values()]).double().cpu()
        with _among_ranks():
            dist.all_reduce(total)
        return dict(zip(measures, total, strict=True))

    def norms(self, gradients: dict[str, Tensor]) -> dict[str, float]:
        """Return the norms of gradients of which each rank holds some rows, by name."""
        if self.size == 1:
            return {name: float(gradient.norm()) for name, gradient in gradients.items()}
        squares = self.total({n: gradient.norm().square() for n, gradient in gradients.items()})
        return {name: math.sqrt(float(square)) for name, square in squares.items()}

    def sum_gradients(self, network: nn.Module) -> None:
        """Replace the gradient of each parameter by its sum over all ranks."""
        if self.size == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        with _among_ranks():
            for work in [dist.all_reduce(gradient, async_op=True) for gradient in gradients]:
                work.wait()

    def of_first(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return on every rank what `function` gives on the first, where alone it is called."""
        found = [function(*args, **kwargs) if self.is_first else None]
        if self.size > 1:
            with _among_ranks():
                dist.broadcast_object_list(found)
        return found[0]  # type: ignore[return-value]

    def after_first(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` on the first rank, then on the others, who find what it left on disk."""
        if not self.is_first:
            self.wait()
        found = function(*args, **kwargs)
        if self.is_first:
            self.wait()
        return found

    def agree(self, value: Any, what: str) -> None:
        """Wait until all ranks are here; raise `RankError` unless `value` is the same on all."""
        if self.size == 1:
            return
        found: list[Any] = [None] * self.size
        with _among_ranks():
            dist.all_gather_object(found, value)
        others = [rank for rank, other in enumerate(found) if other != found[0]]
        if others:
            raise RankError(
                f"rank {others[0]} does not see the same {what} as rank 0; all machines of a job "
                "need the same data and run folders, on a disk that they share"
            )

    def wait(self) -> None:
        """Wait until all ranks are here."""
        self.agree(None, "")


ALONE = Ranks()


def current_ranks() -> Ranks:
    """Return the ranks of the job that this process is part of."""
    if not (dist.is_available() and dist.is_initialized()):
        return ALONE
    return Ranks(dist.get_rank(), dist.get_world_size())


def run_on_ranks(command: Callable[..., int], patience: timedelta = PATIENCE) -> int:
    """Run `command` as one rank of the job, where torchrun started several processes.

    It returns its exit status, and gives what went wrong as one line to the function `say`.
    Only the first rank is heard, unless it alone has nothing to complain about. A job fails when
    nothing was heard of a rank for as long as `patience`.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        return command()
    try:
        say = _join(patience)
    except MmcganError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    if current_ranks().is_first:
        signal.signal(signal.SIGTERM, _end)  # what torchrun sends when another rank ended
        status = command(say=say)
    else:
        with (
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            status = command(say=say)
    if status:
        # At once: threads that still wait for other ranks would end the process with a signal.
        sys.stdout.flush()
        os._exit(status)
    dist.destroy_process_group()
    return status


def _join(patience: timedelta) -> Callable[[str], None]:
    """Join the job that torchrun describes; return how this rank says what went wrong.

    Raises `OptionError` if there is no GPU left for it, `RankError` if the others do not answer.
    """
    from torch.distributed.rendezvous import rendezvous  # not in every build of torch

    backend = "gloo"
    if torch.cuda.is_available():
        place, n_gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if place >= n_gpus:
            raise OptionError(f"--nproc-per-node: this machine has {n_gpus} GPUs, one a process")
        torch.cuda.set_device(place)
        backend = "cpu:gloo,cuda:nccl"
    with _among_ranks():
        store, rank, size = next(rendezvous("env://"))
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=patience)
    return lambda line: _say(line, store, rank, sys.__stderr__)


def _say(line: str, store: Store, rank: int, stream: Any) -> None:
    """Say what went wrong here, unless the first rank has said what went wrong there.

    Wrong options and broken data are the same for all ranks, and the end of one is noticed by
    all others.
    """
    if rank == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with suppress(RuntimeError):  # the store is gone
            store.set("error of rank 0", line)
    else:
        with suppress(RuntimeError):  # nothing was set, or the store is gone
            store.wait(["error of rank 0"], FIRST_WORD)
            return
    print(f"{line} (rank {rank})" if rank else line, file=stream, flush=True)


def _end(*_: Any) -> NoReturn:
    raise RankError(
        "another process of the job ended or does not answer; what was done so far is kept, the "
        "same call goes on with it (training: with --resume)"
    )


@contextmanager
def _among_ranks() -> Iterator[None]:
    """Raise `RankError` where a rank does not answer."""
    try:
        yield
    except RuntimeError:
        _end()
