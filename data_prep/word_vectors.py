"""Word vectors: skip-gram trained on the corpus (gensim), or ready ones read from a file.

With one worker and the same seed the skip-gram gives the same vectors every time. More workers
take the documents in an order that differs from run to run, and so do the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.callbacks import CallbackAny2Vec
from smart_open import open as smart_open
from tqdm import tqdm

from data_prep.config import PrepareConfig
from data_prep.corpus import Corpus
from mmcgan.arrays import FloatArray
from mmcgan.errors import DataError, OptionError, one_line
from mmcgan.inference.words.vocabulary import normalize_tag

Vectors = dict[str, FloatArray]


def train_word_vectors(corpus: Corpus, words: Sequence[str], config: PrepareConfig) -> Vectors:
    """Train a skip-gram (Mikolov et al. 2013) and return the vectors (E,) of `words` it knows.

    The corpus is read once a pass of the training; its tokens are counted already. Words that it
    holds less often than the minimum count have no vector.
    """
    model, counts = skip_gram(config), corpus.counts()
    model.build_vocab_from_freq(counts.tokens, corpus_count=counts.n_documents)
    del counts  # they hold far more tokens than the model learns
    if not len(model.wv):
        return {}
    n_epochs = config.word_epochs
    with tqdm(total=n_epochs, desc="word vectors", unit="pass", disable=None) as bar:
        progress, n_documents = [_Progress(bar)], model.corpus_count
        model.train(corpus, total_examples=n_documents, epochs=n_epochs, callbacks=progress)
    return {word: model.wv[word] for word in words if word in model.wv}


def skip_gram(config: PrepareConfig) -> Word2Vec:
    """Return gensim's model, untrained."""
    return Word2Vec(
        vector_size=config.word_size,
        window=config.window,
        min_count=least_count(config),
        negative=config.negatives,
        workers=config.word_workers,
        seed=config.seed + 1,
        sg=1,
        # A tag list has no order: every pair of its tags counts, not only near ones.
        shrink_windows=False,
    )


def least_count(config: PrepareConfig) -> int:
    """Return how often the corpus must hold a word that gets a vector."""
    return config.min_photos if config.min_count is None else config.min_count


def read_word_vectors(path: Path, words: Sequence[str]) -> Vectors:
    """Read the vectors of those `words` that a file of ready vectors has, (E,) each.

    Takes word2vec text or binary and GloVe text (no header line), plain or compressed. The file's
    words are normalised like tags; the first of several spellings counts. Vectors that are zero or
    not finite count as missing. Raises `OptionError` if the file is missing, `DataError` if it is
    none of these formats or its rows differ in width.
    """
    if not path.is_file():
        raise OptionError(f"--vectors: {path} is not a file")
    try:
        ready = _read_any(path)
        if not ready.vectors.size:
            raise ValueError("it holds no vectors")
    except Exception as reason:  # gensim raises many kinds for a broken file
        raise DataError(
            f"--vectors: {path} is neither word2vec text or binary nor GloVe text, or its rows "
            f"differ in width ({one_line(reason)})"
        ) from None
    row_of: dict[str | None, int] = {}
    for row, key in enumerate(ready.index_to_key):
        if key is not None:  # gensim's place of a word that the file holds twice
            row_of.setdefault(normalize_tag(key), row)
    found = {word: ready.vectors[row_of[word]].copy() for word in words if word in row_of}
    return {word: v for word, v in found.items() if np.isfinite(v).all() and v.any()}


def _read_any(path: Path) -> KeyedVectors:
    """Read the words and the table of a file, whose format its first lines tell."""
    with smart_open(str(path), "rb") as file:
        first, second = file.readline(1_000_000), file.readline(1_000_000)
    if first.startswith(b"\x80"):  # the pickle protocol's mark
        raise ValueError("a pickle, as of KeyedVectors.save; write it by save_word2vec_format")
    has_header = len(first.split()) == 2
    is_text = not has_header or _is_text_row(second)
    return KeyedVectors.load_word2vec_format(
        str(path), binary=not is_text, no_header=not has_header, unicode_errors="replace"
    )


def _is_text_row(line: bytes) -> bool:
    """Say whether `line` is a word and at least one decimal number."""
    try:
        return len([float(number) for number in line.split()[1:]]) > 0
    except ValueError:
        return False


class _Progress(CallbackAny2Vec):  # type: ignore[misc]
    """Shows the passes of the skip-gram."""

    def __init__(self, bar: tqdm[NoReturn]):
        self.bar = bar

    def on_epoch_end(self, model: Word2Vec) -> None:
        """Count a pass."""
        self.bar.update()
