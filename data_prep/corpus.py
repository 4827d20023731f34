"""The documents that the skip-gram reads, cleaned once and read many times.

Each text file (`data_prep.documents`) is cleaned by all cores into FOLDER/KEY.txt, a document a
line, its tokens with spaces between. Beside it KEY.counts says how often each token occurs
(`data_prep.counts`), and KEY.json what was left out. A cleaned file that is there is whole and has
both, and is not made again: a call that was interrupted goes on with the next text file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from tqdm import tqdm

from data_prep.counts import Counts
from data_prep.documents import Batch, Phrases, check_text_file, clean, read_batches
from mmcgan.errors import DataError
from mmcgan.files import atomic_path, read_json, write_json

Cleaned = tuple[str, Counts, Counter[str]]  # lines, their tokens counted, and what was left out

VERSION = 2  # of the cleaning: cleaned files of another one are made again


class Corpus:
    """Tag lists first, then the documents of text files.

    Each document is a list of tokens, normalised like tags. In running text the words of a phrase
    that is a known tag ("railway station") are joined to that tag's one token. The corpus can be
    read any number of times and holds no file in memory.
    """

    def __init__(
        self,
        tag_lists: Sequence[Sequence[str]],
        text_files: Sequence[Path],
        phrases: Iterable[str],
        folder: Path,
    ):
        """Take the tag lists as they are; check that each text file can be opened.

        `folder` is where the cleaned files lie.
        """
        self.tag_lists = tag_lists
        self.text_files = text_files
        self.folder = folder
        self._phrases = sorted({phrase for phrase in phrases if "_" in phrase})
        for path in text_files:
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
        facts = [VERSION, str(path.resolve()), found.st_size, found.st_mtime_ns, self._phrases]
        key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
        out = self.folder / f"{key}.txt"
        if not out.exists():
            clean_file(path, self._phrases, out)
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
