"""How often each token of the corpus occurs: counted a batch at a time, added up, kept in a file.

The file is UTF-8 text: the number of documents, then a line a token, "TOKEN COUNT". Tokens are in
the order of their first occurrence, since that is how gensim breaks ties of frequency.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmcgan.errors import DataError
from mmcgan.files import atomic_path


@dataclass
class Counts:
    """The number of documents, and the number of times that each of their tokens occurs."""

    n_documents: int = 0
    tokens: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, documents: Collection[Sequence[str]]) -> Counts:
        """Count the tokens of some documents."""
        return cls(len(documents), Counter(itertools.chain.from_iterable(documents)))

    def add(self, later: Counts) -> None:
        """Add the counts of documents that come after these."""
        self.n_documents += later.n_documents
        self.tokens.update(later.tokens)

    def add_file(self, path: Path) -> None:
        """Add the counts that `write` put into a file; no second table of them is in memory.

        Raises `DataError` if the file is missing or broken.
        """
        try:
            with path.open(encoding="utf-8") as file:
                self.n_documents += int(file.readline())
                for line in file:
                    token, n = line.split()
                    self.tokens[token] = self.tokens.get(token, 0) + int(n)
        except (OSError, ValueError) as reason:
            raise DataError(
                f"{path} cannot be read as counts of tokens ({reason}); remove {path.parent} and "
                "call again: the text files are then cleaned and counted anew"
            ) from None

    def write(self, path: Path) -> None:
        """Write the counts to a file, whole or not at all."""
        with atomic_path(path) as partial, partial.open("w", encoding="utf-8") as file:
            file.write(f"{self.n_documents}\n")
            file.writelines(f"{token} {n}\n" for token, n in self.tokens.items())
