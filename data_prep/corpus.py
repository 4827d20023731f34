"""The documents that the skip-gram reads, cleaned once and read many times.

Each text file (`data_prep.documents`) is cleaned by all cores into FOLDER/KEY.txt, a document a
line, its tokens with spaces between. Beside it KEY.counts says how often each token occurs, and
KEY.json what was left out. A cleaned file that is there is whole and has both, and is not made
again: a call that was interrupted goes on with the next text file.

KEY.counts is UTF-8 text: the number of documents, then a line a token, "TOKEN COUNT". Tokens are in
the order of their first occurrence, since that is how gensim breaks ties of frequency.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from data_prep.documents import Batch, Phrases, check_text_file, clean, read_batches
from mmcgan.errors import DataError
from mmcgan.files import atomic_path, read_json, write_json

VERSION = 2  # of the cleaning: cleaned files of another one are made again


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


Cleaned = tuple[str, Counts, Counter[str]]  # lines, their tokens counted, and what was left out


@dataclass
class Corpus:
    """Tag lists first, then the documents of text files.

    Each document is a list of tokens, normalised like tags. In running text the words of a phrase
    that is one of `phrases`, known tags ("railway station"), are joined to that tag's one token.
    `folder` is where the cleaned files lie. The corpus can be read any number of times and holds
    no file in memory.
    """

    tag_lists: Sequence[Sequence[str]]
    text_files: Sequence[Path]
    phrases: Sequence[str]
    folder: Path

    def __post_init__(self) -> None:
        """Check that each text file can be opened."""
        self.phrases = sorted({phrase for phrase in self.phrases if "_" in phrase})
        for path in self.text_files:
            check_text_file(path)

    def __iter__(self) -> Iterator[list[str]]:
        yield from (list(tags) for tags in self.tag_lists)
        for path in self.text_files:
            with self._cleaned(path).open(encoding="utf-8") as lines:
                yield from (line.split() for line in lines)

    def counts(self) -> Counts:
        """Return the counts of all tokens; those of text files were stored with them."""
        paths = self._all_cleaned()  # first: each holds a table of its own while it is made
        counts = Counts.of(self.tag_lists)
        for path in paths:
            counts.add_file(_counts_of(path))
        return counts

    def skipped(self) -> Counter[str]:
        """Count by reason the parts of the text files that were left out."""
        facts = (Counter(read_json(_facts_of(path), DataError)) for path in self._all_cleaned())
        return sum(facts, Counter())

    def _all_cleaned(self) -> list[Path]:
        return [self._cleaned(path) for path in self.text_files]

    def _cleaned(self, path: Path) -> Path:
        """Return the cleaned file of a text file, made now if need be."""
        found = path.stat()
        facts = [VERSION, str(path.resolve()), found.st_size, found.st_mtime_ns, self.phrases]
        key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
        out = self.folder / f"{key}.txt"
        if not out.exists():
            clean_file(path, self.phrases, out)
        return out


def clean_file(path: Path, phrases: Sequence[str], out: Path) -> None:
    """Write the documents of a text file to `out`, with their counts and omissions beside it."""
    counts, skipped = Counts(), Counter[str]()
    bar = tqdm(desc=f"cleaning {path.name}", unit="document", unit_scale=True, disable=None)
    with bar, atomic_path(out) as partial:
        with partial.open("w", encoding="utf-8") as file:
            for lines, counted, left_out in _clean_all(read_batches(path), phrases):
                file.write(lines)
                counts.add(counted)
                skipped += left_out
                bar.update(counted.n_documents)
        counts.write(_counts_of(out))
        write_json(_facts_of(out), skipped)


def _counts_of(cleaned: Path) -> Path:
    return cleaned.with_suffix(".counts")


def _facts_of(cleaned: Path) -> Path:
    return cleaned.with_suffix(".json")


def _clean_all(batches: Iterator[Batch], phrases: Sequence[str]) -> Iterator[Cleaned]:
    """Clean the batches in their order; where there is more than one, with all cores."""
    first = list(itertools.islice(batches, 2))
    n_workers = len(os.sched_getaffinity(0)) if len(first) > 1 else 1
    batches = itertools.chain(first, batches)
    if n_workers == 1:
        known = Phrases(phrases)
        yield from (_clean_batch(batch, known) for batch in batches)
        return
    # A process that is forked beside the threads of torch or faiss may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_workers, context, _start_worker, (phrases,)) as pool:
        running: deque[Future[Cleaned]] = deque()
        try:
            for batch in batches:
                running.append(pool.submit(_clean_in_worker, batch))
                if len(running) > 2 * n_workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _clean_batch(batch: Batch, phrases: Phrases) -> Cleaned:
    documents, skipped = clean(batch, phrases)
    lines = "".join(" ".join(tokens) + "\n" for tokens in documents)
    return lines, Counts.of(documents), skipped


_worker_phrases = Phrases(())  # of a worker process, which gets them once


def _start_worker(phrases: Sequence[str]) -> None:
    global _worker_phrases
    _worker_phrases = Phrases(phrases)


def _clean_in_worker(batch: Batch) -> Cleaned:
    return _clean_batch(batch, _worker_phrases)
