"""Word vectors: skip-gram trained on the corpus (gensim), or ready ones read from a file.

With one worker and the same seed the skip-gram gives the same vectors every time. More workers
take the documents in an order that differs from run to run, and so do the vectors.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.callbacks import CallbackAny2Vec
from smart_open import open as smart_open
from tqdm import tqdm

from data_prep.config import PrepareConfig
from data_prep.corpus import Corpus
from data_prep.counts import Counts
from mmcgan.errors import DataError, OptionError
from mmcgan.inference.words.vocabulary import normalize_tag

Vectors = dict[str, npt.NDArray[np.float32]]


def train_word_vectors(corpus: Corpus, words: Sequence[str], config: PrepareConfig) -> Vectors:
    """Train a skip-gram (Mikolov et al. 2013) and return the vectors (E,) of `words` it knows.

    The corpus is read once a pass of the training; its tokens are counted already. Words that it
    holds less often than the minimum count have no vector.
    """
    model = skip_gram(config)
    _build_vocabulary(model, corpus.counts())
    if not len(model.wv):
        return {}
    model.train(
        corpus,
        total_examples=model.corpus_count,
        epochs=config.word_epochs,
        callbacks=[_Progress(config.word_epochs)],
    )
    return {word: model.wv[word] for word in words if word in model.wv}


def skip_gram(config: PrepareConfig) -> Word2Vec:
    """Return gensim's model, which has seen nothing yet."""
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


def _build_vocabulary(model: Word2Vec, counts: Counts) -> None:
    """Give a model the vocabulary that a pass of its own over the corpus would.

    Nothing keeps the counts beyond this call: they hold far more tokens than the model learns.
    """
    model.build_vocab_from_freq(counts.tokens, corpus_count=counts.n_documents)


def least_count(config: PrepareConfig) -> int:
    """Return how often the corpus must hold a word that gets a vector."""
    return config.min_photos if config.min_count is None else config.min_count


def read_word_vectors(path: Path, words: Sequence[str]) -> Vectors:
    """Read the vectors of those `words` that a file of ready vectors has, (E,) each.

    Takes word2vec text or binary, GloVe text (no header line), plain or compressed, and gensim's
    saved KeyedVectors. The file's words are normalised like tags; the first of several spellings
    counts. Vectors that are zero or not finite count as missing. Raises `OptionError` if the file
    is missing, `DataError` if it is none of these formats or its rows differ in width.
    """
    if not path.is_file():
        raise OptionError(f"--vectors: {path} is not a file")
    try:
        keys, table = _read_any(path)
        if not np.size(table):
            raise ValueError("it holds no vectors")
    except Exception as reason:  # gensim and pickle raise many kinds for a broken file
        why = " ".join(str(reason).split())[:200] or type(reason).__name__
        raise DataError(
            f"--vectors: {path} is neither word2vec text or binary, GloVe text nor gensim "
            f"KeyedVectors, or its rows differ in width ({why})"
        ) from None
    row_of: dict[str | None, int] = {}
    for row, key in enumerate(keys):
        if key is not None:  # gensim's place of a word that the file holds twice
            row_of.setdefault(normalize_tag(key), row)
    found = {word: table[row_of[word]].astype(np.float32) for word in words if word in row_of}
    return {word: v for word, v in found.items() if np.isfinite(v).all() and v.any()}


def _read_any(path: Path) -> tuple[Sequence[str], npt.NDArray[np.floating]]:
    """Read the words and the table of a file, told apart by its first bytes."""
    with smart_open(str(path), "rb") as file:
        first, second = file.readline(1_000_000), file.readline(1_000_000)
    if first.startswith(b"\x80"):  # the pickle protocol's mark
        return _read_keyed_vectors(path)
    has_header = len(first.split()) == 2
    is_text = not has_header or _is_text_row(second)
    vectors = KeyedVectors.load_word2vec_format(
        str(path), binary=not is_text, no_header=not has_header, unicode_errors="replace"
    )
    return vectors.index_to_key, vectors.vectors


def _is_text_row(line: bytes) -> bool:
    """Say whether `line` is a word and numbers in decimal, however many."""
    try:
        return len([float(number) for number in line.split()[1:]]) > 0
    except ValueError:
        return False


# What a pickled array asks for; other modules of numpy do things when they are imported.
_ARRAY_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray",
                  "numpy.core.numeric", "numpy._core.numeric")  # fmt: skip
_ARRAY_NAMES = ("ndarray", "dtype", "_reconstruct", "_frombuffer", "scalar")


class _Inert:
    """Stands in for a pickled KeyedVectors: takes its attributes, runs none of its code."""


class _KeyedVectorsUnpickler(pickle.Unpickler):
    """Unpickles the arrays and lists of KeyedVectors and nothing else: a file may be hostile."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the few harmless classes that such a file needs; refuse all others."""
        if (module, name) == ("gensim.models.keyedvectors", "KeyedVectors"):
            return _Inert
        if module in _ARRAY_MODULES and name in _ARRAY_NAMES:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds a {module}.{name}, which has no place in it")


def _read_keyed_vectors(path: Path) -> tuple[Sequence[str], npt.NDArray[np.floating]]:
    """Read what `KeyedVectors.save` wrote; large tables lie beside it as `.vectors.npy`."""
    with path.open("rb") as file:
        saved = _KeyedVectorsUnpickler(file).load()
    keys, table = getattr(saved, "index_to_key", None), getattr(saved, "vectors", None)
    if table is None:
        table = np.load(path.with_name(path.name + ".vectors.npy"), allow_pickle=False)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("it holds no list of words")
    table = np.asarray(table, np.float32)
    if table.ndim != 2 or len(table) != len(keys):
        raise ValueError("its words and its table of vectors do not fit each other")
    return keys, table


class _Progress(CallbackAny2Vec):  # type: ignore[misc]
    """Shows the passes of the skip-gram."""

    def __init__(self, n_epochs: int):
        self.bar = tqdm(total=n_epochs, desc="word vectors", unit="pass", disable=None)

    def on_epoch_end(self, model: Word2Vec) -> None:
        """Count a pass."""
        self.bar.update()

    def on_train_end(self, model: Word2Vec) -> None:
        """Close the bar."""
        self.bar.close()
