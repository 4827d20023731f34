"""Word vectors from a compressed collection of metadata, beside gensim on a cleaned plain file."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from gensim.models.word2vec import LineSentence

from data_prep.config import PrepareConfig
from data_prep.corpus import Corpus
from data_prep.word_vectors import skip_gram, train_word_vectors
from eval.benchmark.metadata import write_metadata
from eval.benchmark.rows import Row, median_seconds

N_PHOTOS = 12_000
# As `prepare` trains, but for as many passes as gensim makes by itself, and on both cores.
CONFIG = PrepareConfig(word_epochs=5, word_workers=2)


def vector_rows(
    n_photos: int = N_PHOTOS, config: PrepareConfig = CONFIG, repeats: int = 3
) -> Iterator[Row]:
    """Yield the row `corpus`: the words of each pass a second, from the raw file to vectors.

    Ours decompresses, cleans and counts, then trains; gensim reads the plain file once more than it
    trains on it, to count.
    """
    with tempfile.TemporaryDirectory() as folder:
        raw, plain = Path(folder) / "metadata.bz2", Path(folder) / "words.txt"
        write_metadata(raw, n_photos)
        n_words = _write_plain(read_corpus(raw, Path(folder) / "cleaned"), plain)
        train = partial(train_word_vectors, words=[], config=config)
        tasks = {
            "ours": partial(_use_anew, raw, train),
            "gensim": partial(_train_plainly, plain, config),
            "cleaning": partial(_use_anew, raw, partial(deque, maxlen=0)),
        }
        seconds = median_seconds(tasks, repeats)
    against = (
        f"gensim on a cleaned plain file, {config.word_epochs} passes, "
        f"{config.word_workers} workers"
    )
    why = (
        f"decompressing, cleaning and counting take {seconds['cleaning']:.1f} s, counting and "
        f"training from the plain file {seconds['gensim']:.1f} s"
    )
    ours, rival = (n_words * config.word_epochs / seconds[name] for name in ("ours", "gensim"))
    yield Row("corpus", against, ours, rival, "words/s", "more", 0.9, why)


def read_corpus(text_file: Path, folder: Path) -> Corpus:
    """Read a text file as `prepare` does; the cleaned one goes into a folder."""
    return Corpus([], [text_file], [], folder)


def _use_anew(text_file: Path, use: Callable[[Corpus], object]) -> None:
    """Clean a text file into a new folder, use its documents, and throw them away."""
    with tempfile.TemporaryDirectory() as folder:
        use(read_corpus(text_file, Path(folder)))


def _train_plainly(plain: Path, config: PrepareConfig) -> None:
    """Train gensim's model on a file of cleaned documents as its manual says."""
    model, documents = skip_gram(config), LineSentence(str(plain))
    model.build_vocab(documents)
    model.train(documents, total_examples=model.corpus_count, epochs=config.word_epochs)


def _write_plain(corpus: Corpus, path: Path) -> int:
    """Write documents as lines of words, and return how many words they have."""
    n_words = 0
    with path.open("w", encoding="utf-8") as file:
        for words in corpus:
            file.write(" ".join(words) + "\n")
            n_words += len(words)
    return n_words
