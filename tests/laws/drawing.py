"""Draws of odd things: a pure function of a seed and a number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Choices for one case. The same seed and number choose the same everywhere."""

    def __init__(self, seed: int, number: int):
        self.random = Random(f"{seed}/{number}")

    def one(self, *options: T) -> T:
        return self.random.choice(options)

    def by_weight(self, weights: dict[str, int]) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def some(self, options: tuple[T, ...], at_least: int = 0) -> list[T]:
        """A few of the options, in their order."""
        n = self.random.randint(at_least, len(options))
        chosen = set(self.random.sample(range(len(options)), n))
        return [option for i, option in enumerate(options) if i in chosen]

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def up_to(self, n: int) -> int:
        return self.random.randrange(n)

    def shuffled(self, options: list[T]) -> list[T]:
        return self.random.sample(options, len(options))

    def noise(self, n: int) -> bytes:
        return self.random.randbytes(n)


@dataclass(frozen=True)
class Odd:
    """Bytes, what is odd about them, and the kinds of refusal that this may lead to."""

    data: bytes
    labels: tuple[str, ...] = ()
    may_refuse: frozenset[str] = frozenset()

    def odder(self, data: bytes, label: str, *may_refuse: str) -> Odd:
        """The same made odder: new bytes, one more label, more refusals."""
        labels, refusals = (*self.labels, label), self.may_refuse | set(may_refuse)
        return replace(self, data=data, labels=labels, may_refuse=refusals)
