"""Word vectors from a compressed collection of metadata, beside gensim on a cleaned plain file."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from gensim.models.word2vec import LineSentence, Word2Vec

from data_prep.config import PrepareConfig
from eval.benchmark.metadata import write_metadata
from eval.benchmark.rows import Row
from eval.benchmark.timing import median_seconds

N_PHOTOS = 12_000
# As `prepare` trains, but for as many passes as gensim makes by itself, and on both cores.
CONFIG = PrepareConfig(word_epochs=5, word_workers=2)

Documents = Iterable[list[str]]
CorpusT = TypeVar("CorpusT", bound=Documents)
ReadCorpus = Callable[[Path, Path], CorpusT]
"""Reads a text file, given a folder for the cleaned one."""
TrainVectors = Callable[[CorpusT, Sequence[str], PrepareConfig], object]
"""Trains the skip-gram on a corpus and looks up the vectors of some words."""
SkipGram = Callable[[PrepareConfig], Word2Vec]
"""Makes gensim's model, untrained, with the settings of that training."""


def vector_rows(
    read_corpus: ReadCorpus[CorpusT],
    train_vectors: TrainVectors[CorpusT],
    skip_gram: SkipGram,
    n_photos: int = N_PHOTOS,
    config: PrepareConfig = CONFIG,
    repeats: int = 3,
) -> Iterator[Row]:
    """Yield the row `corpus`: the words of each pass a second, from the raw file to vectors.

    Ours decompresses, cleans and counts, then trains; gensim reads the plain file once more than it
    trains on it, to count.
    """
    with tempfile.TemporaryDirectory() as folder:
        raw, plain = Path(folder) / "metadata.bz2", Path(folder) / "words.txt"
        write_metadata(raw, n_photos)
        n_words = _write_plain(read_corpus(raw, Path(folder) / "cleaned"), plain)

        def from_raw(use: Callable[[CorpusT], object]) -> None:
            with tempfile.TemporaryDirectory() as work_dir:
                use(read_corpus(raw, Path(work_dir)))

        def from_plain() -> None:
            model, documents = skip_gram(config), LineSentence(str(plain))
            model.build_vocab(documents)
            model.train(documents, total_examples=model.corpus_count, epochs=config.word_epochs)

        seconds = median_seconds(
            {
                "ours": partial(from_raw, lambda corpus: train_vectors(corpus, [], config)),
                "gensim": from_plain,
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
        f"decompressing, cleaning and counting take {seconds['cleaning']:.1f} s, counting and "
        f"training from the plain file {seconds['gensim']:.1f} s",
    )  # fmt: skip


def _write_plain(documents: Documents, path: Path) -> int:
    """Write documents as lines of words, and return how many words they have."""
    n_words = 0
    with path.open("w", encoding="utf-8") as file:
        for words in documents:
            file.write(" ".join(words) + "\n")
            n_words += len(words)
    return n_words
