"""Word vectors from a compressed collection of metadata, beside gensim on a cleaned plain file."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from gensim.models.word2vec import LineSentence

from eval.benchmark.metadata import write_metadata
from eval.benchmark.rows import Row
from eval.benchmark.timing import median_seconds
from mmcgan.config import PrepareConfig

N_PHOTOS = 12_000
# As `prepare` trains, but for as many passes as gensim makes by itself, and on both cores.
CONFIG = PrepareConfig(word_epochs=5, word_workers=2)

Documents = Iterable[list[str]]
ReadCorpus = Callable[[Path, Path], Documents]
"""Reads a text file, given a folder for the cleaned one."""
TrainVectors = Callable[[Documents, Sequence[str], PrepareConfig], object]
"""Trains the skip-gram on documents and looks up the vectors of some words."""


def vector_rows(
    read_corpus: ReadCorpus,
    train_vectors: TrainVectors,
    n_photos: int = N_PHOTOS,
    config: PrepareConfig = CONFIG,
    repeats: int = 3,
) -> Iterator[Row]:
    """Yield the row `corpus`: the words of each pass a second, from the raw file to vectors."""
    with tempfile.TemporaryDirectory() as folder:
        raw, plain = Path(folder) / "metadata.bz2", Path(folder) / "words.txt"
        write_metadata(raw, n_photos)
        n_words = _write_plain(read_corpus(raw, Path(folder) / "cleaned"), plain)

        def from_raw(use: Callable[[Documents], object]) -> None:
            with tempfile.TemporaryDirectory() as work_dir:
                use(read_corpus(raw, Path(work_dir)))

        def train(documents: Documents) -> None:
            train_vectors(documents, [], config)

        seconds = median_seconds(
            {
                "ours": partial(from_raw, train),
                "gensim": lambda: train(LineSentence(str(plain))),
                "cleaning": partial(from_raw, partial(deque, maxlen=0)),
            },
            repeats,
        )
    n_read = n_words * config.word_epochs
    yield Row(
        "corpus",
        f"gensim on a cleaned plain file, {config.word_epochs} passes, "
        f"{config.word_workers} workers",
        n_read / seconds["ours"], n_read / seconds["gensim"], "words/s", "more", 0.9,
        f"decompressing and cleaning take {seconds['cleaning']:.1f} s, the training from the plain "
        f"file {seconds['gensim']:.1f} s",
    )  # fmt: skip


def _write_plain(documents: Documents, path: Path) -> int:
    """Write documents as lines of words, and return how many words they have."""
    n_words = 0
    with path.open("w", encoding="utf-8") as file:
        for words in documents:
            file.write(" ".join(words) + "\n")
            n_words += len(words)
    return n_words
