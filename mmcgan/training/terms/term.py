"""What a term is, and how it is asked for by options."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from torch import Tensor

from mmcgan.training.config import TagObjectiveOptions
from mmcgan.training.networks import Discriminator, WordTable
from mmcgan.training.sampler import Examples

if TYPE_CHECKING:
    from typing_extensions import Self


class Mean(NamedTuple):
    """The mean of a measure over `n` examples."""

    value: Tensor
    n: int


Means = dict[str, Mean]


class Term(Protocol):
    """A loss of what a generator draws for a mini-batch."""

    @property
    def name(self) -> str:
        """Its name in the log."""

    @property
    def weight(self) -> float:
        """What it is multiplied by."""

    @property
    def moves_mean(self) -> bool:
        """Whether its gradient may move the mean of a generator's draws, or only their spread."""

    def mean_loss(self, draws: Tensor, batch: Any, task: Any) -> Mean:
        """Return the loss of draws (B, S, E) for a mini-batch of `task`, without the weight."""


class OfTags(Protocol):
    """What terms see of the task of tags: its networks, its examples, who shares the draws."""

    words: WordTable
    discriminator: Discriminator
    examples: Examples
    n_generators: int


@dataclass(frozen=True)
class AskedTerm:
    """A term whose fields have the names of the options that ask for it.

    `absent` are the options without it.
    """

    absent: ClassVar[dict[str, Any]] = {}

    @classmethod
    def of(cls, options: TagObjectiveOptions) -> Self:
        """Return the term that the settings ask for."""
        values = options.options()
        return cls(**{f.name: values[f.name] for f in fields(cls)})

    @property
    def options(self) -> dict[str, Any]:
        """The options that ask for the term."""
        return asdict(self)
